import io
import os
import tarfile
from pathlib import Path

import pytest

from boxrun_sdk import BoxRun, BoxRunError
from boxrun_sdk.sync import BoxHandle

from .conftest import Proxy


def test_what_is_written_is_read(box: BoxHandle) -> None:
    for content in (b"\x00\xff" * 1000, "text: ä\n", io.BytesIO(b"from a file")):
        box.files.write("/root/written/deep/down", content)
        expected = content.getvalue() if isinstance(content, io.BytesIO) else content
        read = box.files.read("/root/written/deep/down")
        assert (read.decode() if isinstance(expected, str) else read) == expected
    box.files.write("/root/written/text", "ä")
    assert box.files.read_text("/root/written/text") == "ä"


def test_a_directory_is_listed_and_removed(box: BoxHandle) -> None:
    box.files.write("/root/listed/file", b"12345")
    box.shell("ln -s file /root/listed/link; mkdir /root/listed/dir", check=True)
    entries = {entry.name: entry for entry in box.files.list("/root/listed")}
    assert {name: entry.type for name, entry in entries.items()} == {"dir": "dir", "file": "file", "link": "symlink"}
    assert entries["file"].size == 5
    assert entries["link"].target == "file"
    box.files.remove("/root/listed")
    with pytest.raises(BoxRunError) as caught:
        box.files.list("/root/listed")
    assert caught.value.code == "FILE_NOT_FOUND"


def test_a_path_is_made_looked_at_and_renamed(box: BoxHandle) -> None:
    box.files.mkdir("/root/made/deep", parents=True)
    box.files.mkdir("/root/made/deep", parents=True)
    with pytest.raises(BoxRunError) as caught:
        box.files.mkdir("/root/made/deep")
    assert caught.value.code == "FILE_EXISTS"
    box.files.write("/root/made/one", b"1")
    box.files.write("/root/made/two", b"22")
    box.shell("ln -s one /root/made/link", check=True)
    assert box.files.stat("/root/made/link").type == "symlink"
    assert box.files.stat("/root/made/link", follow=True).size == 1
    with pytest.raises(BoxRunError) as caught:
        box.files.rename("/root/made/one", "/root/made/two")
    assert caught.value.code == "FILE_EXISTS"
    box.files.rename("/root/made/one", "/root/made/two", replace=True)
    assert box.files.read("/root/made/two") == b"1"


def test_what_happens_in_a_directory_is_told_until_it_is_gone(box: BoxHandle) -> None:
    box.files.mkdir("/root/watched")
    script = "cd /root/watched; mkdir new; mv new newer; cd ..; rm -r watched"
    changes = box.files.watch("/root/watched", recursive=True, on_open=lambda: box.shell(script, check=True))
    told = [(change.event, change.path, change.from_path) for change in changes]
    assert told == [
        ("created", "/root/watched/new", None),
        ("renamed", "/root/watched/newer", "/root/watched/new"),
        ("removed", "/root/watched/newer", None),
        ("removed", "/root/watched", None),
    ]


def test_a_file_goes_in_and_comes_out_and_progress_is_told(box: BoxHandle, tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    (tmp_path / "source").write_bytes(content)
    sent: list[int] = []
    received: list[int] = []
    box.files.upload(tmp_path / "source", "/root/moved", progress=sent.append)
    box.files.download("/root/moved", tmp_path / "target", progress=received.append)
    assert (tmp_path / "target").read_bytes() == content
    assert sent[-1] == received[-1] == len(content)
    assert sent == sorted(sent)


def test_a_watch_that_breaks_is_taken_up_with_an_overflow(box: BoxHandle, proxy: Proxy) -> None:
    box.files.mkdir("/root/watched-on")
    with BoxRun(proxy(b"event: created")) as client:
        watching = client.get(box.id).files.watch(
            "/root/watched-on", on_open=lambda: box.files.write("/root/watched-on/one", b"")
        )
        told: list[str] = []
        for change in watching:
            told.append(change.event)
            if change.event == "overflow":
                box.files.remove("/root/watched-on")
    assert told[0] == "created"
    assert "overflow" in told
    assert told[-1] == "removed"


def test_content_comes_piece_by_piece_and_archives_as_they_are(box: BoxHandle) -> None:
    content = os.urandom(1_000_000)
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        entry = tarfile.TarInfo("deep/file")
        entry.size, entry.uid = len(content), 1234
        archive.addfile(entry, io.BytesIO(content))
    box.files.upload_archive("/root/archive", tar.getvalue())
    assert box.files.stat("/root/archive/deep/file").uid == 1234
    received: list[int] = []
    assert b"".join(box.files.stream("/root/archive/deep/file", progress=received.append)) == content
    assert received[-1] == len(content)
    back = io.BytesIO(b"".join(box.files.download_archive("/root/archive")))
    with tarfile.open(fileobj=back) as archive:
        file = archive.extractfile("deep/file") or archive.extractfile("./deep/file")
        assert file is not None and file.read() == content


def test_a_directory_goes_in_and_comes_out(box: BoxHandle, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "run.sh").write_text("#!/bin/sh\necho hello\n")
    (source / "deep" / "run.sh").chmod(0o755)
    (source / "link").symlink_to("deep/run.sh")
    box.files.upload(source, "/root/tree")
    assert box.exec(["/root/tree/link"]).stdout == "hello\n"
    box.files.download("/root/tree", tmp_path / "target")
    assert (tmp_path / "target" / "link").readlink() == Path("deep/run.sh")
    assert (tmp_path / "target" / "deep" / "run.sh").stat().st_mode & 0o777 == 0o755


def test_what_goes_in_has_the_owner_that_is_asked_for(box: BoxHandle, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "file").write_text("x")
    box.files.upload(tmp_path / "tree", "/root/owned", owner="1234:5678")
    box.files.write("/root/owned/other", "y", owner="1234")
    owners = {entry.name: (entry.uid, entry.gid) for entry in box.files.list("/root/owned")}
    assert owners["file"] == (1234, 5678)
    assert owners["other"][0] == 1234


def test_a_download_that_fails_leaves_what_was_there(box: BoxHandle, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("mine")
    with pytest.raises(BoxRunError) as caught:
        box.files.download("/root/none", target)
    assert caught.value.code == "FILE_NOT_FOUND"
    assert target.read_text() == "mine"
    assert os.listdir(tmp_path) == ["target"]


def test_what_a_box_packs_stays_below_its_target(box: BoxHandle, tmp_path: Path) -> None:
    box.shell("mkdir -p /root/hostile; ln -s /etc /root/hostile/etc; chmod 4755 /root/hostile", check=True)
    box.shell("cp /bin/busybox /root/hostile/suid; chmod 4755 /root/hostile/suid", check=True)
    with pytest.raises(Exception, match=r"absolute path|outside the destination"):
        box.files.download("/root/hostile", tmp_path / "out")
    box.files.remove("/root/hostile/etc")
    box.files.download("/root/hostile", tmp_path / "out")
    assert (tmp_path / "out" / "suid").stat().st_mode & 0o7000 == 0
