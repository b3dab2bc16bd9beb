"""What the server answers with, as dataclasses. Times are RFC 3339 in UTC."""

from __future__ import annotations

import codecs
from base64 import b64decode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from . import _wire as wire


@dataclass
class BoxInfo:
    """A box. ``status``: ``creating``, ``running``, ``stopped`` or ``error``; ``unreachable``: why one that runs does not answer now."""

    id: str
    name: str | None
    status: str
    image: str
    cpu: int
    memory_mb: int
    disk_size_gb: int
    network: bool
    workdir: str
    env: dict[str, str] | None = None
    volumes: list[dict[str, Any]] | None = None
    boxlite_id: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    created_at: str = ""
    started_at: str | None = None
    stopped_at: str | None = None
    engine: str | None = None
    image_digest: str | None = None
    unreachable: str | None = None


@dataclass
class ExecInfo:
    """A command in a box. ``status``: ``running``, ``succeeded``, ``failed``, ``timeout`` or ``canceled``."""

    id: str
    box_id: str
    status: str
    cmd: list[str]
    env: dict[str, str] | None = None
    workdir: str | None = None
    timeout_ms: int | None = None
    exit_code: int | None = None
    error_message: str | None = None
    created_at: str = ""
    finished_at: str | None = None
    user: str | None = None
    tty: bool = False


@dataclass
class ExecResult(ExecInfo):
    """A command that has ended, with its output: as bytes, and as text in which what is no UTF-8 is replaced."""

    stdout_bytes: bytes = field(default=b"", repr=False)
    stderr_bytes: bytes = field(default=b"", repr=False)

    @property
    def ok(self) -> bool:
        return self.status == "succeeded"

    @property
    def stdout(self) -> str:
        return self.stdout_bytes.decode("utf-8", "replace")

    @property
    def stderr(self) -> str:
        return self.stderr_bytes.decode("utf-8", "replace")


@dataclass
class ExecEvent:
    """A piece of output (``type`` is ``log``) or the end (``exit``; ``data`` is JSON text with ``exit_code`` and, if there is one, ``error``).

    ``seq`` counts from 1, without gaps. ``raw`` has the very bytes of a piece; in ``data`` what is no UTF-8 is replaced.
    """

    type: str
    data: str
    stream: str | None = None
    seq: int = 0
    raw: bytes = field(default=b"", repr=False)
    truncated: bool = False


@dataclass
class RunResult:
    """How a one-shot command ended. ``exit_code`` is ``None`` where it has none: ``error_message`` says why."""

    exit_code: int | None
    stdout: str = ""
    stderr: str = ""
    error_message: str | None = None


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
class ImageInfo:
    """An image that is here. ``builtin``: it ships with BoxRun."""

    reference: str
    digest: str
    size_bytes: int
    created_at: str
    builtin: bool


@dataclass
class PullProgress:
    """A step of a pull; ``layer`` with its bytes while one is on its way, ``image`` in the last one."""

    message: str
    layer: str | None = None
    done_bytes: int | None = None
    total_bytes: int | None = None
    image: ImageInfo | None = None


@dataclass
class EngineInfo:
    """What runs the boxes. ``ready: False``: ``why`` says what is missing and how to get it."""

    name: str
    accelerator: str
    ready: bool
    why: str
    capabilities: list[str]


@dataclass
class ServerInfo:
    """The server's version, engine and limits, and what is used of them."""

    version: str
    engine: EngineInfo
    max_cpu: int
    max_memory_mb: int
    used_cpu: int
    used_memory_mb: int
    boxes: dict[str, int]


@dataclass
class ServerEvent:
    """A change of state: exactly one of the three is there. ``removed``: the id of a box that is gone."""

    box: BoxInfo | None = None
    exec: ExecInfo | None = None
    removed: str | None = None


def box_info(data: wire.Box) -> BoxInfo:
    return BoxInfo(
        id=data["id"],
        name=data["name"],
        status=data["status"],
        image=data["image"],
        cpu=data["cpu"],
        memory_mb=data["memory_mb"],
        disk_size_gb=data["disk_size_gb"],
        network=data["network"],
        workdir=data["workdir"],
        env=data["env"],
        volumes=None if data["volumes"] is None else [dict(volume) for volume in data["volumes"]],
        boxlite_id=data["boxlite_id"],
        error_code=data["error_code"],
        error_message=data["error_message"],
        created_at=data["created_at"],
        started_at=data["started_at"],
        stopped_at=data["stopped_at"],
        engine=data.get("engine"),
        image_digest=data.get("image_digest"),
        unreachable=data.get("unreachable"),
    )


