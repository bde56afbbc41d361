"""``hooking install``, ``uninstall`` and ``list``: what they write, what they refuse, and what a kill leaves."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from hooking.cli import installation, installation_commands, listing, scripts
from hooking.cli.command import hooking
from hooking.cli.host_files import Tree
from hooking.cli.installation_commands import install as install_command, uninstall as uninstall_command
from hooking.cli.manifests import FOLDER, Manifests
from hooking.testing.virhook import ScriptFolder
from lives import KILLS, killer
from support import TEMPLATES, plant_daemon

PIN = TEMPLATES / "pincpu" / "pincpu.py"
QEMU = "etc/libvirt/hooks/qemu.d"
VDSM = "usr/libexec/vdsm/hooks/before_vm_start"
SHELL = "#!/bin/sh\nexit 0\n"
HOOK = """import hooking

hook = hooking.Hook()


@hook.qemu("reconnect")
@hook.network("started")
@hook.daemon("reload")
@hook.bhyve("prepare")
@hook.vdsm({points})
def handle(*_):
    {body}


if __name__ == "__main__":
    hook.run()
"""
BODY = "pass"
STEP = 2400 // KILLS
"""How many lines of ours run between two kills; an installation has about 3,000."""
POINTS = (
    '"before_vm_start", "before_vdsm_start", "before_network_setup", "after_get_vm_stats", "after_get_all_vm_stats"'
)
"""Of every kind of document; there is no third one that hands over an array."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An image that already has scripts."""
    folder = tmp_path / "image"
    for name in ("etc", "etc/libvirt", "etc/libvirt/hooks", "var", "var/lib"):
        (folder / name).mkdir(parents=True)
        (folder / name).chmod(0o755)
    folder.chmod(0o755)
    write(folder / "etc/libvirt/hooks/qemu", SHELL)
    return folder


def write(path: Path, text: str, mode: int = 0o755) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(hooking, [str(argument) for argument in arguments])


def install(root: Path, script: Path, *arguments: str) -> Result:
    if script == PIN:  # a checkout may be writable for its group
        script = write(root.parent / PIN.name, PIN.read_text())
    return invoke("install", script, "--root", root, *arguments)


def done(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.output


def refused(result: Result, message: str, status: int = 1) -> None:
    assert result.exit_code == status, result.output
    assert message in result.output
    assert "Traceback" not in result.output


def everything(root: Path) -> dict[str, tuple[int, int, bytes | str | None]]:
    """Return all that lies below ``root``: mode, owner, content."""
    found: dict[str, tuple[int, int, bytes | str | None]] = {}
    for path in sorted(root.rglob("*")):
        info = path.lstat()
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(root))] = (info.st_mode, info.st_uid, content)
    return found


def test_a_hook_lies_where_its_handlers_are_called_and_is_gone_afterwards(root: Path) -> None:
    before = everything(root)
    said = done(install(root, PIN))
    for path in (root / QEMU / "50-pincpu", root / VDSM / "50_pincpu"):
        assert f"{path} written, sha256 " in said
        assert path.read_bytes() == PIN.read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) == 0o755
        assert path.stat().st_uid == os.geteuid()
    (manifest,) = (root / "var/lib/libvirt-hooking").iterdir()
    assert stat.S_IMODE(manifest.stat().st_mode) == 0o600
    assert stat.S_IMODE(manifest.parent.stat().st_mode) == 0o700
    assert not list(root.rglob(".hooking-*"))
    done(invoke("uninstall", "pincpu", "--root", root))
    assert everything(root) == before


def test_a_dry_run_changes_nothing(root: Path) -> None:
    before = everything(root)
    assert "50-pincpu would be written" in done(install(root, PIN, "--dry-run"))
    assert everything(root) == before
    done(install(root, PIN))
    write(root / QEMU / "50-pincpu", "changed")
    refused(invoke("uninstall", "pincpu", "--root", root, "--dry-run"), "was changed since it was installed")
    done(install(root, PIN, "--force"))
    before = everything(root)
    assert "50-pincpu would be removed" in done(install(root, PIN, "--dry-run", "--priority", "7"))
    assert "50-pincpu would be removed" in done(invoke("uninstall", "pincpu", "--root", root, "--dry-run"))
    assert everything(root) == before


