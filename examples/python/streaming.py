"""Output as it comes, and input while the program runs."""

import asyncio

from boxrun_sdk import BoxRunClient

SCRIPT = 'while read -r line; do echo "$line = $((line))"; done; echo done >&2'


async def main() -> None:
    async with BoxRunClient() as client, await client.create("base", memory_mb=256) as box:
        questions = ["6*7", "2+2"]
        running = await box.spawn(["sh", "-c", SCRIPT], stdin=True)
        await running.write_stdin(f"{questions.pop(0)}\n")
        async for event in running.events():
            if event.type == "exit":
                print(f"exit {event.exit_code}")
                break
            print(f"{event.stream}: {event.data.strip()}")
            if event.stream == "stderr":
                continue
            if questions:
                await running.write_stdin(f"{questions.pop(0)}\n")
            else:
                await running.close_stdin()


asyncio.run(main())
