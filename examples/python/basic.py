"""A box, a command in it, its result. The box is gone at the end."""

from boxrun_sdk import BoxRun

with BoxRun() as boxrun, boxrun.create("base", memory_mb=256) as box:
    kernel = box.exec(["uname", "-s"], check=True)
    print(f"kernel: {kernel.stdout.strip()}")

    failing = box.shell("echo nothing here >&2; exit 3")
    print(f"exit code {failing.exit_code}: {failing.stderr.strip()}")
