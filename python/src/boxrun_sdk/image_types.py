"""Images as the server tells of them, as dataclasses. Times are RFC 3339 in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .types import known

if TYPE_CHECKING:
    from . import _wire as wire


@dataclass
class ImageInfo:
    """An image that is here. ``builtin``: it ships with BoxRun."""

    reference: str
    digest: str
    size_bytes: int
    created_at: str
    builtin: bool


@dataclass
class ImageConfig:
    """What an image sets for the boxes made from it; ``None`` for what it says nothing of."""

    env: dict[str, str]
    user: str | None
    workdir: str | None
    entrypoint: list[str] | None
    cmd: list[str] | None


@dataclass
class ImageDetails(ImageInfo):
    """``platform``: ``linux/amd64``, say; ``programs``: the names of those in its PATH, of the image that ships with BoxRun only."""

    platform: str
    config: ImageConfig
    programs: list[str] | None = None


@dataclass
class PullProgress:
    """A step of a pull; ``layer`` with its bytes while one is on its way, ``image`` in the last one."""

    message: str
    layer: str | None = None
    done_bytes: int | None = None
    total_bytes: int | None = None
    image: ImageInfo | None = None


def image_details(data: wire.ImageDetails) -> ImageDetails:
    return known(ImageDetails, data, config=known(ImageConfig, data["config"]))
