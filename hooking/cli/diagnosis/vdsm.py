"""What is wrong with scripts where VDSM runs."""

from __future__ import annotations

import os

from hooking.cli.diagnosis.findings import at
from hooking.cli.diagnosis.host import mode
from hooking.cli.scripts import FOLDERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.cli.diagnosis.host import Findings, Host

_READ_AND_EXECUTE = 0o005


def check(host: Host) -> Findings:
    """Check what VDSM runs, and what it shares with libvirt."""
    main = os.path.join(host.hooks, "qemu")
    if os.path.isdir(host.tree.at(FOLDERS["vdsm"])) and os.path.isfile(main):
        yield at(main, "D401", "its place is libvirt's single file for qemu")
    for script in host.vdsm:
        if os.stat(script).st_mode & _READ_AND_EXECUTE != _READ_AND_EXECUTE:
            yield at(script, "D402", mode(script))
