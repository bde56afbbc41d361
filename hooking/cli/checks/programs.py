"""What is known of programs that hooks start, whatever language they are written in."""

from __future__ import annotations

import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_HARMLESS = {"virt-what", "virt-xml-validate", "virt-host-validate", "virt-pki-validate"}
_PREFIXES = {
    "sudo",
    "env",
    "nohup",
    "exec",
    "command",
    "time",
    "nice",
    "ionice",
    "setsid",
    "builtin",
    "doas",
    "chrt",
    "xargs",
    "coproc",
}
_OF_TIMEOUT = re.compile(r"-|[\d.]+[smhd]?$|\$|(SIG)?(TERM|KILL|INT|HUP)$")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")

_LIMITS = {
    "curl": re.compile(r"--max-time|-[a-zA-Z]*m\d*$|--connect-timeout"),
    "wget": re.compile(r"--timeout|-T\d*$|--connect-timeout|--read-timeout"),
    "ssh": re.compile(r".*ConnectTimeout"),
    "scp": re.compile(r".*ConnectTimeout"),
    "nc": re.compile(r"-\w*w\d*$|-z"),
    "ncat": re.compile(r"-\w*[wi]\d*$|--wait|-z"),
    "ping": re.compile(r"-\w*[cwW]\d*$"),
}
_WAITERS = {
    "flock": re.compile(r"-\w*[wnu]|--(timeout|wait|nonblock|nb|unlock)"),
    "inotifywait": re.compile(r"-\w*t|--timeout"),
}
"""What waits for something that need not come, and the options that end it."""

_FOLLOWING = {"tail": re.compile(r"-\w*[fF]|--follow"), "journalctl": re.compile(r"-\w*f|--follow")}
_FOLLOWING["sleep"] = re.compile("inf")

MESSENGERS = {
    "curl", "logger", "mail", "nc", "ncat", "ping", "scp", "sendmail", "ssh", "virsh", "wget",
}  # fmt: skip
"""Programs that talk to others; in a trial they do nothing but exit 0."""

CHANGERS = {
    "brctl", "bridge", "chgrp", "chmod", "chown", "chvt", "cpupower", "cset", "firewall-cmd", "halt", "insmod", "ip",
    "ip6tables", "iptables", "kill", "killall", "losetup", "lvchange", "lvcreate", "lvremove", "modprobe", "mount",
    "mv", "nft", "nvidia-smi", "ovs-vsctl", "pkill", "poweroff", "reboot", "rm", "rmmod", "service", "shutdown",
    "swapoff", "swapon", "sysctl", "systemctl", "tc", "umount", "zfs", "zpool",
}  # fmt: skip
"""Programs that change a host; likewise."""

_TALKERS = {
    "blkid", "date", "df", "dmesg", "du", "free", "hostname", "id", "ls", "lsblk", "lscpu", "lsmod", "lspci", "lsusb",
    "md5sum", "mktemp", "nproc", "ps", "pstree", "readlink", "realpath", "sha256sum", "stat", "uname", "uptime",
    "which", "whoami",
}  # fmt: skip
_SHOWING = {
    "ip": re.compile(r"(show|list)$"),
    "systemctl": re.compile(r"(status|is-active|is-enabled|is-failed|show|cat|list-\w+)$"),
    "nft": re.compile(r"list$"),
    **dict.fromkeys(("iptables", "ip6tables"), re.compile(r"-[LS]|--list")),
    "pgrep": re.compile(r""),
    "pidof": re.compile(r""),
    "nmcli": re.compile(r"show$"),
    "brctl": re.compile(r"show$"),
    **dict.fromkeys(("rm", "mv", "cp", "mkdir", "chown", "chmod", "ln"), re.compile(r"-[a-zA-Z]*v|--verbose$")),
}
_QUIET = re.compile(r"-\w*q|--quiet$|--help$")
_RULES = {
    **dict.fromkeys(("-A", "-I", "--append", "--insert"), "add"),
    **dict.fromkeys(("-C", "--check"), "check"),
    **dict.fromkeys(("-D", "-F", "--delete", "--flush"), "delete"),
}
CLEARING = {"delete", "unknown"}
"""What of `rule` may have taken away what is added then."""

_OWN_GROUP = re.compile(r"0$|-1$|-\$\$")
_HOSTS_OWN = re.compile(r"\^?(qemu|kvm|libvirt|virt|dnsmasq)")

_DESKTOP = {
    "gsettings",
    "kdialog",
    "logname",
    "notify-send",
    "tput",
    "wmctrl",
    "xdotool",
    "xhost",
    "xrandr",
    "xset",
    "zenity",
}
_SUDO = {"sudo", "doas", "pkexec"}
_WRAPPERS = {"timeout", "env", "nohup", "exec", "command", "nice"}

CONFIGURATION = re.compile(
    r"/(etc|run|var/run)/libvirt/(qemu|lxc|libxl|network|nwfilter|storage)(/(?!autostart)|$)"
    r"|/var/lib/libvirt/(dnsmasq|qemu/(save|snapshot|checkpoint|dump))(/|$)"
)
"""The folders of libvirt's own documents."""

SECRET = re.compile(r"passw|passphrase|secret|token|credential|api_?key", re.IGNORECASE)
"""Names of what belongs into no log."""

