"""What a call costs: whole processes side by side, one of each in turn, as ratios to a bare interpreter.

It makes an environment of its own with nothing but this package in it, as on a host. The bound beside a ratio is what
the project promises; a run that breaks one ends with status 1.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOMAIN = (ROOT / "hooking" / "testing" / "samples" / "domain.xml").read_bytes()
ROUNDS = int(os.environ.get("ROUNDS", "100"))

TYPED = """from __future__ import annotations
import hooking

hook = hooking.Hook({})

@hook.qemu("migrate", object="web*")
def pin(domain: hooking.Domain, context: hooking.HookContext) -> None:
    hooking.set_cpuset(domain, "0-1")

if __name__ == "__main__":
    hook.run()
"""

LXML = """import sys
import lxml.etree
root = lxml.etree.fromstring(sys.stdin.buffer.read())
root.find("vcpu").set("cpuset", "0-1")
sys.stdout.buffer.write(lxml.etree.tostring(root))
"""

DROP_IN = """import hooking, os
if "pincpu" in os.environ:
    domxml = hooking.read_domxml()
    domxml.getElementsByTagName("vcpu")[0].setAttribute("cpuset", os.environ["pincpu"])
    hooking.write_domxml(domxml)
"""

MIGRATE = ["web01", "migrate", "begin", "-"]


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        medians = measure(folder, environment(folder))
    bare = medians["python -I -c pass"]
    print(f"{'':34}{'ms':>8}{'ratio':>8}{'bound':>8}")
    for what, seconds in medians.items():
        print(f"{what:34}{seconds * 1000:8.2f}{seconds / bare:8.2f}")
    print()
    results = [
        ("import hooking", medians["import hooking"] / bare, 1.15),
        ("no handler for this operation", medians["no handler for this operation"] / bare, 1.15),
        ("no handler for this object", medians["no handler for this object"] / bare, 1.15),
        ("drop-in: read, set, write", medians["drop-in: read, set, write"] / bare, 2.2),
        ("typed / bare lxml", medians["typed: read, set, write"] / medians["lxml: parse, set, write"], 1.15),
        ("timeout adds", (medians["the same with timeout"] - medians["typed: read, set, write"]) / bare, 0.25),
    ]
    for what, ratio, bound in results:
        print(f"{what:42}{ratio:8.2f}{bound:8.2f}  {'ok' if ratio <= bound else 'BROKEN'}")
    return int(any(ratio > bound for _, ratio, bound in results))


def environment(folder: Path) -> Path:
    """Make an environment with this package alone, and return its Python."""
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", ROOT], check=True)
    return python


def measure(folder: Path, python: Path) -> dict[str, float]:
    def script(place: str, text: str) -> list[str]:
        path = folder / place
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return [str(path)]

    typed = script("qemu.d/10-typed", TYPED.format(""))
    commands = {
        "python -I -c pass": ["-c", "pass"],
        "import hooking": ["-c", "import hooking"],
        "no handler for this operation": [*typed, "web01", "prepare", "begin", "-"],
        "no handler for this object": [*typed, "db01", *MIGRATE[1:]],
        "drop-in: read, set, write": script("before_vm_start/50_dropin", DROP_IN),
        "lxml: parse, set, write": script("lxml/bare", LXML),
        "typed: read, set, write": [*typed, *MIGRATE],
        "the same with timeout": [*script("qemu.d/20-timeout", TYPED.format("timeout=10")), *MIGRATE],
    }
    payload = folder / "payload"
    (folder / "stdin").write_bytes(DOMAIN)
    environ = {"LC_ALL": "C", "PATH": os.defpath, "_hook_domxml": str(payload), "pincpu": "0-1"}
    times: dict[str, list[float]] = {what: [] for what in commands}
    for number in range(ROUNDS + 3):
        for what, command in commands.items():
            payload.write_bytes(DOMAIN)
            with (folder / "stdin").open("rb") as stdin:
                begin = time.perf_counter()
                subprocess.run([python, "-I", *command], stdin=stdin, capture_output=True, check=True, env=environ)
                times[what].append(time.perf_counter() - begin)
        if number == 2:  # noqa: PLR2004 - the first rounds fill the caches
            times = {what: [] for what in commands}
    return {what: statistics.median(values) for what, values in times.items()}


if __name__ == "__main__":
    sys.exit(main())
