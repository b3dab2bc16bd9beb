"""What differs between the synchronous SDK and the asynchronous one that it is made from; ``_async/platform.py`` is its twin."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal
    from websockets.asyncio.client import ClientConnection

__all__ = ["Socket", "Stream", "closing", "in_thread", "open_websocket", "pause"]

T = TypeVar("T")

Stream = Generator[T, None, None]


def pause(seconds: float) -> None:
    time.sleep(seconds)


def in_thread(work: Callable[[], T]) -> T:
    return work()


class Socket:
    """An asynchronous WebSocket, for threads. websockets' own for threads stands still where both sides send more than is read."""

    def __init__(self, socket: ClientConnection, portal: BlockingPortal) -> None:
        self._socket = socket
        self._portal = portal

    def recv(self) -> str | bytes:
        return self._portal.call(self._socket.recv)

    def send(self, message: str | bytes) -> None:
        self._portal.call(self._socket.send, message)


@contextmanager
def open_websocket(socket_path: str | None, url: str, headers: dict[str, str]) -> Stream[Socket]:
    from anyio.from_thread import start_blocking_portal

    from .._async.platform import open_websocket as open_asynchronous

    async def opened() -> Any:
        return open_asynchronous(socket_path, url, headers)

    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(portal.call(opened)) as socket,
    ):
        yield Socket(socket, portal)
