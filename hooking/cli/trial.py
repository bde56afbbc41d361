"""Whether a host can start a script: it is called about a made-up guest."""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
import uuid
from pathlib import Path
from typing import Any

from hooking import points
from hooking.cli.scripts import Place
from hooking.exceptions import HookError
from hooking.testing.documents import sample
from hooking.testing.fake_host import FakeHost
from hooking.testing.vdsm_host import DAEMON_ENVIRON
from hooking.testing.vdsm_runner import HookRunner
from hooking.testing.virhook import ScriptFolder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

    from hooking.cli.host_files import Tree
    from hooking.cli.scripts import Script
    from hooking.points import Point
    from hooking.testing.executable import Ended

_GUEST = "libvirt-hooking-trial"
_TIMEOUT = 60
_CALLS = {"network": ("network", "updated"), "bhyve": ("bhyve", "started"), "daemon": ("daemon", "reload")}
"""The hook point whose document comes with ``reconnect``, for drivers that have no such operation."""


def try_script(tree: Tree, script: Script, place: Place, folder: str) -> None:
    """Start ``script`` as the host does, about a made-up guest.

    libvirt's ``reconnect`` makes no hook set anything up. VDSM has no such point, so the script is started where the
    host gives it the same kind of document and a `Hook` has no handler. On an image, this Python stands in for the
    image's, and a simulated host for the machine.

    Args:
        tree: The host.
        script: The script.
        place: Where it is to lie.
        folder: A folder of the host that only its owner can read; the script is written there.

    Raises:
        HookError: It cannot be started, fails, or does not end.
    """
    point = _stand_in(place, script)
    if point is None:
        return
    parent = Place(place.host, point.driver if place.host == "libvirt" else point.op).within(folder)
    tree.make_folder(parent)
    tree.remove(f"{parent}/{script.name}")
    tree.write(f"{parent}/{script.name}", script.data, 0o755)
    with _root(tree) as root:
        ended = _call(Path(tree.at(folder)), point, root)
    if ended is None:
        raise HookError(f"{script.name} was not installed: the host cannot start it; is its interpreter there?")
    if ended.status or ended.hang:
        said = ended.stderr.decode("utf-8", "replace").strip()
        end = ended.hang or f"it ended with status {ended.status}"
        raise HookError(f"{script.name} was not installed: when it was tried, {end}{': ' if said else ''}{said}")


def _stand_in(place: Place, script: Script) -> Point | None:
    """Return the hook point to call; `None` where a script would do its work whatever the call."""
    if place.host == "libvirt":
        return points.find(*_CALLS.get(place.label, (place.label, "reconnect")))
    point = points.find("vdsm", place.label)
    if point.document is None and not script.is_hook:
        return None
    taken = {other.label for other in script.places}
    same = (other for other in points.all_points() if (other.driver, other.document) == ("vdsm", point.document))
    return next((other for other in same if other.failure == "ignored" and other.op not in taken), point)


def _call(folder: Path, point: Point, root: Path | None) -> Ended | None:
    document = _renamed(sample(point))
    if point.host == "vdsm":
        environ = {**DAEMON_ENVIRON, **({"HOOKING_ROOT": str(root)} if root else {})}
        runner = HookRunner(
            folder, environ, Path("/usr/libexec/vdsm/hook"), timeout=_TIMEOUT, this_python=bool(root), taskset=False
        )
        data: Any = json.loads(document) if point.is_json else document.decode() or None
        scripts = runner.call(point, data, vm_id=str(uuid.uuid4())).scripts
    else:
        host = ScriptFolder(folder, {"PATH": DAEMON_ENVIRON["PATH"]}, timeout=_TIMEOUT, this_python=bool(root))
        host.root = root
        name = "-" if point.driver == "daemon" else _GUEST
        scripts = host.call(point.driver, [name, "reconnect", "begin", "-"], document or None).scripts
    return scripts[0][1] if scripts else None


def _renamed(document: bytes) -> bytes:
    """Return a document whose guest or network is none of the host's."""
    document = re.sub(rb"<name>.*?</name>", b"<name>%s</name>" % _GUEST.encode(), document, count=1)
    return re.sub(rb"<uuid>.*?</uuid>", b"<uuid>%s</uuid>" % str(uuid.uuid4()).encode(), document, count=1)


@contextlib.contextmanager
def _root(tree: Tree) -> Generator[Path | None, None, None]:
    """Give scripts of an image a simulated host to change, instead of this one."""
    if tree.is_live:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="hooking-") as folder, FakeHost(folder) as host:
        yield host.root
