"""What SELinux and AppArmor keep from running."""

from __future__ import annotations

import os
import re
from pathlib import Path

from hooking.cli.checks.script import load
from hooking.cli.diagnosis.findings import at
from hooking.cli.scripts import PROGRAM_FOLDERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.cli.diagnosis.host import Findings, Host

_ENFORCING = "/sys/fs/selinux/enforce"
_UNCONFINED = "/sys/fs/selinux/booleans/virt_hooks_unconfined"
_PROFILES = "/sys/kernel/security/apparmor/profiles"
_CONFINED = re.compile(r"^(\S*/)?(libvirtd|virtqemud|virtxend) \(enforce\)$", re.MULTILINE)


def check(host: Host) -> Findings:
    """Check labels, and where programs lie."""
    scripts = list(dict.fromkeys(script for scripts in host.scripts.values() for script in scripts))
    if _said(host, _ENFORCING).startswith("1"):
        if _said(host, _UNCONFINED).startswith("0"):
            yield at(host.hooks, "D302", "virt_hooks_unconfined is off")
        for script in scripts:
            yield from _label(os.path.realpath(script))
    if _CONFINED.search(_said(host, _PROFILES)):
        for script in scripts:
            yield from _programs(host, script)


def _said(host: Host, path: str) -> str:
    try:
        return Path(host.tree.at(path)).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _label(script: str) -> Findings:
    try:
        label = os.getxattr(script, "security.selinux").rstrip(b"\0").decode("utf-8", "replace")
    except OSError:  # the file system has none
        return
    if label.split(":")[2:3] != ["virt_hook_t"]:
        yield at(script, "D301", label)


def _programs(host: Host, script: str) -> Findings:
    """Judge a script and its interpreter by where they really lie, as AppArmor does."""
    real = os.path.realpath(script)
    folders = {os.path.realpath(host.tree.at(folder)) for folder in PROGRAM_FOLDERS}
    if not real.startswith(os.path.realpath(host.hooks) + "/") and os.path.dirname(real) not in folders:
        yield at(script, "D303", f"it leads to {real}")
    interpreter = host.tree.at("".join(load(Path(script)).shebang[:1]))
    if os.path.isfile(interpreter) and os.path.dirname(os.path.realpath(interpreter)) not in folders:
        yield at(script, "D303", f"its interpreter is {os.path.realpath(interpreter)}")
