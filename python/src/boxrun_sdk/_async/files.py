"""Files of a running box. Paths in the box are absolute."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, BinaryIO

from .._address import segment
from .._transfer import Counted
from ..errors import BoxRunError
from ..file_types import FileChange, FileEntry
from ..types import given, known
from .changes import file_changes
from .http import Http
from .platform import Stream, closing, in_thread

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

    async def read(self, path: str, *, progress: Progress | None = None) -> bytes:
        content = bytearray()
        async with closing(self._content(path, None, progress)) as pieces:
            async for piece in pieces:
                content += piece
        return bytes(content)

    async def read_text(self, path: str, encoding: str = "utf-8") -> str:
        return (await self.read(path)).decode(encoding)

    async def stream(self, path: str, *, progress: Progress | None = None) -> Stream[bytes]:
        """A file's content, piece by piece. Leaving the loop ends the transfer."""
        async with closing(self._content(path, None, progress)) as pieces:
            async for piece in pieces:
                yield piece

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
        return [known(FileEntry, entry) for entry in await self._http.get(self._path, {"path": path})]

    async def stat(self, path: str, *, follow: bool = False) -> FileEntry:
        """What is at a path: of a symlink itself, or with ``follow`` of what it leads to."""
        params = given({"path": path, "follow": "true" if follow else None})
        return known(FileEntry, await self._http.get(f"{self._path}/stat", params))

    async def mkdir(self, path: str, *, parents: bool = False, owner: str | None = None) -> None:
        """``parents``: also those on the way, and a directory that is there is no ``FILE_EXISTS``."""
        await self._http.call(
            "POST", f"{self._path}/mkdir", json=given({"path": path, "parents": parents, "owner": owner})
        )

    async def rename(self, path: str, to: str, *, replace: bool = False) -> None:
        """At once or not at all, within a file system. Without ``replace`` whatever is there is a ``FILE_EXISTS``."""
        await self._http.call("POST", f"{self._path}/rename", json={"path": path, "to": to, "replace": replace})

    async def watch(
        self, path: str, *, recursive: bool = False, on_open: Callable[[], object] | None = None
    ) -> Stream[FileChange]:
        """What happens to a file or in a directory, until it is gone. Nothing is missed, or there is an ``overflow``.

        So it is when a connection that was lost has been taken up again. ``on_open`` is called once the box watches: nothing that happens from
        then on is missed.
        """
        async with closing(file_changes(self._http, f"{self._path}/watch", path, recursive, on_open)) as changes:
            async for change in changes:
                yield change

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
            from .._archives import pack_directory

            with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as archive:
                await in_thread(lambda: pack_directory(source, archive))
                await self._send(dest, archive, {"archive": "tar", "owner": owner or "@box"}, progress)
            return
        with await in_thread(lambda: source.open("rb")) as file:
            await self._send(dest, file, {"owner": owner}, progress)

    async def upload_archive(self, dest: str, tar: bytes | BinaryIO, *, owner: str | None = None) -> None:
        """Unpacks a tar below the directory ``dest``, made if missing. ``owner``: without it, what the tar says."""
        await self._send(dest, tar, {"archive": "tar", "owner": owner}, None)

    async def download_archive(self, path: str, *, full: bool = False) -> Stream[bytes]:
        """A directory's content, names relative to it, or one file, as a tar, piece by piece. ``full``: docs/copying.md."""
        params = {"archive": "tar", **({"full": "true"} if full else {})}
        async with closing(self._content(path, params, None)) as pieces:
            async for piece in pieces:
                yield piece

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
            from .._archives import unpack_archive

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
        async with closing(self._content(remote, params, progress)) as pieces:
            async for piece in pieces:
                file.write(piece)

    async def _content(self, path: str, params: dict[str, str] | None, progress: Progress | None) -> Stream[bytes]:
        moved = 0
        async with self._http.open("POST", f"{self._path}/download", params=params, json={"path": path}) as response:
            async for piece in response.aiter_bytes(256 * 1024):
                moved += len(piece)
                if progress is not None:
                    progress(moved)
                yield piece

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
