"""Holds the SDK against openapi.json: for each operation there is a method that asks for it, with all that can be asked for.

packages/sdk/test/operations.test.ts does the same with the TypeScript SDK.
"""

from __future__ import annotations

import dataclasses
import io
import json
import re
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest

import boxrun_sdk
from boxrun_sdk import BoxInfo, BoxRun, BoxRunError, ExecInfo
from boxrun_sdk.sync import BoxHandle, ExecHandle

DOCUMENT = json.loads((Path(__file__).parents[2] / "packages/contract/openapi.json").read_text())
OPERATIONS: dict[str, dict[str, Any]] = {
    operation["operationId"]: {**operation, "method": method.upper(), "path": path}
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}

NOT_OF_THE_SDK = {
    "getMetrics": "Prometheus reads it",
    "getOpenApi": "other programs' generators read it",
    "callMcp": "MCP's own clients speak it",
    "streamMcp": "MCP's own clients speak it",
    "endMcp": "MCP's own clients speak it",
    "signIn": "its answer is a cookie, which is a browser's",
    "signOut": "a browser's",
}

NOT_ASKED_FOR = {("streamExecEvents", "after"): "Last-Event-ID says the same"}

BOX = BoxInfo("box_a", "dev", "running", "base", 1, 128, 1, False, "/root")
EXEC = ExecInfo("exec_a", "box_a", "running", ["true"])
NEW_BOX: dict[str, Any] = {
    "name": "dev",
    "cpu": 1,
    "memory_mb": 128,
    "disk_size_gb": 1,
    "network": True,
    "workdir": "/",
    "env": {"A": "a"},
    "secret_env": ["A"],
    "volumes": [{"host_path": "/a", "guest_path": "/b", "readonly": True}],
    "ports": [{"guest_port": 80}],
    "labels": {"a": "b"},
    "ttl_seconds": 60,
    "on_expiry": "stop",
}
COMMAND: dict[str, Any] = {"env": {"A": "a"}, "secret_env": ["A"], "workdir": "/", "timeout_ms": 1000, "user": "root"}


class Sdk(NamedTuple):
    client: BoxRun
    box: BoxHandle
    exec: ExecHandle


CALLS: dict[str, Callable[[Sdk], object]] = {
    "createBox": lambda sdk: sdk.client.create("base", **NEW_BOX),
    "listBoxes": lambda sdk: list(sdk.client.box_pages(1, status="running", labels=["a=b"], show_secrets=True)),
    "getBox": lambda sdk: sdk.client.get_box("dev", show_secrets=True),
    "commitBox": lambda sdk: sdk.box.commit("mine", replace=True),
    "removeBox": lambda sdk: sdk.box.remove(force=True),
    "startBox": lambda sdk: sdk.box.start(),
    "stopBox": lambda sdk: sdk.box.stop(timeout_ms=1000),
    "extendBox": lambda sdk: sdk.box.extend(60, on_expiry="stop"),
    "startExec": lambda sdk: sdk.box.spawn(["true"], stdin=True, tty=(80, 24), **COMMAND),
    "listExecs": lambda sdk: list(sdk.box.exec_pages(1)),
    "getExec": lambda sdk: sdk.box.get_exec("exec_a"),
    "streamExecEvents": lambda sdk: list(sdk.exec.events(after=1, follow=False)),
    "cancelExec": lambda sdk: sdk.exec.cancel(),
    "writeExecStdin": lambda sdk: sdk.exec.write_stdin(b"a", eof=True, offset=1),
    "resizeExec": lambda sdk: sdk.exec.resize(80, 24),
    "signalExec": lambda sdk: sdk.exec.signal("SIGINT"),
    "attach": lambda sdk: sdk.box.attach(shell="sh", session="work", share=True, cols=80, rows=24, term="xterm"),
    "listSessions": lambda sdk: sdk.box.sessions(),
    "removeSession": lambda sdk: sdk.box.remove_session("work"),
    "connectPort": lambda sdk: sdk.box.connect(80),
    "listPorts": lambda sdk: sdk.box.ports(),
    "uploadFile": lambda sdk: sdk.box.files.upload_archive("/a", io.BytesIO(b"a"), owner="root"),
    "downloadFile": lambda sdk: list(sdk.box.files.download_archive("/a", full=True)),
    "listFiles": lambda sdk: sdk.box.files.list("/a"),
    "removeFile": lambda sdk: sdk.box.files.remove("/a"),
    "statFile": lambda sdk: sdk.box.files.stat("/a", follow=True),
    "makeDirectory": lambda sdk: sdk.box.files.mkdir("/a", parents=True, owner="root"),
    "renameFile": lambda sdk: sdk.box.files.rename("/a", "/b", replace=True),
    "watchFiles": lambda sdk: list(sdk.box.files.watch("/a", recursive=True)),
    "listImages": lambda sdk: sdk.client.images.list(),
    "pullImage": lambda sdk: sdk.client.images.pull("python"),
    "importImage": lambda sdk: sdk.client.images.import_archive(io.BytesIO(b"a"), reference="mine"),
    "getImage": lambda sdk: sdk.client.images.get("python:3"),
    "removeImage": lambda sdk: sdk.client.images.remove("python:3"),
    "run": lambda sdk: sdk.client.run("base", ["true"], timeout_ms=1000, **NEW_BOX),
    "collectGarbage": lambda sdk: sdk.client.collect(older_than=1, output_older_than=1),
    "listOrphans": lambda sdk: sdk.client.orphans.list(),
    "adoptOrphan": lambda sdk: sdk.client.orphans.adopt("a"),
    "removeOrphan": lambda sdk: sdk.client.orphans.remove("a"),
    "getInfo": lambda sdk: sdk.client.info(),
    "getFindings": lambda sdk: sdk.client.findings(),
    "getUsage": lambda sdk: sdk.client.usage(),
    "streamEvents": lambda sdk: list(sdk.client.events()),
    "getHealth": lambda sdk: sdk.client.health(),
    "listHistory": lambda sdk: list(sdk.client.history.pages(1, box="dev", after=1)),
    "getStats": lambda sdk: list(sdk.box.follow_stats()),
    "getStatsHistory": lambda sdk: sdk.box.stats_history(),
    "listStats": lambda sdk: list(sdk.client.follow_stats(points=1)),
    "getSignIn": lambda sdk: sdk.client.sign_in.current(),
    "createSignInLink": lambda sdk: sdk.client.sign_in.create_link(),
}


