"""The asynchronous client is what the synchronous one is made from: here is what only it has to show."""

import asyncio
from pathlib import Path

import pytest

from boxrun_sdk import BoxRunClient, BoxRunError
from boxrun_sdk.sync import BoxHandle

from .conftest import Proxy


def test_many_commands_at_once(server: str, box: BoxHandle) -> None:
    async def main() -> list[str]:
        async with BoxRunClient(server) as client:
            handle = await client.get(box.id)
            results = await asyncio.gather(*(handle.shell(f"sleep 0.2; echo {n}") for n in range(20)))
            return [result.stdout for result in results]

    assert asyncio.run(main()) == [f"{n}\n" for n in range(20)]


def test_a_stream_that_is_left_lets_go_of_its_connection(server: str, box: BoxHandle) -> None:
    async def main() -> str:
        async with BoxRunClient(server) as client:
            handle = await client.get(box.id)
            running = await handle.spawn(["sh", "-c", "while echo again; do sleep 0.05; done"])
            for _ in range(30):
                events = running.events()
                assert (await anext(events)).data.startswith("again\n")
                await events.aclose()
            return (await running.cancel()).status

    assert asyncio.run(main()) == "canceled"


def test_a_call_can_be_given_up(server: str, box: BoxHandle) -> None:
    async def main() -> None:
        async with BoxRunClient(server) as client:
            handle = await client.get(box.id)
            running = await handle.spawn(["sleep", "1000"])
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(running.wait(), 0.2)
            assert (await running.refresh()).status == "running"
            await running.cancel()

    asyncio.run(main())


def test_a_broken_stream_goes_on(server: str, box: BoxHandle, proxy: Proxy) -> None:
    async def main() -> str:
        async with BoxRunClient(proxy(b"event: log")) as client:
            handle = await client.get(box.id)
            return (await handle.shell("echo one; sleep 0.3; echo two")).stdout

    assert asyncio.run(main()) == "one\ntwo\n"


def test_files_and_a_terminal(server: str, box: BoxHandle, tmp_path: Path) -> None:
    async def main() -> None:
        async with BoxRunClient(server) as client:
            handle = await client.get(box.id)
            (tmp_path / "tree").mkdir()
            (tmp_path / "tree" / "file").write_bytes(b"content")
            await handle.upload(tmp_path / "tree", "/root/async")
            await handle.download("/root/async/file", tmp_path / "file")
            assert (tmp_path / "file").read_bytes() == b"content"
            async with await handle.attach(shell="/bin/sh") as terminal:
                await terminal.write("exit 3\n")
                async for _ in terminal.output():
                    pass
                assert terminal.exit_code == 3
            with pytest.raises(BoxRunError):
                await handle.files.read("/none")

    asyncio.run(main())
