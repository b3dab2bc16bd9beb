"""Writes what is derived anew: the wire's shapes from the server's OpenAPI document, the synchronous client from the asynchronous one.

python tools/generate.py           writes
python tools/generate.py --check   says what is stale, and fails if anything is
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import unasync

PYTHON = Path(__file__).resolve().parent.parent
PACKAGE = PYTHON / "src" / "boxrun_sdk"
OPENAPI = PYTHON.parent / "packages" / "contract" / "openapi.json"
# Written by hand on both sides: what can't be derived.
BY_HAND = {"__init__.py", "platform.py"}

NAMES = {
    "AbstractAsyncContextManager": "AbstractContextManager",
    "AsyncClient": "Client",
    "AsyncExitStack": "ExitStack",
    "AsyncHTTPTransport": "HTTPTransport",
    "AsyncIterator": "Iterator",
    "BoxRunClient": "BoxRun",
    "aclose": "close",
    "aiter_bytes": "iter_bytes",
    "aiter_sse": "iter_sse",
    "aread": "read",
    "enter_async_context": "enter_context",
    "asyncio": "sync",
    "asynccontextmanager": "contextmanager",
}


def main() -> int:
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        print(__doc__, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as scratch:
        made = {PACKAGE / "_wire.py": wire_shapes(Path(scratch)), **synchronous(Path(scratch))}
    stale = [path for path, text in made.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        if check:
            print(f"stale: {path.relative_to(PYTHON)}; run python tools/generate.py", file=sys.stderr)
        else:
            path.write_text(text := made[path])
            print(f"wrote {path.relative_to(PYTHON)}, {len(text.splitlines())} lines")
    return 1 if check and stale else 0


def wire_shapes(scratch: Path) -> str:
    document = scratch / "openapi.json"
    document.write_text(json.dumps(open_objects(json.loads(OPENAPI.read_text()))))
    output = scratch / "wire.py"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "datamodel_code_generator",
            *("--input", str(document), "--input-file-type", "openapi", "--output", str(output)),
            *("--output-model-type", "typing.TypedDict", "--target-python-version", "3.10"),
            *("--use-union-operator", "--disable-timestamp", "--formatters", "ruff-format"),
            *(
                "--custom-file-header",
                "# Made from packages/contract/openapi.json by tools/generate.py. Only type checkers read it.",
            ),
        ],
        check=True,
    )
    return formatted(output)


def open_objects(node: Any) -> Any:
    """TypedDicts that are closed need a newer Python than ours."""
    if isinstance(node, dict):
        return {
            key: open_objects(value) for key, value in node.items() if (key, value) != ("additionalProperties", False)
        }
    if isinstance(node, list):
        return [open_objects(item) for item in node]
    return node


def synchronous(scratch: Path) -> dict[Path, str]:
    sources = sorted(path for path in (PACKAGE / "_async").glob("*.py") if path.name not in BY_HAND)
    target = scratch / "_sync"
    rule = unasync.Rule(f"{PACKAGE}/_async/", f"{target}/", additional_replacements=NAMES)
    unasync.unasync_files([str(path) for path in sources], [rule])
    made: dict[Path, str] = {}
    for path in sources:
        output = target / path.name
        output.write_text(f"# Made from _async/{path.name} by tools/generate.py.\n{output.read_text()}")
        made[PACKAGE / "_sync" / path.name] = formatted(output)
    return made


def formatted(path: Path) -> str:
    ruff = [sys.executable, "-m", "ruff"]
    config = ["--config", str(PYTHON / "pyproject.toml")]
    subprocess.run([*ruff, "check", "--quiet", "--fix", "--select", "I,F401", *config, str(path)], check=True)
    subprocess.run([*ruff, "format", "--quiet", *config, str(path)], check=True)
    return path.read_text()


if __name__ == "__main__":
    sys.exit(main())
