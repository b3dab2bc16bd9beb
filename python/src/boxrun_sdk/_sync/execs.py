# Made from _async/execs.py by tools/generate.py.
"""Commands in a box: starting, following, steering them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from httpx_sse import ServerSentEvent

from .._address import segment
from .._transfer import InputSource
from ..errors import BoxRunError, CommandFailed, ConnectionFailed, InvalidAnswer
from ..types import ExecEvent, ExecInfo, ExecResult, exec_info, exec_result, exit_event, given, log_event
from .http import EVENT_STREAM, RESUME_PAUSES, RETRY_PAUSES, Attempts, Http, is_passing, parse_json
from .platform import Stream, closing, pause

# How often a piece of input is sent again after the connection broke.
INPUT_ATTEMPTS = 5


def exec_request(
    cmd: Sequence[str] | None,
    *,
    env: Mapping[str, str] | None,
    secret_env: Sequence[str] | None,
    workdir: str | None,
    timeout_ms: int | None,
    user: str | None,
    stdin: bool,
    tty: bool | tuple[int, int],
) -> dict[str, Any]:
    if isinstance(cmd, str):
        raise TypeError('cmd is a list of strings, not one string: ["ls", "-l"], or shell("ls -l")')
    terminal: Any = {"cols": tty[0], "rows": tty[1]} if isinstance(tty, tuple) else tty or None
    return {
        "cmd": None if cmd is None else list(cmd),
        **given(
            {
                "env": None if env is None else dict(env),
                "secret_env": None if secret_env is None else list(secret_env),
                "workdir": workdir,
                "timeout_ms": timeout_ms,
                "user": user,
                "stdin": stdin or None,
                "tty": terminal,
            }
        ),
    }


class ExecHandle:
    """A command that was started. It runs on whether or not anybody watches."""

    def __init__(self, http: Http, info: ExecInfo, *, stdin_offset: int | None = None) -> None:
        self._http = http
        self.info = info
        # Where the next piece begins in all of the input; None if others may have written some.
        self._stdin_offset = stdin_offset

    @property
    def id(self) -> str:
        return self.info.id

    @property
    def _path(self) -> str:
        return f"/v1/boxes/{segment(self.info.box_id)}/exec/{segment(self.info.id)}"

    def refresh(self) -> ExecInfo:
        self.info = exec_info(self._http.get(self._path))
        return self.info

    def events(self, *, after: int = 0, follow: bool = True) -> Stream[ExecEvent]:
        """Output from the beginning (or behind the event ``after``), then live, then the exit: each once, also over a restart of the server.

        ``follow=False``: what there is by now, and no more.
        """
        with closing(exec_events(self._http, self._path, after=after, follow=follow)) as events:
            for event in events:
                yield event

    def wait(self, *, check: bool = False) -> ExecResult:
        """Resolves with the command's end and all its output. ``check``: CommandFailed unless it succeeded."""
        output = _Output()
        with closing(self.events()) as events:
            for event in events:
                output.add(event)
        return _checked(output.result(self.refresh()), check)

    def write_stdin(self, content: bytes | str | BinaryIO, *, eof: bool = False, offset: int | None = None) -> None:
        """Appends to the standard input of a command started with ``stdin=True``; ``eof`` closes it behind.

        ``offset``: where ``content`` begins in all of the input; what the box has of it already is skipped, so that the same call can be made
        again. The handle that ``spawn`` gave knows it by itself: what gets lost on the way is sent again.
        """
        source = InputSource(content)
        at = self._stdin_offset if offset is None else offset
        params = given({"eof": "true" if eof else None, "offset": None if at is None else str(at)})
        for attempt in range(1, INPUT_ATTEMPTS + 1):
            try:
                self._http.call(
                    "POST",
                    f"{self._path}/stdin",
                    params=params,
                    # httpx sends a file object piece by piece only when it is iterated.
                    content=_pieces(source) if source.is_file else source.whole,
                    headers={"content-type": "application/octet-stream"},
                )
                break
            except ConnectionFailed:
                if at is None or attempt == INPUT_ATTEMPTS or not source.rewind():
                    raise
        if at is not None and self._stdin_offset is not None:
            self._stdin_offset = max(self._stdin_offset, at + source.sent)

    def close_stdin(self) -> None:
        self.write_stdin(b"", eof=True)

    def cancel(self) -> ExecInfo:
        """Ends the command's process group: SIGTERM, SIGKILL 5 s later. Resolves when it is gone."""
        self.info = exec_info(self._http.call("POST", f"{self._path}:cancel"))
        return self.info

    def signal(self, name: str) -> None:
        """To the command's process group: ``"SIGINT"``, say."""
        self._http.call("POST", f"{self._path}:signal", json={"signal": name})

    def resize(self, cols: int, rows: int) -> None:
        """Of a command started with ``tty``."""
        self._http.call("POST", f"{self._path}:resize", json={"cols": cols, "rows": rows})


def _pieces(source: InputSource) -> Stream[bytes]:
    while piece := source.read():
        yield piece


