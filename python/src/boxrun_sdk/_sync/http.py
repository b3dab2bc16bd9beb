# Made from _async/http.py by tools/generate.py.
"""Requests and their answers: every failure becomes a BoxRunError."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import contextmanager
from typing import Any, cast

import httpx
from httpx_sse import EventSource, ServerSentEvent, SSEError

from .._address import Address
from ..errors import BoxRunError, ConnectionFailed, InvalidAnswer
from .platform import Stream, pause

# Before the attempts to ask again what does no harm when asked twice, in seconds.
RETRY_PAUSES = (0.05, 0.25)

# Before the attempts to take up again what broke, in seconds: 24 s in all, enough for a server to restart.
RESUME_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 4.0, 4.0, 5.0, 5.0)

KEY_HEADER = "idempotency-key"

# Servers send a comment line every 15 s: silence for longer than this is a dead connection. In seconds.
EVENTS_SILENCE = 60.0

EVENT_STREAM = "text/event-stream"

# Of a list that has more than it was asked for: the ``cursor`` of its next page.
NEXT_CURSOR = "boxrun-next-cursor"

Params = Mapping[str, str | list[str]]


class Http:
    """One server. ``timeout``: for requests that have no reason to take time, in seconds; the others may take as long as they need."""

    def __init__(self, address: Address, token: str | None, timeout: float) -> None:
        self.address = address
        self.token = token
        self._quick = httpx.Timeout(timeout)
        self._patient = httpx.Timeout(timeout, read=None, write=None, pool=None)
        self._events = httpx.Timeout(timeout, read=EVENTS_SILENCE, pool=None)
        self._client = httpx.Client(
            transport=httpx.HTTPTransport(
                uds=address.socket_path,
                # As many streams as the caller follows, none of which may keep the others waiting.
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
            ),
            base_url=address.base_url,
            headers={} if token is None else {"authorization": f"Bearer {token}"},
            timeout=self._patient,
        )

    def close(self) -> None:
        self._client.close()

    def get(self, path: str, params: Params | None = None) -> Any:
        """Asked again if the connection fails: asking twice does no more than asking once."""
        return _json(f"GET {path}", (self._asked(path, params)).text)

    def pages(self, path: str, params: Params) -> Stream[Any]:
        """A list, page by page, from its beginning to its end."""
        cursor: str | None = None
        while True:
            response = self._asked(path, params if cursor is None else {**params, "cursor": cursor})
            yield _json(f"GET {path}", response.text)
            cursor = response.headers.get(NEXT_CURSOR)
            if cursor is None:
                return

    def call(self, method: str, path: str, **request: Any) -> Any:
        """The answer's JSON."""
        return _json(f"{method} {path}", (self._answer(method, path, **request)).text)

    def _asked(self, path: str, params: Params | None) -> httpx.Response:
        for seconds in RETRY_PAUSES:
            try:
                return self._answer("GET", path, params=params, quick=True)
            except ConnectionFailed as error:
                if isinstance(error.__cause__, httpx.TimeoutException):
                    raise
                pause(seconds)
        return self._answer("GET", path, params=params, quick=True)

    def once(self, path: str, request: Any, key: str | None) -> Any:
        """A POST that is sent under a key until it is answered, and done once."""
        attempts = Attempts(self, key)
        while True:
            try:
                return self.call("POST", path, json=request, headers=attempts.headers)
            except BoxRunError as error:
                attempts.after(error)

    def _answer(self, method: str, path: str, *, quick: bool = False, **request: Any) -> httpx.Response:
        what = f"{method} {path}"
        try:
            response = self._client.request(method, path, timeout=self._quick if quick else self._patient, **request)
        except httpx.TransportError as error:
            raise self._failed(what, error) from error
        if response.is_error:
            raise _refusal(what, response)
        return response

    @contextmanager
    def open(self, method: str, path: str, *, events: bool = False, **request: Any) -> Stream[httpx.Response]:
        """An answer that is read as it comes. ``events``: it may be an event stream."""
        what = f"{method} {path}"
        headers = dict(request.pop("headers", {}))
        if events:
            headers |= {"accept": EVENT_STREAM, "cache-control": "no-store"}
        try:
            timeout = self._events if events else self._patient
            with self._client.stream(method, path, headers=headers, timeout=timeout, **request) as response:
                if response.is_error:
                    response.read()
                    raise _refusal(what, response)
                yield response
        except httpx.TransportError as error:
            raise self._failed(what, error) from error

    def sse(self, response: httpx.Response) -> Stream[ServerSentEvent]:
        try:
            for event in EventSource(response).iter_sse():
                yield event
        except SSEError as error:
            raise InvalidAnswer(f"{self.address} answered with something else than events: {error}") from error

    def _failed(self, what: str, error: httpx.TransportError) -> ConnectionFailed:
        if isinstance(error, ConnectionFailed):
            return error
        reason = str(error) or type(error).__name__
        if isinstance(error, httpx.ConnectError):
            return ConnectionFailed(
                f"{what}: cannot reach the BoxRun server at {self.address}: {reason}. "
                "`boxrun serve` starts one, `boxrun doctor` looks for what is wrong"
            )
        if isinstance(error, httpx.TimeoutException):
            return ConnectionFailed(
                f"{what}: the BoxRun server at {self.address} did not answer in time ({type(error).__name__})"
            )
        return ConnectionFailed(f"{what}: the connection to the BoxRun server at {self.address} was lost: {reason}")


