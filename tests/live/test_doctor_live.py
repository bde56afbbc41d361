"""``hooking doctor`` on a live daemon: each planted fault is found, and its fix, followed to the letter, works."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from daemons import Daemon, folder, missing
from installed import DOMAIN, everything, hooking, install_python, run

pytestmark = pytest.mark.live

HOOK = '''"""Note that guests start."""
import pathlib

import hooking

hook = hooking.Hook()


@hook.qemu("prepare")
def note(domain, context):
    pathlib.Path("/run/libvirt/fired").touch()


if __name__ == "__main__":
    hook.run()
'''
CALLS_BACK = "#!/bin/sh\n[ $2 = x ] && virsh list\nexit 0\n"
SHELL = "#!/bin/sh\nexit 0\n"


class Clinic:
    """A host with one installed hook."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.hooks = daemon.hooks
        self.script = daemon.hooks / "qemu.d" / "50-note"
        self.fired = daemon.base / "run" / "fired"
        self.guest = daemon.base / "guest.xml"
        self.processes: list[int] = []

    def ask(self) -> dict[str, Any]:
        """Return what the doctor says; only notes when all is well."""
        ended = run(self.daemon, "hooking", "doctor", "--json")
        assert ended.returncode in {0, 1}, ended.stderr
        said: dict[str, Any] = json.loads(ended.stdout)
        said["findings"] = [row for row in said["findings"] if row["severity"] != "note"]
        assert ended.returncode == bool(said["findings"])
        return said

    def findings(self) -> dict[str, str]:
        """Return what to do, by code."""
        return {row["code"]: row["fix"] for row in self.ask()["findings"]}

    def fires(self) -> bool:
        """Tell whether a guest's start runs the hook."""
        self.fired.unlink(missing_ok=True)
        self.daemon.virsh("create", str(self.guest), check=False)
        self.daemon.virsh("destroy", "g", check=False)
        return self.fired.exists()

    def write(self, name: str, text: str | bytes, mode: int = 0o755) -> Path:
        path = self.hooks / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        return path

    def edit(self, old: bytes, new: bytes) -> None:
        """Change the hook, as with an editor."""
        data = self.script.read_bytes()
        assert old in data
        self.script.write_bytes(data.replace(old, new, 1))

    def end(self) -> None:
        """End what a fault started."""
        for process in self.processes:
            os.kill(process, signal.SIGTERM)
        self.processes.clear()


@pytest.fixture(scope="module")
def clinic(require_live: Callable[[str], None]) -> Iterator[Clinic]:
    require_live(missing())
    base = folder()
    daemon = Daemon(base / "host", "host")
    for script in daemon.hooks.iterdir():
        script.unlink()
    daemon.start()
    clinic = Clinic(daemon)
    clinic.guest.write_text(DOMAIN)
    source = base / "note.py"
    source.write_text(HOOK)
    source.chmod(0o644)
    before = everything(daemon.hooks)
    try:
        hooking(daemon, "install", str(source), "--python", str(install_python(daemon)), "--reload")
        assert clinic.fires()
        assert clinic.ask()["findings"] == []
        yield clinic
        assert clinic.ask()["findings"] == []
        hooking(daemon, "uninstall", "note")
        assert everything(daemon.hooks) == before
    finally:
        clinic.end()
        daemon.stop()
        shutil.rmtree("/run/libvirt-hooking-reloads", ignore_errors=True)
        shutil.rmtree(base, ignore_errors=True)


def late(clinic: Clinic) -> None:
    """Put the hook there after the daemon has looked."""
    kept = clinic.daemon.base / "kept"
    clinic.script.rename(kept)
    clinic.daemon.restart()
    time.sleep(1.1)  # the start of a process is known to the second
    kept.rename(clinic.script)