class Request(NamedTuple):
    operation: str | None
    names: set[str]
    """Of its parameters, its headers and the fields of its body."""


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sdk, list[Request]]]:
    """A server that refuses everything but the first page of a list, and what it is asked for."""
    requests: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            url = urlsplit(self.path)
            query = parse_qs(url.query)
            body = self.body()
            names = {*query, *(name.lower() for name in self.headers)}
            if self.headers["content-type"] == "application/json":
                names |= json.loads(body).keys()
            names |= {name.decode() for name in re.findall(rb'form-data; name="(\w+)"', body)}
            requests.append(Request(operation_of(self.command, url.path), names))
            is_page = "limit" in query and "cursor" not in query
            answer = b"[]" if is_page else b'{"code":"BOX_NOT_FOUND","message":"a test\'s"}'
            self.send_response(200 if is_page else 404)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            if is_page:
                self.send_header("boxrun-next-cursor", "a")
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_DELETE = answer

        def body(self) -> bytes:
            if self.headers["transfer-encoding"] != "chunked":
                return self.rfile.read(int(self.headers["content-length"] or 0))
            whole = b""
            while size := int(self.rfile.readline(), 16):
                whole += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return whole

        def address_string(self) -> str:
            return "unix"

        def log_message(self, format: str, *args: object) -> None:
            pass

    path = str(tmp_path_factory.mktemp("stub") / "stub.sock")
    with socketserver.ThreadingUnixStreamServer(path, Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with BoxRun(f"unix://{path}") as client:
            box = BoxHandle(client._http, BOX)
            yield Sdk(client, box, ExecHandle(client._http, EXEC)), requests
        server.shutdown()


@pytest.fixture
def asked(stub: tuple[Sdk, list[Request]]) -> tuple[Sdk, list[Request]]:
    stub[1].clear()
    return stub


def operation_of(method: str, path: str) -> str | None:
    for name, operation in OPERATIONS.items():
        pattern = re.sub(r"\{\w+\}", "[^/:]+", operation["path"])
        if operation["method"] == method and re.fullmatch(pattern, path):
            return name
    return None


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    return schema if reference is None else DOCUMENT["components"]["schemas"][reference.rsplit("/", 1)[1]]


def test_every_operation_has_a_method_or_a_reason_to_have_none() -> None:
    assert {*CALLS, *NOT_OF_THE_SDK} == set(OPERATIONS)
    assert not CALLS.keys() & NOT_OF_THE_SDK.keys()


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_method_can_ask_for_all_that_its_operation_takes(name: str, asked: tuple[Sdk, list[Request]]) -> None:
    sdk, requests = asked
    with suppress(BoxRunError):
        CALLS[name](sdk)
    assert {request.operation for request in requests} == {name}
    operation = OPERATIONS[name]
    takes = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] != "path"}
    for content in operation.get("requestBody", {}).get("content", {}).values():
        takes |= resolved(content.get("schema", {})).get("properties", {}).keys()
    takes -= {parameter for operation, parameter in NOT_ASKED_FOR if operation == name}
    assert takes - set().union(*(request.names for request in requests)) == set()


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ("Box", "BoxInfo"),
        ("BoxStats", "BoxStats"),
        ("EngineInfo", "EngineInfo"),
        ("Exec", "ExecInfo"),
        ("FileEntry", "FileEntry"),
        ("GcResponse", "GcResult"),
        ("Health", "Health"),
        ("HistoryEntry", "HistoryEntry"),
        ("Image", "ImageInfo"),
        ("ImageDetails", "ImageDetails"),
        ("Info", "ServerInfo"),
        ("ListeningPort", "ListeningPort"),
        ("LogEvent", "ExecEvent"),
        ("Orphan", "Orphan"),
        ("PullProgress", "PullProgress"),
        ("RunResponse", "RunResult"),
        ("Session", "SessionInfo"),
        ("SignInLink", "SignInLink"),
        ("SignedIn", "SignedIn"),
        ("StatsHistory", "StatsHistory"),
        ("StatsOverview", "BoxStatsOverview"),
        ("StoppedBox", "StoppedBox"),
        ("Usage", "Usage"),
    ],
)
def test_what_the_server_answers_is_all_there(schema: str, kind: str) -> None:
    has = {field.name for field in dataclasses.fields(getattr(boxrun_sdk, kind))}
    # Told by `raw`.
    tells = DOCUMENT["components"]["schemas"][schema]["properties"].keys() - {"encoding"}
    assert tells - has == set()
