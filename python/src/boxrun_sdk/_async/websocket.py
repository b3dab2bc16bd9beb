"""WebSockets to the server, with its refusals as errors."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack

from ..errors import BoxRunError, ConnectionFailed
from .http import Http
from .platform import Socket, open_websocket

# What the server takes in one frame is 1 MiB.
SEND_BYTES = 64 * 1024


async def open_socket(http: Http, path: str, what: str) -> tuple[Socket, AsyncExitStack]:
    """The socket, and what closes it."""
    try:
        from websockets.exceptions import InvalidStatus, WebSocketException
    except ImportError as error:
        raise BoxRunError(
            "NOT_SUPPORTED", f"{what} needs the package websockets: pip install 'boxrun-sdk[terminal]'"
        ) from error

    url = f"{http.address.base_url.replace('http', 'ws', 1)}{path}"
    headers = {} if http.token is None else {"authorization": f"Bearer {http.token}"}
    connection = AsyncExitStack()
    try:
        opening = open_websocket(http.address.socket_path, url, headers)
        return await connection.enter_async_context(opening), connection
    except InvalidStatus as error:
        body = error.response.body or b""
        try:
            refusal = json.loads(body)
            raise BoxRunError(
                refusal["code"],
                refusal["message"],
                status=error.response.status_code,
                details=refusal.get("details"),
            ) from error
        except (ValueError, KeyError, TypeError):
            raise ConnectionFailed(f"{what} at {http.address}: {error}") from error
    except (OSError, WebSocketException) as error:
        raise ConnectionFailed(f"{what} at {http.address}: {error}") from error
