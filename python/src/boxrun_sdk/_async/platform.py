"""What differs between the asynchronous SDK and the synchronous one that is made from it; ``_sync/platform.py`` is its twin."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from contextlib import aclosing as closing
from typing import Protocol, TypeVar

__all__ = ["Socket", "Stream", "closing", "in_thread", "open_websocket", "pause"]

T = TypeVar("T")

Stream = AsyncGenerator[T, None]


async def pause(seconds: float) -> None:
    import anyio

    await anyio.sleep(seconds)


async def in_thread(work: Callable[[], T]) -> T:
    """Runs what blocks on the disk without holding up the event loop."""
    import anyio.to_thread

    return await anyio.to_thread.run_sync(work)


class Socket(Protocol):
    """What is used of a WebSocket."""

    async def recv(self) -> str | bytes: ...

    async def send(self, message: str | bytes) -> None: ...


# The server's frames are far smaller.
MAX_FRAME_BYTES = 8 * 1024 * 1024


def open_websocket(socket_path: str | None, url: str, headers: dict[str, str]) -> AbstractAsyncContextManager[Socket]:
    from websockets.asyncio.client import connect, unix_connect

    # Pings are a sign of life for the server. Whether they are answered says nothing: what a reader leaves unread comes before the answer.
    if socket_path is None:
        return connect(url, additional_headers=headers, max_size=MAX_FRAME_BYTES, compression=None, ping_timeout=None)
    return unix_connect(
        socket_path, url, additional_headers=headers, max_size=MAX_FRAME_BYTES, compression=None, ping_timeout=None
    )
