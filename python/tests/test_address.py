from pathlib import Path

import pytest

from boxrun_sdk import BoxRunError
from boxrun_sdk._address import find_address


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("BOXRUN_HOST", "BOXRUN_PORT", "BOXRUN_SOCKET", "BOXRUN_STATE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("http://127.0.0.1:9090/", "http://127.0.0.1:9090"),
        ("https://boxes.example.org", "https://boxes.example.org"),
        ("http+unix:///run/boxrun.sock", "unix:///run/boxrun.sock"),
        ("http+unix://%2Frun%2Fboxrun.sock", "unix:///run/boxrun.sock"),
        ("unix:///run/boxrun.sock", "unix:///run/boxrun.sock"),
    ],
)
def test_an_address_that_is_given_is_taken(given: str, found: str) -> None:
    assert str(find_address(given)) == found


@pytest.mark.parametrize(
    "given", ["", "boxes.example.org:9090", "ftp://host", "http://", "http://host:99999", "unix://run"]
)
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(BoxRunError, match="base_url") as caught:
        find_address(given)
    assert caught.value.code == "VALIDATION_ERROR"


def test_the_servers_socket_comes_before_a_port(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BOXRUN_PORT", "9999")
    assert str(find_address(None)) == "http://127.0.0.1:9999"
    (tmp_path / ".boxrun").mkdir()
    (tmp_path / ".boxrun" / "boxrun.sock").touch()
    assert str(find_address(None)) == f"unix://{tmp_path}/.boxrun/boxrun.sock"
    monkeypatch.setenv("BOXRUN_STATE_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("BOXRUN_HOST", "::1")
    assert str(find_address(None)) == "http://[::1]:9999"


def test_a_whole_url_in_boxrun_host_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".boxrun").mkdir()
    (tmp_path / ".boxrun" / "boxrun.sock").touch()
    monkeypatch.setenv("BOXRUN_HOST", "https://boxes.example.org")
    assert str(find_address(None)) == "https://boxes.example.org"
    monkeypatch.setenv("BOXRUN_HOST", "https://boxes example.org:99999")
    with pytest.raises(BoxRunError, match="BOXRUN_HOST"):
        find_address(None)
