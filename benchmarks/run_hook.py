"""How many tests fit into the time of one start: `run_hook` beside starting the same script, in turn."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from statistics import median

from measuring import Promise, report, seconds, take_turns

import hooking
from hooking.testing import Libvirtd, run_hook

SCRIPT = Path(__file__).parent.parent / "templates" / "pincpu" / "pincpu.py"

hook = hooking.Hook()


@hook.qemu("restore")
def pin(domain: hooking.Domain, context: hooking.HookContext) -> None:
    hooking.set_cpuset(domain, context.custom_properties["pincpu"])


def measure(folder: Path) -> dict[str, float]:
    """Return the seconds of a start on a simulated host, and those of `run_hook`."""
    host = Libvirtd(folder / "host", this_python=True)
    host.install(SCRIPT, "qemu")
    times = take_turns(
        {
            "start": lambda: seconds(lambda: host.call("qemu/restore")),
            "run_hook": lambda: median(seconds(lambda: run_hook(hook, "qemu/restore")) for _ in range(10)),
        }
    )
    host.check()
    return times


def promises(times: dict[str, float]) -> list[Promise]:
    return [Promise("a start on a simulated host / `run_hook`", times["start"] / times["run_hook"], 100, True)]


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        times = measure(Path(name))
    print(f"a start {times['start'] * 1000:.1f} ms, run_hook {times['run_hook'] * 1000:.2f} ms")
    return report(promises(times))


if __name__ == "__main__":
    sys.exit(main())
