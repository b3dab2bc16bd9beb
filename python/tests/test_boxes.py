import pytest

from boxrun_sdk import BoxRun, BoxRunError, CommandFailed, ConnectionFailed
from boxrun_sdk.sync import BoxHandle

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
    events = boxrun.events()
    import threading

    seen: list[str] = []
    told = threading.Event()

    def listen() -> None:
        for event in events:
            if event.exec is not None:
                seen.append(event.exec.status)
                if event.exec.status == "succeeded":
                    told.set()
                    return

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    # Whatever comes before the stream is open is not told.
    while not told.wait(0.2):
        box.exec(["true"])
    listener.join(30)
    assert seen[-1] == "succeeded"


def test_images_are_listed_and_a_pull_that_fails_says_why(boxrun: BoxRun) -> None:
    assert "base" in [image.reference for image in boxrun.images.list()]
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


def test_stop_start_and_removal(boxrun: BoxRun, box: BoxHandle) -> None:
    """Last in this file: it takes the box down for a moment."""
    box.files.write("/root/kept", b"kept")
    assert box.stop().status == "stopped"
    with pytest.raises(BoxRunError) as caught:
        box.exec(["true"])
    assert caught.value.code == "BOX_NOT_RUNNING"
    assert box.start().status == "running"
    assert box.files.read("/root/kept") == b"kept"


def test_what_a_box_uses(box: BoxHandle) -> None:
    before = box.stats()
    assert (before.box_id, before.guest, before.cpus) == (box.id, "answered", 1)
    assert before.memory_bytes is not None
    assert 0 < before.memory_bytes < before.memory_limit_bytes
    box.shell("dd if=/dev/zero of=/root/used bs=1M count=8 && sync", check=True)
    for after in box.follow_stats():
        assert after.disk_bytes is not None and before.disk_bytes is not None
        assert after.disk_bytes - before.disk_bytes > 7_000_000
        break