def test_an_empty_image_is_empty_afterwards(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.mkdir(mode=0o755)
    done(install(image, PIN))
    done(install(image, PIN, "--name", "other"))
    done(invoke("uninstall", "pincpu", "--root", image))
    assert (image / QEMU / "50-other").exists()
    done(invoke("uninstall", "other", "--root", image))
    assert everything(image) == {}


def test_installing_again_replaces_and_removes_what_is_not_said_any_more(root: Path, tmp_path: Path) -> None:
    before = everything(root)
    script = write(tmp_path / "a_check.sh", SHELL)
    done(install(root, script, "--point", "qemu/prepare", "--point", "qemu/start", "--point", "lxc"))
    assert (root / QEMU / "50-a-check").read_text() == SHELL
    assert (root / "etc/libvirt/hooks/lxc.d").exists()
    again = done(install(root, script, "--point", "qemu", "--point", "lxc"))
    assert (again.count(" unchanged, "), again.count(" written, ")) == (2, 0)
    write(script, f"{SHELL}# new\n")
    done(install(root, script, "--point", "qemu", "--point", "before_vm_start", "--priority", "5"))
    assert [path.name for path in (root / QEMU).iterdir()] == ["05-a-check"]
    assert (root / QEMU / "05-a-check").read_text().endswith("# new\n")
    assert (root / VDSM / "05_a_check").exists()
    assert not (root / "etc/libvirt/hooks/lxc.d").exists()
    done(invoke("uninstall", "a-check", "--root", root))
    assert everything(root) == before


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("", "#!/usr/bin/python3 -I"),
        ("#!/usr/bin/env python3", "#!/usr/bin/python3 -I"),
        ("#!/opt/venv/bin/python3.11", "#!/usr/bin/python3 -I"),
        ("#!/usr/bin/python3 -u", "#!/usr/bin/python3 -Iu"),
        ("#!/usr/bin/python3 -E", "#!/usr/bin/python3 -E"),
        ("#!/usr/bin/python3.11 -IB", "#!/usr/bin/python3.11 -IB"),
        ("#!/usr/bin/env -S python3 -sI", "#!/usr/bin/python3 -sI"),
    ],
)
def test_the_first_line_names_a_python_that_the_host_may_start(
    first: str, then: str, root: Path, tmp_path: Path
) -> None:
    text = '"""A hook."""\nimport sys\n'
    script = write(tmp_path / "hook.py", f"{first}\n{text}" if first else text)
    said = done(install(root, script, "--point", "qemu"))
    assert (root / QEMU / "50-hook").read_text() == f"{then}\n{text}"
    is_replaced = first.split()[:1] not in ([], then.split()[:1])
    assert (f"hook: its first line is replaced: {first} by {then}" in said) == is_replaced
    done(install(root, script, "--point", "qemu", "--python", "/usr/bin/python3.9"))
    assert (root / QEMU / "50-hook").read_text().startswith("#!/usr/bin/python3.9 -")


