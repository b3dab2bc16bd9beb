# Made from packages/contract/openapi.json by tools/generate.py. Only type checkers read it.

from __future__ import annotations

from typing import Any, Literal, TypeAlias, TypedDict

from typing_extensions import NotRequired

SecretEnvItem: TypeAlias = str


class Port(TypedDict):
    guest_port: int
    host_port: NotRequired[int]
    host_ip: NotRequired[str]


class VolumeRequest(TypedDict):
    host_path: str
    guest_path: str
    readonly: NotRequired[bool]


CmdItem: TypeAlias = str


class TerminalSize(TypedDict):
    cols: int
    rows: int


class SignalRequest(TypedDict):
    signal: Literal[
        "SIGHUP",
        "SIGINT",
        "SIGQUIT",
        "SIGKILL",
        "SIGUSR1",
        "SIGUSR2",
        "SIGPIPE",
        "SIGALRM",
        "SIGTERM",
        "SIGCONT",
        "SIGSTOP",
        "SIGTSTP",
        "SIGTTIN",
        "SIGTTOU",
        "SIGWINCH",
    ]


class TerminalClientMessage(TypedDict):
    type: Literal["resize"]
    cols: int
    rows: int


class DownloadRequest(TypedDict):
    path: str


class PullImageRequest(TypedDict):
    reference: str


class RunRequest(TypedDict):
    image: str
    name: NotRequired[str | None]
    cpu: NotRequired[int]
    memory_mb: NotRequired[int]
    disk_size_gb: NotRequired[int]
    network: NotRequired[bool]
    workdir: NotRequired[str | None]
    env: NotRequired[dict[str, str] | None]
    secret_env: NotRequired[list[SecretEnvItem] | None]
    volumes: NotRequired[list[VolumeRequest] | None]
    ports: NotRequired[list[Port] | None]
    labels: NotRequired[dict[str, str] | None]
    ttl_seconds: NotRequired[int | None]
    on_expiry: NotRequired[Literal["stop", "remove"] | None]
    cmd: NotRequired[list[CmdItem] | None]
    timeout_ms: NotRequired[int | None]


class GcRequest(TypedDict):
    older_than: NotRequired[float]
    output_older_than: NotRequired[float]


class Error(TypedDict):
    code: Literal[
        "VALIDATION_ERROR",
        "BOX_NOT_FOUND",
        "EXEC_NOT_FOUND",
        "SESSION_NOT_FOUND",
        "IMAGE_NOT_FOUND",
        "SNAPSHOT_NOT_FOUND",
        "FILE_NOT_FOUND",
        "PORT_REFUSED",
        "PORT_IN_USE",
        "FILE_EXISTS",
        "NOT_FOUND",
        "BOX_NOT_RUNNING",
        "BOX_UNREACHABLE",
        "SERVER_RECOVERING",
        "BOX_ALREADY_RUNNING",
        "NAME_ALREADY_EXISTS",
        "IDEMPOTENCY_KEY_REUSED",
        "RESOURCE_EXCEEDED",
        "EXEC_ALREADY_FINISHED",
        "IMAGE_PULL_FAILED",
        "IMAGE_IN_USE",
        "TIMEOUT",
        "CANCELED",
        "RUNTIME_ERROR",
        "NOT_SUPPORTED",
        "UNAUTHORIZED",
        "FORBIDDEN",
        "PAYLOAD_TOO_LARGE",
        "INTERNAL_ERROR",
    ]
    message: str
    details: NotRequired[dict[str, Any]]


class Port2(TypedDict):
    guest_port: int
    host_port: int
    host_ip: str


BoxStatus: TypeAlias = Literal["creating", "running", "stopped", "error"]


class Volume(TypedDict):
    host_path: str
    guest_path: str
    readonly: bool


class Ok(TypedDict):
    ok: Literal[True]


ExecStatus: TypeAlias = Literal["running", "succeeded", "failed", "timeout", "canceled"]


class RunResponse(TypedDict):
    exit_code: int | None
    stdout: str
    stderr: str
    error_message: str | None
    truncated: NotRequired[Literal[True]]
    skipped_bytes: NotRequired[int]


class LogEvent(TypedDict):
    stream: Literal["stdout", "stderr"]
    data: str
    seq: int
    encoding: NotRequired[Literal["base64"]]
    truncated: NotRequired[Literal[True]]
    skipped_bytes: NotRequired[int]
    time: NotRequired[str]


