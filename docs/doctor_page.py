"""The page about ``hooking doctor``, with what it says of a host that was made up for that."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from click.testing import CliRunner

from hooking.cli.command import hooking

PAGE = """# hooking doctor

`hooking doctor`, as root, tells why a hook does not run on this host. It looks at the libvirt daemons, at the folders
of libvirt and of VDSM and every script in them, at SELinux and AppArmor, and shows the last failures that libvirt
logged. It changes nothing, and starts no script.

Of a host where all went wrong, it says:

```text
{sample}```

A fix that is a command is to copy. A note is no fault, but may explain one. `--json` gives the same to programs:
`facts`, `findings`, `failures`. `--failures` is how many of those to show. `--root` looks at an image.

Exit status: 0 if nothing is wrong; notes, and failures that are over, do not count. 1 if something is. 2 if the
command was used wrongly.

## What each finding means

Scripts are read as by [`hooking check`](check.md), without a trial: what is wrong with one as a file, and each error.
Its codes begin with H. This table is made from the code by `make docs`.

{table}
## What it cannot know

A daemon looks for the first script of each driver when it starts, and when it is reloaded. Nothing shows which
scripts it then saw. So D103 compares the times of the scripts with the last moment at which it is known to have
looked: its start, a reload by systemd, or one by `hooking reload`. A SIGHUP that somebody else sent leaves no trace,
and a script that was changed looks new. `hooking reload` does no harm, and settles it.

## The failures

They come from `/var/log/libvirt`, of each file the last 4 MiB, or from the journal. libvirt writes in the language of
the daemon's locale; the command and the status are the same in all of them. libvirt logs each failure twice. One that
is there only once was written by a script, and is left out.

Status 126 means that the system would not start the script; 127 that its interpreter, or a program in it, is missing.
"""

LOG = """2026-11-21 01:38:21.202+0000: 77: error : virCommandWait:2725 : {message}
2026-11-21 01:38:21.202+0000: 77: error : virRunScript:299 : Hook script execution failed: {message}
"""
MESSAGE = (
    "internal error: Child process (LC_ALL=C PATH=/usr/sbin:/usr/bin /etc/libvirt/hooks/qemu.d/50-pin "
    "web01 prepare begin -) unexpected exit status 1: 50-pin: qemu/prepare web01: the property pincpu: "
    "'9-' is no list of CPUs"
)

SCRIPTS = {
    "qemu.d/40-vlan": ("#!/bin/sh\nexit 0\n", 0o644),
    "qemu.d/50-pin": ("#!/bin/sh\nexit 0\n", 0o775),
    "qemu.d/50-pin~": ("#!/bin/sh\nexit 0\n", 0o755),
    "qemu.d/60-usb": ("#!/bin/sh\r\nexit 0\r\n", 0o755),
    "network.d": ("#!/bin/sh\nexit 0\n", 0o755),
}


def sample() -> str:
    """Return what the command says of a host."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        for name, (text, mode) in SCRIPTS.items():
            _write(root / "etc/libvirt/hooks" / name, text, mode)
        _write(root / "var/log/libvirt/libvirtd.log", LOG.format(message=MESSAGE), 0o600)
        for path in root.rglob("*"):
            if path.is_dir():
                path.chmod(0o755)
        said = CliRunner().invoke(hooking, ["doctor", "--root", str(root)]).stdout
    return re.sub(r"Python \S+, lxml \S+", "Python 3.11.2, lxml 4.9.2", said.replace(str(root), ""))


def _write(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    path.chmod(mode)
