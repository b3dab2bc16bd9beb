"""One BoxRun server."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from .._address import find_address, segment
from ..errors import CommandFailed
from ..types import (
    BoxInfo,
    ExecEvent,
    ExecInfo,
    RunResult,
    ServerEvent,
    ServerInfo,
    box_info,
    exec_info,
    given,
    run_result,
    server_info,
)
from .box import BoxHandle
from .execs import exec_events, exec_request
from .files import Files
from .http import Http, parse_json
from .images import Images
from .platform import Stream, closing


class BoxRunClient:
    """A client of one server.

    ``base_url``: ``http://host:port``, ``https://host`` or ``unix:///path``. Without it the server's own socket is taken, and where there is
    none the address in BOXRUN_HOST and BOXRUN_PORT (127.0.0.1:9090); a BOXRUN_HOST that is a whole URL comes first. ``token``: the
    server's, where it asks for one (BOXRUN_TOKEN). ``timeout``: of requests that have no reason to take time, in seconds.
    """

    def __init__(self, base_url: str | None = None, *, token: str | None = None, timeout: float = 30.0) -> None:
        self._http = Http(find_address(base_url), token or os.environ.get("BOXRUN_TOKEN") or None, timeout)
        self.images = Images(self._http)

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
    ) -> BoxHandle:
        """Makes a box and waits until it runs. ``workdir=None``: the image's own.

        ``volumes``: ``[{"host_path": …, "guest_path": …, "readonly": False}]``.
        """
        request = given(
            {
                "image": image,
                "name": name,
                "cpu": cpu,
                "memory_mb": memory_mb,
                "disk_size_gb": disk_size_gb,
                "network": network,
                "workdir": workdir,
                "env": None if env is None else dict(env),
                "volumes": None if volumes is None else [dict(volume) for volume in volumes],
            }
        )
        return BoxHandle(self._http, box_info(await self._http.call("POST", "/v1/boxes", json=request)))

    async def get(self, id_or_name: str) -> BoxHandle:
        return BoxHandle(self._http, await self.get_box(id_or_name))

    async def get_box(self, id_or_name: str) -> BoxInfo:
        return box_info(await self._http.get(f"/v1/boxes/{segment(id_or_name)}"))

    async def list_boxes(self, status: str | None = None) -> list[BoxInfo]:
        boxes = await self._http.get("/v1/boxes", None if status is None else {"status": status})
        return [box_info(box) for box in boxes]

    async def stop_box(self, box_id: str) -> BoxInfo:
        return box_info(await self._http.call("POST", f"/v1/boxes/{segment(box_id)}:stop"))

    async def start_box(self, box_id: str) -> BoxInfo:
        return box_info(await self._http.call("POST", f"/v1/boxes/{segment(box_id)}:start"))

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
    ) -> ExecInfo:
        """Starts a command and returns at once."""
        request = exec_request(cmd, env=env, workdir=workdir, timeout_ms=timeout_ms, user=None, stdin=False, tty=False)
        return exec_info(await self._http.call("POST", f"/v1/boxes/{segment(box_id)}/exec", json=request))

    async def get_exec(self, box_id: str, exec_id: str) -> ExecInfo:
        return exec_info(await self._http.get(f"/v1/boxes/{segment(box_id)}/exec/{segment(exec_id)}"))

    async def exec_stream(self, box_id: str, exec_id: str) -> Stream[ExecEvent]:
        """A command's output from the beginning, then live, then its exit."""
        path = f"/v1/boxes/{segment(box_id)}/exec/{segment(exec_id)}"
        async with closing(exec_events(self._http, path, after=0, follow=True)) as events:
            async for event in events:
                yield event

    async def upload_file(self, box_id: str, local_path: str | os.PathLike[str], dest_path: str) -> None:
        await Files(self._http, box_id).upload(local_path, dest_path)

    async def download_file(self, box_id: str, remote_path: str, local_path: str | os.PathLike[str]) -> None:
        await Files(self._http, box_id).download(remote_path, local_path)

    async def run(
        self,
        image: str,
        cmd: Sequence[str],
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
    ) -> RunResult:
        """Makes a box, runs one command in it and removes it, whatever happens. Output is collected, so mind its size."""
        request = {
            "image": image,
            **exec_request(cmd, env=env, workdir=workdir, timeout_ms=timeout_ms, user=None, stdin=False, tty=False),
            **given(
                {
                    "cpu": cpu,
                    "memory_mb": memory_mb,
                    "disk_size_gb": disk_size_gb,
                    "network": network or None,
                    "volumes": None if volumes is None else [dict(volume) for volume in volumes],
                }
            ),
        }
        result = run_result(await self._http.call("POST", "/v1/run", json=request))
        if check and result.exit_code != 0:
            why = result.error_message or f"it exited with {result.exit_code}"
            raise CommandFailed(f"{' '.join(cmd)}: {why}", result)
        return result

    async def gc(self, older_than: int = 3600) -> int:
        """Removes the boxes that were stopped for longer than so many seconds, with their disks; how many."""
        removed: int = (await self._http.call("POST", "/v1/gc", json={"older_than": older_than}))["removed"]
        return removed

    async def info(self) -> ServerInfo:
        return server_info(await self._http.get("/v1/info"))

    async def events(self) -> Stream[ServerEvent]:
        """Every change of state from now on, until the server stops. ConnectionFailed if it breaks: list the boxes anew then."""
        async with (
            self._http.open("GET", "/v1/events", events=True) as response,
            closing(self._http.sse(response)) as events,
        ):
            async for sse in events:
                data = parse_json("an event", sse.data)
                if sse.event == "box":
                    yield ServerEvent(box=box_info(data))
                elif sse.event == "exec":
                    yield ServerEvent(exec=exec_info(data))
                elif sse.event == "box_removed":
                    yield ServerEvent(removed=data["id"])

    async def list(self, status: str | None = None) -> list[BoxHandle]:
        """Newest first. ``status``: only those."""
        return [BoxHandle(self._http, info) for info in await self.list_boxes(status)]