def session(clinic: Clinic) -> None:
    """Let an ordinary user have a daemon, and the hook be root's alone."""
    home = clinic.daemon.base / "nobody"
    home.mkdir(exist_ok=True)
    shutil.chown(home, "nobody")
    places = [f"{name}={home}" for name in ("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")]
    started = ["libvirtd", "-d", "-p", f"{home}/pid"]
    ended = run(clinic.daemon, "runuser", "-u", "nobody", "--", "env", *places, *started)
    assert ended.returncode == 0, ended.stderr
    clinic.processes.append(int((home / "pid").read_text()))
    clinic.script.chmod(0o700)


def link_into_a_shared_folder(clinic: Clinic) -> None:
    shared = clinic.daemon.base / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    clinic.script.rename(shared / "note")
    clinic.script.symlink_to(shared / "note")


def only_main_script(clinic: Clinic) -> None:
    (clinic.hooks / "lxc").mkdir()
    clinic.write("lxc/50-note", SHELL)


def remove(name: str) -> Callable[[Clinic], object]:
    return lambda clinic: (clinic.hooks / name).rename(clinic.daemon.base / Path(name).name)


def edit(old: bytes, new: bytes) -> Callable[[Clinic], None]:
    return lambda clinic: clinic.edit(old, new)


def interpreter(line: str) -> Callable[[Clinic], None]:
    """Let the hook begin with another line; it is kept beside."""

    def plant(clinic: Clinic) -> None:
        first, rest = clinic.script.read_bytes().split(b"\n", 1)
        (clinic.daemon.base / "first").write_bytes(first)
        clinic.script.write_bytes(line.encode() + rest)

    return plant


def restore_interpreter(clinic: Clinic) -> None:
    """Name an interpreter that is there, as the fixes say."""
    rest = clinic.script.read_bytes().rpartition(b'"""Note')
    clinic.script.write_bytes((clinic.daemon.base / "first").read_bytes() + b"\n" + b"".join(rest[1:]))


STOPS, HARMS = True, False
FAULTS: list[tuple[str, bool, Callable[[Clinic], object], Callable[[Clinic], object] | None]] = [
    ("H101", STOPS, lambda clinic: clinic.script.chmod(0o644), None),
    ("H102", STOPS, interpreter(""), restore_interpreter),
    ("H102", STOPS, interpreter("\ufeff#!/usr/bin/python3 -I\n"), restore_interpreter),
    ("H103", STOPS, edit(b" -I\n", b" -I\r\n"), None),
    ("H104", STOPS, interpreter("#!/usr/bin/python3.1 -I\n"), restore_interpreter),
    ("H105", STOPS, interpreter("#!/usr/bin/python -I\n"), restore_interpreter),
    ("H108", STOPS, interpreter("#!/usr/bin/env python3 -I\n"), restore_interpreter),
    ("H111", STOPS, edit(b"context):", b"context:"), edit(b"context:\n", b"context):\n")),
    ("H112", STOPS, edit(b"import pathlib", b"import urllib2, pathlib"), edit(b"urllib2, ", b"")),
    ("H110", HARMS, lambda clinic: clinic.write("qemu.sh", SHELL), remove("qemu.sh")),
    ("D103", STOPS, late, None),
    ("D104", HARMS, session, None),
    ("D202", HARMS, lambda clinic: shutil.chown(clinic.script, "nobody"), None),
    ("D202", HARMS, lambda clinic: shutil.chown(clinic.hooks, "nobody"), None),
    ("D203", HARMS, lambda clinic: clinic.script.chmod(0o775), None),
    ("D203", HARMS, lambda clinic: clinic.hooks.chmod(0o757), None),
    ("D203", HARMS, link_into_a_shared_folder, None),
    ("D204", HARMS, lambda clinic: clinic.write("lxc.d", SHELL), None),
    ("D205", HARMS, only_main_script, None),
    ("D206", HARMS, lambda clinic: (clinic.hooks / "qemu.d/60-gone").symlink_to("/usr/lib/gone"), None),
    ("D208", HARMS, lambda clinic: clinic.write("qemu.d/50-note~", clinic.script.read_bytes()), None),
    ("D208", HARMS, lambda clinic: clinic.write("qemu.d/10-README.txt", "how to\n"), None),
    ("D208", HARMS, lambda clinic: clinic.write("qemu.d/50-note.rpmsave", SHELL), None),
    ("D209", STOPS, interpreter("#!/usr/bin/python3 -I\n"), restore_interpreter),
    ("D210", HARMS, lambda clinic: clinic.write("Qemu.d/50-note", SHELL), remove("Qemu.d")),
    ("H204", HARMS, lambda clinic: clinic.write("qemu.d/60-wait", "#!/bin/sh\nsleep 1 &\n"), remove("qemu.d/60-wait")),
    ("H201", HARMS, lambda clinic: clinic.write("qemu.d/60-ask", CALLS_BACK), remove("qemu.d/60-ask")),
]  # fmt: skip


