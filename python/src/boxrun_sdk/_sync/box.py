# Made from _async/box.py by tools/generate.py.
"""A box, to be driven."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlencode

from .._address import segment
from .._requests import box_filter
from ..types import (
    BoxInfo,
    ExecEvent,
    ExecInfo,
    ExecResult,
    StoppedBox,
    box_info,
    exec_info,
    given,
    known,
)
from .execs import ExecHandle, exec_request, run_to_end, run_with_input, start_and_follow
from .http import Http, parse_json
from .platform import Stream, closing

if TYPE_CHECKING:
    # Seldom needed; loaded where they are.
    from ..image_types import ImageInfo
    from ..reports import BoxStats, ListeningPort, SessionInfo, StatsHistory
    from .files import Files
    from .ports import PortConnection
    from .terminal import Terminal


class BoxHandle:
    """A box. As a context manager it is removed at the end, with its disk."""

    def __init__(self, http: Http, info: BoxInfo) -> None:
        self._http = http
        self.info = info

    def __enter__(self) -> BoxHandle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove(force=True)

    def __repr__(self) -> str:
        return f"<BoxHandle {self.name or self.id}: {self.info.status}>"

    @cached_property
    def files(self) -> Files:
        from .files import Files

        return Files(self._http, self.info.id)

    @property
    def id(self) -> str:
        return self.info.id

    @property
    def name(self) -> str | None:
        return self.info.name

    @property
    def _path(self) -> str:
        return f"/v1/boxes/{segment(self.info.id)}"

    def refresh(self, *, show_secrets: bool = False) -> BoxInfo:
        """``show_secrets``: also the values of variables that ``secret_env`` names."""
        self.info = box_info(self._http.get(self._path, box_filter(show_secrets=show_secrets)))
        return self.info

    def start(self) -> BoxInfo:
        """Boots it on the disk that it has."""
        self.info = box_info(self._http.call("POST", f"{self._path}:start"))
        return self.info

    def stop(self, *, timeout_ms: int | None = None) -> StoppedBox:
        """Its disk is kept. ``timeout_ms``: what programs get between SIGTERM and SIGKILL, by default 10 s. The answer says which had to be killed."""
        params = given({"timeout_ms": timeout_ms})
        stopped = known(StoppedBox, self._http.call("POST", f"{self._path}:stop", params=params))
        self.info = stopped
        return stopped

    def extend(self, ttl_seconds: int | None, *, on_expiry: str | None = None) -> BoxInfo:
        """Sets when it expires, in seconds from now; ``None``: never. ``on_expiry``: ``"stop"`` or ``"remove"``; without it as it was."""
        request = {"ttl_seconds": ttl_seconds, **given({"on_expiry": on_expiry})}
        self.info = box_info(self._http.call("POST", f"{self._path}:extend", json=request))
        return self.info

    def commit(self, reference: str, *, replace: bool = False) -> ImageInfo:
        """Makes an image of it under that name, once it is stopped: what is on its disk, for other boxes. ``replace``: also of a name that is taken."""
        from ..image_types import ImageInfo

        request = {"reference": reference, "replace": replace}
        return known(ImageInfo, self._http.call("POST", f"{self._path}:commit", json=request))

    def remove(self, force: bool = False) -> None:
        """With its disk, its commands and their output. ``force``: also while it runs."""
        self._http.call("DELETE", self._path, params={"force": "true"} if force else None)

    def exec(
        self,
        cmd: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        secret_env: Sequence[str] | None = None,
        workdir: str | None = None,
        timeout_ms: int | None = None,
        user: str | None = None,
        stdin: bytes | str | BinaryIO | None = None,
        check: bool = False,
        idempotency_key: str | None = None,
    ) -> ExecResult:
        """Runs a command to its end. A failing one is a result; with ``check`` it is a CommandFailed.

        ``idempotency_key``: called again with the same one, by another program too, it runs nothing, and tells of the first one's command.
        """
        request = exec_request(
            cmd,
            env=env,
            secret_env=secret_env,
            workdir=workdir,
            timeout_ms=timeout_ms,
            user=user,
            stdin=stdin is not None,
            tty=False,
        )
        if stdin is not None:
            return run_with_input(self._http, self.id, request, stdin, check=check, key=idempotency_key)
        return run_to_end(self._http, self.id, request, check=check, key=idempotency_key)

    def shell(
        self,
        command: str,
        *,
        env: Mapping[str, str] | None = None,
        secret_env: Sequence[str] | None = None,
        workdir: str | None = None,
        timeout_ms: int | None = None,
        user: str | None = None,
        stdin: bytes | str | BinaryIO | None = None,
        check: bool = False,
        idempotency_key: str | None = None,
    ) -> ExecResult:
        """Runs a line of shell: ``box.shell("ls | wc -l")``."""
        return self.exec(
            ["sh", "-c", command],
            env=env,
            secret_env=secret_env,
            workdir=workdir,
            timeout_ms=timeout_ms,
            user=user,
            stdin=stdin,
            check=check,
            idempotency_key=idempotency_key,
        )

    def exec_stream(
        self,
        cmd: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        secret_env: Sequence[str] | None = None,
        workdir: str | None = None,
        timeout_ms: int | None = None,
        user: str | None = None,
        idempotency_key: str | None = None,
    ) -> Stream[ExecEvent]:
        """Runs a command and yields its output as it comes, then its exit. A connection that breaks is taken up again."""
        request = exec_request(
            cmd,
            env=env,
            secret_env=secret_env,
            workdir=workdir,
            timeout_ms=timeout_ms,
            user=user,
            stdin=False,
            tty=False,
        )
        with closing(start_and_follow(self._http, self.id, request, key=idempotency_key)) as events:
            for event in events:
                if isinstance(event, ExecEvent):
                    yield event

    def spawn(
        self,
        cmd: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        secret_env: Sequence[str] | None = None,
        workdir: str | None = None,
        timeout_ms: int | None = None,
        user: str | None = None,
        stdin: bool = False,
        tty: bool | tuple[int, int] = False,
        idempotency_key: str | None = None,
    ) -> ExecHandle:
        """Starts a command and leaves it running: follow, feed, signal or cancel it by its handle. ``tty``: True, or (columns, rows)."""
        request = exec_request(
            cmd,
            env=env,
            secret_env=secret_env,
            workdir=workdir,
            timeout_ms=timeout_ms,
            user=user,
            stdin=stdin,
            tty=tty,
        )
        info = exec_info(self._http.once(f"{self._path}/exec", request, idempotency_key))
        return ExecHandle(self._http, info, stdin_offset=0)

    def execs(self) -> list[ExecInfo]:
        """Newest first, 10,000 at most."""
        return [exec_info(data) for data in self._http.get(f"{self._path}/execs")]

    def exec_pages(self, limit: int = 100) -> Stream[list[ExecInfo]]:
        """All of its commands, newest first, ``limit`` (1 to 1,000) at a time."""
        with closing(self._http.pages(f"{self._path}/execs", {"limit": str(limit)})) as pages:
            for page in pages:
                yield [exec_info(data) for data in page]

    def get_exec(self, exec_id: str) -> ExecHandle:
        return ExecHandle(self._http, exec_info(self._http.get(f"{self._path}/exec/{segment(exec_id)}")))

    def stats(self) -> BoxStats:
        """What it uses now."""
        from ..reports import BoxStats

        return known(BoxStats, self._http.get(f"{self._path}/stats"))

    def follow_stats(self) -> Stream[BoxStats]:
        """What it uses, every two seconds, until it runs no more. ConnectionFailed if the connection breaks."""
        from ..reports import BoxStats

        with (
            self._http.open("GET", f"{self._path}/stats?follow=true", events=True) as response,
            closing(self._http.sse(response)) as events,
        ):
            for sse in events:
                if sse.event == "stats":
                    yield known(BoxStats, parse_json("a stats event", sse.data))

    def stats_history(self) -> StatsHistory:
        """The last hour, a sample every 10 seconds, in columns."""
        from ..reports import StatsHistory

        return known(StatsHistory, self._http.get(f"{self._path}/stats/history"))

    def connect(self, port: int) -> PortConnection:
        """A TCP connection to a port of the box, which needs no network for it. Needs ``boxrun-sdk[terminal]``."""
        from .ports import connect_port

        return connect_port(self._http, f"{self._path}/ports", port)

    def ports(self) -> list[ListeningPort]:
        """The TCP ports on which something in it listens."""
        from ..reports import ListeningPort

        return [known(ListeningPort, port) for port in self._http.get(f"{self._path}/ports")]

    def sessions(self) -> list[SessionInfo]:
        """Shells that outlive their clients, newest first."""
        from ..reports import SessionInfo

        return [known(SessionInfo, data) for data in self._http.get(f"{self._path}/sessions")]

    def remove_session(self, name: str) -> None:
        """Ends it, and everything that was started in it."""
        self._http.call("DELETE", f"{self._path}/sessions/{segment(name)}")

    def attach(
        self,
        *,
        shell: str | None = None,
        session: str | None = None,
        share: bool = False,
        cols: int = 80,
        rows: int = 24,
        term: str | None = None,
    ) -> Terminal:
        """A terminal on a shell, or on the session of that name, which goes on when this one leaves. Needs ``boxrun-sdk[terminal]``."""
        from .terminal import attach

        query = given(
            {
                "shell": shell,
                "session": session,
                "share": "true" if share else None,
                "cols": cols,
                "rows": rows,
                "term": term,
            }
        )
        return attach(self._http, f"{self._path}/attach?{urlencode(query)}")

    def upload(self, local_path: str | os.PathLike[str], dest_path: str) -> None:
        """A file, or a directory's content."""
        self.files.upload(local_path, dest_path)

    def download(self, remote_path: str, local_path: str | os.PathLike[str]) -> None:
        """A file, or a directory's content."""
        self.files.download(remote_path, local_path)
