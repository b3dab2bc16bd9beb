"""Output as it comes, from many commands at once."""

import asyncio

from boxrun_sdk import BoxRunClient


async def main() -> None:
    async with BoxRunClient() as client, await client.create("base", memory_mb=128) as box:
        async for event in box.exec_stream(["sh", "-c", "echo out; echo err >&2; exit 2"]):
            if event.type == "log":
                print(f"{event.stream}: {event.data.strip()}")
            else:
                print(f"exit {event.data}")


asyncio.run(main())
