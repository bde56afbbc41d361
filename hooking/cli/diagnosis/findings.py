"""All that ``hooking doctor`` can find besides what is wrong inside a script, as one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hooking.cli.checks.findings import RULES as OF_SCRIPTS
from hooking.cli.rules import Found, Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

RULES = {
    "D101": Rule(
        "note",
        "No daemon runs these scripts",
        "daemons with sockets come when they are called; without them nothing runs a hook",
        "systemctl list-sockets 'libvirt*' 'virt*'",
    ),
    "D102": Rule(
        "note",
        "A daemon with a folder of hooks of its own",
        "it runs in a container, and none of these scripts",
        "install hooks in there too, if it needs them",
    ),
    "D103": Rule(
        "warning",
        "A daemon that may not know of a script",
        "it looks for a driver's first script at its start and at reload only",
        "hooking reload",
    ),
    "D104": Rule(
        "error",
        "A script that a session daemon cannot start",
        "it runs the same scripts as an ordinary user, and guests of that user cannot start",
        "chmod 0755 {path}",
    ),
    "D105": Rule(
        "note",
        "Session daemons cannot enter this folder",
        "guests of ordinary users have no hooks, which may be what you want",
        "chmod 0755 {path}",
    ),
    "D106": Rule(
        "error",
        "A libvirt that knows no folders of scripts",
        "before 6.5.0 it runs the one file of a driver",
        "name one script like the driver, or update libvirt",
    ),
    "D107": Rule(
        "note", "You are not root", "what belongs to root cannot be told from here", "become root, and ask again"
    ),
    "D108": Rule(
        "warning",
        "A daemon that waits for a script",
        "until it ends, nothing can be done with its guest",
        "chmod a-x {path} && kill {processes}",
    ),
    "D201": Rule("note", "No scripts", "no hook can run", "hooking install SCRIPT --reload"),
    "D202": Rule("error", "It belongs to somebody else", "who can change it becomes root", "chown root {path}"),
    "D203": Rule("error", "Others can write to it", "who can change it becomes root", "chmod go-w {path}"),
    "D204": Rule(
        "error",
        "A file in place of a folder",
        "libvirt cannot open it, and whatever calls a script there fails",
        "mv -n {path} /root/",
    ),
    "D205": Rule(
        "error",
        "A folder in place of a script",
        "libvirt looks into the folder that ends with .d",
        "mkdir -p {path}.d && find {path} -mindepth 1 -maxdepth 1 -exec mv -nt {path}.d {} + && rmdir {path}",
    ),
    "D206": Rule("error", "A link to nothing", "the host skips it without a word", "rm {path}"),
    "D207": Rule(
        "note",
        "A folder among the scripts",
        "libvirt never enters it; only a dispatcher runs what lies there",
        "hooking new run-tree --template run-tree",
    ),
    "D208": Rule(
        "warning",
        "A copy or a text among the scripts",
        "hosts run every executable file, whatever its name",
        "chmod a-x {path}",
    ),
    "D209": Rule(
        "error",
        "The interpreter has no libvirt-hooking",
        "the script fails at every event",
        "install libvirt-hooking for it, or name one that has it: hooking install SCRIPT --python PATH",
    ),
    "D210": Rule(
        "warning", "A folder that no host enters", "a host goes by the names of folders", "see: hooking points"
    ),
    "D211": Rule("note", "Neither a file nor a folder", "the host skips it", "rm {path}"),
    "D212": Rule(
        "note",
        "Changed since it was installed",
        "installing the hook again would refuse to replace it",
        "see what was changed, or put it back: hooking install SCRIPT --force",
    ),
    "D301": Rule(
        "error",
        "A SELinux label that libvirt cannot execute",
        "the script ends with status 126, Permission denied",
        "restorecon -F {path}",
    ),
    "D302": Rule(
        "note",
        "SELinux confines hooks",
        "what the policy does not allow them fails, and ausearch -m avc shows it",
        "setsebool -P virt_hooks_unconfined 1",
    ),
    "D303": Rule(
        "error",
        "A program that AppArmor does not let libvirt start",
        "the script ends with status 126, Permission denied",
        "let it lie in /usr/bin, or allow it in /etc/apparmor.d/local/, and reload the profile",
    ),
    "D401": Rule(
        "note",
        "A script of libvirt's beside VDSM",
        "VDSM may have put it there",
        "leave it, and use the folder that ends with .d",
    ),
    "D402": Rule(
        "error", "VDSM cannot start it", "it runs hooks as the user vdsm, and skips this one", "chmod 0755 {path}"
    ),
}
"""Every finding by its code. 1xx: daemons; 2xx: folders and files; 3xx: SELinux and AppArmor; 4xx: VDSM."""


@dataclass(frozen=True)
class Finding(Found):
    """One thing that is wrong with a host, or with a script on it.

    Attributes:
        processes: Which ones are part of it.
    """

    processes: tuple[int, ...] = ()

    rules: ClassVar[Mapping[str, Rule]] = {**OF_SCRIPTS, **RULES}

    def fix(self, path: str) -> str:
        """Return what to do: if that is a command, one to copy."""
        return super().fix(path).replace("{processes}", " ".join(map(str, self.processes)))


def at(path: str, code: str, what: str, processes: tuple[int, ...] = ()) -> tuple[str, Found]:
    """Return a finding, and where it is."""
    return path, Finding(code, 0, what, processes)
