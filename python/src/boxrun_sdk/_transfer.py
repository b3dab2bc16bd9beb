"""Directories as tars, and counting what is sent."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, BinaryIO


class InputSource:
    """What goes into a command, once, or again from its beginning where that can be had."""

    def __init__(self, content: bytes | str | BinaryIO) -> None:
        self.whole = content.encode() if isinstance(content, str) else content if isinstance(content, bytes) else b""
        self.is_file = not isinstance(content, (str, bytes))
        self._file: IO[bytes] = io.BytesIO() if isinstance(content, (str, bytes)) else content
        self._begin = self._file.tell() if self._file.seekable() else None
        self.sent = len(self.whole)

    def read(self) -> bytes:
        piece = self._file.read(64 * 1024)
        self.sent += len(piece)
        return piece

    def rewind(self) -> bool:
        """Whether it can be sent again."""
        if self.is_file:
            if self._begin is None:
                return False
            self._file.seek(self._begin)
            self.sent = 0
        return True


class Counted(io.RawIOBase):
    """A source that tells how much of it was read. Its length is known where the source can seek."""

    def __init__(self, source: bytes | IO[bytes], progress: Callable[[int], None]) -> None:
        self._file: IO[bytes] = io.BytesIO(source) if isinstance(source, bytes) else source
        self._progress = progress
        self._read = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._file.seekable()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        if piece:
            self._read += len(piece)
            self._progress(self._read)
        return piece


def pack_directory(source: Path, archive: IO[bytes]) -> None:
    """The content of ``source``, names relative to it, links as links."""
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(os.listdir(source)):
            tar.add(source / name, arcname=name)
    archive.seek(0)


def unpack_archive(archive: IO[bytes], target: Path) -> None:
    """What comes from a box is hostile: nothing outside of ``target`` is touched, no device is made, no set-user-id bit kept."""
    archive.seek(0)
    target.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=archive, mode="r:") as tar:
        tar.extractall(target, filter="data")
