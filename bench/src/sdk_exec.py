"""Times an exec of `true` through the SDK and by bare HTTP, turn and turn about: python sdk_exec.py SOCKET BOX CALLS. Prints both medians in ms as JSON."""

import http.client
import json
import socket
import statistics
import sys
import time
from collections.abc import Callable

from boxrun_sdk import BoxRun

socket_path, box_id, calls = sys.argv[1], sys.argv[2], int(sys.argv[3])
connection = http.client.HTTPConnection("localhost")
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.connect(socket_path)
HEADERS = {"content-type": "application/json", "accept": "text/event-stream"}


def bare() -> None:
    connection.request("POST", f"/v1/boxes/{box_id}/exec", json.dumps({"cmd": ["true"]}), HEADERS)
    assert b"event: exit" in connection.getresponse().read()


def timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


with BoxRun(f"unix://{socket_path}") as client:
    box = client.get(box_id)
    pairs = [(timed(bare), timed(lambda: box.exec(["true"], check=True))) for _ in range(calls)]
over_http, through_sdk = zip(*pairs, strict=True)
print(json.dumps({"bare": statistics.median(over_http), "sdk": statistics.median(through_sdk)}))
