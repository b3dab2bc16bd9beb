import socket
from itertools import islice
from pathlib import Path

import pytest

from boxrun_sdk import BoxRun, BoxRunError, CommandFailed, ConnectionFailed, ServerStartFailed
from boxrun_sdk.sync import BoxHandle, ExecHandle

from .conftest import SMALL


def test_a_box_is_found_by_id_and_name(boxrun: BoxRun, box: BoxHandle) -> None:
    assert boxrun.get("python-sdk").id == boxrun.get(box.id).id == box.id
    assert box.id in [info.id for info in boxrun.list_boxes(status="running")]
    assert [found.name for found in boxrun.list("running")] == ["python-sdk"]
    assert box.refresh().image == "base"


def test_what_the_server_refuses_has_a_code_and_a_status(boxrun: BoxRun, box: BoxHandle) -> None:
    with pytest.raises(BoxRunError) as unknown:
        boxrun.get("nobody")
    assert (unknown.value.code, unknown.value.status) == ("BOX_NOT_FOUND", 404)
    with pytest.raises(BoxRunError) as taken:
        boxrun.create("base", name="python-sdk", **SMALL)
    assert taken.value.code == "NAME_ALREADY_EXISTS"
    with pytest.raises(BoxRunError) as invalid:
        boxrun.create("base", name="python-sdk-2", cpu=0)
    assert invalid.value.code == "VALIDATION_ERROR"
    assert "cpu" in invalid.value.message


@pytest.mark.parametrize("name", ["", ".", "..", "a/../../v1/gc"])
def test_a_name_reaches_no_other_route(boxrun: BoxRun, name: str) -> None:
    with pytest.raises(BoxRunError) as caught:
        boxrun.get_box(name)
    assert caught.value.code in ("VALIDATION_ERROR", "BOX_NOT_FOUND")


def test_one_command_in_a_box_of_its_own(boxrun: BoxRun, box: BoxHandle) -> None:
    result = boxrun.run("base", ["sh", "-c", "echo out; exit 6"], cpu=1, memory_mb=256, disk_size_gb=1)
    assert (result.exit_code, result.stdout) == (6, "out\n")
    assert [found.id for found in boxrun.list()] == [box.id]
    with pytest.raises(CommandFailed) as caught:
        boxrun.run("base", ["false"], cpu=1, memory_mb=256, disk_size_gb=1, check=True)
    assert caught.value.result.exit_code == 1


def test_the_server_tells_about_itself(boxrun: BoxRun, box: BoxHandle) -> None:
    info = boxrun.info()
    assert info.engine.ready
    assert info.boxes["running"] == 1
    assert info.used_memory_mb == box.info.memory_mb


def test_changes_are_told_as_they_happen(boxrun: BoxRun, box: BoxHandle) -> None:
    started: list[ExecHandle] = []
    seen: list[str] = []
    for event in boxrun.events(on_open=lambda: started.append(box.spawn(["true"]))):
        if event.exec is not None and event.exec.id == started[0].id:
            seen.append(event.exec.status)
            if event.exec.status == "succeeded":
                break
    assert seen == ["running", "succeeded"]


def test_images_are_listed_and_a_pull_that_fails_says_why(boxrun: BoxRun) -> None:
    assert "base" in [image.reference for image in boxrun.images.list()]
    base = boxrun.images.get("base")
    assert base.builtin
    assert base.programs is not None and "sh" in base.programs
    with pytest.raises(BoxRunError) as caught:
        boxrun.images.pull("127.0.0.1:1/none:1")
    assert caught.value.code == "IMAGE_PULL_FAILED"


def test_no_server_is_a_connection_that_failed(tmp_path: object) -> None:
    with (
        BoxRun(f"unix://{tmp_path}/none.sock") as client,
        pytest.raises(ConnectionFailed, match="boxrun serve") as caught,
    ):
        client.info()
    assert caught.value.code == "CONNECTION_FAILED"


