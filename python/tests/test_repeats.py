"""A request whose answer was lost is sent again, under its key, and done once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from boxrun_sdk import BoxRun, BoxRunClient, BoxRunError, ConnectionFailed, InvalidAnswer
from boxrun_sdk.sync import BoxHandle

from .conftest import SMALL, Proxy


def test_a_lost_answer_makes_one_box(boxrun: BoxRun, proxy: Proxy) -> None:
    with BoxRun(proxy(b"HTTP/1.1 201", lost=True)) as client, client.create("base", name="once", **SMALL) as box:
        assert [made.id for made in boxrun.list("running") if made.name == "once"] == [box.id]


def test_a_lost_answer_starts_one_command(box: BoxHandle, proxy: Proxy) -> None:
    before = len(box.execs())
    with BoxRun(proxy(b"event: exec", lost=True)) as client:
        assert client.get(box.id).shell("echo hello; exit 3").exit_code == 3
    assert len(box.execs()) == before + 1


def test_a_lost_answer_starts_one_command_that_is_left_running(box: BoxHandle, proxy: Proxy) -> None:
    before = len(box.execs())

    async def main() -> str:
        async with BoxRunClient(proxy(b"HTTP/1.1 201", lost=True)) as client:
            handle = await (await client.get(box.id)).spawn(["cat"], stdin=True)
            await handle.write_stdin("fed\n", eof=True)
            return (await handle.wait()).stdout

    assert asyncio.run(main()) == "fed\n"
    assert len(box.execs()) == before + 1


def test_a_lost_answer_of_a_run_is_had_again(proxy: Proxy) -> None:
    with BoxRun(proxy(b"HTTP/1.1 200", lost=True)) as client:
        assert client.run("base", ["echo", "ran"], cpu=1, memory_mb=256, disk_size_gb=1).stdout == "ran\n"


def test_a_key_of_the_callers_own_does_a_thing_once(boxrun: BoxRun, box: BoxHandle) -> None:
    first = box.exec(["echo", "hello"], idempotency_key="python-1")
    assert box.exec(["echo", "hello"], idempotency_key="python-1").id == first.id
    assert boxrun.start_exec(box.id, ["echo", "hello"], idempotency_key="python-1").id == first.id
    with pytest.raises(BoxRunError) as reused:
        box.shell("echo bye", idempotency_key="python-1")
    assert (reused.value.code, reused.value.status) == ("IDEMPOTENCY_KEY_REUSED", 409)


def test_a_server_that_is_not_there_is_not_waited_for() -> None:
    with BoxRun("unix:///nonexistent/boxrun.sock") as client, pytest.raises(ConnectionFailed):
        client.create("base")


@contextmanager
def answering(*answers: tuple[int, str], knows_keys: bool = True) -> Iterator[tuple[BoxRun, list[str | None]]]:
    """A server that gives these answers, one after the other, and what keys it was sent."""
    keys: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/healthz"
            self.answer(
                200, '{"status": "ok", "version": "0.0.1"%s}' % (', "idempotency_keys": true' if knows_keys else "")
            )

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            status, body = answers[len(keys)]
            keys.append(self.headers["idempotency-key"])
            self.answer(status, body)

        def answer(self, status: int, body: str) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with BoxRun(f"http://127.0.0.1:{server.server_port}") as client:
            yield client, keys
        server.shutdown()


def test_what_a_proxy_says_is_no_answer_and_what_the_server_says_is() -> None:
    away = "<h1>Bad Gateway</h1>"
    unreachable = '{"code": "BOX_UNREACHABLE", "message": "it does not answer"}'
    with answering((502, away), (503, away), (503, unreachable)) as (client, keys):
        with pytest.raises(BoxRunError) as refused:
            client.start_exec("dev", ["true"])
        assert refused.value.code == "BOX_UNREACHABLE"
        assert len(keys) == 3
        assert len(set(keys)) == 1
        assert keys[0]
    with answering((500, away)) as (client, keys):
        with pytest.raises(InvalidAnswer):
            client.start_exec("dev", ["true"])
        assert len(keys) == 1


def test_a_server_that_knows_no_keys_is_not_asked_again() -> None:
    with answering((502, "<h1>Bad Gateway</h1>"), knows_keys=False) as (client, keys):
        with pytest.raises(InvalidAnswer) as refused:
            client.start_exec("dev", ["true"])
        assert refused.value.status == 502
        assert len(keys) == 1