def start_and_follow(
    http: Http, box_id: str, request: Mapping[str, Any], *, key: str | None
) -> Stream[ExecInfo | ExecEvent]:
    """The exec, then its events, in one exchange. Started once: a connection lost before the exec is known is opened again under the same key."""
    path = f"/v1/boxes/{segment(box_id)}/exec"
    attempts = Attempts(http, key)
    info: ExecInfo | None = None
    seen = 0
    ended = False
    while info is None:
        try:
            with http.open("POST", path, events=True, json=request, headers=attempts.headers) as response:
                if not response.headers.get("content-type", "").startswith(EVENT_STREAM):
                    # An older server answers with the exec alone.
                    info = exec_info(parse_json(f"POST {path}", (response.read()).decode()))
                    yield info
                else:
                    with closing(http.sse(response)) as events:
                        for sse in events:
                            if sse.event == "exec":
                                info = exec_info(parse_json("the exec", sse.data))
                                yield info
                            elif (event := _exec_event(sse)) is not None:
                                seen = event.seq
                                ended = event.type == "exit"
                                # The answer ends behind it: read so far, its connection serves the next request.
                                yield event
            if info is None:
                raise ConnectionFailed(f"POST {path}: {http.address} ended its answer before it began")
        except BoxRunError as error:
            if info is None:
                attempts.after(error)
            elif not isinstance(error, ConnectionFailed):
                raise
    if ended:
        return
    rest = exec_events(http, f"{path}/{segment(info.id)}", after=seen, follow=True, connected=True)
    with closing(rest) as events_left:
        for event in events_left:
            yield event


def exec_events(http: Http, path: str, *, after: int, follow: bool, connected: bool = False) -> Stream[ExecEvent]:
    """``connected``: it was read from before, so that a server that does not answer is one that restarts."""
    seen = after
    failures = 0
    ended = False
    while True:
        try:
            headers = {"last-event-id": str(seen)} if seen > 0 else {}
            params = None if follow else {"follow": "false"}
            with http.open("GET", f"{path}/events", events=True, headers=headers, params=params) as response:
                connected = True
                with closing(http.sse(response)) as events:
                    for sse in events:
                        if sse.event == "end":
                            return
                        event = _exec_event(sse)
                        if event is None or event.seq <= seen:
                            continue
                        seen, failures = event.seq, 0
                        ended = event.type == "exit"
                        yield event
            if not ended:
                raise ConnectionFailed(f"GET {path}/events: {http.address} ended the events before the exit")
            return
        except BoxRunError as error:
            if ended:
                return
            # One that never got through may be an idle connection that has died; more of it, and there is no server.
            attempts = len(RESUME_PAUSES) if connected else len(RETRY_PAUSES)
            if not is_passing(error) or failures == attempts:
                raise
            pause(RESUME_PAUSES[failures])
            failures += 1


def _exec_event(sse: ServerSentEvent) -> ExecEvent | None:
    if sse.event == "log":
        return log_event(parse_json("a log event", sse.data))
    if sse.event == "exit":
        return exit_event(parse_json("the exit event", sse.data))
    # A newer server may tell more.
    return None


class _Output:
    def __init__(self) -> None:
        self._pieces: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
        self._truncated = False

    def add(self, event: ExecEvent) -> None:
        if event.type == "log" and event.stream is not None:
            self._pieces[event.stream].append(event.raw)
            self._truncated = self._truncated or event.truncated

    def result(self, info: ExecInfo) -> ExecResult:
        return exec_result(info, b"".join(self._pieces["stdout"]), b"".join(self._pieces["stderr"]), self._truncated)


def run_to_end(http: Http, box_id: str, request: Mapping[str, Any], *, check: bool, key: str | None) -> ExecResult:
    output = _Output()
    handle: ExecHandle | None = None
    with closing(start_and_follow(http, box_id, request, key=key)) as events:
        for event in events:
            if isinstance(event, ExecInfo):
                handle = ExecHandle(http, event)
            else:
                output.add(event)
    if handle is None:
        raise InvalidAnswer(f"{http.address} did not say which command it started")
    return _checked(output.result(handle.refresh()), check)


def run_with_input(
    http: Http,
    box_id: str,
    request: Mapping[str, Any],
    content: bytes | str | BinaryIO,
    *,
    check: bool,
    key: str | None,
) -> ExecResult:
    info = exec_info(http.once(f"/v1/boxes/{segment(box_id)}/exec", request, key))
    handle = ExecHandle(http, info, stdin_offset=0)
    try:
        handle.write_stdin(content, eof=True)
    except BoxRunError as error:
        # A command may end without having read everything, or anything.
        if error.code != "EXEC_ALREADY_FINISHED":
            raise
    return handle.wait(check=check)


def _checked(result: ExecResult, check: bool) -> ExecResult:
    if check and not result.ok:
        why = result.error_message or f"it exited with {result.exit_code}"
        last = result.stderr.strip().splitlines()[-1:]
        raise CommandFailed(f"{' '.join(result.cmd)}: {why}" + (f": {last[0]}" if last else ""), result)
    return result


__all__ = ["ExecHandle", "exec_events", "exec_request", "run_to_end", "run_with_input", "start_and_follow"]
