"""What is sent: counted, and had again."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
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
