"""How many tests fit into the time of one start: `run_hook` beside starting the same script, in turn."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import hooking
from hooking.testing import Libvirtd, run_hook

SCRIPT = Path(__file__).parent.parent / "templates" / "pincpu" / "pincpu.py"
ROUNDS = 50
BOUND = 100

hook = hooking.Hook()


@hook.qemu("restore")
def pin(domain: hooking.Domain, context: hooking.HookContext) -> None:
    hooking.set_cpuset(domain, context.custom_properties["pincpu"])


def seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        host = Libvirtd(Path(folder), this_python=True)
        host.install(SCRIPT, "qemu")
        started: list[float] = []
        run: list[float] = []
        for _ in range(ROUNDS):
            started.append(seconds(lambda: host.call("qemu/restore")))
            run += [seconds(lambda: run_hook(hook, "qemu/restore")) for _ in range(10)]
        host.check()
    ratio = statistics.median(started) / statistics.median(run)
    print(f"a start {statistics.median(started) * 1000:.1f} ms, run_hook {statistics.median(run) * 1000:.2f} ms")
    print(f"{'run_hook: as many times faster':42}{ratio:8.0f}{BOUND:8}  {'ok' if ratio >= BOUND else 'BROKEN'}")
    return int(ratio < BOUND)


if __name__ == "__main__":
    sys.exit(main())
