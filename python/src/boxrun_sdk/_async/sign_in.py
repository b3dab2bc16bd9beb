"""Letting browsers in."""

from __future__ import annotations

from ..reports import SignedIn, SignInLink
from ..types import known
from .http import Http


class SignIn:
    def __init__(self, http: Http) -> None:
        self._http = http

    async def current(self) -> SignedIn:
        """As whom the server knows the caller."""
        return known(SignedIn, await self._http.get("/v1/sign-in"))

    async def create_link(self) -> SignInLink:
        """A link that signs a browser in, once."""
        return known(SignInLink, await self._http.call("POST", "/v1/sign-in/links"))
