# Made from _async/changes.py by tools/generate.py.
"""What happens to files in a box."""

from __future__ import annotations

from collections.abc import Callable

from httpx_sse import ServerSentEvent

from ..errors import BoxRunError, ConnectionFailed
from ..file_types import FileChange
from ..types import given
from .http import RESUME_PAUSES, Http, is_passing, parse_json
from .platform import Stream, closing, pause


def file_changes(
    http: Http, url: str, path: str, recursive: bool, on_open: Callable[[], object] | None
) -> Stream[FileChange]:
    """A connection that is lost is opened again, and what may be missing by that is an ``overflow``."""
    params = given({"path": path, "recursive": "true" if recursive else None})
    was_open = False
    failures = 0
    while True:
        try:
            with (
                http.open("GET", url, events=True, params=params) as response,
                closing(http.sse(response)) as events,
            ):
                for sse in events:
                    if sse.event == "ready":
                        if was_open:
                            yield FileChange("overflow", path, reason="the connection was lost for a while")
                        elif on_open is not None:
                            on_open()
                        was_open, failures = True, 0
                    elif sse.event == "end":
                        return
                    elif (change := _change(sse, path)) is not None:
                        yield change
            raise ConnectionFailed(f"GET {url}: {http.address} ended the changes of {path}")
        except BoxRunError as error:
            if not was_open or not is_passing(error) or failures == len(RESUME_PAUSES):
                raise
            pause(RESUME_PAUSES[failures])
            failures += 1


def _change(sse: ServerSentEvent, path: str) -> FileChange | None:
    if sse.event not in {"created", "changed", "removed", "renamed", "overflow", "error"}:
        # A newer server may tell more.
        return None
    data = parse_json("a change of a file", sse.data)
    if sse.event == "error":
        status = 503 if data["code"] == "BOX_UNREACHABLE" else 400
        raise BoxRunError(data["code"], data["message"], status=status, details=data.get("details"))
    return FileChange(
        event=sse.event,
        path=data.get("path", path),
        is_dir=data.get("is_dir", False),
        from_path=data.get("from"),
        reason=data.get("reason"),
    )
