"""The ``hooking`` command, and starting scripts as the hosts do."""

from __future__ import annotations

import io
import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hooking import cli, points
from hooking.cli.command import hooking
from hooking.exceptions import HookError
from hooking.testing.difference import unified_diff
from hooking.testing.life_cycles import LIFE_CYCLES, Options
from support import DOMAIN, TEMPLATES

PIN = TEMPLATES / "pincpu" / "pincpu.py"
STAY = TEMPLATES / "cantmigrate" / "cantmigrate.py"


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(hooking, arguments)


def script(tmp_path: Path, text: str, name: str = "script") -> Path:
    path = tmp_path / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_run_shows_the_change_the_status_and_what_the_host_does() -> None:
    shown = invoke("run", str(PIN), "qemu/migrate")
    assert shown.exit_code == 0
    assert '-  <vcpu placement="static">2</vcpu>\n+  <vcpu cpuset="0-1" placement="static">2</vcpu>' in shown.output
    assert "qemu/migrate web01: exit status 0 after" in shown.output
    assert "libvirt goes on with the hook's domain" in shown.output


def test_run_with_properties_an_object_and_a_document(tmp_path: Path) -> None:
    document = tmp_path / "domain.xml"
    document.write_text("<domain><name>db01</name><vcpu>4</vcpu></domain>")
    shown = invoke("run", str(PIN), "before_vm_start", "--document", str(document), "--property", "pincpu=3=")
    assert shown.exit_code == 1
    assert "custom property pincpu: '3=' is not a set of CPUs" in shown.output
    assert "exit status 2" in shown.output
    assert "the guest is not started: script" not in shown.output
    shown = invoke("run", str(PIN), "qemu/restore", "--document", str(document), "--object", "db01")
    assert "(no change)" in shown.output
    assert "; libvirt goes on" in shown.output


def test_a_refusal_is_status_1_of_the_command() -> None:
    shown = invoke("run", str(STAY), "before_vm_migrate_source", "--property", "cantmigrate=1")
    assert shown.exit_code == 1
    assert "the custom property cantmigrate keeps this guest on its host" in shown.output
    assert "the guest is not migrated: " in shown.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["qemu/migarte"], "there is no hook point qemu/migarte; did you mean migrate?"),
        (["qemu/migrate", "--property", "x"], "'x' is not NAME=VALUE"),
        (["before_vm_start", "--property", "=x"], "'=x' is not NAME=VALUE"),
        (["qemu/migrate", "--timeout", "nan"], "nan s is no time to wait; give more than 0 and at most a day"),
        (["qemu/migrate", "--timeout", "0"], "0 s is no time to wait"),
        (["qemu/migrate", "--timeout", "inf"], "inf s is no time to wait"),
        (["guest", "--object", "x"], "--object has no effect on guest; name it in --document"),
        (["vm", "--extra", "x"], "--extra has no effect on vm"),
        (["network", "--property", "a=b"], "--property has no effect on network"),
        (["vm", "--driver", "lxc"], "--driver has no effect on vm"),
        (["qemu/start", "--driver", "lxc"], "--driver has no effect on qemu/start"),
        ([str(PIN), "guest"], "two scripts have the same name, and so the same place on a host"),
        (["qemu/migrate", "--document", "/no/such"], "No such file or directory"),
    ],
)
def test_wrong_use_is_status_2(arguments: list[str], message: str) -> None:
    shown = invoke("run", str(PIN), *arguments)
    assert shown.exit_code == 2
    assert message in shown.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--property", "a b=x"], "'a b' is not a name of English letters, digits and -._ that starts with a letter"),
        (["--property", "a=\x01"], r"'\x01' is not text that XML can hold"),
    ],
)
def test_a_value_that_is_none_is_one_line(arguments: list[str], message: str) -> None:
    shown = invoke("run", str(PIN), "qemu/migrate", *arguments)
    assert (shown.exit_code, shown.output.count("\n")) == (2, 1)
    assert message in shown.output


def test_what_a_script_says_cannot_command_the_terminal(tmp_path: Path) -> None:
    path = script(tmp_path, "#!/bin/sh\nprintf '\\033[2Jred\\n' >&2\n")
    assert r"\x1b[2Jred" in invoke("run", str(path), "qemu/start").output


