# Made from _async/sign_in.py by tools/generate.py.
"""Letting browsers in."""

from __future__ import annotations

from ..reports import SignedIn, SignInLink
from ..types import known
from .http import Http


class SignIn:
    def __init__(self, http: Http) -> None:
        self._http = http

    def current(self) -> SignedIn:
        """As whom the server knows the caller."""
        return known(SignedIn, self._http.get("/v1/sign-in"))

    def create_link(self) -> SignInLink:
        """A link that signs a browser in, once."""
        return known(SignInLink, self._http.call("POST", "/v1/sign-in/links"))
