"""Drives a server through the published Python SDK of BoxRun 0.3, unchanged. Usage: python python_0_3.py SOCKET DIRECTORY"""

import asyncio
import json
import pathlib
import sys

from boxrun_sdk import BoxRunClient
from boxrun_sdk.errors import BoxRunError

small = {"cpu": 1, "memory_mb": 256, "disk_size_gb": 1}


async def code_of(awaitable):
    try:
        await awaitable
    except BoxRunError as error:
        return error.code
    return None


async def main(socket: str, directory: pathlib.Path) -> dict:
    seen = {}
    async with BoxRunClient(f"http+unix://{socket}") as client:
        box = await client.create("base", name="py", env={"A": "box"}, **small)
        seen["created"] = [box.info.status, box.info.name, box.info.image, box.info.workdir]
        seen["listed"] = [info.id == box.id for info in await client.list_boxes(status="running")]
        seen["taken"] = await code_of(client.create("base", name="py", **small))
        seen["unknown"] = await code_of(client.get_box("nobody"))

        done = await box.exec(["sh", "-c", "echo $A; exit 3"])
        seen["exec"] = [done.status, done.exit_code]
        *logs, end = [
            [event.type, event.stream, json.loads(event.data) if event.type == "exit" else event.data]
            async for event in box.exec_stream(["sh", "-c", "echo out; echo err >&2"])
        ]
        # Standard output first: they are two pipes, and a busy guest may read the other one before.
        seen["stream"] = [*sorted(logs, key=lambda log: log[1], reverse=True), end]
        timed_out = await box.exec(["sleep", "1000"], timeout_ms=200)
        seen["timeout"] = timed_out.status

        source, target = directory / "source", directory / "target"
        source.write_bytes(bytes(range(256)) * 1000)
        await box.upload(str(source), "/root/deep/down/file")
        await box.download("/root/deep/down/file", str(target))
        seen["file"] = source.read_bytes() == target.read_bytes()
        seen["no file"] = await code_of(box.download("/root/none", str(target)))

        seen["remove running"] = await code_of(box.remove())
        seen["stopped"] = (await box.stop()).status
        seen["exec stopped"] = await code_of(box.exec(["true"]))
        seen["started"] = (await box.start()).status
        kept = [event.data async for event in box.exec_stream(["ls", "/root/deep/down"]) if event.type == "log"]
        seen["kept"] = "".join(kept)
        await box.stop()
        seen["gc"] = await client.gc(older_than=0)

        run = await client.run("base", ["sh", "-c", "echo hello; exit 5"], disk_size_gb=1)
        seen["run"] = [run.exit_code, run.stdout, run.stderr]
        seen["left"] = len(await client.list_boxes())
    return seen


print(json.dumps(asyncio.run(main(sys.argv[1], pathlib.Path(sys.argv[2])))))