def test_a_server_is_started_by_its_own_command(
    server: str, box: BoxHandle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tmp_path / "boxrun"
    command.write_text('#!/bin/sh\n[ "$*" = "server start" ] && exit; echo "no $*" >&2; exit 3\n')
    command.chmod(0o755)
    monkeypatch.setenv("BOXRUN_SOCKET", server.removeprefix("unix://"))
    with BoxRun.start(command=[str(command)]) as client:
        assert client.get(box.id).id == box.id
    with pytest.raises(ServerStartFailed, match="no more server start"):
        BoxRun.start(command=[str(command), "more"])
    with pytest.raises(ServerStartFailed, match="none"):
        BoxRun.start(command=[str(tmp_path / "none")])


def test_a_list_is_had_by_labels_and_page_by_page(boxrun: BoxRun, box: BoxHandle) -> None:
    with boxrun.create("base", labels={"of": "python", "other": "1"}, **SMALL) as second:
        assert [found.id for found in boxrun.list(labels=["of=python"])] == [second.id, box.id]
        assert [found.id for found in boxrun.list(labels=["of", "other"])] == [second.id]
        pages = [[info.id for info in page] for page in boxrun.box_pages(1, labels=["of=python"])]
        assert [page for page in pages if page] == [[second.id], [box.id]]
    box.exec(["true"])
    box.exec(["true"])
    assert [command.id for page in box.exec_pages(2) for command in page] == [command.id for command in box.execs()]


def test_a_box_expires_when_it_is_told_to(box: BoxHandle) -> None:
    extended = box.extend(3600, on_expiry="stop")
    assert extended.expires_at is not None
    assert extended.on_expiry == "stop"
    assert box.extend(None).expires_at is None


def test_a_secret_is_shown_to_who_asks_for_it(boxrun: BoxRun, box: BoxHandle) -> None:
    assert (box.info.env, box.info.secret_env) == ({"A": "of the box", "S": "***"}, ["S"])
    assert boxrun.get_box(box.id, show_secrets=True).env == {"A": "of the box", "S": "secret"}
    assert box.shell("echo $S").stdout == "secret\n"


def test_a_service_is_published_and_its_port_listed(box: BoxHandle) -> None:
    assert box.info.ports is not None
    service = box.spawn(["nc", "-ll", "-p", "80", "-e", "echo", "of the box"])
    for event in box.exec_stream(["sh", "-c", "until netstat -tln | grep -q ':80 '; do sleep 0.1; done; echo up"]):
        if event.data == "up\n":
            break
    assert [port.port for port in box.ports() if port.reachable] == [80]
    with socket.create_connection(("127.0.0.1", box.info.ports[0]["host_port"])) as connection:
        assert connection.recv(100) == b"of the box\n"
    service.cancel()


def test_who_did_what_is_told(boxrun: BoxRun, box: BoxHandle) -> None:
    box.files.mkdir("/root/of-the-history")
    newest = boxrun.history.list(1, box=box.id)[0]
    assert (newest.action, newest.target, newest.caller.kind) == ("mkdir", "/root/of-the-history", "socket")
    box.files.remove("/root/of-the-history")
    later = [entry for page in boxrun.history.pages(1, box=box.id, after=newest.seq) for entry in page]
    assert [entry.action for entry in later] == ["delete"]


def test_the_server_tells_what_takes_its_disk_and_what_it_does_not_know(boxrun: BoxRun, box: BoxHandle) -> None:
    usage = boxrun.usage()
    assert [used.id for used in usage.boxes] == [box.id]
    assert usage.boxes[0].disk_bytes > 0
    assert boxrun.health().status == "ok"
    assert "fail" not in [finding.status for finding in boxrun.findings()]
    assert boxrun.orphans.list() == []
    assert boxrun.sign_in.current().kind == "socket"
    assert boxrun.sign_in.create_link().token != ""
    assert boxrun.collect(older_than=3600).removed == 0


def test_stop_start_and_removal(boxrun: BoxRun, box: BoxHandle) -> None:
    """Last in this file: it takes the box down for a moment."""
    box.files.write("/root/kept", b"kept")
    stopped = box.stop(timeout_ms=5000)
    assert (stopped.status, stopped.forced) == ("stopped", False)
    with pytest.raises(BoxRunError) as caught:
        box.exec(["true"])
    assert caught.value.code == "BOX_NOT_RUNNING"
    assert box.start().status == "running"
    assert box.files.read("/root/kept") == b"kept"


def test_what_a_box_uses(boxrun: BoxRun, box: BoxHandle) -> None:
    before = box.stats()
    assert (before.box_id, before.guest, before.cpus) == (box.id, "answered", 1)
    assert before.memory_bytes is not None
    assert 0 < before.memory_bytes < before.memory_limit_bytes
    box.shell("dd if=/dev/zero of=/root/used bs=1M count=8 && sync", check=True)
    assert [running.box_id for running in boxrun.stats(points=1)] == [box.id]
    assert [running.box_id for running in next(boxrun.follow_stats(points=1))] == [box.id]
    assert box.stats_history().step_seconds == 10
    disk_bytes = before.disk_bytes
    assert disk_bytes is not None
    # The first may be of before the write: it is the newest that the server has.
    some = islice(box.follow_stats(), 20)
    assert any(after.disk_bytes is not None and after.disk_bytes - disk_bytes > 7_000_000 for after in some)
