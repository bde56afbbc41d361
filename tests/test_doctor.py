"""``hooking doctor`` finds what keeps a hook from running, and its fixes work."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hooking.cli import daemons, scripts
from hooking.cli.checks.findings import RULES as OF_SCRIPTS
from hooking.cli.command import hooking
from hooking.cli.diagnosis import contents, log, vdsm
from hooking.cli.diagnosis.findings import RULES
from hooking.cli.diagnosis.host import Host, look
from hooking.cli.host_files import Tree
from hooking.testing.virhook import ScriptFolder
from support import plant_daemon

SHELL = "#!/bin/sh\nexit 0\n"
PYTHON = "#!/usr/bin/python3 -I\nimport hooking\n"
HOOKS = "etc/libvirt/hooks"
VDSM = "usr/libexec/vdsm/hooks"
LATER = 2000
"""Seconds after the machine's start; it was started 1000 seconds ago."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host whose one hook runs."""
    root = tmp_path / "host"
    write(root, f"{HOOKS}/qemu.d/50-pin", SHELL)
    plant_daemon(root, 10, "libvirtd", start=LATER)
    for path in (tmp_path, root, *(path for path in root.rglob("*") if path.is_dir())):
        path.chmod(0o755)
    return root


@pytest.fixture
def live(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, taken for the machine; its programs lie in ``bin``."""
    monkeypatch.setattr(Tree, "is_live", property(lambda tree: True))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    monkeypatch.setattr(contents, "_has_package", lambda python: False)
    program(tmp_path, "true", "true")
    return root


def write(root: Path, name: str, text: str, mode: int = 0o755) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    path.chmod(mode)
    return path


def program(tmp_path: Path, name: str, text: str) -> None:
    write(tmp_path, f"bin/{name}", f"#!/bin/sh\n{text}\n")


def invoke(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(hooking, ["doctor", "--root", str(root), *arguments])


def examine(root: Path, *arguments: str) -> dict[str, Any]:
    shown = invoke(root, "--json", *arguments)
    assert shown.exit_code in {0, 1}, shown.output
    found: dict[str, Any] = json.loads(shown.stdout)
    assert shown.exit_code == any(row["severity"] != "note" for row in found["findings"])
    return found


def codes(root: Path) -> dict[str, str]:
    """Return where each finding is, by its code."""
    return {row["code"]: os.path.relpath(row["path"], root) for row in examine(root)["findings"]}


def test_a_host_whose_hook_runs_is_well(root: Path) -> None:
    assert codes(root) == {}
    said = invoke(root)
    assert said.exit_code == 0
    assert "daemons: libvirtd (process 10)\nscripts: qemu: 1\nscripts of VDSM: none\nNothing is wrong.\n" in said.stdout


def link(root: Path, name: str, target: str) -> None:
    (root / name).symlink_to(target)


def session(root: Path) -> None:
    plant_daemon(root, 20, "virtqemud", user=1000, start=LATER)


def only_for_root(root: Path) -> None:
    session(root)
    (root / HOOKS / "qemu.d/50-pin").chmod(0o700)


def closed_to_others(root: Path) -> None:
    session(root)
    (root / HOOKS).chmod(0o700)


def late(root: Path) -> None:
    plant_daemon(root, 30, "virtqemud", start=1)


def apparmor(root: Path) -> None:
    write(root, "sys/kernel/security/apparmor/profiles", "libvirtd//qemu_bridge_helper (enforce)\nlibvirtd (enforce)\n")


def apparmor_and_link(root: Path) -> None:
    apparmor(root)
    write(root, "opt/pin", SHELL)
    link(root, f"{HOOKS}/qemu.d/60-link", "../../../../opt/pin")


def apparmor_and_python(root: Path) -> None:
    apparmor(root)
    write(root, "opt/python3", SHELL)
    (root / "usr/bin").mkdir(parents=True)
    link(root, "usr/bin/python3", "../../opt/python3")
    write(root, f"{HOOKS}/qemu.d/60-python", PYTHON)


def another_driver(root: Path) -> None:
    write(root, f"{HOOKS}/lxc", SHELL)
    (root / "proc/10/comm").write_text("virtqemud\n")


def link_into_a_shared_folder(root: Path) -> None:
    write(root, "srv/pin", SHELL)
    (root / "srv").chmod(0o777)
    link(root, f"{HOOKS}/qemu.d/x", "../../../../srv/pin")


def link_to_nothing_for_vdsm(root: Path) -> None:
    write(root, f"{VDSM}/before_vm_start/60_a", SHELL)
    link(root, f"{VDSM}/before_vm_start/50_a", "nothing")


def main_script_beside_vdsm(root: Path) -> None:
    write(root, f"{HOOKS}/qemu", SHELL)
    (root / VDSM).mkdir(parents=True)


def no_folder(root: Path) -> None:
    shutil.rmtree(root / HOOKS)
    write(root, HOOKS, SHELL)


PIN = f"{HOOKS}/qemu.d/50-pin"
TREE = f"{HOOKS}/qemu.d/win11/prepare/begin/start.sh"
VFIO = '#!/bin/sh\nexec "$(dirname "$0")/qemu.d/$1/$2/$3"\n'
START = f"{VDSM}/before_vm_start/50_a"


def link_through_a_shared_folder(root: Path) -> None:
    write(root, "opt/pin", SHELL)
    (root / "srv").mkdir()
    link(root, "srv/pin", "../opt/pin")
    (root / "srv").chmod(0o777)
    link(root, f"{HOOKS}/qemu.d/x", "/srv/pin")


def tree(root: Path, name: str, text: str) -> Path:
    """Have a dispatcher, and a script that it runs."""
    write(root, f"{HOOKS}/{name}", text)
    return write(root, f"{HOOKS}/qemu.d/win11/prepare/begin/start.sh", SHELL)


def folder_to_merge(root: Path) -> None:
    """Have a folder with hidden files, strange names, and a name that is there already."""
    for name in ".hidden", "-n", "a b":
        write(root, f"{HOOKS}/lxc/{name}", SHELL)
    (root / HOOKS / "lxc.d").mkdir()


FAULTS: list[tuple[str, str, str | Callable[[Path], object]]] = [
    ("D101", f"{HOOKS}/lxc", another_driver),
    ("D101", PIN, lambda root: (root / "proc/10/comm").write_text("virtproxyd\n")),
    ("D102", HOOKS, lambda root: plant_daemon(root, 11, "libvirtd", sees=root.parent)),
    ("D103", PIN, late),
    ("D104", PIN, only_for_root),
    ("D105", HOOKS, closed_to_others),
    ("D201", HOOKS, lambda root: (root / PIN).unlink()),
    ("D203", PIN, lambda root: (root / PIN).chmod(0o775)),
    ("D203", HOOKS, lambda root: (root / HOOKS).chmod(0o777)),
    ("D203", "srv", link_into_a_shared_folder),
    ("D203", "srv", link_through_a_shared_folder),
    ("D203", f"{HOOKS}/qemu.d", lambda root: (root / HOOKS / "qemu.d").chmod(0o1777)),
    ("D203", f"{HOOKS}/qemu.d/settings", lambda root: write(root, f"{HOOKS}/qemu.d/settings", "X=1\n", 0o666)),
    ("D203", TREE, lambda root: tree(root, "qemu.d/60-run-tree", SHELL).chmod(0o775)),
    ("D203", f"{HOOKS}/qemu.d/win11", lambda root: tree(root, "qemu", VFIO).parents[2].chmod(0o1777)),
    ("D204", f"{HOOKS}/lxc.d", SHELL),
    ("D204", HOOKS, no_folder),
    ("D205", f"{HOOKS}/lxc", lambda root: write(root, f"{HOOKS}/lxc/50-pin", SHELL)),
    ("D205", f"{HOOKS}/lxc", folder_to_merge),
    ("D206", f"{HOOKS}/qemu.d/60-x", lambda root: link(root, f"{HOOKS}/qemu.d/60-x", "60-x")),
    ("D206", f"{HOOKS}/qemu.d/\n\x1b\udcff'", lambda root: link(root, f"{HOOKS}/qemu.d/\n\x1b\udcff'", "nothing")),
    ("D206", f"{HOOKS}/network", lambda root: link(root, f"{HOOKS}/network", "nothing")),
    ("D206", START, link_to_nothing_for_vdsm),
    ("D207", f"{HOOKS}/qemu.d/win11", lambda root: write(root, f"{HOOKS}/qemu.d/win11/prepare/begin/start.sh", SHELL)),
    ("D208", f"{HOOKS}/qemu.d/50-pin~", SHELL),
    ("D208", f"{HOOKS}/qemu.d/README", "how to"),
    ("D208", f"{START}.rpmsave", SHELL),
    ("D210", f"{HOOKS}/Qemu.d", lambda root: write(root, f"{HOOKS}/Qemu.d/50-pin", SHELL)),
    ("D211", f"{HOOKS}/qemu", lambda root: os.mkfifo(root / HOOKS / "qemu", 0o755)),
    ("D211", f"{HOOKS}/qemu.d/60-x", lambda root: os.mkfifo(root / HOOKS / "qemu.d/60-x", 0o755)),
    ("D303", f"{HOOKS}/qemu.d/60-link", apparmor_and_link),
    ("D303", f"{HOOKS}/qemu.d/60-python", apparmor_and_python),
    ("D401", f"{HOOKS}/qemu", main_script_beside_vdsm),
    ("D402", START, lambda root: write(root, START, SHELL, 0o700)),
    ("H101", PIN, lambda root: (root / PIN).chmod(0o644)),
    ("H102", f"{HOOKS}/qemu", "true\n"),
    ("H103", f"{HOOKS}/qemu", "#!/bin/sh\r\n"),
    ("H105", f"{HOOKS}/qemu", "#!/usr/bin/python2\n"),
    ("H107", START, "#!/usr/bin/python3\nimport hooking\n"),
    ("H110", f"{HOOKS}/qemu.sh", SHELL),
    ("H111", f"{HOOKS}/qemu", "#!/usr/bin/python3 -I\n(\n"),
    ("H302", f"{VDSM}/before_vm_strat/50_a", SHELL),
]


@pytest.mark.parametrize(("code", "path", "plant"), FAULTS)
def test_a_fault_is_found_and_its_command_repairs_it(
    root: Path, code: str, path: str, plant: str | Callable[[Path], object], tmp_path: Path
) -> None:
    if isinstance(plant, str):
        write(root, path, plant)
    else:
        plant(root)
    found = [row for row in examine(root)["findings"] if row["code"] == code]
    assert [os.path.relpath(row["path"], root) for row in found] == [path]
    assert found[0]["fix"].isprintable()
    (tmp_path / "kept").mkdir()
    fix = found[0]["fix"].replace("/root/", f"{tmp_path}/kept/")
    if fix.startswith(("ch", "mv", "mkdir", "rm", "sed")):
        subprocess.run(["bash", "-c", fix], check=True)
        assert code not in codes(root)


def test_every_rule_is_tried() -> None:
    elsewhere = {"D106", "D107", "D108", "D202", "D209", "D212", "D301", "D302"}
    assert {code for code, _, _ in FAULTS if code in RULES} | elsewhere == set(RULES)
    assert not set(RULES) & set(OF_SCRIPTS)


HARMLESS: list[Callable[[Path], object]] = [
    lambda root: write(root, f"{HOOKS}/qemu.d/README.md", "how to", 0o644),
    lambda root: write(root, f"{HOOKS}/qemu.d/40-old.disabled", "true\n", 0o644),
    lambda root: write(root, f"{HOOKS}/kvm.conf", "X=1\n", 0o644),
    lambda root: write(root, f"{HOOKS}/qemu.d/60-pin", '#!/bin/sh\nif [ "$1" = win11 ]; then true; fi\n'),
    lambda root: write(root, f"{HOOKS}/lib/names.sh", SHELL),
    lambda root: write(root, f"{HOOKS}/qemu.d/60-image", "#!/usr/bin/of-another-machine\n"),
    lambda root: link(root, f"{HOOKS}/qemu.d/60-link", write(root, "bin/true", SHELL).as_posix()[len(str(root)) :]),
    lambda root: tree(root, "qemu", VFIO),
    lambda root: tree(root, "qemu.d/60-run-tree", SHELL),
    lambda root: (root / "usr").mkdir(mode=0o755),
    lambda root: (root / "etc").chmod(0o1777),
    lambda root: shutil.rmtree(root / "proc"),
    lambda root: write(root, f"{VDSM}/before_network_setup/50_a", SHELL, 0o700),
    lambda root: write(root, f"{VDSM}/before_vdsm_start/50_a", SHELL, 0o700),
    lambda root: plant_daemon(root, 12, "bash"),
    lambda root: (root / "proc/12").mkdir(),
    session,
]


@pytest.mark.parametrize("plant", HARMLESS)
def test_what_is_no_fault(root: Path, plant: Callable[[Path], object]) -> None:
    plant(root)
    assert codes(root) == {}


ALTERNATIVES = {"usr/bin/python3": "/etc/alternatives/python3", "etc/alternatives/python3": "/usr/bin/python3.9"}


def test_links_of_an_image_lead_into_the_image(root: Path) -> None:
    """As they would on the host, and never to files of this machine."""
    shutil.rmtree(root / "proc")
    apparmor(root)
    write(root, "usr/bin/python3.9", SHELL)
    (root / "etc/alternatives").mkdir()
    for name, target in ALTERNATIVES.items():
        link(root, name, target)
    write(root, "opt/hk/q", PYTHON)
    link(root, f"{HOOKS}/qemu", "/usr/bin/q")
    link(root, "usr/bin/q", "../../../../../opt/hk/q")
    assert codes(root) == {"D303": f"{HOOKS}/qemu"}
    write(root, "opt/vdsm/hooks/before_vm_start/50_a", SHELL)
    (root / "usr/libexec").mkdir()
    link(root, "usr/libexec/vdsm", "/opt/vdsm")
    (root / "etc").rename(root / "conf")
    link(root, "etc", "/conf")
    shown = CliRunner().invoke(hooking, ["list", "--json", "--root", str(root)])
    assert [(row["point"], row["path"]) for row in json.loads(shown.stdout)] == [
        ("qemu", "/conf/libvirt/hooks/qemu"),
        ("qemu", "/conf/libvirt/hooks/qemu.d/50-pin"),
        ("before_vm_start", "/opt/vdsm/hooks/before_vm_start/50_a"),
    ]
    assert codes(root) == {"D303": "conf/libvirt/hooks/qemu", "D401": "conf/libvirt/hooks/qemu"}


def test_an_image_of_links_alone_has_nothing(root: Path, tmp_path: Path) -> None:
    elsewhere = write(tmp_path, "elsewhere/libvirt/hooks/qemu", "#!/no\n").parents[2]
    shutil.rmtree(root)
    root.mkdir()
    link(root, "etc", str(elsewhere))
    assert examine(root)["facts"]["scripts"] == "none"
    (root / "etc").unlink()
    link(root, "etc", "etc")
    assert examine(root)["facts"]["scripts"] == "none"


@pytest.mark.parametrize(
    ("mode", "user", "group", "found"),
    [(0o700, 36, 1, False), (0o070, 36, 36, True), (0o050, 1, 36, False), (0o705, 1, 36, True), (0o550, 1, 1, True)],
)
def test_vdsm_reads_as_its_own_user(
    mode: int, user: int, group: int, found: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = os.stat_result((stat.S_IFREG | mode, 0, 0, 1, user, group, 0, 0, 0, 0))
    monkeypatch.setattr(Tree, "status", lambda tree, path: seen)
    host = Host(Tree(Path("/x")), [], {}, [f"/x/{START}"], {})
    assert ("D402" in {finding.code for _, finding in vdsm.check(host)}) == found


def test_a_script_may_go_while_it_is_looked_at(live: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apparmor(live)
    session(live)
    write(live, f"{HOOKS}/qemu.d/60-python", PYTHON)
    write(live, START, SHELL)
    write(live, f"{HOOKS}/README", "")
    host = look(Tree(live))
    shutil.rmtree(live / HOOKS)
    shutil.rmtree(live / VDSM)
    monkeypatch.setattr("hooking.cli.doctor.look", lambda tree: host)
    assert set(codes(live)) <= {"D101", "D105"}


def test_a_file_may_go_between_two_looks(live: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = write(live, f"{HOOKS}/qemu.d/60-x", SHELL)
    before = codes(live)
    status = Tree.status

    def remove(tree: Tree, path: str) -> os.stat_result | None:
        found = status(tree, path)
        if path.endswith("60-x"):
            gone.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(Tree, "status", remove)
    assert codes(live) == before
    monkeypatch.setattr(Tree, "status", lambda tree, path: None)
    shown = CliRunner().invoke(hooking, ["list", "--json", "--root", str(live)])
    assert (shown.exit_code, json.loads(shown.stdout)) == (0, [])


def test_a_daemon_that_waits_for_a_script(root: Path) -> None:
    with subprocess.Popen(["sleep", "9"]) as script, subprocess.Popen(["sleep", "9"]) as child:
        for process, parent, start in (script.pid, 10, 900), (child.pid, script.pid, 950), (child.pid + 1, 10, 999):
            plant_daemon(root, process, "sh", start=start)
            stat_ = root / f"proc/{process}/stat"
            stat_.write_text(stat_.read_text().replace("S 0 ", f"S {parent} "))
            words = ["/bin/sh", "/etc/libvirt/hooks/qemu.d/50-pin", "web 1", "start", "begin", "-", ""]
            (root / f"proc/{process}/cmdline").write_text("\0".join(words))
        (row,) = examine(root)["findings"]
        assert (row["code"], row["path"]) == ("D108", str(root / PIN))
        waits = r"libvirtd \(process 10\) waits for /etc/libvirt/hooks/qemu.d/50-pin web 1 start for (99|10[01]) s"
        assert re.match(waits, row["what"])
        assert row["fix"].endswith(f"&& kill {script.pid} {child.pid}")
        subprocess.run(["bash", "-c", row["fix"]], check=True)
        assert (script.wait(), child.wait()) == (-15, -15)
        (root / f"proc/{script.pid}/cmdline").write_text("/usr/bin/qemu-img\0info\0")
        assert "D108" not in codes(root)
        (root / f"proc/{script.pid}/cmdline").unlink()
        assert "D108" not in codes(root)
    assert os.stat(root / PIN).st_mode & 0o111 == 0


def test_somebody_else_s_script(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = root / HOOKS / "qemu.d" / "50-pin"
    if os.geteuid() == 0:
        os.chown(script, 1, 1)
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    assert "D202" in codes(root)
    assert f"chown root {script}" in invoke(root).stdout


def test_what_cannot_be_read_is_left_out(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = write(root, f"{HOOKS}/qemu.d/60-pin", "#!/no\n")
    write(root, f"{HOOKS}/helper", "#!/no\n", 0o644)
    assert "H110" in codes(root)

    def refuse(path: Path, _: str = "") -> None:
        raise PermissionError(path)

    monkeypatch.setattr(contents, "load", refuse)
    assert codes(root) == {}
    monkeypatch.setattr(contents, "open", refuse, raising=False)
    assert codes(root) == {}
    assert script.exists()


def test_a_reload_is_remembered(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late(root)
    (root / "run").mkdir()
    sent: list[int] = []
    monkeypatch.setattr(os, "kill", lambda process, _: sent.append(process))
    assert "D103" in codes(root)
    ended = CliRunner().invoke(hooking, ["reload", "--root", str(root)])
    assert "virtqemud (process 30) reloaded" in ended.output
    assert sent == [10, 30]
    assert codes(root) == {}
    write(root, f"{HOOKS}/qemu.d/50-pin", SHELL)
    (note,) = (root / "run/libvirt-hooking-reloads").glob("30-*")
    note.write_text("[]")
    assert "D103" in codes(root)
    (root / "run/libvirt-hooking-reloads").chmod(0o777)
    CliRunner().invoke(hooking, ["reload", "--root", str(root)], catch_exceptions=False)
    assert sent == [10, 30] * 2
    assert "D103" in codes(root)


def test_a_reload_with_nobody_to_hear_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "proc/10/comm").write_text("cat\n")
    ended = CliRunner().invoke(hooking, ["reload", "--root", str(root)])
    assert (ended.exit_code, "no libvirt daemon runs" in ended.output) == (1, True)


def test_a_daemon_in_a_container_runs_none_of_these_scripts(root: Path, tmp_path: Path) -> None:
    (root / "proc/10/root").unlink()
    (root / "proc/10/root").symlink_to(tmp_path)
    assert codes(root) == {"D101": PIN, "D102": HOOKS}


def test_daemons_are_told_where_there_are_no_hooks_yet(root: Path) -> None:
    (root / HOOKS / "qemu.d/50-pin").unlink()
    (root / HOOKS / "qemu.d").rmdir()
    (root / HOOKS).rmdir()
    assert examine(root)["facts"]["daemons"] == "libvirtd (process 10)"
    (root / "proc/10/root").unlink()
    (root / "proc/10/root").symlink_to("nowhere")
    (root / "proc/stat").unlink()
    assert codes(root) == {"D102": HOOKS, "D201": HOOKS}


def test_systemd_tells_of_a_reload(live: Path, tmp_path: Path) -> None:
    (live / "proc/10/comm").write_text("virtnetworkd\n")
    late(live)
    microseconds = int((time.monotonic() + 5) * 1e6)
    assert "D103" in codes(live)
    program(tmp_path, "systemctl", f"echo MainPID=30; echo StateChangeTimestampMonotonic={microseconds}")
    assert "D103" not in codes(live)
    program(tmp_path, "systemctl", f"echo MainPID=31; echo StateChangeTimestampMonotonic={microseconds}")
    assert "D103" in codes(live)


def test_an_old_libvirt_has_no_folders_of_scripts(live: Path, tmp_path: Path) -> None:
    program(tmp_path, "libvirtd", "echo 'libvirtd (libvirt) 6.4.0'")
    assert codes(live)["D106"] == f"{HOOKS}/qemu.d"
    (live / HOOKS / "qemu.d/50-pin").rename(live / HOOKS / "qemu")
    (live / HOOKS / "qemu.d").rmdir()
    assert "D106" not in codes(live)
    program(tmp_path, "libvirtd", "echo 'libvirtd (libvirt) 10.5.0'")
    assert examine(live)["facts"]["libvirt"] == "10.5.0"


def test_who_is_not_root_is_told(live: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "D107" not in codes(live)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert codes(live)["D107"] == HOOKS
    assert "Nothing is wrong, as far as you can see." in invoke(live).stdout

    def refuse(first: str, second: str) -> bool:
        raise PermissionError(first)

    monkeypatch.setattr(os.path, "samefile", refuse)
    assert "D102" not in codes(live)
    assert examine(live)["facts"]["daemons"] == "libvirtd (process 10)"
    monkeypatch.setattr(os, "kill", refuse)
    ended = CliRunner().invoke(hooking, ["reload", "--root", str(live)])
    assert (ended.exit_code, "libvirtd (process 10) is not yours; become root" in ended.output) == (1, True)


def test_the_interpreter_has_to_have_the_package(live: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "exposed", lambda host, path: iter(()))
    asked: list[str] = []
    monkeypatch.setattr(contents, "_has_package", asked.append)
    monkeypatch.setattr(contents, "_PATH", str(tmp_path / "bin"))
    for name in "usr/bin/python3", "usr/local/bin/python3", "opt/python3":
        write(live, name, SHELL)
    link(live, "usr/bin/python3.1", "../../opt/python3")
    python = f"{HOOKS}/qemu.d/60-python"
    for line in "#!/usr/bin/python3 -I", "#!/usr/bin/env -S python3 -I":
        write(live, python, f"{line}\nimport hooking\n")
        monkeypatch.setattr("shutil.which", lambda name, **_: f"/usr/bin/{name}")
        assert codes(live)["D209"] == python
        assert asked.pop() == "/usr/bin/python3"
    for line in "#!/opt/python3", "#!/usr/local/bin/python3", "#!/usr/bin/python3.1", "#!/no/python3", "#!/bin/sh":
        write(live, python, f"{line}\nimport hooking\n")
        assert "D209" not in codes(live)
    write(live, python, "#!/usr/bin/python3 -I\nimport hooking\n", 0o644)
    assert "D209" not in codes(live)
    assert asked == []


def test_a_bundle_needs_no_package(live: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "_has_package", pytest.fail)
    write(live, "usr/bin/python3", SHELL)
    script = tmp_path / "pin.py"
    script.write_text(f"{PYTHON}import hooking\n")
    made = CliRunner().invoke(hooking, ["bundle", str(script), "--output", f"{live}/{HOOKS}/qemu.d/60-pin"])
    assert made.exit_code == 0, made.output
    assert "D209" not in codes(live)


def test_no_interpreter_is_started_that_others_can_change(live: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "_has_package", pytest.fail)
    write(live, "usr/bin/python3", SHELL, 0o777)
    write(live, f"{HOOKS}/qemu.d/60-python", PYTHON)
    assert "D209" not in codes(live)


def test_an_interpreter_that_hangs_has_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], *, timeout: float, **_: object) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", run)
    assert not scripts.has_package("/usr/bin/python3")


def test_selinux(live: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(live, "sys/fs/selinux/enforce", "1")
    labels = {"50-pin": b"unconfined_u:object_r:user_home_t:s0\0"}
    monkeypatch.setattr(os, "getxattr", lambda path, name: labels[os.path.basename(path)], raising=False)
    assert codes(live)["D301"] == f"{HOOKS}/qemu.d/50-pin"
    labels["50-pin"] = b"system_u:object_r:virt_hook_t:s0\0"
    assert "D301" not in codes(live)
    boolean = write(live, "sys/fs/selinux/booleans/virt_hooks_unconfined", "0 0")
    assert codes(live)["D302"] == HOOKS
    boolean.write_text("1 1")
    assert "D302" not in codes(live)

    def none(path: str, name: str) -> bytes:
        raise OSError(path)

    monkeypatch.setattr(os, "getxattr", none, raising=False)
    assert "D301" not in codes(live)


ENGLISH = ("Hook script execution failed: ", "internal error: ", "Child process (", ") unexpected exit status ", ": ")
CHINESE = ("运行钩子失败：", "内部错误：", "子进程（", "）意外 退出状态 ", "：")
GERMAN = ("Hook-Skript fehlgeschlagen: ", "Interner Fehler: ", "Kindprozess (", ") endete mit Status ", ": ")
SIGNAL = (*ENGLISH[:3], ") unexpected fatal signal ", ": ")


def logged(
    words: tuple[str, ...], guest: str, op: str, status: int, said: str, *, second: int = 0, between: str = ""
) -> str:
    """Return what libvirt logs of a failure: twice the same."""
    failed, error, child, ended, colon = words
    command = f"LC_ALL=C PATH=/usr/bin HOME=/ /etc/libvirt/hooks/qemu.d/50-pin {guest} {op}"
    text = f"{error}{child}{command}{ended}{status}{colon if said else ''}{said}"
    head = f"2026-11-21 01:38:{second:02}.202+0000: 77: error : "
    return f"{head}virCommandWait:2725 : {text}\n{between}{head}virRunScript:299 : {failed}{text}\n"


LOGS = [
    (logged(ENGLISH, "web01", "prepare begin -", 3, "no\n"), ("web01", "prepare", "begin", "-", 3, "no")),
    (logged(ENGLISH, "web01", "prepare begin -", 1, ""), ("web01", "prepare", "begin", "-", 1, "")),
    (logged(SIGNAL, "web01", "start begin -", 9, ""), ("web01", "start", "begin", "-", -9, "")),
    (logged(CHINESE, "web01", "release end shutdown", 127, "不行"),
     ("web01", "release", "end", "shutdown", 127, "不行")),
    (logged(GERMAN, "web01", "stopped end -", 126, "nein: 7\n"), ("web01", "stopped", "end", "-", 126, "nein: 7")),
    (logged(ENGLISH, r"'it'\''s (1) '", "release end 'from snapshot'", 2, "a\n\nb: 3\n"),
     ("it's (1) ", "release", "end", "from snapshot", 2, "a\n\nb: 3")),
    (logged(ENGLISH, "web01", "prepare begin -", 3, "x", between="2026-11-21 01:38:00.202+0000: 78: error : f:1 : y\n"),
     ("web01", "prepare", "begin", "-", 3, "x")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), LOGS)
def test_a_failure_is_read_in_every_language(text: str, expected: tuple[str | int, ...]) -> None:
    (failure,) = log.parse(f"no head\n{text}2026-11-21 02:00:00.000+0000: 77: info : main:1 : end\n")
    found = (failure.guest, failure.op, failure.subop, failure.extra, failure.status, failure.message)
    assert found == expected
    assert failure.driver == "qemu"
    assert failure.script == "/etc/libvirt/hooks/qemu.d/50-pin"


def test_a_script_cannot_forge_a_failure() -> None:
    forged = logged(ENGLISH, "victim", "prepare begin -", 9, "forged")
    for said in (forged, forged.splitlines()[1], forged.splitlines()[0]):
        (failure,) = log.parse(logged(ENGLISH, "web01", "prepare begin -", 3, f"no\n{said}\n"))
        assert (failure.guest, failure.status) == ("web01", 3)
        assert "victim" in failure.message
    plain = logged(ENGLISH, "web01", "prepare begin -", 3, "no").splitlines()
    (failure,) = log.parse(logged(ENGLISH, "web01", "prepare begin -", 3, f"no\n{plain[1]}\n{forged}"))
    assert "victim" in failure.message
    assert not list(log.parse(forged.splitlines()[1]))
    assert not list(log.parse(f"{plain[0]}\n{forged.splitlines()[1]}\n"))
    assert not list(log.parse(f"{plain[0]}\n{plain[1].replace(': 77:', ': 78:')}\n"))
    assert not list(log.parse(logged(ENGLISH, "x", "y z -", 1, "").replace("/etc/libvirt/hooks/", "/usr/bin/")))
    assert not list(log.parse(logged(ENGLISH, "x", "y", 1, "")))


def test_the_messages_of_the_simulated_daemon_are_read(tmp_path: Path) -> None:
    write(tmp_path, "hooks/qemu.d/50-pin", "#!/bin/sh\necho 'no way' >&2; exit 3\n")
    error = ScriptFolder(tmp_path / "hooks").call("qemu", ["a b", "release", "end", "from snapshot"], b"").error
    head = "2026-11-21 01:38:00.202+0000: 77: error : "
    (failure,) = log.parse(f"{head}f:1 : {error.partition(': ')[2]}\n{head}virHookCall:1 : {error}")
    assert (failure.guest, failure.extra, failure.status, failure.message) == ("a b", "from snapshot", 3, "no way")


def test_the_last_failures_are_shown_newest_first(root: Path) -> None:
    text = "".join(
        logged(ENGLISH, f"web{second}", "release end failed", 126, "\x1b[2Jno\n", second=second) for second in range(12)
    )
    os.utime(root / HOOKS / "qemu.d/50-pin", (0, 0))
    write(root, "var/log/libvirt/libvirtd.log", text)
    write(root, "var/log/libvirt/virtqemud.log", logged(SIGNAL, "vm", "start begin -", 9, "", second=59))
    shown = invoke(root)
    assert shown.exit_code == 0
    first, second, words, *_ = shown.stdout.partition("Last failures, the newest first, in UTC:\n")[2].splitlines()
    where = "/etc/libvirt/hooks/qemu.d/50-pin"
    assert first == f"2026-11-21 01:38:59.202 qemu/start of vm: {where}: signal 9; it was killed"
    assert second.startswith(f"2026-11-21 01:38:11.202 qemu/release (failed) of web11: {where}: exit status 126; the ")
    assert words == r"  \x1b[2Jno"
    assert len(examine(root)["failures"]) == 10
    assert [row["guest"] for row in examine(root, "--failures", "2")["failures"]] == ["vm", "web11"]


def test_the_journal_is_asked_where_there_is_no_log_file(live: Path, tmp_path: Path) -> None:
    message = logged(ENGLISH, "web01", "prepare begin -", 3, "no").partition("virRunScript:299 : ")[2]
    rows: list[dict[str, object]] = [
        {"MESSAGE": message},
        {"MESSAGE": list(message.encode())},
        {"MESSAGE": "other"},
        {"MESSAGE": None},
    ]
    lines = "".join(json.dumps({"__REALTIME_TIMESTAMP": "1763688000123456", **row}) + "\n" for row in rows)
    (tmp_path / "journal").write_text(lines)
    program(tmp_path, "journalctl", f'while IFS= read -r line; do printf "%s\\n" "$line"; done < {tmp_path}/journal')
    found = examine(live)["failures"]
    assert [(row["guest"], row["time"]) for row in found] == [("web01", "2025-11-21 01:20:00.123")] * 2


def test_a_program_that_fails_says_nothing(tmp_path: Path) -> None:
    assert daemons.ask("/bin/sh", "-c", "echo x; exit 1") == ""
