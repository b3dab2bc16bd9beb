"""What differs between the asynchronous SDK and the synchronous one that is made from it; ``_sync/platform.py`` is its twin."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing as closing
from typing import TypeVar

__all__ = ["Stream", "closing", "in_thread", "pause"]

T = TypeVar("T")

Stream = AsyncGenerator[T, None]


async def pause(seconds: float) -> None:
    import anyio

    await anyio.sleep(seconds)


async def in_thread(work: Callable[[], T]) -> T:
    """Runs what blocks on the disk without holding up the event loop."""
    import anyio.to_thread

    return await anyio.to_thread.run_sync(work)
