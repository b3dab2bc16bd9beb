import io
import json

import pytest

from boxrun_sdk import BoxRun, BoxRunError, CommandFailed
from boxrun_sdk.sync import BoxHandle

from .conftest import Proxy


def test_a_command_has_its_exit_code_and_both_outputs(box: BoxHandle) -> None:
    result = box.exec(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (result.status, result.exit_code, result.stdout, result.stderr) == ("failed", 3, "out\n", "err\n")
    assert not result.ok
    assert result.finished_at is not None


def test_a_command_takes_environment_directory_and_user(box: BoxHandle) -> None:
    result = box.shell("echo $A $B; pwd; id -u", env={"B": "mine"}, workdir="/tmp", user="65534")
    assert result.stdout == "of the box mine\n/tmp\n65534\n"


def test_output_that_is_no_text_arrives_to_the_byte(box: BoxHandle) -> None:
    result = box.shell(r"printf '\377\000\376'; printf 'ä' >&2")
    assert result.stdout_bytes == b"\xff\x00\xfe"
    assert result.stdout == "\ufffd\x00\ufffd"
    assert result.stderr == "ä"


def test_much_output_arrives_whole(box: BoxHandle) -> None:
    result = box.shell("seq 1 200000")
    assert result.stdout_bytes == b"".join(b"%d\n" % n for n in range(1, 200001))


@pytest.mark.parametrize("content", [b"some\nlines\n", "some\nlines\n", io.BytesIO(b"some\nlines\n")])
def test_input_is_fed_and_closed(box: BoxHandle, content: bytes | str | io.BytesIO) -> None:
    assert box.exec(["wc", "-l"], stdin=content).stdout.strip() == "2"


def test_a_command_that_reads_none_of_its_input_ends_as_it_ends(box: BoxHandle) -> None:
    assert box.exec(["true"], stdin=b"x" * 3_000_000).ok


def test_check_makes_a_failure_an_error_that_has_the_result(box: BoxHandle) -> None:
    with pytest.raises(CommandFailed, match="it exited with 4: no such luck") as caught:
        box.shell("echo no such luck >&2; exit 4", check=True)
    assert caught.value.result.exit_code == 4


def test_a_timeout_ends_the_command(box: BoxHandle) -> None:
    result = box.exec(["sleep", "1000"], timeout_ms=200)
    assert result.status == "timeout"


def test_a_command_that_is_not_there_ends_with_127(box: BoxHandle) -> None:
    result = box.exec(["nosuchprogram"])
    assert result.exit_code == 127
    assert "nosuchprogram" in (result.error_message or "")


def test_one_string_is_no_command(box: BoxHandle) -> None:
    with pytest.raises(TypeError, match="shell"):
        box.exec("ls -l")


def test_a_stream_has_every_piece_and_then_the_exit(box: BoxHandle) -> None:
    events = list(box.exec_stream(["sh", "-c", "echo out; exit 7"]))
    assert [(event.type, event.stream, event.data) for event in events[:-1]] == [("log", "stdout", "out\n")]
    assert json.loads(events[-1].data) == {"exit_code": 7}
    assert events[-1].exit_code == 7


@pytest.mark.parametrize("behind", [b"event: log", b'"id":"exec_'])
def test_a_stream_that_breaks_is_taken_up_where_it_was(box: BoxHandle, proxy: Proxy, behind: bytes) -> None:
    """The connection ends in the middle of the events, or idle behind the answer that started the command."""
    with BoxRun(proxy(behind)) as client:
        script = "echo before; read line; echo after; exit 5"
        handle = client.get(box.id).spawn(["sh", "-c", script], stdin=True)
        seen: list[str] = []
        for event in handle.events():
            seen.append(event.data)
            if event.data == "before\n":
                handle.write_stdin("go\n", eof=True)
        assert seen == ["before\n", "after\n", '{"exit_code":5}']


def test_a_command_is_not_started_twice_when_its_answer_breaks(box: BoxHandle, proxy: Proxy) -> None:
    with BoxRun(proxy(b"event: log")) as client:
        assert (
            client.get(box.id).shell("echo run >> /root/runs; cat /root/runs; sleep 0.3; echo end").stdout
            == "run\nend\n"
        )


def test_a_command_left_running_can_be_fed_signalled_and_found_again(box: BoxHandle) -> None:
    script = "trap 'echo caught' USR1; echo ready; while ! read line; do :; done; echo got $line"
    handle = box.spawn(["sh", "-c", script], stdin=True)
    events = handle.events()
    assert next(events).data == "ready\n"
    handle.signal("SIGUSR1")
    assert next(events).data == "caught\n"
    handle.write_stdin("this\n")
    assert box.get_exec(handle.id).wait().stdout == "ready\ncaught\ngot this\n"
    assert handle.id in [info.id for info in box.execs()]


def test_input_that_gets_lost_is_sent_again_and_arrives_once(box: BoxHandle, proxy: Proxy) -> None:
    """The connection ends before the server's word that it has the piece."""
    file = io.BytesIO(b"xtwo\n" * 20_000)
    file.seek(1)
    with BoxRun(proxy(b'"ok":true', lost=True)) as client:
        handle = client.get(box.id).spawn(["cat"], stdin=True)
        for piece in (file, b"one\n", "three\n"):
            handle.write_stdin(piece)
        handle.close_stdin()
        assert handle.wait().stdout_bytes == (b"xtwo\n" * 20_000)[1:] + b"one\nthree\n"


def test_input_can_be_taken_up_by_its_offset(box: BoxHandle) -> None:
    handle = box.spawn(["cat"], stdin=True)
    again = box.get_exec(handle.id)
    again.write_stdin(b"abc", offset=0)
    again.write_stdin(b"bcd", offset=1)
    again.write_stdin(b"", offset=4, eof=True)
    assert handle.wait().stdout == "abcd"


def test_a_command_can_be_cancelled(box: BoxHandle) -> None:
    handle = box.spawn(["sleep", "1000"])
    assert handle.cancel().status == "canceled"
    with pytest.raises(BoxRunError) as caught:
        handle.cancel()
    assert caught.value.code == "EXEC_ALREADY_FINISHED"


def test_a_terminal_command_has_its_size(box: BoxHandle) -> None:
    assert box.spawn(["stty", "size"], tty=(100, 40)).wait().stdout == "40 100\r\n"
