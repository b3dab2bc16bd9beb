"""What differs between the synchronous SDK and the asynchronous one that it is made from; ``_async/platform.py`` is its twin."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing
from typing import TypeVar

__all__ = ["Stream", "closing", "in_thread", "pause"]

T = TypeVar("T")

Stream = Generator[T, None, None]


def pause(seconds: float) -> None:
    time.sleep(seconds)


def in_thread(work: Callable[[], T]) -> T:
    return work()
