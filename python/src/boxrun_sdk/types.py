"""Boxes and commands as the server tells of them, as dataclasses. Times are RFC 3339 in UTC."""

from __future__ import annotations

import codecs
import json
from base64 import b64decode
from dataclasses import dataclass, field, fields
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed import DataclassInstance

    from . import _wire as wire

T = TypeVar("T", bound="DataclassInstance")


@dataclass
class BoxInfo:
    """A box. ``status``: ``creating``, ``running``, ``stopped`` or ``error``.

    ``unreachable``: why one that runs does not answer now; ``impaired``: what of it does not work now. ``ports``: those of the host that lead
    into it. ``expires_at``: when it is stopped or removed, as ``on_expiry`` says. ``secret_env``: names in ``env`` whose values are shown as ``***``.
    """

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
    secret_env: list[str] | None = None
    ports: list[dict[str, Any]] | None = None
    labels: dict[str, str] | None = None
    expires_at: str | None = None
    on_expiry: str | None = None
    impaired: str | None = None


@dataclass
class StoppedBox(BoxInfo):
    """A box that was stopped just now. ``killed``: the processes (``pid``, ``name``) that had to be; ``forced``: what it had only in memory is lost."""

    killed: list[dict[str, Any]] | None = None
    forced: bool = False


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
    secret_env: list[str] | None = None


@dataclass
class ExecResult(ExecInfo):
    """A command that has ended, with its output: as bytes, and as text in which what is no UTF-8 is replaced.

    ``truncated``: output is missing, because it passed the server's limit; where, the text says.
    """

    stdout_bytes: bytes = field(default=b"", repr=False)
    stderr_bytes: bytes = field(default=b"", repr=False)
    truncated: bool = False

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

    ``seq`` counts from 1, without gaps. ``raw`` has the very bytes of a piece; in ``data`` what is no UTF-8 is replaced. ``truncated``: here
    ``skipped_bytes`` of output are missing, because it passed the server's limit. ``time``: when the piece came.
    """

    type: str
    data: str
    stream: str | None = None
    seq: int = 0
    raw: bytes = field(default=b"", repr=False)
    truncated: bool = False
    skipped_bytes: int | None = None
    time: str | None = None

    @property
    def exit_code(self) -> int | None:
        """Of the end; ``None`` where there is none, and of a piece of output."""
        code: int | None = json.loads(self.data)["exit_code"] if self.type == "exit" else None
        return code


@dataclass
class RunResult:
    """How a one-shot command ended. ``exit_code`` is ``None`` where it has none: ``error_message`` says why.

    ``truncated``: ``skipped_bytes`` of its output are missing, because it passed the server's limit.
    """

    exit_code: int | None
    stdout: str = ""
    stderr: str = ""
    error_message: str | None = None
    truncated: bool = False
    skipped_bytes: int | None = None

    @property
    def ok(self) -> bool:
        return self.exit_code == 0 and self.error_message is None


def known(kind: type[T], data: Mapping[str, Any], /, **made: Any) -> T:
    """An answer as the dataclass ``kind``: what a newer server says beyond it is left out. ``made``: fields that are not taken as they are."""
    names = _field_names(kind)
    return kind(**{key: value for key, value in data.items() if key in names} | made)


@cache
def _field_names(kind: type[DataclassInstance]) -> frozenset[str]:
    return frozenset(entry.name for entry in fields(kind))


def box_info(data: wire.Box) -> BoxInfo:
    return known(BoxInfo, data)


def exec_info(data: wire.Exec) -> ExecInfo:
    return known(ExecInfo, data)


def exec_result(info: ExecInfo, stdout: bytes, stderr: bytes, truncated: bool) -> ExecResult:
    return ExecResult(**vars(info), stdout_bytes=stdout, stderr_bytes=stderr, truncated=truncated)


def log_event(data: wire.LogEvent) -> ExecEvent:
    text = data["data"]
    raw = b64decode(text) if data.get("encoding") == "base64" else text.encode()
    if data.get("encoding") == "base64":
        text = codecs.decode(raw, "utf-8", "replace")
    return known(ExecEvent, data, type="log", data=text, raw=raw)


def exit_event(data: wire.ExitEvent) -> ExecEvent:
    return known(ExecEvent, data, type="exit")


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """A request's fields without those that were left out."""
    return {key: value for key, value in values.items() if value is not None}