def test_a_document_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    document = tmp_path / "x"
    document.write_text("no XML")
    shown = invoke("run", str(PIN), "qemu/migrate", "--document", str(document))
    assert (shown.exit_code, shown.output.count("\n")) == (2, 1)
    assert shown.output.startswith("Error: the document is not XML that a host writes")


def test_points_shows_the_table() -> None:
    shown = invoke("points", "migrate")
    assert shown.exit_code == 0
    assert "before_vm_migrate_source" in shown.output
    assert "before_vm_start" not in shown.output
    rows = json.loads(invoke("points", "--json").output)
    assert [row["name"] for row in rows] == [point.name for point in points.all_points()]
    assert {row["document"] for row in rows} >= {"device?", "domain", None}


def test_the_module_is_the_command() -> None:
    shown = subprocess.run([sys.executable, "-m", "hooking", "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("hooking, version 0.")


def test_the_module_is_the_command_in_this_process_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["hooking", "points"])
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(Path(cli.__file__).parents[1] / "__main__.py"), run_name="__main__")
    assert caught.value.code == 0


def test_without_its_packages_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "click", None)
    monkeypatch.delitem(sys.modules, "hooking.cli.command")
    with pytest.raises(SystemExit, match=r"the hooking command needs click: pip install 'libvirt-hooking\[cli\]'"):
        cli.main()


def test_a_diff_shows_only_what_differs() -> None:
    assert unified_diff(b"<a x='1'><b/></a>", b'<a x="1">\n  <b></b>\n</a>') == []
    assert unified_diff(b'{"a":1}', b'{ "a": 2 }')[-3:] == ['-  "a": 1', '+  "a": 2', " }"]
    assert unified_diff(b"<a>", b"<b>")[-2:] == ["-<a>", "+<b>"]
    assert unified_diff(b"[" * 100_000, b"[" * 100_000) == []


@pytest.mark.parametrize("name", LIFE_CYCLES)
def test_every_life_cycle_can_be_played(name: str, tmp_path: Path) -> None:
    options = ["--property", "pincpu=0-1"] if "--property" in LIFE_CYCLES[name].takes else []
    shown = invoke("run", str(script(tmp_path, "#!/bin/sh\nexit 0\n")), name, *options)
    assert shown.exit_code == 0, shown.output
    assert shown.output.count("exit status 0 after") > 3


ACTING = """#!/usr/bin/python3 -I
import hooking
hook = hooking.Hook()
@hook.qemu("prepare", "migrate")
def act(domain, context):
    state = hooking.state(context)
    hooking.stop_units(state, "display-manager")
    hooking.bind_to_vfio(state)
    hooking.reserve_hugepages(state, 4)
    hooking.forward_port(state, 8080, "192.168.122.4")
@hook.qemu("release")
def undo(domain, context):
    hooking.state(context).undo()
if __name__ == "__main__":
    hook.run()
"""


def test_what_a_script_does_on_the_host_is_shown_and_not_done(tmp_path: Path) -> None:
    script = tmp_path / "act.py"
    script.write_text(ACTING)
    shown = invoke("run", str(script), "qemu/prepare").output
    assert "on the host: systemctl stop display-manager.service" in shown
    assert "on the host: /sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages: 0 → 2" in shown


def test_the_host_has_the_devices_that_the_guest_is_to_have(tmp_path: Path) -> None:
    script, document = tmp_path / "act.py", tmp_path / "domain.xml"
    script.write_text(ACTING)
    address = "<source><address domain='0x0000' bus='0x0b' slot='0x00' function='0x0'/></source>"
    device = f"<devices><hostdev mode='subsystem' type='pci'>{address}</hostdev>"
    document.write_text(DOMAIN.replace("<devices>", device))
    shown = invoke("run", str(script), "qemu/prepare", "--document", str(document))
    assert shown.exit_code == 0, shown.output
    assert re.search(r"0000:0b:00.0/driver: \S+/nvidia → \S+/vfio-pci", shown.output)


def test_a_host_that_cannot_be_simulated_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise HookError("taskset is not installed")

    monkeypatch.setattr(Options, "host", fail)
    shown = invoke("run", str(PIN), "before_vm_start")
    assert (shown.exit_code, shown.output) == (2, "Error: taskset is not installed\n")


