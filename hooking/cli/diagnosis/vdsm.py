"""What is wrong with scripts where VDSM runs."""

from __future__ import annotations

import os
import stat

from hooking import points
from hooking.cli.diagnosis.findings import at
from hooking.cli.diagnosis.host import is_file, is_folder, mode
from hooking.cli.scripts import FOLDERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.cli.diagnosis.host import Findings, Host

_USER, _GROUPS = 36, {36, 107, 179}  # vdsm; kvm, qemu and sanlock: the same numbers on every host of oVirt
_AS_ROOT = {"network setup", "vdsm start"}


def check(host: Host) -> Findings:
    """Check what VDSM runs, and what it shares with libvirt."""
    main = os.path.join(host.hooks, "qemu")
    if is_folder(host.tree, host.tree.at(FOLDERS["vdsm"])) and is_file(host.tree, main):
        yield at(main, "D401", "its place is libvirt's single file for qemu")
    for script in host.vdsm:
        found, point = host.tree.status(script), points.find("vdsm", os.path.basename(os.path.dirname(script)))
        if found and point.action not in _AS_ROOT and not _is_open(found):
            yield at(script, "D402", mode(found))


def _is_open(found: os.stat_result) -> bool:
    """Tell whether the user vdsm can read and execute a file."""
    if found.st_uid == _USER:
        wanted = stat.S_IRUSR | stat.S_IXUSR
    elif found.st_gid in _GROUPS:
        wanted = stat.S_IRGRP | stat.S_IXGRP
    else:
        wanted = stat.S_IROTH | stat.S_IXOTH
    return found.st_mode & wanted == wanted
