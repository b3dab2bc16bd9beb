"""What the server tells about itself and its boxes beside their state, as dataclasses. Times are RFC 3339 in UTC; sizes in bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .types import BoxStats, known

if TYPE_CHECKING:
    from . import _wire as wire


@dataclass
class RecentStats:
    """The newest samples of a box, oldest first, in columns of equal length. ``at``: seconds since the epoch."""

    at: list[float]
    cpu_percent: list[float | None]
    memory_bytes: list[float | None]


@dataclass
class BoxStatsOverview(BoxStats):
    """As :class:`BoxStats`, at most 10 seconds old; ``recent`` where samples were asked for."""

    recent: RecentStats | None = None


@dataclass
class StatsHistory:
    """The last hour of a running box, in columns of equal length, oldest first. ``at``: seconds since the epoch."""

    step_seconds: float
    at: list[float]
    cpu_percent: list[float | None]
    memory_bytes: list[float | None]
    disk_bytes: list[float | None]
    network_received_per_second: list[float | None]
    network_sent_per_second: list[float | None]
    processes: list[float | None]
    host_cpu_percent: list[float | None]
    host_memory_bytes: list[float | None]


@dataclass
class Caller:
    """Who has called. ``kind``: ``socket``, ``loopback``, ``token`` or ``browser``; ``uid``: the user, where the system told."""

    kind: str
    uid: int | None


@dataclass
class HistoryEntry:
    """One thing that somebody did. ``target``: what of the box; ``error_code``: how it failed, ``None`` if it was done."""

    seq: int
    at: str
    box_id: str | None
    box_name: str | None
    action: str
    target: str | None
    cmd: list[str] | None
    exec_id: str | None
    caller: Caller
    user_agent: str | None
    error_code: str | None


@dataclass
class BoxUsage:
    """What a box takes of the host's disk."""

    id: str
    name: str | None
    disk_bytes: int


@dataclass
class Usage:
    """What takes how much of the host's disk. ``boxes``: the largest first; ``free_bytes``: where the state directory is.

    ``promised_bytes``: what boxes that are up may still write there.
    """

    boxes: list[BoxUsage]
    boxes_bytes: int
    images_bytes: int
    prepared_images_bytes: int
    output_bytes: int
    database_bytes: int
    logs_bytes: int
    free_bytes: int
    promised_bytes: int | None = None


@dataclass
class GcResult:
    """How many boxes were removed, and how many bytes of output given up."""

    removed: int
    output_bytes: int = 0


@dataclass
class Health:
    """``recovering``: the server takes over what the last one left; what needs that waits."""

    status: str
    version: str
    recovering: bool = False


@dataclass
class Finding:
    """What was found on the server's host of something that boxes need. ``status``: ``ok``, ``warn`` or ``fail``; ``advice``: what to do about it."""

    name: str
    status: str
    message: str
    advice: str | None = None


@dataclass
class Orphan:
    """A box that an engine has and the server's database does not. ``adoptable``: a box can be made of it again."""

    id: str
    engine: str
    name: str | None
    image: str | None
    created_at: str | None
    adoptable: bool


@dataclass
class ListeningPort:
    """A TCP port on which something in a box listens. ``reachable``: a connection to this port of the box ends there."""

    port: int
    address: str
    pid: int | None
    process: str | None
    reachable: bool


@dataclass
class SignedIn:
    """As whom the server knows the caller. ``expires_at``: when a browser has to sign in again."""

    kind: str
    uid: int | None
    expires_at: str | None


@dataclass
class SignInLink:
    """Signs a browser in, once. ``url`` is ``None`` where the server listens on no port."""

    token: str
    path: str
    url: str | None
    expires_at: str


def stats_overview(data: wire.StatsOverview) -> BoxStatsOverview:
    recent = data.get("recent")
    return known(BoxStatsOverview, data, recent=None if recent is None else known(RecentStats, recent))


def history_entry(data: wire.HistoryEntry) -> HistoryEntry:
    return known(HistoryEntry, data, caller=known(Caller, data["caller"]))


def usage(data: wire.Usage) -> Usage:
    return known(Usage, data, boxes=[known(BoxUsage, box) for box in data["boxes"]])