def is_passing(error: BoxRunError) -> bool:
    """A server that is gone, or on its way: to be asked again."""
    return isinstance(error, ConnectionFailed) or error.status in (502, 503, 504)


class Attempts:
    """Of a request that is sent under one key, its own or the caller's, until it is answered, whatever the answer says."""

    def __init__(self, http: Http, key: str | None) -> None:
        self.headers = {KEY_HEADER: os.urandom(16).hex() if key is None else key}
        self._http = http
        self._failures = 0

    def after(self, error: BoxRunError) -> None:
        """Waits for the next one; raises the error if that is an answer, or if there are no more.

        A server that could not be reached in the first place is not waited for; one that knows no keys (0.4 and older) is not asked again.
        """
        lost = error
        while True:
            if self._failures == len(RESUME_PAUSES) or not _is_unanswered(error, first=self._failures == 0):
                raise error
            pause(RESUME_PAUSES[self._failures])
            self._failures += 1
            try:
                if (self._http.call("GET", "/healthz")).get("idempotency_keys"):
                    return
            except BoxRunError as unreached:
                error = unreached
            else:
                raise lost


def _is_unanswered(error: BoxRunError, *, first: bool) -> bool:
    if isinstance(error, ConnectionFailed):
        unreached = (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol, httpx.LocalProtocolError)
        return not first or not isinstance(error.__cause__, unreached)
    # A proxy that can't reach the server: what has an error of the server's own is an answer.
    return isinstance(error, InvalidAnswer) and error.status in (502, 503, 504)


def parse_json(what: str, text: str) -> Any:
    return _json(what, text)


def _json(what: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidAnswer(f"{what}: the answer is no JSON: {text[:200]!r}") from error


def _refusal(what: str, response: httpx.Response) -> BoxRunError:
    try:
        body: Any = response.json()
    except ValueError:
        body = None
    if isinstance(body, dict):
        fields = cast("dict[str, Any]", body)
        code, message, details = fields.get("code"), fields.get("message"), fields.get("details")
        if isinstance(code, str) and isinstance(message, str):
            known = cast("dict[str, Any]", details) if isinstance(details, dict) else None
            return BoxRunError(code, message, status=response.status_code, details=known)
    start = response.text.strip()[:200]
    return InvalidAnswer(
        f"{what} was answered with status {response.status_code}" + (f": {start}" if start else ""),
        status=response.status_code,
    )