def test_a_program_is_installed_as_it_is(root: Path) -> None:
    done(install(root, Path(shutil.which("true") or ""), "--point", "qemu"))
    assert (root / QEMU / "50-true").read_bytes().startswith(b"\x7fELF")


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        (SHELL, [], "has no hook = hooking.Hook(), so say when it is called, as in: --point qemu/prepare"),
        ("x = (\n", [], "has no hook = hooking.Hook()"),
        (f"x = {'-' * 100_000}1\n", [], "has no hook = hooking.Hook()"),
        (SHELL, ["--point", "qemu/prepair"], "there is no hook point qemu/prepair; did you mean prepare"),
        (SHELL, ["--point", "after_vm_dehibernate"], "VDSM fails before it starts the script; leave it out"),
        (SHELL, ["--point", "qemu", "--name", "../evil"], "'../evil' is no name for a hook"),
        (SHELL, ["--point", "qemu", "--priority", "100"], "100 is not in the range 0<=x<=99"),
        ("exit 0\n", ["--point", "qemu"], "does not say what starts it; let its first line be #!/usr/bin/python3 -I"),
        ("#!/opt/bin/sh\n", ["--point", "qemu"], "/opt/bin/sh does not lie in /usr/bin, and AppArmor"),
        ("#!\n", ["--point", "qemu"], "does not lie in /usr/bin"),
        (SHELL.replace("bin/sh", "bin/python3"), ["--point", "qemu", "--python", "/opt/python3"], "/opt/python3 does"),
        ("#!/usr/bin/python3\n", ["--point", "qemu", "--python", "python3"], "python3 does not lie in /usr/bin"),
        ("import hooking\nhook = hooking.Hook()\n", [], "has no handler, so no host has to call it"),
        ("import nothing\nhook: nothing.Hook = Hook()\n", [], "cannot be loaded: No module named 'nothing'"),
        ("import hooking\nhook = hooking.Hook()\nraise SystemExit\n", [], "cannot be loaded: SystemExit"),
    ],
)
def test_what_cannot_be_installed_is_refused(
    text: str, arguments: list[str], message: str, root: Path, tmp_path: Path
) -> None:
    before = everything(root)
    refused(install(root, write(tmp_path / "hook", text), *arguments), message, 2)
    assert everything(root) == before


def test_a_script_that_others_can_write_is_refused(root: Path, tmp_path: Path) -> None:
    script = write(tmp_path / "hook.sh", SHELL, 0o775)
    refused(install(root, script, "--point", "qemu"), f"others can write to {script}", 2)


def test_folders_that_others_can_change_are_refused_and_links_are_not_followed(root: Path, tmp_path: Path) -> None:
    folder = root / "etc/libvirt/hooks"
    folder.chmod(0o775)
    before = everything(root)
    refused(install(root, PIN), f"others can write to {folder}, and change hooks; do: chmod go-w {folder}")
    folder.chmod(0o755)
    (tmp_path / "elsewhere").mkdir()
    (folder / "qemu.d").symlink_to(tmp_path / "elsewhere")
    refused(install(root, PIN), "qemu.d is no folder, and links are not followed")
    (folder / "qemu.d").unlink()
    folder.chmod(0o775)
    assert everything(root) == before
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_folder_of_somebody_else_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = root.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    if owner == 0:
        os.chown(root, 12345, -1)
    refused(install(root, PIN), "who could change hooks; do: chown root")


def test_what_is_not_from_here_is_left_alone(root: Path) -> None:
    (root / QEMU).mkdir(mode=0o755)
    write(root / QEMU / "50-pincpu", "theirs", 0o644)
    before = everything(root)
    refused(install(root, PIN, "--force"), "50-pincpu is not from here; move it away, or give another --name or")
    assert everything(root) == before
    (root / QEMU / "50-pincpu").unlink()
    (root / "etc/libvirt/hooks/.hooking-pincpu").mkdir()
    refused(install(root, PIN), ".hooking-pincpu is not from here; see what it is")
    refused(invoke("uninstall", "pincpu", "--root", root), "no hook pincpu was installed from here; there are: none")


