"""What the server tells about itself and its boxes beside their state, as dataclasses. Times are RFC 3339 in UTC; sizes in bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .types import known

if TYPE_CHECKING:
    from . import _wire as wire
    from .types import BoxInfo, ExecInfo


@dataclass
class SessionInfo:
    """A shell that outlives its clients. ``survives_server``: it goes on when the server is restarted."""

    name: str
    box_id: str
    shell: str | None
    cols: int
    rows: int
    clients: int
    survives_server: bool
    created_at: str


@dataclass
class BoxStats:
    """What a running box uses. None where nobody knows: of a box that does not answer there is what the host sees of it.

    ``guest``: ``answered``; ``idle``, if it has done nothing since it last did, and was not asked; ``unreachable``; or ``unsupported``, if an older
    BoxRun has started it. ``cpu_percent``: 100 is one CPU, wholly. ``host_…``: what its processes on the host take.
    """

    box_id: str
    at: str
    guest: str
    guest_error: str | None
    cpu_percent: float | None
    cpus: int
    memory_bytes: float | None
    memory_limit_bytes: float
    disk_bytes: float | None
    disk_size_bytes: float
    network_received_bytes: float | None
    network_sent_bytes: float | None
    processes: float | None
    host_cpu_percent: float | None
    host_memory_bytes: float
    host_proportional_memory_bytes: float | None


@dataclass
class EngineInfo:
    """What runs the boxes. ``ready: False``: ``why`` says what is missing and how to get it.

    ``requested`` and ``reason``: what was asked for, and why it is this one; ``considered``: the others (``name``, ``why`` not).
    ``own_memory_mb``: what a box takes of the host beside its own memory. ``confinement``: whether a box's processes are confined on the host as they can be (``complete``), and ``how``.
    """

    name: str
    accelerator: str
    ready: bool
    why: str
    capabilities: list[str]
    confinement: dict[str, Any] | None = None
    least_memory_mb: int | None = None
    requested: str | None = None
    reason: str | None = None
    considered: list[dict[str, Any]] | None = None
    own_memory_mb: int | None = None


@dataclass
class ServerInfo:
    """The server's version, engine and limits, and what is used of them. ``recovering``: it still takes over what the last one left.

    ``pool``: the boxes that are prepared before anybody asks for them, by size: how many there should be (``wanted``), how many are ``ready``, and what keeps the others away (``trouble``).
    """

    version: str
    engine: EngineInfo
    max_cpu: int
    max_memory_mb: int
    used_cpu: int
    used_memory_mb: int
    boxes: dict[str, int]
    recovering: bool = False
    pool: list[dict[str, Any]] | None = None


@dataclass
class ServerEvent:
    """A change of state: exactly one of the three is there. ``removed``: the id of a box that is gone."""

    box: BoxInfo | None = None
    exec: ExecInfo | None = None
    removed: str | None = None


def server_info(data: wire.Info) -> ServerInfo:
    return known(ServerInfo, data, engine=known(EngineInfo, data["engine"]))


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
    """``recovering``: the server takes over what the last one left; what needs that waits.

    ``idempotency_keys``: a request with a key is done once, so that one whose answer was lost can be sent again.
    """

    status: str
    version: str
    recovering: bool = False
    idempotency_keys: bool = False


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
