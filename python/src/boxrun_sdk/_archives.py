"""Directories as tars."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import IO


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
    with _filtering_open()(fileobj=archive, mode="r:") as tar:
        tar.extractall(target, filter="data")


def _filtering_open() -> Callable[..., tarfile.TarFile]:
    """A ``tarfile.open`` whose archives know filters: Python's own from 3.10.12 and 3.11.4 on. Debian 12 has 3.11.2."""
    if hasattr(tarfile, "data_filter"):
        return tarfile.open
    backport: Callable[..., tarfile.TarFile] = getattr(import_module("backports.tarfile"), "open")  # noqa: B009
    return backport