FOR_ALL = re.compile(r"/(var/)?tmp/.(?!.*XXX)")
"""Places where anybody may put a file first."""

LACKING = re.compile(
    r"(HOME|USER|LOGNAME|DISPLAY|WAYLAND_DISPLAY|XAUTHORITY|XDG_\w+|DBUS_SESSION_BUS_ADDRESS|SUDO_USER)$"
)
"""Variables that people have and libvirt's daemons lack."""

LOG_FILE = re.compile(r"^/(var/log|tmp|var/tmp)/|\.log$")
"""Files that others read."""


def program(words: list[str]) -> list[str]:
    """Return the program that a command starts, without its folder, and its arguments, less ``sudo`` and such."""
    rest = list(words)
    while rest and (_ASSIGNMENT.match(rest[0]) or os.path.basename(rest[0]) in _PREFIXES):
        rest.pop(0)
        while rest and re.match(r"-|\d+$", rest[0]):
            rest.pop(0)
    return [os.path.basename(rest[0]), *rest[1:]] if rest else []


def calls_back(words: list[str]) -> bool:
    """Tell whether a command asks the libvirt daemon."""
    name = "".join(_limited(program(words))[:1])
    return name == "virsh" or (name.startswith("virt-") and name not in _HARMLESS)


def waits_for_network(words: list[str]) -> bool:
    """Tell whether a command talks to another host, and nothing limits how long."""
    name, *arguments = program(words) or [""]
    if name not in _LIMITS or {"--version", "--help", "-V"} & {*arguments}:
        return False
    return not any(_LIMITS[name].match(argument) for argument in arguments)


def waits_for_ever(words: list[str]) -> bool:
    """Tell whether a command waits for something that need not come."""
    name, *arguments = program(words) or [""]
    if name in _FOLLOWING:
        return any(map(_FOLLOWING[name].match, arguments))
    return name in _WAITERS and not any(_WAITERS[name].match(argument) for argument in arguments)


def talks(words: list[str]) -> bool:
    """Tell whether a command writes to standard output whenever it works."""
    name, *arguments = program(words) or [""]
    if any(map(_QUIET.match, arguments)) or {"command", "exec"} & {*words[:1]}:
        return False
    return name in _TALKERS or _shows(name, arguments)


def _shows(name: str, arguments: list[str]) -> bool:
    return name in _SHOWING and any(map(_SHOWING[name].match, arguments))


def changes(words: list[str]) -> bool:
    """Tell whether a command changes the host."""
    name, *arguments = program(words) or [""]
    if name == "ip":
        return bool({"add", "del", "delete", "set", "replace", "change", "flush"} & {*arguments})
    return name in CHANGERS and not _shows(name, arguments)


def faults(words: list[str], *, under_libvirt: bool, limited: bool) -> Iterator[tuple[str, str]]:
    """Yield the codes of what is wrong with a command wherever it stands, each with what was found.

    Args:
        words: The command.
        under_libvirt: Whether libvirt waits for it.
        limited: Whether something ends it if it takes too long.
    """
    name = "".join(program(words)[:1])
    if under_libvirt and calls_back(words):
        yield "H201", " ".join(program(words)[:2])
    if not limited and waits_for_network(words):
        yield "H202", name
    if not limited and waits_for_ever(words):
        yield "H206", name
    if under_libvirt and name in _DESKTOP and not any("DISPLAY=" in word for word in words):
        yield "H207", f"{name} needs a desktop or a terminal"
    names = [os.path.basename(word) for word in words[:4]]
    if under_libvirt and _SUDO & {*(names if names[:1] and names[0] in _WRAPPERS else names[:1])}:
        yield "H209", " ".join(words[:3])
    if kills_others(words):
        yield "H210", " ".join(words[:4])


def kills_others(words: list[str]) -> bool:
    """Tell whether a command ends processes that are not the hook's own."""
    name, *arguments = program(words) or [""]
    options = [argument for argument in arguments if argument.startswith("-")]
    names = [argument for argument in arguments if argument not in options]
    if name == "kill":
        return "-0" not in options and any(map(_OWN_GROUP.match, arguments[1:] or arguments))
    by_text = any(re.match(r"-[a-zA-Z]*f", option) for option in options) and names[-1:] and names[-1].startswith("$")
    return name in {"pkill", "killall"} and bool(by_text or any(map(_HOSTS_OWN.match, names)))


def rule(words: list[str]) -> str:
    """Return what a command does to rules of the firewall: ``add``, ``check``, ``delete``, ``unknown``, or nothing."""
    name, *arguments = program(words) or [""]
    if name == "nft":
        return {"add": "add", "insert": "add"}.get(" ".join(arguments[:1]), "") if arguments[1:2] == ["rule"] else ""
    if name not in {"iptables", "ip6tables", "ebtables"}:
        return ""
    open_ended = "unknown" if any(word.startswith("$") for word in arguments) else ""
    return next((found for found in map(_RULES.get, arguments) if found), open_ended)


def _limited(words: list[str]) -> list[str]:
    """Return the command that ``timeout`` starts."""
    if words[:1] != ["timeout"]:
        return words
    begin = next((number for number, word in enumerate(words[1:], 1) if not _OF_TIMEOUT.match(word)), len(words))
    return program(words[begin:])
