"""Everything here runs against a real server with real boxes: BOXRUN_TEST_SOCKET names its socket."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import pytest

from boxrun_sdk import BoxRun
from boxrun_sdk.sync import BoxHandle

SMALL = {"cpu": 1, "memory_mb": 256, "disk_size_gb": 1}


@pytest.fixture(scope="session")
def server() -> str:
    return f"unix://{os.environ['BOXRUN_TEST_SOCKET']}"


@pytest.fixture(scope="session")
def boxrun(server: str) -> Iterator[BoxRun]:
    with BoxRun(server) as client:
        yield client


@pytest.fixture(scope="session")
def box(boxrun: BoxRun) -> Iterator[BoxHandle]:
    """One box for all tests: a boot takes seconds."""
    with boxrun.create(
        "base",
        name="python-sdk",
        env={"A": "of the box", "S": "secret"},
        secret_env=["S"],
        labels={"of": "python"},
        ports=[{"guest_port": 80}],
        **SMALL,
    ) as made:
        yield made


class Proxy(Protocol):
    def __call__(self, cut_behind: bytes, lost: bool = False) -> str: ...


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    """Makes a way to the server that breaks once, behind the first answer that holds the given bytes (``lost``: before it); its address."""
    sockets: list[socket.socket] = []

    def open_proxy(cut_behind: bytes, lost: bool = False) -> str:
        path = str(tmp_path / "proxy.sock")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        sockets.append(listener)
        state = {"cut": False}

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    upstream = socket.socket(socket.AF_UNIX)
                    upstream.connect(os.environ["BOXRUN_TEST_SOCKET"])
                    sockets.extend([client, upstream])
                    threading.Thread(target=pump, args=(client, upstream, False), daemon=True).start()
                    threading.Thread(target=pump, args=(upstream, client, True), daemon=True).start()

        def pump(source: socket.socket, target: socket.socket, may_cut: bool) -> None:
            with suppress(OSError):
                while data := source.recv(65536):
                    cuts = may_cut and not state["cut"] and cut_behind in data
                    state["cut"] = state["cut"] or cuts
                    if not (cuts and lost):
                        target.sendall(data)
                    if cuts:
                        break
                for end in (source, target):
                    end.shutdown(socket.SHUT_RDWR)

        threading.Thread(target=accept, daemon=True).start()
        return f"unix://{path}"

    yield open_proxy
    for opened in sockets:
        with suppress(OSError):
            opened.close()