def exec_info(data: wire.Exec) -> ExecInfo:
    return ExecInfo(
        id=data["id"],
        box_id=data["box_id"],
        status=data["status"],
        cmd=data["cmd"],
        env=data["env"],
        workdir=data["workdir"],
        timeout_ms=data["timeout_ms"],
        exit_code=data["exit_code"],
        error_message=data["error_message"],
        created_at=data["created_at"],
        finished_at=data["finished_at"],
        user=data.get("user"),
        tty=data.get("tty", False),
    )


def exec_result(info: ExecInfo, stdout: bytes, stderr: bytes) -> ExecResult:
    return ExecResult(**vars(info), stdout_bytes=stdout, stderr_bytes=stderr)


def log_event(data: wire.LogEvent) -> ExecEvent:
    text = data["data"]
    raw = b64decode(text) if data.get("encoding") == "base64" else text.encode()
    if data.get("encoding") == "base64":
        text = codecs.decode(raw, "utf-8", "replace")
    return ExecEvent("log", text, data["stream"], data["seq"], raw, data.get("truncated", False))


def exit_event(data: wire.ExitEvent) -> ExecEvent:
    return ExecEvent("exit", data["data"], None, data["seq"])


def run_result(data: wire.RunResponse) -> RunResult:
    return RunResult(data["exit_code"], data["stdout"], data["stderr"], data["error_message"])


def file_entry(data: wire.FileEntry) -> FileEntry:
    return FileEntry(
        name=data["name"],
        type=data["type"],
        size=data["size"],
        mode=data["mode"],
        mtime=data["mtime"],
        uid=data["uid"],
        gid=data["gid"],
        target=data.get("target"),
    )


def session_info(data: wire.Session) -> SessionInfo:
    return SessionInfo(
        name=data["name"],
        box_id=data["box_id"],
        shell=data["shell"],
        cols=data["cols"],
        rows=data["rows"],
        clients=data["clients"],
        survives_server=data["survives_server"],
        created_at=data["created_at"],
    )


def box_stats(data: wire.BoxStats) -> BoxStats:
    return BoxStats(
        box_id=data["box_id"],
        at=data["at"],
        guest=data["guest"],
        guest_error=data["guest_error"],
        cpu_percent=data["cpu_percent"],
        cpus=data["cpus"],
        memory_bytes=data["memory_bytes"],
        memory_limit_bytes=data["memory_limit_bytes"],
        disk_bytes=data["disk_bytes"],
        disk_size_bytes=data["disk_size_bytes"],
        network_received_bytes=data["network_received_bytes"],
        network_sent_bytes=data["network_sent_bytes"],
        processes=data["processes"],
        host_cpu_percent=data["host_cpu_percent"],
        host_memory_bytes=data["host_memory_bytes"],
        host_proportional_memory_bytes=data["host_proportional_memory_bytes"],
    )


def image_info(data: wire.Image) -> ImageInfo:
    return ImageInfo(
        reference=data["reference"],
        digest=data["digest"],
        size_bytes=data["size_bytes"],
        created_at=data["created_at"],
        builtin=data["builtin"],
    )


def pull_progress(data: wire.PullProgress) -> PullProgress:
    return PullProgress(data["message"], data.get("layer"), data.get("done_bytes"), data.get("total_bytes"))


def server_info(data: wire.Info) -> ServerInfo:
    engine = data["engine"]
    return ServerInfo(
        version=data["version"],
        engine=EngineInfo(
            engine["name"], engine["accelerator"], engine["ready"], engine["why"], engine["capabilities"]
        ),
        max_cpu=data["max_cpu"],
        max_memory_mb=data["max_memory_mb"],
        used_cpu=data["used_cpu"],
        used_memory_mb=data["used_memory_mb"],
        boxes=data["boxes"],
    )


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """A request's fields without those that were left out."""
    return {key: value for key, value in values.items() if value is not None}
