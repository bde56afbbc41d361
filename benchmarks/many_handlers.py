"""What many tasks at one hook point cost: as handlers of one hook, as hooks of their own, from a bash dispatcher."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from measuring import ROUNDS, Promise, environment, report, starter, take_turns, write
from startup import DISPATCHER, MIGRATE, SED

COUNTS = (1, 2, 5, 10, 20)
ONE_HOOK, SCRIPTS, BASH = "handlers of one hook", "hooks of one handler", "bash dispatcher, scripts that call sed"

HOOK = """from __future__ import annotations
import hooking

hook = hooking.Hook()
{}
if __name__ == "__main__":
    hook.run()
"""

TASK = """
@hook.qemu("migrate", object="web*")
def pin_{0}(domain: hooking.Domain, context: hooking.HookContext) -> None:
    hooking.set_cpuset(domain, "0-{0}")
"""


def measure(folder: Path, python: Path) -> dict[str, dict[int, float]]:
    """Return the seconds that each way takes for so many tasks."""
    works = {(way, count): starter(folder, *commands(folder, python, way, count)) for count in COUNTS for way in WAYS}
    times = take_turns(works, max(5, ROUNDS // 5))
    return {way: {count: times[way, count] for count in COUNTS} for way in WAYS}


def commands(folder: Path, python: Path, way: str, count: int) -> list[list[str]]:
    """Return what a host starts, in its order, that ``count`` tasks be done."""
    place = folder / "handlers" / f"{WAYS.index(way)}-{count}"
    if way == ONE_HOOK:
        paths = [write(place / "qemu", HOOK.format("".join(map(TASK.format, range(count)))), f"{python} -I")]
    elif way == SCRIPTS:
        texts = (HOOK.format(TASK.format(number)) for number in range(count))
        paths = [write(place / "qemu.d" / f"{number}", text, f"{python} -I") for number, text in enumerate(texts)]
    else:
        paths = [write(place / "qemu", DISPATCHER, "/bin/bash")]
        for number in range(count):
            write(place / "scripts" / "web01" / "migrate" / f"{number}", SED, "/bin/bash")
    return [[path, *MIGRATE] for path in paths]


WAYS = (ONE_HOOK, SCRIPTS, BASH)


def promises(times: dict[str, dict[int, float]]) -> list[Promise]:
    return [
        Promise("10 hooks of one handler / 10 handlers of one hook", times[SCRIPTS][10] / times[ONE_HOOK][10], 7, True),
        Promise("20 handlers / 1 handler of one hook", times[ONE_HOOK][20] / times[ONE_HOOK][1], 1.2),
    ]


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        times = measure(Path(name), environment(Path(name)))
    for way, taken in times.items():
        print(f"{way:40}" + "".join(f"{count:5}:{seconds * 1000:8.1f} ms" for count, seconds in taken.items()))
    return report(promises(times))


if __name__ == "__main__":
    sys.exit(main())
