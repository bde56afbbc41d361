"""The failure matrix: every hook point and every way to fail, with real processes, against the table."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hooking import points
from hooking.points import Point
from hooking.testing.documents import sample

SCRIPT = """from __future__ import annotations
import os, signal, sys, time
import hooking
from hooking.points import all_points

WAY = os.environ["WAY"]
hook = hooking.Hook(timeout=0.2 if WAY == "timeout" else 60 if WAY == "SIGTERM with timeout" else None)

def handler(*arguments):
    document = arguments[0]
    if isinstance(document, hooking.Domain):
        document.title = "half done"
    elif isinstance(document, dict):
        document["half"] = "done"
    print("printed by the handler")
    if WAY == "Refusal":
        raise hooking.Refusal("because")
    if WAY == "bug":
        raise ValueError("because")
    if WAY == "CommandError":
        hooking.run_command(["sh", "-c", "echo because >&2; exit 1"])
    if WAY == "DocumentError":
        raise hooking.DocumentError("because")
    open(os.environ["MARK"], "w").close()
    time.sleep(60)

for point in all_points():
    getattr(hook, point.driver)(point.op)(handler)
hook.run()
"""

MESSAGES = {
    "Refusal": "because",
    "bug": "ValueError: because",
    "CommandError": "sh failed with status 1: because",
    "DocumentError": "because",
    "timeout": "the handlers took longer than 0.2 s and were killed",
    "SIGTERM": "ended by SIGTERM",
    "SIGTERM with timeout": "ended by SIGTERM",
}


def expected_status(point: Point, way: str) -> int:
    """What the table promises, in words of its own."""
    if way != "Refusal" and point.on_error == "pass":
        return 0
    return 2 if point.host == "vdsm" and point.failure == "aborts" else 1


def fail(point: Point, way: str, folder: Path) -> tuple[int, bytes, str, bytes]:
    """Start the script at ``point`` and let it fail; return status, standard output and error, and the payload."""
    place = folder / (point.op if point.host == "vdsm" else f"{point.driver}.d")
    place.mkdir(parents=True)
    (place / "50-x").write_text(SCRIPT)
    payload = folder / "payload"
    payload.write_bytes(sample(point))
    environ = {"LC_ALL": "C", "PATH": os.environ["PATH"], "WAY": way, "MARK": str(folder / "mark")}
    arguments: list[str] = []
    if point.host == "vdsm":
        environ.update(vmId="some-id", _hook_domxml=str(payload), _hook_json=str(payload))
    else:
        arguments = ["-" if point.driver == "daemon" else "web01", point.op, point.subop, "-"]
    with (
        payload.open("rb") as stdin,
        subprocess.Popen(
            [sys.executable, "-I", str(place / "50-x"), *arguments],
            stdin=subprocess.DEVNULL if point.host == "vdsm" else stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environ,
            cwd="/",
        ) as process,
    ):
        if way.startswith("SIGTERM"):
            deadline = time.monotonic() + 30
            while not (folder / "mark").exists() and time.monotonic() < deadline:
                time.sleep(0.005)
            # Python sees a signal that comes just before it sleeps only afterwards, so it is told twice
            threading.Timer(1, process.terminate).start()
            process.terminate()
        stdout, stderr = process.communicate(timeout=30)
    assert sorted(path.name for path in folder.iterdir() if path.name != "mark") == sorted({"payload", place.name})
    return process.returncode, stdout, stderr.decode(), payload.read_bytes()


@pytest.mark.parametrize("point", points.all_points(), ids=lambda point: point.name)
def test_failing_at(point: Point, tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        ends = dict(zip(MESSAGES, pool.map(lambda way: fail(point, way, tmp_path / way.replace(" ", "-")), MESSAGES)))
    name = (
        "daemon/" + point.op
        if point.driver == "daemon"
        else f"{point.name} {'some-id' if point.host == 'vdsm' else 'web01'}"
    )
    for way, (status, stdout, stderr, payload) in ends.items():
        first, *rest = stderr.splitlines()
        assert status == expected_status(point, way), way
        assert stdout == b"", way
        assert payload == sample(point), way
        assert first == f"50-x: {name}: {MESSAGES[way]}", way
        assert rest[-1:] == ["printed by the handler"] or way in ("timeout", "SIGTERM with timeout"), way
        assert ("Traceback (most recent call last):" in rest) == (way == "bug"), way
        assert way == "bug" or rest in ([], ["printed by the handler"]), way
