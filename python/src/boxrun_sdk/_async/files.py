"""Files of a running box. Paths in the box are absolute."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, BinaryIO

from .._address import segment
from .._transfer import Counted, pack_directory, unpack_archive
from ..errors import BoxRunError, ConnectionFailed
from ..types import FileChange, FileEntry, file_entry, given
from .http import Http, parse_json
from .platform import Stream, in_thread

# Kept in memory up to this size, in bytes; larger archives go through a temporary file.
SPOOL_BYTES = 8 * 1024 * 1024

Progress = Callable[[int], None]


class Files:
    """Everything streams: memory does not grow with a file.

    ``progress`` is called with the bytes moved so far. ``owner``: ``user`` or ``user:group``, by name or number as the box knows them;
    without it new files belong to the user that the box's commands run as.
    """

    def __init__(self, http: Http, box_id: str) -> None:
        self._http = http
        self._path = f"/v1/boxes/{segment(box_id)}/files"

    async def read(self, path: str) -> bytes:
        async with self._http.open("POST", f"{self._path}/download", json={"path": path}) as response:
            return await response.aread()

    async def read_text(self, path: str, encoding: str = "utf-8") -> str:
        return (await self.read(path)).decode(encoding)

    async def write(
        self,
        path: str,
        content: bytes | str | BinaryIO,
        *,
        owner: str | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Makes the parents, and replaces what is there once all of the content is."""
        if isinstance(content, str):
            content = content.encode()
        await self._send(path, content, {"owner": owner}, progress)

    async def list(self, path: str) -> list[FileEntry]:
        """A directory's entries, sorted by name."""
        return [file_entry(entry) for entry in await self._http.get(self._path, {"path": path})]

    async def stat(self, path: str, *, follow: bool = False) -> FileEntry:
        """What is at a path: of a symlink itself, or with ``follow`` of what it leads to."""
        params = given({"path": path, "follow": "true" if follow else None})
        return file_entry(await self._http.get(f"{self._path}/stat", params))

    async def mkdir(self, path: str, *, parents: bool = False, owner: str | None = None) -> None:
        """``parents``: also those on the way, and a directory that is there is no ``FILE_EXISTS``."""
        await self._http.call(
            "POST", f"{self._path}/mkdir", json=given({"path": path, "parents": parents, "owner": owner})
        )

    async def rename(self, path: str, to: str, *, replace: bool = False) -> None:
        """At once or not at all, within a file system. Without ``replace`` whatever is there is a ``FILE_EXISTS``."""
        await self._http.call("POST", f"{self._path}/rename", json={"path": path, "to": to, "replace": replace})

    async def watch(self, path: str, *, recursive: bool = False) -> Stream[FileChange]:
        """What happens to a file or in a directory, until it is gone. Nothing is missed, or there is an ``overflow``.

        ``ConnectionFailed`` if the connection is lost: watch again then, and look at all that matters.
        """
        params = given({"path": path, "recursive": "true" if recursive else None})
        async with self._http.open("GET", f"{self._path}/watch", events=True, params=params) as response:
            async for event in self._http.sse(response):
                if event.event == "end":
                    return
                data = parse_json("a change of a file", event.data)
                if event.event == "error":
                    raise BoxRunError(data["code"], data["message"])
                if event.event in {"created", "changed", "removed", "renamed", "overflow"}:
                    yield FileChange(
                        event=event.event,
                        path=data.get("path", path),
                        is_dir=data.get("is_dir", False),
                        from_path=data.get("from"),
                        reason=data.get("reason"),
                    )
        raise ConnectionFailed(f"the changes of {path} broke off")

    async def remove(self, path: str) -> None:
        """A file, or a whole directory."""
        await self._http.call("DELETE", self._path, params={"path": path})

    async def upload(
        self,
        local: str | os.PathLike[str],
        dest: str,
        *,
        owner: str | None = None,
        progress: Progress | None = None,
    ) -> None:
        """A file to the path ``dest``, or a directory's content into the directory ``dest``."""
        source = Path(local)
        if await in_thread(source.is_dir):
            with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as archive:
                await in_thread(lambda: pack_directory(source, archive))
                await self._send(dest, archive, {"archive": "tar", "owner": owner or "@box"}, progress)
            return
        with await in_thread(lambda: source.open("rb")) as file:
            await self._send(dest, file, {"owner": owner}, progress)

    async def download(self, remote: str, local: str | os.PathLike[str], *, progress: Progress | None = None) -> None:
        """A file to the path ``local``, or a directory's content into the directory ``local``.

        What breaks off leaves what was at ``local`` before. Modes are kept but for set-user-id and the like; what would climb out of
        ``local`` is refused.
        """
        target = Path(local)
        try:
            await self._receive_file(remote, target, progress)
        except BoxRunError as error:
            if error.code != "VALIDATION_ERROR" or not await self._is_directory(remote):
                raise
            with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as archive:
                await self._receive(remote, "tar", archive, progress)
                await in_thread(lambda: unpack_archive(archive, target))

    async def _receive_file(self, remote: str, target: Path, progress: Progress | None) -> None:
        part = target.with_name(f".{target.name}.{os.getpid()}.boxrun-part")
        try:
            with await in_thread(lambda: part.open("wb")) as file:
                await self._receive(remote, None, file, progress)
            await in_thread(lambda: part.replace(target))
        except BaseException:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise

    async def _receive(self, remote: str, archive: str | None, file: IO[bytes], progress: Progress | None) -> None:
        params = None if archive is None else {"archive": archive}
        moved = 0
        async with self._http.open("POST", f"{self._path}/download", params=params, json={"path": remote}) as response:
            async for piece in response.aiter_bytes(256 * 1024):
                file.write(piece)
                moved += len(piece)
                if progress is not None:
                    progress(moved)

    async def _send(
        self, dest: str, content: bytes | IO[bytes], params: dict[str, str | None], progress: Progress | None
    ) -> None:
        body = content if progress is None else Counted(content, progress)
        await self._http.call(
            "POST",
            f"{self._path}/upload",
            params=given(params),
            data={"dest": dest},
            files={"file": ("file", body, "application/octet-stream")},
        )

    async def _is_directory(self, path: str) -> bool:
        try:
            await self.list(path)
        except BoxRunError:
            return False
        return True