class ExitEvent(TypedDict):
    stream: None
    data: str
    seq: int


class EndEvent(TypedDict):
    seq: int


class ExitData(TypedDict):
    exit_code: int | None
    status: NotRequired[str]
    error: NotRequired[str]


class BoxRemoved(TypedDict):
    id: str


class Session(TypedDict):
    name: str
    box_id: str
    shell: str | None
    cols: int
    rows: int
    clients: int
    survives_server: bool
    created_at: str


class SignedIn(TypedDict):
    kind: Literal["socket", "loopback", "token", "browser"]
    uid: int | None
    expires_at: str | None


class SignInLink(TypedDict):
    token: str
    path: str
    url: str | None
    expires_at: str


class BoxStats(TypedDict):
    box_id: str
    at: str
    guest: Literal["answered", "idle", "unreachable", "unsupported"]
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


class Caller(TypedDict):
    kind: Literal["socket", "loopback", "token", "browser", "server"]
    uid: int | None


class HistoryEntry(TypedDict):
    seq: int
    at: str
    box_id: str | None
    box_name: str | None
    action: Literal[
        "create",
        "start",
        "stop",
        "extend",
        "commit",
        "remove",
        "run",
        "exec",
        "cancel",
        "signal",
        "attach",
        "end-session",
        "connect",
        "upload",
        "download",
        "mkdir",
        "rename",
        "delete",
        "adopt",
        "gc",
    ]
    target: str | None
    cmd: list[str] | None
    exec_id: str | None
    caller: Caller
    user_agent: str | None
    error_code: str | None


class StatsHistory(TypedDict):
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


class Recent(TypedDict):
    at: list[float]
    cpu_percent: list[float | None]
    memory_bytes: list[float | None]


class StatsOverview(TypedDict):
    box_id: str
    at: str
    guest: Literal["answered", "idle", "unreachable", "unsupported"]
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
    recent: NotRequired[Recent]


class ListeningPort(TypedDict):
    port: int
    address: str
    pid: int | None
    process: str | None
    reachable: bool


class KilledItem(TypedDict):
    pid: int
    name: str


class StoppedBox(TypedDict):
    id: str
    name: str | None
    status: BoxStatus
    image: str
    cpu: int
    memory_mb: int
    disk_size_gb: int
    network: bool
    workdir: str
    env: dict[str, str] | None
    secret_env: NotRequired[list[str]]
    volumes: list[Volume] | None
    boxlite_id: str | None
    error_code: str | None
    error_message: str | None
    created_at: str
    started_at: str | None
    stopped_at: str | None
    engine: str
    image_digest: str | None
    ports: NotRequired[list[Port2]]
    labels: NotRequired[dict[str, str]]
    expires_at: NotRequired[str]
    on_expiry: NotRequired[Literal["stop", "remove"]]
    unreachable: NotRequired[str]
    impaired: NotRequired[str]
    killed: NotRequired[list[KilledItem]]
    forced: NotRequired[bool]


class Orphan(TypedDict):
    id: str
    engine: str
    name: str | None
    image: str | None
    created_at: str | None
    adoptable: bool


class Box1(TypedDict):
    id: str
    name: str | None
    disk_bytes: int


class Usage(TypedDict):
    boxes: list[Box1]
    boxes_bytes: int
    images_bytes: int
    prepared_images_bytes: int
    output_bytes: int
    database_bytes: int
    logs_bytes: int
    free_bytes: int
    promised_bytes: NotRequired[int]


class TerminalServerMessage1(TypedDict):
    type: Literal["exit"]
    code: int


class TerminalServerMessage2(TypedDict):
    type: Literal["error"]
    code: str
    message: str
    details: NotRequired[dict[str, Any]]


TerminalServerMessage: TypeAlias = TerminalServerMessage1 | TerminalServerMessage2


class Error1(TypedDict):
    code: int
    message: str
    data: NotRequired[Any]


class McpError(TypedDict):
    jsonrpc: Literal["2.0"]
    error: Error1
    id: None


class UploadResponse(TypedDict):
    ok: Literal[True]
    dest: str


class FileEntry(TypedDict):
    name: str
    type: Literal["file", "dir", "symlink", "other"]
    size: int
    mode: str
    mtime: str
    uid: int
    gid: int
    target: NotRequired[str]


