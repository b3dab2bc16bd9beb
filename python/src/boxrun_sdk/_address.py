"""Where the server is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from .errors import BoxRunError


@dataclass(frozen=True)
class Address:
    """A server's: a Unix socket, with a URL that only names it, or a URL."""

    base_url: str
    socket_path: str | None

    def __str__(self) -> str:
        return self.base_url if self.socket_path is None else f"unix://{self.socket_path}"


def find_address(base_url: str | None) -> Address:
    """``base_url`` if there is one, else a URL in BOXRUN_HOST, the server's socket, or BOXRUN_HOST and BOXRUN_PORT (127.0.0.1:9090)."""
    if base_url is not None:
        return _parse(base_url, "base_url")
    host = os.environ.get("BOXRUN_HOST", "")
    if "://" in host:
        return _parse(host, "BOXRUN_HOST")
    socket = _socket_path()
    if os.path.exists(socket):
        return Address("http://localhost", socket)
    port = os.environ.get("BOXRUN_PORT") or "9090"
    bracketed = f"[{host}]" if ":" in host and not host.startswith("[") else host or "127.0.0.1"
    return _parse(f"http://{bracketed}:{port}", "BOXRUN_HOST and BOXRUN_PORT")


def _socket_path() -> str:
    set_path = os.environ.get("BOXRUN_SOCKET")
    if set_path:
        return set_path
    state = os.environ.get("BOXRUN_STATE_DIR")
    return str((Path(state) if state else Path("~/.boxrun").expanduser()) / "boxrun.sock")


def _parse(url: str, where: str) -> Address:
    for scheme in ("http+unix://", "unix://"):
        if url.startswith(scheme):
            path = unquote(url.removeprefix(scheme))
            if not path.startswith("/"):
                raise _invalid(url, where)
            return Address("http://localhost", path)
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and parts.hostname is not None and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise _invalid(url, where)
    return Address(url.rstrip("/"), None)


def _invalid(url: str, where: str) -> BoxRunError:
    return BoxRunError(
        "VALIDATION_ERROR", f"{where}: {url!r} is no address; write http://host:port, https://host or unix:///path"
    )


def segment(text: str) -> str:
    """As one part of a URL's path: a name with a slash in it must not reach another route."""
    quoted = quote(text, safe="")
    if quoted in ("", ".", ".."):
        raise BoxRunError("VALIDATION_ERROR", f"{text!r} can be no name or id")
    return quoted
