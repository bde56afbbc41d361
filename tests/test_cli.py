"""The ``hooking`` command, and starting scripts as the hosts do."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hooking import cli, points
from hooking.cli.command import hooking
from hooking.exceptions import HookError, InvocationError
from hooking.points import Point
from hooking.testing.difference import unified_diff
from hooking.testing.executable import Ended, sample, start
from support import TEMPLATES

PIN = TEMPLATES / "stay_and_pin.py"


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
    assert '-  <vcpu placement="static">2</vcpu>\n+  <vcpu placement="static" cpuset="0-1">2</vcpu>' in shown.output
    assert "qemu/migrate: exit status 0 after" in shown.output
    assert "libvirt goes on with the script's document" in shown.output


def test_run_with_properties_an_object_and_a_document(tmp_path: Path) -> None:
    document = tmp_path / "domain.xml"
    document.write_text("<domain><name>db01</name><vcpu>4</vcpu></domain>")
    shown = invoke("run", str(PIN), "before_vm_start", "--document", str(document), "--property", "pincpu=3=")
    assert shown.exit_code == 1
    assert "/domain/vcpu/@cpuset: '3=' is not a set of CPUs" in shown.output
    assert "exit status 2" in shown.output
    assert "VDSM aborts the start" in shown.output
    shown = invoke("run", str(PIN), "qemu/restore", "--document", str(document), "--object", "db01")
    assert "(no change)" in shown.output
    assert "libvirt goes on with its own document" in shown.output


def test_a_refusal_is_status_1_of_the_command() -> None:
    shown = invoke("run", str(PIN), "before_vm_migrate_source", "--property", "cantmigrate=1")
    assert shown.exit_code == 1
    assert "the USB dongle is plugged into this host" in shown.output
    assert "VDSM aborts the migration" in shown.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["qemu/migarte"], "there is no hook point qemu/migarte; see: hooking points"),
        (["qemu/migrate", "--property", "x"], "'x' is not NAME=VALUE"),
        (["before_vm_start", "--property", "=x"], "'=x' is not NAME=VALUE"),
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
        (["--timeout", "nan"], "nan s is no time to wait"),
        (["--timeout", "0"], "0 s is no time to wait"),
        (["--timeout", "inf"], "inf s is no time to wait"),
    ],
)
def test_a_value_that_is_none_is_one_line(arguments: list[str], message: str) -> None:
    shown = invoke("run", str(PIN), "qemu/migrate", *arguments)
    assert (shown.exit_code, shown.output.count("\n")) == (1, 1)
    assert message in shown.output


def test_what_a_script_says_cannot_command_the_terminal(tmp_path: Path) -> None:
    path = script(tmp_path, "#!/bin/sh\nprintf '\\033[2Jred\\n' >&2\n")
    assert r"\x1b[2Jred" in invoke("run", str(path), "qemu/start").output


def test_a_script_may_ruin_its_file(tmp_path: Path) -> None:
    path = script(tmp_path, '#!/bin/sh\nrm "$_hook_domxml" && mkdir "$_hook_domxml"\n')
    assert start(path, points.find("vdsm", "before_vm_start")).after == b""


def test_a_document_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    document = tmp_path / "x"
    document.write_text("no XML")
    shown = invoke("run", str(PIN), "qemu/migrate", "--document", str(document))
    assert (shown.exit_code, shown.output.count("\n")) == (1, 1)
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
        runpy.run_module("hooking")
    assert caught.value.code == 0


def test_without_its_packages_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "click", None)
    monkeypatch.delitem(sys.modules, "hooking.cli.command")
    with pytest.raises(SystemExit, match=r"the hooking command needs click: pip install 'libvirt-hooking\[cli\]'"):
        cli.main()


SHOW = """#!/bin/sh
for argument in "$0" "$@"; do echo "argument $argument" >&2; done
env >&2
pwd >&2
readlink /proc/self/fd/0 >&2
cat >&2
"""


def test_a_script_is_started_as_libvirt_does(tmp_path: Path) -> None:
    ended = start(
        script(tmp_path, SHOW, "it's a script"), points.find("qemu", "release"), object="a b", extra="from snapshot"
    )
    lines = ended.stderr.splitlines()
    assert lines[0].endswith("/hooks/qemu.d/it's a script")
    assert lines[1:5] == ["argument a b", "argument release", "argument end", "argument from snapshot"]
    assert "LC_ALL=C" in lines
    names = {line.partition("=")[0] for line in lines[5:] if line[:1].isupper() or line.startswith("_=")}
    assert names <= {
        "LC_ALL",
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "TMPDIR",
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "PWD",
        "_",
        "SHLVL",
    }
    assert "/" in lines
    assert any(line.startswith("pipe:") for line in lines)
    assert "<domain type='qemu'>" in lines


def test_a_script_is_started_as_vdsm_does(tmp_path: Path) -> None:
    ended = start(script(tmp_path, SHOW), points.find("vdsm", "before_vm_start"), custom_properties={"pincpu": "1"})
    lines = ended.stderr.splitlines()
    assert lines[0].endswith("/hooks/before_vm_start/script")
    assert {"pincpu=1", "LC_ALL=C.UTF8", "PYTHONPATH=/usr/libexec/vdsm", "/dev/null"} <= set(lines)
    assert any(line.startswith("vmId=") for line in lines)
    assert not any(line.startswith("argument") for line in lines[1:])
    ended = start(
        script(tmp_path, SHOW), points.find("vdsm", "before_network_setup"), custom_properties={"pincpu": "1"}
    )
    assert "vmId" not in ended.stderr
    assert "_hook_json=" in ended.stderr


def test_the_daemon_hook_gets_no_document(tmp_path: Path) -> None:
    ended = start(script(tmp_path, SHOW, "daemon"), points.find("daemon", "start"))
    assert ended.stderr.splitlines()[:5][1:] == ["argument -", "argument start", "argument -", "argument start"]
    assert "/hooks/daemon\n" in ended.stderr
    assert "/dev/null" in ended.stderr


def test_properties_of_libvirt_go_into_the_metadata(tmp_path: Path) -> None:
    cat = script(tmp_path, "#!/bin/sh\ncat >&2\n")
    for point in ("migrate", "start"):
        ended = start(
            cat, points.find("qemu" if point == "migrate" else "network", point), custom_properties={"a": "b"}
        )
        assert '<hooking:properties xmlns:hooking="urn:libvirt-hooking:1"><hooking:a>b</hooking:a>' in ended.stderr
    assert start(cat, points.find("daemon", "start"), custom_properties={"a": "b"}).before == b""


@pytest.mark.parametrize(
    ("output", "status", "taken"),
    [("<domain/>", 0, True), ("  \n", 0, False), ("<domain/>", 3, False)],
)
def test_libvirt_takes_output_that_is_not_blank_from_a_script_that_succeeded(
    tmp_path: Path, output: str, status: int, *, taken: bool
) -> None:
    ended = start(script(tmp_path, f"#!/bin/sh\necho '{output}'; exit {status}\n"), points.find("qemu", "restore"))
    assert (ended.status, ended.after != ended.before) == (status, taken)
    assert start(script(tmp_path, "#!/bin/sh\necho x\n"), points.find("qemu", "start")).after == sample(
        points.find("qemu", "start")
    )


@pytest.mark.parametrize(("point", "taken"), [("before_vm_start", True), ("after_vm_start", False)])
def test_vdsm_takes_the_file_where_it_reads_it(tmp_path: Path, point: str, *, taken: bool) -> None:
    write = script(tmp_path, "#!/bin/sh\necho '<domain/>' > $_hook_domxml\n")
    assert (start(write, points.find("vdsm", point)).after == b"<domain/>\n") == taken
    gone = script(tmp_path, "#!/bin/sh\nrm $_hook_domxml\n")
    assert (start(gone, points.find("vdsm", point)).after == b"") == taken


def test_a_python_script_may_be_started_by_this_python(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        "#!/usr/bin/env -S python3 -I\nimport sys; print(sys.executable, sys.flags.isolated, file=sys.stderr)\n",
    )
    assert start(path, points.find("qemu", "start"), own_interpreter=True).stderr == f"{sys.executable} 1\n"
    assert start(script(tmp_path, "#!/bin/sh\n"), points.find("qemu", "start"), own_interpreter=True).status == 0


def test_a_script_that_cannot_be_started_or_does_not_end(tmp_path: Path) -> None:
    path = script(tmp_path, "")
    path.chmod(0o644)
    with pytest.raises(InvocationError, match="cannot start .*script: Permission denied"):
        start(path, points.find("qemu", "start"))
    with pytest.raises(HookError, match=r"the script did not end in 0.1 s; a host would wait for ever"):
        start(script(tmp_path, "#!/bin/sh\nexec sleep 60\n"), points.find("qemu", "start"), timeout=0.1)


@pytest.mark.parametrize("point", points.all_points(), ids=lambda point: point.name)
def test_there_is_a_sample_and_a_verdict_for_every_point(point: Point) -> None:
    assert bool(sample(point)) == (point.document is not None)
    failed = Ended(point, b"", b"", 1, "", 0).verdict
    verb = {"aborts": "aborts the", "kills": "kills what already runs", "ignored": "logs the failure"}[point.failure]
    assert verb in failed
    assert Ended(point, b"", b"", 0, "", 0).verdict.startswith(
        "VDSM goes on" if point.host == "vdsm" else "libvirt goes on"
    )


def test_a_diff_shows_only_what_differs() -> None:
    assert unified_diff(b"<a x='1'><b/></a>", b'<a x="1">\n  <b></b>\n</a>') == []
    assert unified_diff(b'{"a":1}', b'{ "a": 2 }')[-3:] == ['-  "a": 1', '+  "a": 2', " }"]
    assert unified_diff(b"<a>", b"<b>")[-2:] == ["-<a>", "+<b>"]
    assert unified_diff(b"[" * 100_000, b"[" * 100_000) == []


def test_the_first_line_of_a_script_needs_not_be_one(tmp_path: Path) -> None:
    path = tmp_path / "binary"
    path.write_bytes(b"\x7fELF python '\"\xff\0\n")
    path.chmod(0o755)
    with pytest.raises(InvocationError, match="cannot start"):
        start(path, points.find("qemu", "start"), own_interpreter=True)
