"""A notebook: its cells run in one interpreter, which a session keeps alive while nobody is connected.

Cells here are shell, which `base` has; with an image that has Python (`notebook.py python`, or any other) they are Python, and nothing else is different.
"""

import codecs
import sys
import uuid
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from boxrun_sdk import BoxRun
from boxrun_sdk.sync import BoxHandle


class Kernel(NamedTuple):
    """What an interpreter needs so that it says nothing but what cells print, and how it marks the end of a cell."""

    program: str
    quiet: str
    mark: str
    cells: Sequence[str]


KERNELS = {
    "shell": Kernel(
        "sh",
        "stty -echo -onlcr; PS1= PS2=\n",
        "printf '\\036{}'\n",
        [
            "greeting=hello",
            'echo "$greeting, notebook"',
            'for n in 1 2 3; do total=$((total + n)); done; echo "total $total"',
        ],
    ),
    "python": Kernel(
        "python3",
        "import os, sys; os.system('stty -echo -onlcr'); sys.ps1 = sys.ps2 = ''\n",
        "print(end='\\x1e{}', flush=True)\n",
        ["greeting = 'hello'", "print(f'{greeting}, notebook')", "print('total', sum([1, 2, 3]))"],
    ),
}

image = sys.argv[1] if len(sys.argv) > 1 else "base"
kernel = KERNELS["shell" if image == "base" else "python"]


def run(box: BoxHandle, cells: Sequence[str], begin: str = "") -> Iterator[str]:
    """Connects, runs some cells, and leaves: the interpreter goes on with all that it knows."""
    with box.attach(session="notebook", shell=interpreter) as terminal:
        output = terminal.output()
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = ""

        def send(source: str) -> str:
            nonlocal text
            # What a session has printed last is told again to whoever attaches, old marks too: each has an id of its own.
            mark = uuid.uuid4().hex
            terminal.write(source + kernel.mark.format(mark))
            while f"\x1e{mark}" not in text:
                text += decoder.decode(next(output))
            printed, _, text = text.partition(f"\x1e{mark}")
            return printed.strip()

        send(begin)
        for cell in cells:
            yield send(f"{cell}\n")


with BoxRun() as boxrun, boxrun.create(image, memory_mb=256) as box:
    interpreter = box.shell(f"command -v {kernel.program}", check=True).stdout.strip()
    first, *others = kernel.cells
    for _ in run(box, [first], kernel.quiet):
        print("one cell, and everybody leaves")
    for printed in run(box, others):
        print(printed)
