# Made from _async/history.py by tools/generate.py.
"""What was done to boxes, and by whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..reports import HistoryEntry, history_entry
from .http import Http
from .platform import Stream, closing


class History:
    """``box``: only of this one, its id or its name, also of one that is gone. ``after``: only what came later than the entry of this ``seq``."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def pages(
        self, limit: int = 100, *, box: str | None = None, after: int | None = None
    ) -> Stream[list[HistoryEntry]]:
        """All there are, newest first, ``limit`` (1 to 1,000) at a time."""
        with closing(self._http.pages("/v1/history", _query(limit, box, after))) as pages:
            for page in pages:
                yield _entries(page)

    def list(self, limit: int = 100, *, box: str | None = None, after: int | None = None) -> list[HistoryEntry]:
        """The newest ``limit`` (1 to 1,000), newest first."""
        return _entries(self._http.get("/v1/history", _query(limit, box, after)))


def _query(limit: int, box: str | None, after: int | None) -> Mapping[str, str]:
    asked = {"limit": limit, "box": box, "after": after}
    return {key: str(value) for key, value in asked.items() if value is not None}


def _entries(page: list[Any]) -> list[HistoryEntry]:
    return [history_entry(entry) for entry in page]
