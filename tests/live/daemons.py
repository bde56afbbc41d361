"""Real libvirt daemons, each in name spaces of its own (mounts, networks, host name): they touch nothing else here."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

PROGRAMS = ("libvirtd", "virtlogd", "virsh", "unshare", "nsenter", "ip", "qemu-system-x86_64", "dnsmasq")

FOLDERS = {
    "etc": "/etc/libvirt",
    "run": "/run/libvirt",
    "lib": "/var/lib/libvirt",
    "log": "/var/log/libvirt",
}

MOUNT = """set -e
mount --make-rprivate /
ip link set lo up
hostname "$1"
shift
touch "$1" && chmod 0 "$1"
[ -e /dev/kvm ] && mount --bind "$1" /dev/kvm  # where it is there but does not work, libvirt tries for a minute
shift
while [ $# -gt 2 ]; do mkdir -p "$2"; mount --bind "$1" "$2"; shift 2; done
virtlogd -d -p "$1"
exec libvirtd -d -p "$2"
"""

RECORDER = """#!/bin/sh
# Record the call; fail where the test asks for it.
call=$(mktemp -d "{base}/calls/$(date +%s%N)-XXXXXX")
cat > "$call/stdin"
printf '%s\\0' "$0" "$@" > "$call/argv"
grep -qx "$2" "{base}/failing" && {{ echo "no $2" >&2; exit 1; }}
exit 0
"""


def missing() -> str:
    """Return why no daemon can run here; nothing if one can."""
    if os.geteuid() != 0:
        return "not root"
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    return f"not installed: {', '.join(absent)}" if absent else ""


class Daemon:
    """A libvirtd with its virtlogd, and a hook script for every driver that records each call.

    Args:
        base: Its folder, which the user of QEMU can reach.
        name: The host's name.
    """

    def __init__(self, base: Path, name: str) -> None:
        self.base = base
        self.name = name
        for folder in (*FOLDERS, "calls"):
            (base / folder).mkdir(parents=True, exist_ok=True)
        shutil.copytree("/etc/libvirt", base / "etc", dirs_exist_ok=True, symlinks=True)
        shutil.rmtree(base / "etc" / "hooks", ignore_errors=True)
        shutil.rmtree(base / "etc" / "qemu", ignore_errors=True)
        self.hooks = base / "etc" / "hooks"
        self.hooks.mkdir()
        with (base / "etc" / "libvirtd.conf").open("a") as file:
            file.write(f'\nhost_uuid = "{uuid.uuid4()}"\n')
        with (base / "etc" / "qemu.conf").open("a") as file:
            file.write("\nnamespaces = []\n")  # they cannot be had below the mounts that `start` makes
        self.fail()
        self.record()

    def record(self) -> None:
        """Put the recorder in the place of every hook script."""
        for driver in ("daemon", "qemu", "lxc", "network"):
            self.install(RECORDER.format(base=self.base), driver)

    def install(self, text: str, name: str) -> None:
        """Write a hook script."""
        path = self.hooks / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def fail(self, *ops: str) -> None:
        """Let the recorder fail at some operations, and at no other."""
        (self.base / "failing").write_text("".join(f"{op}\n" for op in ops))

    def calls(self) -> list[tuple[list[str], bytes]]:
        """Return the arguments and the input of every call since the last time, in order."""
        folders = sorted((self.base / "calls").iterdir())
        found = [
            ((folder / "argv").read_bytes().split(b"\0")[:-1], (folder / "stdin").read_bytes()) for folder in folders
        ]
        for folder in folders:
            shutil.rmtree(folder)
        return [([word.decode() for word in argv], stdin) for argv, stdin in found]

    @property
    def uri(self) -> str:
        """Where its clients find it."""
        return f"qemu+unix:///system?socket={self.base}/run/libvirt-sock"

    def virsh(self, *arguments: str, check: bool = True, driver: str = "qemu") -> subprocess.CompletedProcess[str]:
        """Run ``virsh``."""
        uri = self.uri if driver == "qemu" else self.uri.replace("qemu+unix:///system", f"{driver}+unix:///")
        command = ["virsh", "--quiet", "-c", uri, *arguments]
        return subprocess.run(command, check=check, capture_output=True, text=True, timeout=120)

    def start(self) -> None:
        """Start virtlogd and libvirtd."""
        binds = [word for folder, path in FOLDERS.items() for word in (str(self.base / folder), path)]
        binds += [str(self.base.parent), "/var/cache/libvirt"]  # what QEMU can do takes long to find out, so once
        pids = [str(self.base / "virtlogd.pid"), str(self.base / "libvirtd.pid")]
        no_kvm = str(self.base / "no-kvm")
        command = ["unshare", "-m", "-n", "-u", "sh", "-c", MOUNT, "sh", self.name, no_kvm, *binds, *pids]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=60)
        self._wait()

    def restart(self) -> None:
        """Stop libvirtd and start it again; guests run on."""
        self._end("libvirtd")
        inside = ["nsenter", "-t", str(self._pid("virtlogd")), "-m", "-n", "-u"]
        subprocess.run(
            [*inside, "libvirtd", "-d", "-p", str(self.base / "libvirtd.pid")],
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=60,
        )
        self._wait()

    def reload(self) -> None:
        """Send SIGHUP."""
        os.kill(self._pid("libvirtd"), signal.SIGHUP)

    def stop(self) -> None:
        """Stop all guests and networks, and both daemons."""
        for kind, end in (("list", "destroy"), ("net-list", "net-destroy")):
            for name in self.virsh(kind, "--name", check=False).stdout.split():
                self.virsh(end, name, check=False)
        self._end("libvirtd")
        self._end("virtlogd")
        for path in (self.base / "run" / "network").glob("*.pid"):  # of a network that a failing hook left behind
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(path.read_text()), signal.SIGTERM)

    def _wait(self) -> None:
        for _ in range(200):
            if self.virsh("list", check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise TimeoutError(f"libvirtd does not answer; see {self.base}/log")

    def _pid(self, program: str) -> int:
        return int((self.base / f"{program}.pid").read_text())

    def _end(self, program: str) -> None:
        pid = self._pid(program)
        os.kill(pid, signal.SIGTERM)
        for _ in range(200):
            if not Path(f"/proc/{pid}").exists():
                return
            time.sleep(0.1)
        raise TimeoutError(f"{program} does not end")


def folder() -> Path:
    """Return a new folder that QEMU's user can reach."""
    base = Path(tempfile.mkdtemp(prefix="hooking-live-"))
    base.chmod(0o755)
    return base
