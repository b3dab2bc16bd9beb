"""Starting this user's server."""

from __future__ import annotations

from collections.abc import Sequence

from .errors import ServerStartFailed


def start_server(command: Sequence[str]) -> None:
    """``command``: the ``boxrun`` command and what comes before its verb."""
    # Seldom needed, and not loaded for nothing.
    import subprocess

    whole = [*command, "server", "start"]
    try:
        done = subprocess.run(whole, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    except OSError as error:
        raise ServerStartFailed(f"`{' '.join(whole)}` failed: {error}") from error
    if done.returncode != 0:
        said = done.stderr.strip() or f"it exited with {done.returncode}"
        raise ServerStartFailed(f"`{' '.join(whole)}` failed: {said}")
