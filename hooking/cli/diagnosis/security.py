"""What SELinux and AppArmor keep from running."""

from __future__ import annotations

import os
from pathlib import Path

from hooking.cli.checks.script import load
from hooking.cli.diagnosis.findings import at
from hooking.cli.diagnosis.host import is_file
from hooking.cli.scripts import APPARMOR, CONFINED, PROGRAM_FOLDERS
from hooking.exceptions import HookError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.cli.diagnosis.host import Findings, Host

_ENFORCING = "/sys/fs/selinux/enforce"
_UNCONFINED = "/sys/fs/selinux/booleans/virt_hooks_unconfined"


def check(host: Host) -> Findings:
    """Check labels, and where programs lie."""
    scripts = list(dict.fromkeys(script for scripts in host.scripts.values() for script in scripts))
    if _said(host, _ENFORCING).startswith("1"):
        if _said(host, _UNCONFINED).startswith("0"):
            yield at(host.hooks, "D302", "virt_hooks_unconfined is off")
        for script in scripts:
            yield from _label(host.tree.resolve(script))
    if CONFINED.search(_said(host, APPARMOR)):
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
    real = host.tree.resolve(script)
    folders = {host.tree.resolve(host.tree.at(folder)) for folder in PROGRAM_FOLDERS}
    if not real.startswith(host.tree.resolve(host.hooks) + "/") and os.path.dirname(real) not in folders:
        yield at(script, "D303", f"it leads to {real}")
    try:
        interpreter = host.tree.resolve(host.tree.at("".join(load(Path(real)).shebang[:1])))
    except (HookError, OSError):  # it has gone
        return
    if is_file(host.tree, interpreter) and os.path.dirname(interpreter) not in folders:
        yield at(script, "D303", f"its interpreter is {interpreter}")
