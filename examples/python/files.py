"""Files and directories, to and fro."""

import tempfile
from pathlib import Path

from boxrun_sdk import BoxRun

with (
    BoxRun() as boxrun,
    boxrun.create("base", memory_mb=256) as box,
    tempfile.TemporaryDirectory(prefix="boxrun-example-") as directory,
):
    here = Path(directory)
    (here / "numbers.txt").write_text("3\n1\n2\n")
    box.files.upload(here, "/work")
    box.shell("sort numbers.txt >sorted.txt", workdir="/work", check=True)
    for entry in box.files.list("/work"):
        print(f"{entry.name}: {entry.size} bytes")
    print(f"sorted: {' '.join(box.files.read_text('/work/sorted.txt').split())}")

    box.files.download("/work", here / "back")
    print(f"back: {len((here / 'back' / 'sorted.txt').read_text())} bytes")