class Image(TypedDict):
    reference: str
    digest: str
    size_bytes: int
    created_at: str
    builtin: bool


class Config(TypedDict):
    env: dict[str, str]
    user: str | None
    workdir: str | None
    entrypoint: list[str] | None
    cmd: list[str] | None


class ImageDetails(TypedDict):
    reference: str
    digest: str
    size_bytes: int
    created_at: str
    builtin: bool
    platform: str
    config: Config
    programs: NotRequired[list[str]]


class PullProgress(TypedDict):
    message: str
    layer: NotRequired[str]
    done_bytes: NotRequired[int]
    total_bytes: NotRequired[int]


class Confinement(TypedDict):
    complete: bool
    how: str


class ConsideredItem(TypedDict):
    name: str
    why: str


class EngineInfo(TypedDict):
    name: str
    accelerator: str
    ready: bool
    why: str
    confinement: NotRequired[Confinement]
    capabilities: list[str]
    least_memory_mb: NotRequired[int]
    own_memory_mb: NotRequired[int]
    requested: NotRequired[Literal["auto", "boxlite", "qemu"]]
    reason: NotRequired[str]
    considered: NotRequired[list[ConsideredItem]]


class PoolInfo(TypedDict):
    image: str
    cpu: int
    memory_mb: int
    disk_size_gb: int
    network: bool
    wanted: int
    ready: int
    trouble: NotRequired[str]


class Info(TypedDict):
    max_cpu: int
    max_memory_mb: int
    version: str
    engine: EngineInfo
    used_cpu: int
    used_memory_mb: int
    boxes: dict[str, int]
    recovering: NotRequired[bool]
    pool: NotRequired[list[PoolInfo]]


class GcResponse(TypedDict):
    removed: int
    output_bytes: NotRequired[int]


class Health(TypedDict):
    status: Literal["ok"]
    version: str
    recovering: NotRequired[bool]
    idempotency_keys: NotRequired[bool]


class CreateBoxRequest(TypedDict):
    image: str
    name: NotRequired[str | None]
    cpu: NotRequired[int]
    memory_mb: NotRequired[int]
    disk_size_gb: NotRequired[int]
    network: NotRequired[bool]
    workdir: NotRequired[str | None]
    env: NotRequired[dict[str, str] | None]
    secret_env: NotRequired[list[SecretEnvItem] | None]
    volumes: NotRequired[list[VolumeRequest] | None]
    ports: NotRequired[list[Port] | None]
    labels: NotRequired[dict[str, str] | None]
    ttl_seconds: NotRequired[int | None]
    on_expiry: NotRequired[Literal["stop", "remove"] | None]


class ExecRequest(TypedDict):
    cmd: NotRequired[list[CmdItem] | None]
    timeout_ms: NotRequired[int | None]
    env: NotRequired[dict[str, str] | None]
    secret_env: NotRequired[list[SecretEnvItem] | None]
    workdir: NotRequired[str | None]
    user: NotRequired[str | None]
    tty: NotRequired[bool | TerminalSize | None]
    stdin: NotRequired[bool | None]


class Box(TypedDict):
    id: str
    name: str | None
    status: BoxStatus
    image: str
    cpu: int
    memory_mb: int
    disk_size_gb: int
    network: bool
    workdir: str
    env: dict[str, str] | None
    secret_env: NotRequired[list[str]]
    volumes: list[Volume] | None
    boxlite_id: str | None
    error_code: str | None
    error_message: str | None
    created_at: str
    started_at: str | None
    stopped_at: str | None
    engine: str
    image_digest: str | None
    ports: NotRequired[list[Port2]]
    labels: NotRequired[dict[str, str]]
    expires_at: NotRequired[str]
    on_expiry: NotRequired[Literal["stop", "remove"]]
    unreachable: NotRequired[str]
    impaired: NotRequired[str]


class Exec(TypedDict):
    id: str
    box_id: str
    status: ExecStatus
    cmd: list[str]
    env: dict[str, str] | None
    secret_env: NotRequired[list[str]]
    workdir: str | None
    timeout_ms: int | None
    exit_code: int | None
    error_message: str | None
    created_at: str
    finished_at: str | None
    user: str | None
    tty: bool
