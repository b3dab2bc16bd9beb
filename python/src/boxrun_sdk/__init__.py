"""Python SDK for BoxRun: ``BoxRunClient`` for asyncio and trio, ``BoxRun`` for everything else."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import BoxRunError, CommandFailed, ConnectionFailed, InvalidAnswer, ServerStartFailed
from .types import (
    BoxInfo,
    ExecEvent,
    ExecInfo,
    ExecResult,
    RunResult,
    StoppedBox,
)

if TYPE_CHECKING:
    from .client import BoxHandle, BoxRunClient, ExecHandle, PortConnection, Terminal
    from .file_types import FileChange, FileEntry
    from .image_types import ImageConfig, ImageDetails, ImageInfo, PullProgress
    from .reports import (
        BoxStats,
        BoxStatsOverview,
        BoxUsage,
        Caller,
        EngineInfo,
        Finding,
        GcResult,
        Health,
        HistoryEntry,
        ListeningPort,
        Orphan,
        RecentStats,
        ServerEvent,
        ServerInfo,
        SessionInfo,
        SignedIn,
        SignInLink,
        StatsHistory,
        Usage,
    )
    from .sync import BoxRun

__all__ = [
    "BoxHandle",
    "BoxInfo",
    "BoxRun",
    "BoxRunClient",
    "BoxRunError",
    "BoxStats",
    "BoxStatsOverview",
    "BoxUsage",
    "Caller",
    "CommandFailed",
    "ConnectionFailed",
    "EngineInfo",
    "ExecEvent",
    "ExecHandle",
    "ExecInfo",
    "ExecResult",
    "FileChange",
    "FileEntry",
    "Finding",
    "GcResult",
    "Health",
    "HistoryEntry",
    "ImageConfig",
    "ImageDetails",
    "ImageInfo",
    "InvalidAnswer",
    "ListeningPort",
    "Orphan",
    "PortConnection",
    "PullProgress",
    "RecentStats",
    "RunResult",
    "ServerEvent",
    "ServerInfo",
    "ServerStartFailed",
    "SessionInfo",
    "SignInLink",
    "SignedIn",
    "StatsHistory",
    "StoppedBox",
    "Terminal",
    "Usage",
]

_LOADED_WHEN_ASKED_FOR = {
    "_async.box": ("BoxHandle",),
    "_async.client": ("BoxRunClient",),
    "_async.execs": ("ExecHandle",),
    "_async.ports": ("PortConnection",),
    "_async.terminal": ("Terminal",),
    "_sync.client": ("BoxRun",),
    "file_types": ("FileChange", "FileEntry"),
    "image_types": ("ImageConfig", "ImageDetails", "ImageInfo", "PullProgress"),
    "reports": (
        "BoxStats",
        "BoxStatsOverview",
        "BoxUsage",
        "Caller",
        "EngineInfo",
        "Finding",
        "GcResult",
        "Health",
        "HistoryEntry",
        "ListeningPort",
        "Orphan",
        "RecentStats",
        "ServerEvent",
        "ServerInfo",
        "SessionInfo",
        "SignedIn",
        "SignInLink",
        "StatsHistory",
        "Usage",
    ),
}
_MODULES = {name: module for module, names in _LOADED_WHEN_ASKED_FOR.items() for name in names}


def __getattr__(name: str) -> Any:
    """Few programs need both clients, and fewer what the server reports: each is loaded when it is asked for."""
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value = getattr(import_module(f".{module}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
