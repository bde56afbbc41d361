"""A trial: the script is called as its host would, for a guest that it knows nothing of."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from hooking.cli.checks import programs
from hooking.cli.checks.findings import Finding
from hooking.exceptions import printable
from hooking.testing import documents
from hooking.testing.libvirtd import Libvirtd
from hooking.testing.life_cycles import install
from hooking.testing.usual_host import usual_host
from hooking.testing.vdsm_host import DAEMON_ENVIRON
from hooking.testing.vdsmd import Vdsmd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hooking.cli.checks.script import Script
    from hooking.points import Point
    from hooking.testing.fake_host import FakeHost
    from hooking.testing.outcome import Outcome

_GUEST = "guest-of-hooking-check"
_NOT_HERE = re.compile(r"ModuleNotFoundError|ImportError|PermissionError|[Pp]ermission denied|not found|No such file")
_SECONDS = 10


def check(script: Script) -> Iterator[Finding]:
    """Call the script at its hook points, and see how it ends; nothing is said of what this machine lacks."""
    failed: list[Outcome] = []
    for call in _calls(script):
        if call.hang:
            yield Finding("H401", 1, f"{call.point.name}: {call.hang.partition(': ')[2]}")
            break
        if call.refused:
            yield Finding("H403", 1, f"{call.point.name}: {call.refused}")
        elif call.status and not _NOT_HERE.search(call.stderr):
            failed.append(call)
    if failed:
        places = ", ".join(call.point.name for call in failed)
        yield Finding("H402", 1, f"{places}: {_words(failed[0])}")


def _words(call: Outcome) -> str:
    said = call.stderr.strip().splitlines()
    return f"status {call.status}" + (f", {printable(said[-1], keep='')}" if said else "")


def _calls(script: Script) -> Iterator[Outcome]:
    with tempfile.TemporaryDirectory(prefix="hooking-") as folder:
        root = usual_host(Path(folder) / "host")
        for name in sorted(programs.CHANGERS | programs.MESSENGERS):
            if not root.path(f"/usr/bin/{name}").exists():
                root.add_program(name, "exit 0")
        with root:
            for number, point in enumerate(script.points):
                yield _call(script, point, Path(folder, str(number)), root)


def _call(script: Script, point: Point, folder: Path, root: FakeHost) -> Outcome:
    environ = {**DAEMON_ENVIRON, "PATH": f"{root.path('/usr/bin')}:{DAEMON_ENVIRON['PATH']}", "HOME": str(folder)}
    host: Libvirtd | Vdsmd
    if point.host == "vdsm":
        host = Vdsmd(folder, timeout=_SECONDS, this_python=True, stand_in=False, host=root, environ=environ)
    else:
        host = Libvirtd(folder, timeout=_SECONDS, this_python=True, host=root, environ={**os.environ, **environ})
    install(script.path, host, point)
    return host.call(point.name, document=_unrelated(point))


def _unrelated(point: Point) -> bytes | None:
    """Return the sample of a document, less all that a hook could take for its own."""
    data = documents.sample(point)
    if point.is_json or not data:
        return None
    data = re.sub(rb"<metadata>.*?</metadata>", b"", data, flags=re.DOTALL)
    return re.sub(rb"<name>[^<]*</name>", f"<name>{_GUEST}</name>".encode(), data, count=1)
