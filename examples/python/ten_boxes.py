"""Ten boxes at once (or as many as the first argument says), each with a part of the work."""

import asyncio
import sys

from boxrun_sdk import BoxRunClient


async def square(client: BoxRunClient, number: int) -> int:
    async with await client.create("base", cpu=1, memory_mb=256) as box:
        return int((await box.shell(f"echo $(({number} * {number}))", check=True)).stdout)


async def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    async with BoxRunClient() as client:
        print(*await asyncio.gather(*(square(client, number) for number in range(count))))


asyncio.run(main())
