"""Files of a box as the server tells of them, as dataclasses. Times are RFC 3339 in UTC."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class FileChange:
    """What has happened to a file. ``event``: ``created``, ``changed``, ``removed``, ``renamed`` (from ``from_path``), or ``overflow``: something
    is missing, because of ``reason``, and all that matters has to be looked at again."""

    event: str
    path: str
    is_dir: bool = False
    from_path: str | None = None
    reason: str | None = None


@dataclass
class FileEntry:
    """An entry of a directory. ``type``: ``file``, ``dir``, ``symlink`` or ``other``; ``size`` in bytes; ``mode`` in octal, ``"0644"``."""

    name: str
    type: str
    size: int
    mode: str
    mtime: str
    uid: int
    gid: int
    target: str | None = None
