# Made from _async/terminal.py by tools/generate.py.
"""A terminal on a shell in a box."""

from __future__ import annotations

import json
from contextlib import ExitStack
from types import TracebackType
from typing import Any

from ..errors import BoxRunError, ConnectionFailed
from .http import Http
from .platform import Socket, Stream
from .websocket import SEND_BYTES, open_socket


class Terminal:
    """Read ``output()`` to its end, also if only the exit is wanted: what is not read holds up the program."""

    def __init__(self, socket: Socket, connection: ExitStack) -> None:
        self._socket = socket
        self._connection = connection
        self.exit_code: int | None = None

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.detach()

    def output(self) -> Stream[bytes]:
        """The terminal's bytes, up to the shell's end; then ``exit_code`` is there.

        BoxRunError if the terminal is over for another reason (CANCELED: another client took over), ConnectionFailed if the
        connection is lost.
        """
        from websockets.exceptions import ConnectionClosed

        try:
            while True:
                frame = self._socket.recv()
                if isinstance(frame, bytes):
                    yield frame
                    continue
                message: Any = json.loads(frame)
                if message["type"] == "exit":
                    self.exit_code = message["code"]
                    return
                if message["type"] == "error":
                    raise BoxRunError(message["code"], message["message"], details=message.get("details"))
        except ConnectionClosed as error:
            raise ConnectionFailed(f"The connection of the terminal is lost: {error}") from error

    def write(self, data: bytes | str) -> None:
        """As typed; waits while the program takes no input."""
        content = data.encode() if isinstance(data, str) else data
        for start in range(0, len(content), SEND_BYTES):
            self._socket.send(content[start : start + SEND_BYTES])

    def resize(self, cols: int, rows: int) -> None:
        self._socket.send(json.dumps({"type": "resize", "cols": cols, "rows": rows}))

    def detach(self) -> None:
        """A session's shell goes on; a shell without a name ends."""
        self._connection.close()


def attach(http: Http, path: str) -> Terminal:
    return Terminal(*open_socket(http, path, "attach"))
