"""A TCP connection to a port of a box."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any

from ..errors import BoxRunError, ConnectionFailed
from .http import Http
from .platform import Socket, Stream
from .websocket import SEND_BYTES, open_socket


class PortConnection:
    """A stream of bytes each way, each of which ends by itself. What is not read holds up the program, and nobody else.

    Every method raises BoxRunError with the server's reason once the connection is cut (BOX_UNREACHABLE: the program has reset it), and
    ConnectionFailed if the server can't be reached any more. At the end of a ``with`` it is closed.
    """

    def __init__(self, socket: Socket, connection: AsyncExitStack) -> None:
        self._socket = socket
        self._connection = connection
        self._unread = b""
        self._heard_end = False
        self._said_end = False
        self._failure: BoxRunError | None = None

    async def __aenter__(self) -> PortConnection:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """What has come, as soon as anything has; ``b""`` once the program has ended its direction."""
        if max_bytes < 1:
            raise ValueError("max_bytes must be at least 1")
        while not self._unread and not self._heard_end:
            self._unread = await self._next()
        data, self._unread = self._unread[:max_bytes], self._unread[max_bytes:]
        return data

    async def chunks(self) -> Stream[bytes]:
        """All that comes, to the end of the program's direction."""
        while data := await self.receive():
            yield data

    async def send(self, data: bytes | bytearray | memoryview) -> None:
        """All of it, in order; waits while the program takes none."""
        from websockets.exceptions import ConnectionClosed

        if self._said_end:
            raise ValueError("the connection's own direction has ended")
        content = bytes(data)
        try:
            for start in range(0, len(content), SEND_BYTES):
                await self._socket.send(content[start : start + SEND_BYTES])
        except ConnectionClosed as error:
            raise await self._broken(error) from error

    async def send_eof(self) -> None:
        """Says that no more comes; the program's direction goes on."""
        from websockets.exceptions import ConnectionClosed

        if self._said_end:
            return
        self._said_end = True
        try:
            await self._socket.send(json.dumps({"type": "end"}))
        except ConnectionClosed as error:
            raise await self._broken(error) from error

    async def aclose(self) -> None:
        """Cuts what has not ended yet."""
        await self._connection.aclose()

    async def _next(self) -> bytes:
        from websockets.exceptions import ConnectionClosed

        if self._failure is not None:
            raise self._failure
        try:
            frame = await self._socket.recv()
        except ConnectionClosed as error:
            self._failure = ConnectionFailed(f"The connection to the port is lost: {error}")
            raise self._failure from error
        if isinstance(frame, bytes):
            return frame
        message: Any = json.loads(frame)
        if message["type"] == "end":
            self._heard_end = True
        elif message["type"] == "error":
            self._failure = BoxRunError(message["code"], message["message"], details=message.get("details"))
            raise self._failure
        return b""

    async def _broken(self, error: Exception) -> BoxRunError:
        """Why nothing can be sent: what the server said last, if it did. What came before that can still be received."""
        from websockets.exceptions import ConcurrencyError

        try:
            while not self._heard_end:
                self._unread += await self._next()
        except BoxRunError as failure:
            return failure
        except ConcurrencyError:
            # Whoever is receiving hears it.
            pass
        return ConnectionFailed(f"The connection to the port is lost: {error}")


async def connect_port(http: Http, path: str, port: int) -> PortConnection:
    return PortConnection(*await open_socket(http, f"{path}/{port}", "connect"))
