"""What is known of programs that hooks start, whatever language they are written in."""

from __future__ import annotations

import os
import re

_HARMLESS = {"virt-what", "virt-xml-validate", "virt-host-validate", "virt-pki-validate"}
_PREFIXES = {"sudo", "env", "nohup", "exec", "command", "time", "nice", "ionice", "setsid", "builtin", "doas", "chrt"}
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
CONFIGURATION = re.compile(r"/(etc|run|var/run)/libvirt/(qemu|lxc|libxl)(/(?!autostart)|$)")
"""The folders of libvirt's own documents."""

SECRET = re.compile(r"passw|passphrase|secret|token|credential|api_?key", re.IGNORECASE)
"""Names of what belongs into no log."""

LOG_FILE = re.compile(r"^/(var/log|tmp|var/tmp)/|\.log$")
"""Files that others read."""


def program(words: list[str]) -> list[str]:
    """Return the program that a command starts, without its folder, and its arguments, less ``sudo`` and such."""
    rest = list(words)
    while rest and (_ASSIGNMENT.match(rest[0]) or os.path.basename(rest[0]) in _PREFIXES):
        rest.pop(0)
        while rest and rest[0].startswith("-"):
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


def _limited(words: list[str]) -> list[str]:
    """Return the command that ``timeout`` starts."""
    if words[:1] != ["timeout"]:
        return words
    begin = next((number for number, word in enumerate(words[1:], 1) if not _OF_TIMEOUT.match(word)), len(words))
    return program(words[begin:])
