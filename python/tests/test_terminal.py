import pytest

from boxrun_sdk import BoxRunError
from boxrun_sdk.sync import BoxHandle


def test_a_terminal_is_typed_into_and_read(box: BoxHandle) -> None:
    with box.attach(shell="/bin/sh", cols=100, rows=40) as terminal:
        terminal.write("stty size; exit 9\n")
        output = b"".join(terminal.output())
        assert b"40 100" in output
        assert terminal.exit_code == 9


def test_a_session_goes_on_without_its_client(box: BoxHandle) -> None:
    with box.attach(session="work", shell="/bin/sh") as terminal:
        terminal.write("echo be''gun\n")
        read = b""
        for piece in terminal.output():
            read += piece
            if b"begun" in read:
                break
    assert [session.name for session in box.sessions()] == ["work"]
    with box.attach(session="work") as again:
        again.resize(60, 20)
        # What is typed may overtake the new size on its way.
        again.write('until [ "$(stty size)" = "20 60" ]; do sleep 0.1; done; echo resi""zed; exit\n')
        output = b"".join(again.output())
        assert b"begun" in output
        assert b"resized" in output
    assert box.sessions() == []


def test_what_is_wrong_with_an_attach_is_said(box: BoxHandle) -> None:
    with pytest.raises(BoxRunError) as caught:
        box.attach(session="not a name")
    assert (caught.value.code, caught.value.status) == ("VALIDATION_ERROR", 422)
