"""What a bundle costs beside the same script installed: whole processes, one of each in turn."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from measuring import Promise, environment, report, starter, take_turns, write
from startup import DROP_IN, MIGRATE, PREPARE, TYPED

from hooking.cli.bundling import bundle

CALLS: dict[str, tuple[str, str, list[str]]] = {
    "no handler for this operation": (TYPED.format(""), "qemu.d", PREPARE),
    "no handler for this guest": (TYPED.format(""), "qemu.d", ["db01", *MIGRATE[1:]]),
    "a handler edits": (TYPED.format(""), "qemu.d", MIGRATE),
    "the same with `timeout=`": (TYPED.format("timeout=10"), "qemu.d", MIGRATE),
    "drop-in": (DROP_IN, "before_vm_start", []),
}


def measure(folder: Path, python: Path) -> dict[str, float]:
    """Return the ratio of each bundle's time to that of the installed script."""
    works = {
        (what, kind): starter(folder, [path, *arguments])
        for number, (what, (text, place, arguments)) in enumerate(CALLS.items())
        for kind, path in enumerate(write_both(folder / "bundles" / str(number) / place, text, python))
    }
    times = take_turns(works)
    return {what: times[what, 1] / times[what, 0] for what in CALLS}


def write_both(folder: Path, text: str, python: Path) -> tuple[str, str]:
    """Write a script and its bundle."""
    script = write(folder / "10-script.py", text, f"{python} -I")
    bundled = folder / "20-bundle"
    bundled.write_bytes(bundle(Path(script), str(python), str(python)).data)
    bundled.chmod(0o755)
    return script, str(bundled)


def promises(ratios: dict[str, float]) -> list[Promise]:
    return [Promise(f"bundle / installed: {what}", ratio, 1.2) for what, ratio in ratios.items()]


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        ratios = measure(Path(name), environment(Path(name)))
    return report(promises(ratios))


if __name__ == "__main__":
    sys.exit(main())
