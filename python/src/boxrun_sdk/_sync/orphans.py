# Made from _async/orphans.py by tools/generate.py.
"""Boxes that an engine has and the server's database does not."""

from __future__ import annotations

from .._address import segment
from ..reports import Orphan
from ..types import BoxInfo, box_info, known
from .http import Http


class Orphans:
    def __init__(self, http: Http) -> None:
        self._http = http

    def list(self) -> list[Orphan]:
        return [known(Orphan, orphan) for orphan in self._http.get("/v1/orphans")]

    def adopt(self, orphan_id: str) -> BoxInfo:
        """Takes it in again as a box. RUNTIME_ERROR if too little is known of it."""
        return box_info(self._http.call("POST", f"/v1/orphans/{segment(orphan_id)}:adopt"))

    def remove(self, orphan_id: str) -> None:
        """Ends it and destroys its disk."""
        self._http.call("DELETE", f"/v1/orphans/{segment(orphan_id)}")