@pytest.mark.parametrize("life_cycle", ["guest", "guest-migration"])
def test_a_life_in_which_all_was_undone_says_so(tmp_path: Path, life_cycle: str) -> None:
    script = tmp_path / "act.py"
    script.write_text(ACTING)
    shown = invoke("run", str(script), life_cycle)
    assert shown.exit_code == 0, shown.output
    assert shown.output.endswith("on the host: nothing has changed in the end\n")


def test_a_life_cycle_shows_when_what_was_called_and_changed() -> None:
    shown = invoke("run", str(PIN), "guest-migration").output
    assert '+  <vcpu cpuset="0-1" placement="static">2</vcpu>' in shown
    calls = re.findall(r"^ *[0-9]+ ms  (\S+) (?:web01|lan): exit status 0", shown, re.MULTILINE)
    start = ["qemu/prepare", "qemu/start", "qemu/started"]
    assert calls == [*start, "qemu/migrate", *start, "qemu/stopped", "qemu/release"]


def test_a_life_cycle_that_a_script_stops(tmp_path: Path) -> None:
    path = script(tmp_path, '#!/bin/sh\n[ "$2" != start ] || { echo "no GPU" >&2; exit 1; }\n', "qemu")
    shown = invoke("run", str(path), "guest", "--driver", "qemu")
    assert shown.exit_code == 1
    assert "the guest is not started: no GPU" in shown.output
    assert shown.output.count("qemu/") == 4
    assert "network/port-created lan: no script; libvirt goes on" in shown.output


@pytest.mark.parametrize(("place", "called"), [("qemu.d", "qemu"), ("network.d", "network"), ("x", "both")])
def test_a_script_is_called_where_its_folder_tells(tmp_path: Path, place: str, called: str) -> None:
    (tmp_path / place).mkdir()
    path = script(tmp_path / place, "#!/bin/sh\nexit 0\n")
    shown = invoke("run", str(path), "guest").output
    assert ("qemu/start web01: exit status 0" in shown) == (called in ("qemu", "both"))
    assert ("network/port-created lan: exit status 0" in shown) == (called in ("network", "both"))


def test_a_vdsm_script_is_called_where_its_folder_tells(tmp_path: Path) -> None:
    (tmp_path / "before_vm_start").mkdir()
    path = script(tmp_path / "before_vm_start", "#!/bin/sh\nexit 0\n")
    shown = invoke("run", str(path), "vm").output
    assert shown.count("exit status 0") == 1


def test_a_hook_is_called_where_it_has_handlers() -> None:
    shown = invoke("run", str(PIN), "guest").output
    assert "qemu/start web01: exit status 0" in shown
    assert "network/port-created lan: no script" in shown
    shown = invoke("run", str(PIN), "vm", "--property", "pincpu=0-1").output
    assert shown.count(": exit status 0") == 1


def test_a_hook_that_cannot_be_loaded_is_called_everywhere(tmp_path: Path) -> None:
    path = script(tmp_path, "#!/usr/bin/python3 -I\nimport hooking\nhook = hooking.Hook()\nraise SystemExit\n")
    assert "network/port-created lan: exit status 0" in invoke("run", str(path), "guest").output


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("qemu/prepair", "there is no hook point qemu/prepair; did you mean prepare"),
        ("before_vm_strat", "did you mean before_vm_start"),
        ("zzz", "there is no hook point zzz; see: hooking points"),
    ],
)
def test_points_that_are_none(pattern: str, message: str) -> None:
    shown = invoke("points", pattern)
    assert (shown.exit_code, message in shown.output) == (2, True)


