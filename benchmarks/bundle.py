"""What a bundle costs beside the same script installed: whole processes side by side, one of each in turn.

Both are started by their first lines, in an environment of its own with nothing but this package in it. The bound is
what the project promises; a run that breaks it ends with status 1.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from startup import DOMAIN, DROP_IN, MIGRATE, ROUNDS, TYPED, environment

from hooking.cli.bundling import bundle

BOUND = 1.2
PREPARE = ["web01", "prepare", "begin", "-"]


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ratios = measure(folder, environment(folder))
    print(f"{'':42}{'ms':>8}{'ratio':>8}{'bound':>8}")
    for what, (milliseconds, ratio) in ratios.items():
        print(f"{what:42}{milliseconds:8.2f}{ratio:8.2f}{BOUND:8.2f}  {'ok' if ratio <= BOUND else 'BROKEN'}")
    return int(any(ratio > BOUND for _, ratio in ratios.values()))


def measure(folder: Path, python: Path) -> dict[str, tuple[float, float]]:
    """Return the milliseconds that each bundle takes, and their ratio to those of the installed script."""
    calls: dict[str, tuple[str, str, list[str]]] = {
        "bundle: no handler for this operation": (TYPED.format(""), "qemu.d", PREPARE),
        "bundle: no handler for this object": (TYPED.format(""), "qemu.d", ["db01", *MIGRATE[1:]]),
        "bundle: typed, read, set, write": (TYPED.format(""), "qemu.d", MIGRATE),
        "bundle: the same with timeout": (TYPED.format("timeout=10"), "qemu.d", MIGRATE),
        "bundle: drop-in, read, set, write": (DROP_IN, "before_vm_start", []),
    }
    commands = {
        (what, kind): [str(path), *arguments]
        for number, (what, (text, place, arguments)) in enumerate(calls.items())
        for kind, path in enumerate(write(folder / str(number) / place, text, python))
    }
    times: dict[tuple[str, int], list[float]] = {key: [] for key in commands}
    for number in range(ROUNDS + 3):
        for key, command in commands.items():
            seconds = start(command, folder)
            if number > 2:  # noqa: PLR2004 - the first rounds fill the caches
                times[key].append(seconds)
    medians = {key: statistics.median(values) * 1000 for key, values in times.items()}
    return {what: (medians[what, 1], medians[what, 1] / medians[what, 0]) for what in calls}


def write(folder: Path, text: str, python: Path) -> tuple[Path, Path]:
    """Write a script and its bundle."""
    folder.mkdir(parents=True)
    script, bundled = folder / "10-script.py", folder / "20-bundle"
    script.write_text(f"#!{python} -I\n{text}")
    bundled.write_bytes(bundle(script, str(python), str(python)).data)
    script.chmod(0o755)
    bundled.chmod(0o755)
    return script, bundled


def start(command: list[str], folder: Path) -> float:
    payload, stdin = folder / "payload", folder / "stdin"
    payload.write_bytes(DOMAIN)
    stdin.write_bytes(DOMAIN)
    environ = {"LC_ALL": "C", "PATH": os.defpath, "_hook_domxml": str(payload), "pincpu": "0-1"}
    with stdin.open("rb") as file:
        begin = time.perf_counter()
        subprocess.run(command, stdin=file, capture_output=True, check=True, env=environ)
        return time.perf_counter() - begin


if __name__ == "__main__":
    sys.exit(main())
