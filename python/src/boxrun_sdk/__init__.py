"""Python SDK for BoxRun: ``BoxRunClient`` for asyncio and trio, ``BoxRun`` for everything else."""

from .client import BoxHandle, BoxRunClient, ExecHandle, Terminal
from .errors import BoxRunError, CommandFailed, ConnectionFailed, InvalidAnswer
from .sync import BoxRun
from .types import (
    BoxInfo,
    BoxStats,
    EngineInfo,
    ExecEvent,
    ExecInfo,
    ExecResult,
    FileChange,
    FileEntry,
    ImageInfo,
    PullProgress,
    RunResult,
    ServerEvent,
    ServerInfo,
    SessionInfo,
)

__all__ = [
    "BoxHandle",
    "BoxInfo",
    "BoxRun",
    "BoxRunClient",
    "BoxRunError",
    "BoxStats",
    "CommandFailed",
    "ConnectionFailed",
    "EngineInfo",
    "ExecEvent",
    "ExecHandle",
    "ExecInfo",
    "ExecResult",
    "FileChange",
    "FileEntry",
    "ImageInfo",
    "InvalidAnswer",
    "PullProgress",
    "RunResult",
    "ServerEvent",
    "ServerInfo",
    "SessionInfo",
    "Terminal",
]
