"""A box for one command: made, used and removed in one call."""

from boxrun_sdk import BoxRun

with BoxRun() as boxrun:
    result = boxrun.run("base", ["sh", "-c", "echo from a box of its own"], memory_mb=256, timeout_ms=60_000)
    print(f"{result.exit_code}: {result.stdout.strip()}")