def started(*arguments: str, out: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hooking", *arguments]
    with open(out or os.devnull, "w", encoding="utf-8") as full:
        return subprocess.run(
            command,
            stdout=full if out else subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            check=False,
            env={**os.environ, **environ},
        )


@pytest.mark.parametrize("arguments", [["points"], ["doctor", "--root", "{root}"], ["list", "--root", "{root}"]])
def test_output_that_cannot_be_written_is_told_in_a_line(arguments: list[str], tmp_path: Path) -> None:
    ended = started(*(argument.format(root=tmp_path) for argument in arguments), out="/dev/full")
    message = "hooking: standard output cannot be written: No space left on device\n"
    assert (ended.returncode, ended.stderr) == (1, message)


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_closed_output_is_nobodys_business(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, name, None)
    monkeypatch.setattr(sys, "argv", ["hooking", "points"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    getattr(sys, name).close()
    assert ended.value.code == 0


def test_vdsm_fails_where_it_calls_no_script(tmp_path: Path) -> None:
    shown = invoke("run", str(script(tmp_path, "#!/bin/sh\necho here >&2\n")), "after_vm_dehibernate")
    assert (shown.exit_code, "here" in shown.output) == (2, False)
    assert "after_vm_dehibernate: VDSM fails before it starts the script" in shown.output


def test_a_document_that_cannot_be_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = invoke("run", str(PIN), "qemu/migrate", "--document", "/proc/self/mem")
    assert (shown.exit_code, "/proc/self/mem cannot be read: Input/output error" in shown.output) == (2, True)


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_terminal_may_lack_characters(encoding: str, tmp_path: Path) -> None:
    assert started("check", "--help", PYTHONIOENCODING=encoding).returncode == 0
    path = script(tmp_path, "#!/bin/sh\necho \u65e5\n", "\u65e5\u672c")
    ended = started("run", str(path), "qemu/start", PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False)


def fail(error: OSError) -> Callable[..., None]:
    def run(**_: str) -> None:
        raise error

    return run


def test_what_goes_wrong_with_output_only_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", io.StringIO())
        patch.setattr("hooking.cli.command.hooking", fail(FileNotFoundError(2, "none", "x")))
        with pytest.raises(FileNotFoundError):
            cli.main()
    monkeypatch.setattr("hooking.cli.command.hooking", fail(OSError(28, "No space")))
    with (tmp_path / "out").open("w") as out, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        with pytest.raises(SystemExit) as caught:
            cli.main()
    assert caught.value.code == 1
    assert "standard output cannot be written: No space" in capfd.readouterr().err


def test_a_life_cycle_ends_where_vdsm_gives_up(tmp_path: Path) -> None:
    (tmp_path / "before_nic_hotplug").mkdir()
    path = script(tmp_path / "before_nic_hotplug", "#!/bin/sh\nexit 2\n")
    shown = invoke("run", str(path), "vm-card")
    assert shown.exit_code == 1
    assert "hotunplug" not in shown.output


def test_several_scripts_at_one_point(tmp_path: Path) -> None:
    second = script(tmp_path, "#!/bin/sh\ncat | sed 's/<title>/<title>second /'\n", "zz")
    shown = invoke("run", str(PIN), str(second), "qemu/migrate", "--object", "web01").output
    assert "+  <title>second Web server" in shown
    assert '+  <vcpu cpuset="0-1"' in shown


def test_a_script_that_hangs_the_host(tmp_path: Path) -> None:
    path = script(tmp_path, "#!/bin/sh\nsleep 30 &\n")
    shown = invoke("run", str(path), "qemu/start", "--timeout", "0.5")
    assert shown.exit_code == 1
    assert "libvirt would hang here: " in shown.output


def test_a_network_that_a_script_keeps_down_is_not_changed(tmp_path: Path) -> None:
    path = script(tmp_path, '#!/bin/sh\n[ "$2" != start ]\n', "network")
    shown = invoke("run", str(path), "network")
    assert (shown.exit_code, shown.output.count("network/")) == (1, 1)
    assert "the network is not started: exit status 1, without a word" in shown.output


def test_a_life_cycle_that_cannot_go_on_shows_how_far_it_came() -> None:
    shown = invoke("run", str(PIN), "guest-revert", "--driver", "bhyve")
    assert shown.exit_code == 2
    assert "bhyve/started" in shown.output
    assert "Error: the bhyve driver cannot revert a guest; qemu can" in shown.output


def test_what_a_host_is_told_cannot_command_the_terminal() -> None:
    shown = invoke("run", str(PIN), "qemu/start", "--object", "a\x1b[31mb")
    assert r"qemu/start a\x1b[31mb: exit status 0" in shown.output


@pytest.mark.parametrize("name", sorted(hooking.commands))
def test_the_help_of_every_command_has_an_example(name: str) -> None:
    assert re.search(rf"Examples?:\n(.*\n)* +(exec )?hooking {name} ?", invoke(name, "--help").output)


def test_the_help_has_its_examples_line_by_line() -> None:
    help_ = invoke("run", "--help").output
    assert "\n    hooking run ./pin.py guest-migration\n" in help_.replace("      hooking", "    hooking")
    assert "\\b" not in help_
    for name in LIFE_CYCLES:
        assert f"  {name} " in help_
