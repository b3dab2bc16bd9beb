"""One BoxRun server."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .._address import find_address, segment
from .._requests import box_filter, box_request
from .._server import start_server
from ..errors import CommandFailed
from ..types import (
    BoxInfo,
    ExecEvent,
    ExecInfo,
    RunResult,
    StoppedBox,
    box_info,
    exec_info,
    given,
    known,
)
from .box import BoxHandle
from .execs import exec_events, exec_request
from .http import Http, parse_json
from .platform import Stream, closing, in_thread

if TYPE_CHECKING:
    # Seldom needed; loaded where they are.
    from ..reports import BoxStatsOverview, Finding, GcResult, Health, ServerEvent, ServerInfo, Usage
    from .files import Files
    from .history import History
    from .images import Images
    from .orphans import Orphans
    from .sign_in import SignIn


class BoxRunClient:
    """A client of one server.

    ``base_url``: ``http://host:port``, ``https://host`` or ``unix:///path``. Without it the server's own socket is taken, and where there is
    none the address in BOXRUN_HOST and BOXRUN_PORT (127.0.0.1:9090); a BOXRUN_HOST that is a whole URL comes first. ``token``: the
    server's, where it asks for one (BOXRUN_TOKEN). ``timeout``: of requests that have no reason to take time, in seconds.
    """

    def __init__(self, base_url: str | None = None, *, token: str | None = None, timeout: float = 30.0) -> None:
        self._http = Http(find_address(base_url), token or os.environ.get("BOXRUN_TOKEN") or None, timeout)

    @cached_property
    def images(self) -> Images:
        from .images import Images

        return Images(self._http)

    @cached_property
    def history(self) -> History:
        from .history import History

        return History(self._http)

    @cached_property
    def orphans(self) -> Orphans:
        from .orphans import Orphans

        return Orphans(self._http)

    @cached_property
    def sign_in(self) -> SignIn:
        from .sign_in import SignIn

        return SignIn(self._http)

    @classmethod
    async def start(
        cls, *, command: Sequence[str] = ("boxrun",), token: str | None = None, timeout: float = 30.0
    ) -> BoxRunClient:
        """A client of this user's server, which ``boxrun server start`` starts where it is not there. ServerStartFailed.

        ``command``: that command and what comes before its verb.
        """
        await in_thread(lambda: start_server(command))
        return cls(token=token, timeout=timeout)

    async def __aenter__(self) -> BoxRunClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def create(
        self,
        image: str,
        *,
        name: str | None = None,
        cpu: int = 2,
        memory_mb: int = 1024,
        disk_size_gb: int = 8,
        network: bool = False,
        workdir: str | None = "/root",
        env: Mapping[str, str] | None = None,
        volumes: Sequence[Mapping[str, Any]] | None = None,
        secret_env: Sequence[str] | None = None,
        ports: Sequence[Mapping[str, Any]] | None = None,
        labels: Mapping[str, str] | None = None,
        ttl_seconds: int | None = None,
        on_expiry: str | None = None,
        idempotency_key: str | None = None,
    ) -> BoxHandle:
        """Makes a box and waits until it runs. ``workdir=None``: the image's own.

        ``volumes``: ``[{"host_path": …, "guest_path": …, "readonly": False}]``. ``ports``: those of the server's host that lead into it,
        ``[{"guest_port": 80, "host_port": 0, "host_ip": "127.0.0.1"}]``; 0: one that is free. ``secret_env``: which of ``env`` are shown as
        ``***``. ``ttl_seconds``: how long it lives; it is then removed, or with ``on_expiry="stop"`` stopped.

        ``idempotency_key``: called again with the same one, by another program too, it makes nothing, and answers with the first one's box.
        """
        request = box_request(
            name=name,
            cpu=cpu,
            memory_mb=memory_mb,
            disk_size_gb=disk_size_gb,
            network=network,
            workdir=workdir,
            env=env,
            secret_env=secret_env,
            volumes=volumes,
            ports=ports,
            labels=labels,
            ttl_seconds=ttl_seconds,
            on_expiry=on_expiry,
        )
        request["image"] = image
        return BoxHandle(self._http, box_info(await self._http.once("/v1/boxes", request, idempotency_key)))

    async def get(self, id_or_name: str) -> BoxHandle:
        """By its id or its name. BOX_NOT_FOUND."""
        return BoxHandle(self._http, await self.get_box(id_or_name))

    async def get_box(self, id_or_name: str, *, show_secrets: bool = False) -> BoxInfo:
        """``show_secrets``: also the values of variables that ``secret_env`` names."""
        params = box_filter(show_secrets=show_secrets)
        return box_info(await self._http.get(f"/v1/boxes/{segment(id_or_name)}", params))

    async def list_boxes(
        self, status: str | None = None, *, labels: Sequence[str] | None = None, show_secrets: bool = False
    ) -> list[BoxInfo]:
        """Newest first, 10,000 at most. ``labels``: ``NAME`` or ``NAME=VALUE``, of boxes that have all of them."""
        params = box_filter(status=status, labels=labels, show_secrets=show_secrets)
        return [box_info(box) for box in await self._http.get("/v1/boxes", params)]

    async def box_pages(
        self,
        limit: int = 100,
        *,
        status: str | None = None,
        labels: Sequence[str] | None = None,
        show_secrets: bool = False,
    ) -> Stream[list[BoxInfo]]:
        """All there are, newest first, ``limit`` (1 to 1,000) at a time."""
        params = {"limit": str(limit), **box_filter(status=status, labels=labels, show_secrets=show_secrets)}
        async with closing(self._http.pages("/v1/boxes", params)) as pages:
            async for page in pages:
                yield [box_info(box) for box in page]

    async def stop_box(self, box_id: str, *, timeout_ms: int | None = None) -> StoppedBox:
        """``timeout_ms``: what programs get between SIGTERM and SIGKILL, by default 10 s."""
        params = given({"timeout_ms": timeout_ms})
        return known(StoppedBox, await self._http.call("POST", f"/v1/boxes/{segment(box_id)}:stop", params=params))

    async def start_box(self, box_id: str) -> BoxInfo:
        return box_info(await self._http.call("POST", f"/v1/boxes/{segment(box_id)}:start"))

    async def extend_box(self, box_id: str, ttl_seconds: int | None, *, on_expiry: str | None = None) -> BoxInfo:
        """Sets when it expires, in seconds from now; ``None``: never. ``on_expiry``: ``"stop"`` or ``"remove"``; without it as it was."""
        request = {"ttl_seconds": ttl_seconds, **given({"on_expiry": on_expiry})}
        return box_info(await self._http.call("POST", f"/v1/boxes/{segment(box_id)}:extend", json=request))

    async def remove_box(self, box_id: str, force: bool = False) -> None:
        params = {"force": "true"} if force else None
        await self._http.call("DELETE", f"/v1/boxes/{segment(box_id)}", params=params)

    async def start_exec(
        self,
        box_id: str,
        cmd: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        workdir: str | None = None,
        timeout_ms: int | None = None,
        secret_env: Sequence[str] | None = None,
        idempotency_key: str | None = None,
    ) -> ExecInfo:
        """Starts a command and returns at once; ``get(box_id)`` and its ``spawn`` give a handle to it."""
        request = exec_request(
            cmd,
            env=env,
            secret_env=secret_env,
            workdir=workdir,
            timeout_ms=timeout_ms,
            user=None,
            stdin=False,
            tty=False,
        )
        return exec_info(await self._http.once(f"/v1/boxes/{segment(box_id)}/exec", request, idempotency_key))

    async def get_exec(self, box_id: str, exec_id: str) -> ExecInfo:
        return exec_info(await self._http.get(f"/v1/boxes/{segment(box_id)}/exec/{segment(exec_id)}"))

    async def exec_stream(self, box_id: str, exec_id: str) -> Stream[ExecEvent]:
        """A command's output from the beginning, then live, then its exit."""
        path = f"/v1/boxes/{segment(box_id)}/exec/{segment(exec_id)}"
        async with closing(exec_events(self._http, path, after=0, follow=True)) as events:
            async for event in events:
                yield event

    def _files(self, box_id: str) -> Files:
        from .files import Files

        return Files(self._http, box_id)

    async def upload_file(self, box_id: str, local_path: str | os.PathLike[str], dest_path: str) -> None:
        await self._files(box_id).upload(local_path, dest_path)

    async def download_file(self, box_id: str, remote_path: str, local_path: str | os.PathLike[str]) -> None:
        await self._files(box_id).download(remote_path, local_path)

    async def run(
        self,
        image: str,
        cmd: Sequence[str] | None = None,
        *,
        cpu: int | None = None,
        memory_mb: int | None = None,
        disk_size_gb: int = 8,
        network: bool = False,
        workdir: str | None = None,
        env: Mapping[str, str] | None = None,
        timeout_ms: int | None = None,
        volumes: Sequence[Mapping[str, Any]] | None = None,
        check: bool = False,
        name: str | None = None,
        secret_env: Sequence[str] | None = None,
        ports: Sequence[Mapping[str, Any]] | None = None,
        labels: Mapping[str, str] | None = None,
        ttl_seconds: int | None = None,
        on_expiry: str | None = None,
        idempotency_key: str | None = None,
    ) -> RunResult:
        """Makes a box, runs one command in it and removes it, whatever happens. Output is collected, so mind its size.

        Without ``cmd`` it is the image's own command.
        """
        if isinstance(cmd, str):
            raise TypeError('cmd is a list of strings, not one string: ["ls", "-l"]')
        request = box_request(
            name=name,
            cpu=cpu,
            memory_mb=memory_mb,
            disk_size_gb=disk_size_gb,
            network=network or None,
            workdir=workdir,
            env=env,
            secret_env=secret_env,
            volumes=volumes,
            ports=ports,
            labels=labels,
            ttl_seconds=ttl_seconds,
            on_expiry=on_expiry,
        )
        request |= {"image": image, "cmd": None if cmd is None else list(cmd), **given({"timeout_ms": timeout_ms})}
        result = known(RunResult, await self._http.once("/v1/run", request, idempotency_key))
        if check and not result.ok:
            why = result.error_message or f"it exited with {result.exit_code}"
            raise CommandFailed(f"{' '.join(cmd or [f'the command of {image}'])}: {why}", result)
        return result

    async def gc(self, older_than: int = 3600) -> int:
        """Removes the boxes that were stopped for longer than so many seconds, with their disks; how many."""
        return (await self.collect(older_than=older_than)).removed

    async def collect(self, *, older_than: float = 3600, output_older_than: float | None = None) -> GcResult:
        """As ``gc``; and gives up the output of commands that ended longer than ``output_older_than`` seconds ago."""
        from ..reports import GcResult

        request = given({"older_than": older_than, "output_older_than": output_older_than})
        return known(GcResult, await self._http.call("POST", "/v1/gc", json=request))

    async def usage(self) -> Usage:
        """What takes how much of the host's disk."""
        from ..reports import usage

        return usage(await self._http.get("/v1/usage"))

    async def stats(self, points: int | None = None) -> list[BoxStatsOverview]:
        """All running boxes as they were at most 10 seconds ago, and their newest ``points`` (up to 360) samples."""
        from ..reports import stats_overview

        params = None if points is None else {"points": str(points)}
        return [stats_overview(box) for box in await self._http.get("/v1/stats", params)]

    async def follow_stats(self, points: int | None = None) -> Stream[list[BoxStatsOverview]]:
        """All running boxes with their newest ``points`` samples, then every 10 seconds those that use something else than before.

        ConnectionFailed if the connection breaks.
        """
        from ..reports import stats_overview

        params = {"follow": "true", **({} if points is None else {"points": str(points)})}
        async with (
            self._http.open("GET", "/v1/stats", events=True, params=params) as response,
            closing(self._http.sse(response)) as events,
        ):
            changed: list[BoxStatsOverview] = []
            async for sse in events:
                if sse.event == "stats":
                    changed += [stats_overview(box) for box in parse_json("a stats event", sse.data)]
                elif sse.event == "step":
                    yield changed
                    changed = []

    async def findings(self) -> list[Finding]:
        """What boxes need on the server's host, and whether it is there: as ``boxrun doctor`` shows it."""
        from ..reports import Finding

        return [known(Finding, finding) for finding in await self._http.get("/v1/doctor")]

    async def health(self) -> Health:
        """Answers if the server is up."""
        from ..reports import Health

        return known(Health, await self._http.get("/healthz"))

    async def info(self) -> ServerInfo:
        from ..reports import server_info

        return server_info(await self._http.get("/v1/info"))

    async def events(self, *, on_open: Callable[[], object] | None = None) -> Stream[ServerEvent]:
        """Every change of state from now on, until the server stops. ConnectionFailed if it breaks: list the boxes anew then.

        ``on_open`` is called once the server tells: a state that is read from then on lacks no change that is not told.
        """
        from ..reports import ServerEvent

        async with (
            self._http.open("GET", "/v1/events", events=True) as response,
            closing(self._http.sse(response)) as events,
        ):
            if on_open is not None:
                on_open()
            async for sse in events:
                data = parse_json("an event", sse.data)
                if sse.event == "box":
                    yield ServerEvent(box=box_info(data))
                elif sse.event == "exec":
                    yield ServerEvent(exec=exec_info(data))
                elif sse.event == "box_removed":
                    yield ServerEvent(removed=data["id"])

    async def list(self, status: str | None = None, *, labels: Sequence[str] | None = None) -> list[BoxHandle]:
        """Newest first, 10,000 at most. ``labels``: ``NAME`` or ``NAME=VALUE``, of boxes that have all of them."""
        return [BoxHandle(self._http, info) for info in await self.list_boxes(status, labels=labels)]