def test_what_was_changed_is_kept_unless_forced(root: Path) -> None:
    before = everything(root)
    done(install(root, PIN))
    changed = write(root / QEMU / "50-pincpu", "changed")
    installed = everything(root)
    for again in (install(root, PIN), invoke("uninstall", "pincpu", "--root", root)):
        refused(again, f"{changed} was changed since it was installed, and is kept; --force")
        assert everything(root) == installed
    done(install(root, PIN, "--force"))
    assert changed.read_bytes() == PIN.read_bytes()
    changed.unlink()
    changed.symlink_to("/etc/passwd")
    refused(invoke("uninstall", "pincpu", "--root", root, "--force"), "is no file any more")
    changed.unlink()
    done(invoke("uninstall", "pincpu", "--root", root))
    assert everything(root) == before


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 2}', '{"version": 1, "name": "x"}'])
def test_a_manifest_that_is_none_is_told(text: str, root: Path) -> None:
    done(install(root, PIN))
    write(root / "var/lib/libvirt-hooking/pincpu.json", text, 0o600)
    refused(install(root, PIN), "pincpu.json is no manifest that this version wrote")


def test_two_do_not_install_at_once(root: Path) -> None:
    with Manifests(Tree(root)).lock():
        refused(install(root, PIN), "hooks are being installed or uninstalled; try again when that is done")
    assert not (root / "var/lib/libvirt-hooking").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("#!/bin/sh\necho no disk >&2; exit 3\n", "when it was tried, it ended with status 3: no disk"),
        ("#!/bin/sh\nkill -9 $$\n", "when it was tried, it ended with status -9\n"),
        ("#!/usr/bin/nothing-like-that\n", "was not installed"),
    ],
)
@pytest.mark.parametrize("point", ["qemu", "before_vm_start"])
def test_a_script_that_fails_its_trial_is_not_installed(
    text: str, message: str, point: str, root: Path, tmp_path: Path
) -> None:
    before = everything(root)
    script = write(tmp_path / "hook.sh", text)
    refused(install(root, script, "--point", point), message)
    assert everything(root) == before
    done(install(root, write(script, SHELL), "--point", "lxc"))
    before = everything(root)
    refused(install(root, write(script, text), "--point", point, "--point", "lxc"), message)
    assert everything(root) == before


