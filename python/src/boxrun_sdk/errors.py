"""What goes wrong, by code."""

from __future__ import annotations

from typing import Any

import httpx


class BoxRunError(Exception):
    """What the server refuses, or could not do.

    Attributes:
        code: Narrow by this, e.g. ``"BOX_NOT_FOUND"``; ``ErrorCode`` lists those of this version, and a newer server may have more.
        message: For a person: what was tried, with what, why it failed and what to do next.
        status: The HTTP status of the answer; ``None`` where there was none.
        details: What the server sent along for programs, if anything.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        self.code = code
        self.message = message
        self.status = status
        self.details = details
        super().__init__(f"[{code}] {message}")


class ConnectionFailed(BoxRunError, httpx.TransportError):
    """The server can't be reached, or the connection to it was lost (code ``CONNECTION_FAILED``).

    Also an ``httpx.TransportError``, which is what SDK 0.3 let through.
    """

    def __init__(self, message: str) -> None:
        BoxRunError.__init__(self, "CONNECTION_FAILED", message)
        self._request = None


class InvalidAnswer(BoxRunError):
    """Something answered that does not speak BoxRun's API (code ``INVALID_ANSWER``)."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__("INVALID_ANSWER", message, status=status)


class ServerStartFailed(BoxRunError):
    """``boxrun server start`` did not bring a server up, and said why (code ``SERVER_START_FAILED``)."""

    def __init__(self, message: str) -> None:
        super().__init__("SERVER_START_FAILED", message)


class CommandFailed(BoxRunError):
    """A command that was run with ``check=True`` did not succeed (code ``COMMAND_FAILED``).

    Attributes:
        result: The command's end: an ``ExecResult`` or a ``RunResult``.
    """

    def __init__(self, message: str, result: Any) -> None:
        super().__init__("COMMAND_FAILED", message)
        self.result = result