@pytest.mark.parametrize(("code", "stops", "plant", "by_hand"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_a_planted_fault_is_found_and_its_fix_works(
    clinic: Clinic,
    code: str,
    stops: bool,
    plant: Callable[[Clinic], object],
    by_hand: Callable[[Clinic], object] | None,
) -> None:
    plain = everything(clinic.hooks)
    plant(clinic)
    found = clinic.findings()
    assert code in found
    assert not (stops and clinic.fires())
    if by_hand:
        by_hand(clinic)
    else:
        follow(clinic, found[code])
    left = clinic.findings()
    if "D103" in left:  # what was repaired is new, too
        follow(clinic, left.pop("D103"))
    assert left == {}
    assert not stops or clinic.fires()
    clinic.end()
    restore(clinic, plain)


def follow(clinic: Clinic, fix: str) -> None:
    ended = run(clinic.daemon, "sh", "-c", fix.replace("/root/", f"{clinic.daemon.base}/"))
    assert ended.returncode == 0, ended.stderr


def restore(clinic: Clinic, plain: dict[str, tuple[int, bytes | None]]) -> None:
    """Remove what faults added and their fixes kept; the hook itself has to be as it was."""
    if clinic.script.is_symlink():
        os.replace(clinic.script.resolve(), clinic.script)
    for path in sorted(clinic.hooks.rglob("*"), reverse=True):
        if str(path) not in plain:
            path.rmdir() if path.is_dir() else path.unlink()
    assert everything(clinic.hooks) == plain
    hooking(clinic.daemon, "reload")


def test_a_script_that_hangs_is_named_and_its_fix_ends_it(clinic: Clinic) -> None:
    script = clinic.write("qemu.d/70-hang", "#!/bin/sh\n[ $2 = start ] || exit 0\nsleep 300\nsleep 300\n")
    hooking(clinic.daemon, "reload")
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(clinic.daemon.virsh, "create", str(clinic.guest), check=False)
        while "D108" not in clinic.findings():
            assert not starting.done()
            time.sleep(1)
        follow(clinic, clinic.findings()["D108"])
        assert "unexpected fatal signal 15" in starting.result(60).stderr
    assert clinic.fires()
    script.unlink()


def test_a_failure_is_read_from_the_log(clinic: Clinic) -> None:
    script = clinic.write("qemu.d/70-refuse", "#!/bin/sh\n[ $2 = prepare ] || exit 0\necho 'not\ntoday' >&2; exit 3\n")
    clinic.fires()
    failure = clinic.ask()["failures"][0]
    expected = {"guest": "g", "driver": "qemu", "op": "prepare", "subop": "begin", "extra": "-", "status": 3}
    assert failure.items() >= {**expected, "message": "not\ntoday"}.items()
    assert failure["script"] == "/etc/libvirt/hooks/qemu.d/70-refuse"
    script.unlink()


def test_a_daemon_says_which_version_it_is(clinic: Clinic) -> None:
    said = subprocess.run(["libvirtd", "--version"], capture_output=True, text=True, check=True).stdout
    assert clinic.ask()["facts"]["libvirt"] in said
