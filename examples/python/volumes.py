"""A directory of this computer in a box: read there, written there, and nothing else of the computer is seen."""

import tempfile
from pathlib import Path
from typing import Any

from boxrun_sdk import BoxRun

with BoxRun() as boxrun, tempfile.TemporaryDirectory(prefix="boxrun-example-") as directory:
    source, target = Path(directory, "in"), Path(directory, "out")
    source.mkdir()
    target.mkdir()
    (source / "words.txt").write_text("pear\napple\n")

    volumes: list[dict[str, Any]] = [
        {"host_path": str(source), "guest_path": "/in", "readonly": True},
        {"host_path": str(target), "guest_path": "/out"},
    ]
    with boxrun.create("base", memory_mb=256, volumes=volumes) as box:
        box.shell("sort /in/words.txt >/out/sorted.txt", check=True)
        print(f"sorted: {' '.join((target / 'sorted.txt').read_text().split())}")

        refused = box.shell("echo more >>/in/words.txt")
        print(f"writing into a read-only one: {'done' if refused.ok else 'refused'}")
