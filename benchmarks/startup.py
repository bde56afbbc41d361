"""What a call costs: whole processes side by side, one of each in turn, as ratios to a bare interpreter."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from measuring import Promise, environment, report, starter, take_turns, write

TYPED = """from __future__ import annotations
import hooking

hook = hooking.Hook({})

@hook.qemu("migrate", object="web*")
def pin(domain: hooking.Domain, context: hooking.HookContext) -> None:
    hooking.set_cpuset(domain, "0-1")

if __name__ == "__main__":
    hook.run()
"""

DROP_IN = """import hooking, os
if "pincpu" in os.environ:
    domxml = hooking.read_domxml()
    domxml.getElementsByTagName("vcpu")[0].setAttribute("cpuset", os.environ["pincpu"])
    hooking.write_domxml(domxml)
"""

BY_HAND = {
    "minidom": """import os
from xml.dom import minidom
domxml = minidom.parse(os.environ["_hook_domxml"])
domxml.getElementsByTagName("vcpu")[0].setAttribute("cpuset", os.environ["pincpu"])
with open(os.environ["_hook_domxml"], "wb") as file:
    file.write(domxml.toxml(encoding="utf-8"))
""",
    "ElementTree": """import sys
from xml.etree import ElementTree
root = ElementTree.fromstring(sys.stdin.buffer.read())
root.find("vcpu").set("cpuset", "0-1")
sys.stdout.buffer.write(ElementTree.tostring(root))
""",
    "lxml": """import sys
import lxml.etree
root = lxml.etree.fromstring(sys.stdin.buffer.read())
root.find("vcpu").set("cpuset", "0-1")
sys.stdout.buffer.write(lxml.etree.tostring(root))
""",
}

DISPATCHER = """document=$(cat)
for script in "${0%/*}/scripts/$1/$2"/*; do
    [ -x "$script" ] && document=$("$script" "$@" <<<"$document")
done
printf '%s\\n' "$document"
"""
"""What many hosts have in the place of a hook: it starts each script in the folder of the guest and the operation."""

SED = """exec sed 's/<vcpu[^>]*>/<vcpu placement="static" cpuset="0-1">/'\n"""

BARE, IMPORT = "bare interpreter: `python -I -c pass`", "`import hooking`"
NO_OPERATION, NO_OBJECT = "`Hook`, no handler for this operation", "`Hook`, no handler for this guest"
IMPORT_LXML = "`import lxml.etree`"
MINIDOM, ELEMENT_TREE, LXML = (f"{name} by hand, nothing checked" for name in BY_HAND)
DROPPED_IN, HANDLER, TIMEOUT = "VDSM's functions (the drop-in)", "`Hook`, a handler edits", "the same with `timeout=`"
IDLE_BASH, BASH = "bash dispatcher, no script for this operation", "bash dispatcher, one script that calls sed"

OURS = {IMPORT, NO_OPERATION, NO_OBJECT, DROPPED_IN, HANDLER, TIMEOUT}

MIGRATE, PREPARE = ["web01", "migrate", "begin", "-"], ["web01", "prepare", "begin", "-"]


def measure(folder: Path, python: Path) -> dict[str, float]:
    """Return the seconds of each kind of call."""
    isolated = f"{python} -I"
    typed = write(folder / "qemu.d" / "10-typed", TYPED.format(""), isolated)
    limited = write(folder / "qemu.d" / "20-timeout", TYPED.format("timeout=10"), isolated)
    drop_in = write(folder / "before_vm_start" / "50_dropin", DROP_IN, isolated)
    by_hand = {name: write(folder / "by-hand" / name, text, isolated) for name, text in BY_HAND.items()}
    dispatcher = write(folder / "bash" / "qemu", DISPATCHER, "/bin/bash")
    write(folder / "bash" / "scripts" / "web01" / "migrate" / "10-pin", SED, "/bin/bash")
    commands = {
        BARE: [str(python), "-I", "-c", "pass"],
        IMPORT: [str(python), "-I", "-c", "import hooking"],
        NO_OPERATION: [typed, *PREPARE],
        NO_OBJECT: [typed, "db01", *MIGRATE[1:]],
        MINIDOM: [by_hand["minidom"]],
        DROPPED_IN: [drop_in],
        ELEMENT_TREE: [by_hand["ElementTree"]],
        IMPORT_LXML: [str(python), "-I", "-c", "import lxml.etree"],
        LXML: [by_hand["lxml"]],
        HANDLER: [typed, *MIGRATE],
        TIMEOUT: [limited, *MIGRATE],
        IDLE_BASH: [dispatcher, *PREPARE],
        BASH: [dispatcher, *MIGRATE],
    }
    return take_turns({what: starter(folder, command) for what, command in commands.items()})


def promises(times: dict[str, float]) -> list[Promise]:
    bare = times[BARE]
    return [
        Promise("`import hooking` / bare interpreter", times[IMPORT] / bare, 1.15),
        Promise("no handler for this operation / bare interpreter", times[NO_OPERATION] / bare, 1.15),
        Promise("no handler for this guest / bare interpreter", times[NO_OBJECT] / bare, 1.15),
        Promise("drop-in / minidom by hand", times[DROPPED_IN] / times[MINIDOM], 1.4),
        Promise("a handler edits / lxml by hand", times[HANDLER] / times[LXML], 1.15),
        Promise("what `timeout=` adds / bare interpreter", (times[TIMEOUT] - times[HANDLER]) / bare, 0.3),
    ]


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        times = measure(Path(name), environment(Path(name)))
    for what, taken in times.items():
        print(f"{what:64}{taken * 1000:8.2f} ms{taken / times[BARE]:8.2f}")
    return report(promises(times))


if __name__ == "__main__":
    sys.exit(main())