def test_a_trial_calls_no_handler_but_that_of_reconnect(root: Path, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    body = f'open("{calls}", "a").write(hooking.current_context().op + " ")'
    script = write(tmp_path / "a.py", HOOK.format(points='"before_vm_start", "before_vdsm_start"', body=body))
    done(install(root, script))
    assert calls.read_text() == "reconnect "


def test_a_hook_for_every_kind_of_document_is_tried(root: Path, tmp_path: Path) -> None:
    said = done(install(root, write(tmp_path / "a.py", HOOK.format(points=POINTS, body=BODY))))
    assert said.count(" written") == 9


def test_a_script_without_handlers_that_gets_no_document_is_not_started(root: Path, tmp_path: Path) -> None:
    script = write(tmp_path / "hook.sh", f"#!/bin/sh\ntouch {tmp_path}/started\n")
    done(install(root, script, "--point", "after_vdsm_stop"))
    assert not (tmp_path / "started").exists()


def test_what_cannot_be_written_leaves_what_was_there(root: Path, tmp_path: Path, monkeypatch: Any) -> None:
    rename = os.rename

    def fail(source: str, target: str) -> None:
        if target.endswith("/50_hook") and "before" in target:
            raise OSError(28, "No space left on device")
        rename(source, target)

    script = write(tmp_path / "hook.sh", SHELL)
    empty = everything(root)
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", fail)
        refused(install(root, script, "--point", "qemu", "--point", "before_vm_start"), "No space left")
    assert everything(root) == empty
    done(install(root, script, "--point", "qemu"))
    before = everything(root)
    write(script, f"{SHELL}# new\n")
    monkeypatch.setattr(os, "rename", fail)
    points = ("--point", "lxc", "--point", "qemu", "--point", "before_vm_start")
    refused(install(root, script, *points), "No space left")
    assert everything(root) == before


def test_the_live_host_is_roots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    refused(invoke("uninstall", "nothing"), "only root changes the hooks of a host; become root, or give --root", 2)


@pytest.fixture
def live(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An image that is taken for the machine."""
    monkeypatch.setattr(Tree, "is_live", property(lambda tree: True))
    monkeypatch.setattr(installation_commands, "_require_root", lambda *_, **__: None)
    monkeypatch.setattr(installation, "_SELINUX", str(root / "selinux"))
    return root


def test_on_a_host_the_python_has_to_have_the_package(live: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (live / VDSM).parent.mkdir(parents=True)
    monkeypatch.setattr(scripts, "has_package", lambda _: False)
    refused(install(live, PIN), "/usr/bin/python3 has no libvirt-hooking; install it there", 2)
    monkeypatch.undo()
    monkeypatch.setattr(Tree, "is_live", property(lambda tree: True))
    monkeypatch.setattr(installation_commands, "_require_root", lambda *_, **__: None)
    python = os.path.realpath(sys.executable)
    monkeypatch.setattr(scripts, "PROGRAM_FOLDERS", (os.path.dirname(python),))
    monkeypatch.setattr(scripts, "PYTHON", sys.executable)
    done(install(live, PIN))
    assert (live / QEMU / "50-pincpu").read_text().startswith(f"#!{sys.executable} -I\n")
    assert (live / VDSM / "50_pincpu").exists()
    (live / VDSM / "50_pincpu").unlink()
    assert "-" in done(invoke("list", "--root", live))


def test_the_host_s_interpreter_is_resolved(live: Path, tmp_path: Path) -> None:
    (tmp_path / "sh").symlink_to("/bin/sh")
    script = write(tmp_path / "hook", f"#!{tmp_path}/sh\nexit 0\n")
    done(install(live, script, "--point", "qemu"))
    (tmp_path / "sh").unlink()
    (tmp_path / "sh").symlink_to(write(tmp_path / "bin-sh", SHELL))
    profiles = live / "sys/kernel/security/apparmor/profiles"
    profiles.parent.mkdir(parents=True)
    profiles.write_text("virtqemud (enforce)\n")
    refused(install(live, script, "--point", "qemu"), "does not lie in /usr/bin", 2)
    profiles.write_text("cupsd (enforce)\n")
    warned = (
        f"{tmp_path}/sh does not lie in /usr/bin, and AppArmor lets libvirt start nothing else; it does not confine"
    )
    assert warned in done(install(live, script, "--point", "qemu"))
    profiles.unlink()
    assert warned in done(install(live, script, "--point", "qemu"))
    profiles.mkdir()
    refused(install(live, script, "--point", "qemu"), "does not lie in /usr/bin", 2)


def test_selinux_contexts_are_restored_before_the_host_sees_a_file(
    live: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (live / "selinux").touch()
    log = tmp_path / "log"
    text = f'#!/bin/sh\necho "$@" >> {log}\n[ -e {live}/{QEMU}/50-hook ] && exit 1\nexit 0\n'
    monkeypatch.setattr(installation, "_RESTORECON", str(write(tmp_path / "restorecon", text)))
    script = write(tmp_path / "hook", SHELL)
    done(install(live, script, "--point", "qemu"))
    hooks = "/etc/libvirt/hooks"
    assert log.read_text().splitlines() == [f"-F {hooks}/qemu.d", f"-F {hooks}/.hooking-hook/50-hook"]
    installed = everything(live)
    write(tmp_path / "restorecon", "#!/bin/sh\necho no policy >&2\nexit 1\n")
    refused(install(live, script, "--point", "qemu"), "restorecon failed: no policy")
    assert everything(live) == installed


def test_the_daemons_that_see_the_folder_are_reloaded(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[int, int]] = []
    (root / "etc/libvirt/hooks/qemu").unlink()
    for number, name in enumerate(("libvirtd", "virtqemud", "virtlxcd", "virtlogd"), 10):
        plant_daemon(root, number, name)
    plant_daemon(root, 20, "libvirtd", sees=tmp_path)
    monkeypatch.setattr(os, "kill", lambda number, which: sent.append((number, which)))
    script = write(tmp_path / "hook", SHELL)
    said = done(install(root, script, "--point", "qemu"))
    assert "counts when the daemon is reloaded (libvirtd, virtqemud): hooking reload" in said
    assert "virtqemud (process 11) would be" in done(install(root, script, "--point", "qemu", "--reload", "--dry-run"))
    assert sent == []
    assert "libvirtd (process 10) reloaded" in done(install(root, script, "--point", "qemu", "--reload"))
    assert sent == [(10, signal.SIGHUP), (11, signal.SIGHUP)]
    done(install(root, script, "--point", "before_vm_start", "--reload"))
    assert len(sent) == 2
    done(install(root, script, "--point", "daemon", "--reload"))
    assert [number for number, _ in sent[2:]] == [10, 11, 12]


def doctor(root: Path) -> set[str]:
    rows = json.loads(invoke("doctor", "--root", root, "--json").stdout)["findings"]
    return {row["code"] for row in rows if row["code"].startswith("D")}


def test_a_daemon_that_knows_of_a_script_needs_no_reload_for_another(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "run").mkdir()
    (root / "etc/libvirt/hooks/qemu").unlink()
    plant_daemon(root, 10, "libvirtd", start=900)
    script = write(tmp_path / "hook", SHELL)
    monkeypatch.setattr(os, "kill", lambda *_: None)
    assert "hooking reload" in done(install(root, script, "--point", "qemu"))
    assert doctor(root) == {"D103"}
    done(invoke("reload", "--root", root))
    for text in "#1\n", "#2\n":
        write(script, SHELL + text)
        assert "hooking reload" not in done(install(root, script, "--point", "qemu"))
        assert doctor(root) == set()
    assert "hooking reload" in done(install(root, script, "--point", "qemu", "--point", "lxc", "--dry-run"))


def test_a_script_that_failed_is_known_to_the_daemon(root: Path) -> None:
    plant_daemon(root, 10, "libvirtd")
    assert doctor(root) == {"D103"}
    log = root / "var/log/libvirt/libvirtd.log"
    log.parent.mkdir(parents=True)
    text = "(LC_ALL=C /etc/libvirt/hooks/qemu web01 prepare begin -) status 3"
    for year, known in ("1999", False), ("2999", True):
        head = f"{year}-11-21 01:38:00.202+0000: 77: error : "
        log.write_text(f"{head}virCommandWait:1 : {text}\n{head}virRunScript:1 : {text}\n")
        assert (doctor(root) == set()) == known


def test_what_is_installed_counts_also_if_nobody_can_be_told(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    plant_daemon(root, 10, "libvirtd")
    sent: list[int] = []
    monkeypatch.setattr(os, "kill", lambda process, _: sent.append(process))
    script = write(tmp_path / "hook", SHELL)
    for command, *given in (
        (install_command, str(script), "--point", "qemu", "--reload"),
        (uninstall_command, "hook"),
    ):
        with open("/dev/full", "w", encoding="utf-8") as full, monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", full)
            with pytest.raises(SystemExit) as caught:
                command.main([*given, "--root", str(root)])
        assert caught.value.code == 0
        assert "done, but standard output cannot be written: No space left on device" in capfd.readouterr().err
        assert (root / QEMU / "50-hook").exists() == (command is install_command)
    assert sent == [10]


def test_a_hook_on_a_host_without_vdsm_is_put_into_libvirt_s_folders_alone(
    live: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripts, "_choose_python", lambda *_, **__: sys.executable)
    text = HOOK.format(points='"before_vm_start"', body=BODY)
    said = done(install(live, write(tmp_path / "a.py", text)))
    assert "its handlers for VDSM are left out, as VDSM is not on this host; --point puts them there" in said
    assert (live / QEMU / "50-a").exists()
    assert not (live / "usr").exists()
    of_qemu = "import hooking\nhook = hooking.Hook()\n@hook.qemu('migrate')\ndef handle(domain, context):\n    pass\n"
    assert "left out" not in done(install(live, write(tmp_path / "d.py", of_qemu), "--priority", "60"))
    of_vdsm = write(
        tmp_path / "b.py", text.replace("hook.qemu", "hook.vdsm").replace('"reconnect"', '"before_vm_pause"')
    )
    lines = [
        line for line in of_vdsm.read_text().splitlines() if not line.startswith(("@hook.n", "@hook.d", "@hook.b"))
    ]
    write(of_vdsm, "\n".join(lines))
    refused(install(live, of_vdsm), "all its handlers are for VDSM, which is not on this host", 2)
    done(install(live, of_vdsm, "--point", "before_vm_start"))
    said = done(install(live, write(tmp_path / "c.py", text)))
    assert "left out" not in said


def test_what_is_no_file_is_not_waited_for(root: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "hook.py", 0o600)
    refused(install(root, tmp_path / "hook.py", "--point", "qemu"), "hook.py is no regular file, so it is no script", 2)
    with (tmp_path / "large").open("wb") as file:
        file.truncate(2**27)
    refused(install(root, tmp_path / "large", "--point", "qemu"), "large has more than 64 MiB", 2)


def test_a_script_that_is_nested_too_deeply_has_no_hook(root: Path, tmp_path: Path) -> None:
    script = write(tmp_path / "hook.py", f"x = {' + '.join(['1'] * 9000)}\n")
    refused(install(root, script), "has no hook = hooking.Hook()", 2)


def test_a_comment_needs_no_package(live: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts, "has_package", lambda _: False)
    script = write(tmp_path / "hook.py", "#!/usr/bin/python3 -I\n# without import hooking\n")
    done(install(live, script, "--point", "qemu"))


def test_installed_files_that_do_not_run_are_listed_and_changed_ones_found(root: Path) -> None:
    done(install(root, PIN))
    assert "does not run" not in invoke("list", "--root", root).output
    assert "D212" not in doctor(root)
    (root / QEMU / "50-pincpu").chmod(0o644)
    (root / VDSM / "50_pincpu").unlink()
    said = invoke("list", "--root", root).output
    assert f"/{QEMU}/50-pincpu is not executable, so it does not run" in said
    assert f"/{VDSM}/50_pincpu is gone, so it does not run" in said
    write(root / QEMU / "50-pincpu", SHELL)
    assert "D212" in doctor(root)
    write(root / "var/lib/libvirt-hooking/pincpu.json", "x", 0o600)
    assert "D212" not in doctor(root)


def test_a_host_without_scripts_has_no_hooks(root: Path) -> None:
    (root / "etc/libvirt/hooks/qemu").unlink()
    assert done(invoke("list", "--root", root)) == "no hooks\n"


def test_the_list_has_what_the_hosts_run_in_their_order(root: Path) -> None:
    assert json.loads(done(invoke("list", "--root", root, "lxc", "--json"))) == []
    done(install(root, PIN))
    write(root / QEMU / "60-pin", SHELL)
    write(root / QEMU / "10-theirs", SHELL)
    write(root / QEMU / "README", SHELL, 0o644)
    write(root / VDSM / "50_pincpu", "changed")
    rows = json.loads(done(invoke("list", "--root", root, "--json")))
    assert [(row["path"], row["hook"], row["changed"]) for row in rows] == [
        ("/etc/libvirt/hooks/qemu", None, False),
        (f"/{QEMU}/10-theirs", None, False),
        (f"/{QEMU}/50-pincpu", "pincpu", False),
        (f"/{QEMU}/60-pin", None, False),
        (f"/{VDSM}/50_pincpu", "pincpu", True),
    ]
    called = ScriptFolder(root / "etc/libvirt/hooks", {}, this_python=True)
    ran = [path for path, _ in called.call("qemu", ["web01", "reconnect", "begin", "-"], None).scripts]
    assert ran == [f"{root}{row['path']}" for row in rows[:4]]
    shown = done(invoke("list", "--root", root, "before_vm_start"))
    assert "pincpu (changed)" in shown
    assert rows[4]["sha256"][:12] in shown
    assert "qemu" not in shown


def test_the_list_tells_what_the_daemon_does_not_run(root: Path) -> None:
    write(root / "etc/libvirt/hooks/qemu", SHELL, 0o644)
    write(root / "etc/libvirt/hooks/qemu.d", SHELL)
    shown = invoke("list", "--root", root)
    assert shown.exit_code == 0
    assert "Non-executable hook script" in shown.output
    assert "cannot open directory" in shown.output


def test_what_is_loaded_is_what_was_read(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "hook.py", HOOK.format(points='"before_vm_start"', body="pass"))
    text = path.read_text()

    def swap(data: bytes) -> bytes:
        write(path, "raise RuntimeError('somebody else was here')")
        return data

    monkeypatch.setattr(scripts, "source_of", swap)
    done(install(root, path))
    assert text in (root / QEMU / "50-hook").read_text()


def test_a_hook_with_a_module_beside_it_is_for_a_bundle(root: Path, tmp_path: Path) -> None:
    write(tmp_path / "beside.py", "")
    path = write(tmp_path / "hook.py", "import beside\nimport hooking\nhook = hooking.Hook()\n")
    refused(install(root, path), "one file of script and modules is what hooking bundle makes", 2)


def test_a_list_that_cannot_be_seen_is_not_empty(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root / "etc/libvirt/hooks/README", "")
    invoke("list", "--root", root)
    (root / "usr/libexec/vdsm").mkdir(parents=True)

    def deny(folder: str) -> list[str]:
        raise PermissionError(13, "Permission denied", folder)

    monkeypatch.setattr(os, "listdir", deny)
    refused(invoke("list", "--root", root), "Permission denied", 1)


def test_the_list_of_an_ordinary_user(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done(install(root, PIN))

    def deny(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Manifests, "load", deny)
    monkeypatch.setattr(listing, "checksum", deny)
    monkeypatch.setattr("pwd.getpwuid", lambda number: {}[number])
    shown = invoke("list", "--root", root)
    assert shown.exit_code == 0
    assert f"{root}{FOLDER} is root's" in shown.output
    assert f"{os.geteuid()}  " in shown.output
    assert "changed" not in shown.output


def in_a_child(root: Path, command: click.Command, arguments: list[str], tracer: Callable[[], Any]) -> bool:
    """Run a command in a process of its own, which `tracer` watches; tell whether it came to its end."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            sys.settrace(tracer())
            command.main([*arguments, "--root", str(root)], standalone_mode=False)
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL), status
    return status == 0


@pytest.mark.parametrize("what", ["first", "upgrade", "uninstall"])
def test_a_kill_at_any_moment_leaves_the_old_or_the_new(
    what: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before, new = everything(root), f"{SHELL}# new\n"
    old = None if what == "first" else SHELL
    hooks = [root / QEMU / "50-hook", root / VDSM / "50_hook"]
    manifest = root / "var/lib/libvirt-hooking/hook.json"
    script = tmp_path / "hook.sh"
    points = ["--point", "qemu", "--point", "before_vm_start"]
    command, given = (uninstall_command, ["hook"]) if what == "uninstall" else (install_command, [str(script), *points])
    seen: set[str | None] = set()
    line, kills, ended = 1, 0, False
    while not ended:
        if old:
            done(install(root, write(script, old), *points))
        write(script, new)
        ended = in_a_child(root, command, given, partial(killer, line))
        found = [path.read_text() if path.exists() else None for path in hooks]
        assert set(found) <= {old, None if what == "uninstall" else new}
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o755 for path in hooks if path.exists())
        seen.update(found)
        if kills % 2 or not manifest.exists():
            done(install(root, script, *points))
            assert [path.read_text() for path in hooks] == [new, new]
        done(invoke("uninstall", "hook", "--root", root))
        assert everything(root) == before, line
        kills += not ended
        line += 1 + STEP
    assert kills > 5
    assert len(seen) == 2
