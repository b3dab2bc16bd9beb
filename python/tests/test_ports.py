from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from boxrun_sdk import BoxRunClient, BoxRunError
from boxrun_sdk.sync import BoxHandle, PortConnection


@pytest.fixture(scope="module")
def service(box: BoxHandle) -> Iterator[int]:
    """A port of the box where whatever is sent comes back."""
    program = box.spawn(["nc", "-ll", "-p", "7000", "-e", "cat"])
    wait_for(box, 7000)
    yield 7000
    program.cancel()


def wait_for(box: BoxHandle, port: int) -> None:
    while all(listening.port != port for listening in box.ports()):
        time.sleep(0.05)


def test_bytes_go_both_ways_and_each_way_ends_by_itself(box: BoxHandle, service: int) -> None:
    sent = bytes(range(256)) * 16_384
    with box.connect(service) as connection:
        # It takes no more than it is read of.
        sender = threading.Thread(target=send_all, args=(connection, sent))
        sender.start()
        received = b"".join(connection.chunks())
        sender.join()
        assert received == sent
        assert connection.receive() == b""


def send_all(connection: PortConnection, content: bytes) -> None:
    connection.send(content)
    connection.send_eof()


def test_what_has_come_is_taken_in_pieces(box: BoxHandle, service: int) -> None:
    with box.connect(service) as connection:
        connection.send(b"abcdef")
        assert b"".join(connection.receive(1) for _ in range(6)) == b"abcdef"
        connection.send_eof()
        with pytest.raises(ValueError, match="ended"):
            connection.send(b"more")
        assert connection.receive() == b""


def test_a_port_where_nothing_listens_is_refused(box: BoxHandle) -> None:
    with pytest.raises(BoxRunError) as caught:
        box.connect(7001)
    assert (caught.value.code, caught.value.status) == ("PORT_REFUSED", 400)


def test_a_program_may_say_its_last_word_first(box: BoxHandle) -> None:
    program = box.spawn(["nc", "-ll", "-p", "7002", "-e", "echo", "good-bye"])
    wait_for(box, 7002)
    with box.connect(7002) as connection:
        assert b"".join(connection.chunks()) == b"good-bye\n"
    program.cancel()


def test_the_asynchronous_client_does_the_same(server: str, box: BoxHandle, service: int) -> None:
    async def main() -> list[bytes]:
        async with BoxRunClient(server) as client:
            handle = await client.get(box.id)
            async with await handle.connect(service) as connection:
                await connection.send(b"hello")
                await connection.send_eof()
                return [chunk async for chunk in connection.chunks()]

    assert b"".join(asyncio.run(main())) == b"hello"
