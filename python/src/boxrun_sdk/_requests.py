"""What a request asks for, in the API's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .types import given


def box_request(
    *,
    name: str | None,
    cpu: int | None,
    memory_mb: int | None,
    disk_size_gb: int,
    network: bool | None,
    workdir: str | None,
    env: Mapping[str, str] | None,
    secret_env: Sequence[str] | None,
    volumes: Sequence[Mapping[str, Any]] | None,
    ports: Sequence[Mapping[str, Any]] | None,
    labels: Mapping[str, str] | None,
    ttl_seconds: int | None,
    on_expiry: str | None,
) -> dict[str, Any]:
    return given(
        {
            "name": name,
            "cpu": cpu,
            "memory_mb": memory_mb,
            "disk_size_gb": disk_size_gb,
            "network": network,
            "workdir": workdir,
            "env": None if env is None else dict(env),
            "secret_env": None if secret_env is None else list(secret_env),
            "volumes": None if volumes is None else [dict(volume) for volume in volumes],
            "ports": None if ports is None else [dict(port) for port in ports],
            "labels": None if labels is None else dict(labels),
            "ttl_seconds": ttl_seconds,
            "on_expiry": on_expiry,
        }
    )


def box_filter(
    *, status: str | None = None, labels: Sequence[str] | None = None, show_secrets: bool = False
) -> dict[str, str | list[str]]:
    return given(
        {
            "status": status,
            "label": None if labels is None else list(labels),
            "show_secrets": "true" if show_secrets else None,
        }
    )
