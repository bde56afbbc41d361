"""Recordings: made on a host, run again, held against golden outcomes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import hooking
from hooking.cli.command import hooking as command
from hooking.exceptions import DocumentError, InvocationError
from hooking.testing import FakeHost
from hooking.testing.fake_programs import add_systemd
from hooking.testing.recording import Recording, find_recordings
from support import DOMAIN, HERE, PINCPU, canonical, recordings

VDSM = HERE / "recordings" / "vdsm"
ARGV = ["/etc/libvirt/hooks/qemu", "web01", "migrate", "begin", "-"]


def write(folder: Path, invocation: object = None, **files: str) -> Path:
    """Make a recording by hand; a file is named ``stdin_xml`` for ``stdin.xml``."""
    folder.mkdir(exist_ok=True)
    call = {"argv": ARGV, "environ": {"LC_ALL": "C"}} if invocation is None else invocation
    (folder / "invocation.json").write_text(call if isinstance(call, str) else json.dumps(call))
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder


def script(folder: Path, text: str, name: str = "script") -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def pinning(cpuset: str) -> hooking.Hook:
    hook = hooking.Hook()

    @hook.qemu("migrate")
    @hook.vdsm("before_vm_start")
    def pin(domain: hooking.Domain, context: hooking.HookContext) -> None:
        hooking.set_cpuset(domain, cpuset)

    return hook


@pytest.fixture
def call(tmp_path: Path) -> Recording:
    return Recording(write(tmp_path / "call", stdin_xml=DOMAIN))


# Reading


@pytest.mark.parametrize(
    ("invocation", "message"),
    [
        ("{", "invocation.json is not JSON"),
        ("[]", "invocation.json holds no JSON object"),
        ("[" * 100_000, "invocation.json is not JSON"),
        ({"argv": ARGV}, 'invocation.json needs a list "argv" and an object "environ"'),
        ({"argv": "x", "environ": {}}, 'needs a list "argv"'),
        ({"argv": ARGV, "environ": {"a": 1}}, "argv and environ hold texts that a program can get"),
        ({"argv": [*ARGV[:4], "\0"], "environ": {}}, "argv and environ hold texts that a program can get"),
        ({"argv": [*ARGV[:4], "\ud800"], "environ": {}}, "argv and environ hold texts that a program can get"),
        ({"argv": ARGV, "environ": {"a": "\ud800"}}, "argv and environ hold texts that a program can get"),
        ({"argv": ARGV, "environ": {"a\0": "b"}}, "argv and environ hold texts that a program can get"),
        ({"argv": ARGV, "environ": {"A=B": "c"}}, 'a name in environ is not empty, and has no "="'),
        ({"argv": ARGV, "environ": {"": "c"}}, 'a name in environ is not empty, and has no "="'),
        ({"argv": [], "environ": {}}, "argv begins with the absolute path of the script"),
        ({"argv": ["qemu", *ARGV[1:]], "environ": {}}, "argv begins with the absolute path of the script"),
        ({"argv": ["/bin/x"], "environ": {}}, "is called by neither libvirt"),
        ({"argv": ARGV[:2], "environ": {}}, "libvirt gives 4 arguments"),
    ],
)
def test_a_malformed_invocation_is_one_line_that_names_the_file(
    tmp_path: Path, invocation: object, message: str
) -> None:
    with pytest.raises(InvocationError, match=r"^[^\n]*$") as caught:
        Recording(write(tmp_path / "call", invocation, stdin_xml=DOMAIN))
    assert message in str(caught.value)
    assert str(tmp_path / "call" / "invocation.json") in str(caught.value)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvocationError, match=r"cannot read .*invocation\.json: No such file or directory"):
        Recording(tmp_path)
    with pytest.raises(DocumentError, match=r"stdin\.xml is missing; libvirt hands over domain here"):
        Recording(write(tmp_path / "call"))
    with pytest.raises(InvocationError, match=r"there is no folder .*; make recordings with: hooking record"):
        find_recordings(tmp_path / "none")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"outcome_json": "{}"}, 'outcome.json needs a number "status"'),
        ({"outcome_json": '{"status": 0, "stderr": 1}'}, '"stderr" and "refused" are texts'),
        ({"outcome_json": '{"status": 0, "refused": 1}'}, '"stderr" and "refused" are texts'),
        ({"outcome_json": '{"status": 0}', "result_xml": "<x>"}, "result.xml: the document is not XML"),
        ({"outcome_json": '{"status": 0}', "result_xml": "<x/>"}, "result.xml: libvirt hands over <domain>"),
    ],
)
def test_a_malformed_golden_outcome_is_one_line(tmp_path: Path, files: dict[str, str], message: str) -> None:
    call = Recording(write(tmp_path / "call", stdin_xml=DOMAIN, **files))
    outcome = call.run(hooking.Hook())
    with pytest.raises(DocumentError, match=r"^[^\n]*$") as caught:
        call.compare(outcome)
    assert message in str(caught.value)
    call.accept(outcome)
    assert call.compare(outcome) == ""


@pytest.mark.parametrize("name", ["stdin.xml", "result.xml", "outcome.json", "invocation.json"])
def test_a_folder_in_the_place_of_a_file_is_one_line(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path / "call", stdin_xml=DOMAIN, outcome_json='{"status": 0}')
    (folder / name).unlink(missing_ok=True)
    (folder / name).mkdir()
    shown = replay(tmp_path, "--", script(tmp_path, "#!/bin/sh\n"))
    assert (shown.exit_code, shown.output.splitlines()[-1]) == (1, "1 broken")
    assert f"{folder / name}: Is a directory" in shown.output


def test_what_cannot_be_written_is_not_accepted(call: Recording) -> None:
    (call.path / "outcome.json").mkdir()
    with pytest.raises(InvocationError, match=r"cannot write .*outcome\.json: Is a directory"):
        call.accept(call.run(hooking.Hook()))


def test_a_golden_document_where_the_host_takes_none_is_refused(tmp_path: Path) -> None:
    start: dict[str, object] = {"argv": [ARGV[0], "web01", "start", "begin", "-"], "environ": {}}
    call = Recording(write(tmp_path / "call", start, stdin_xml=DOMAIN, result_xml=DOMAIN))
    with pytest.raises(DocumentError, match=r"result\.xml: libvirt takes no document at qemu/start; remove the file"):
        call.compare(call.run(hooking.Hook()))


def test_captured_calls_of_libvirt_are_recordings() -> None:
    found = find_recordings(HERE / "recordings" / "libvirt-9.0.0")
    captured = recordings()
    assert [(call.argv, call.environ, call.payload) for call in found] == [
        (call.argv, call.environ, call.stdin) for call in captured
    ]
    assert [call.point.name for call in found[:3]] == ["daemon/shutdown", "daemon/start", "daemon/reload"]
    assert repr(found[0]) == f"<Recording {found[0].path}>"
    assert found[0].golden is None


def test_a_call_of_a_newer_host_can_be_read(tmp_path: Path) -> None:
    new: dict[str, object] = {"argv": [ARGV[0], "web01", "teleport", "begin", "-"], "environ": {}}
    call = Recording(write(tmp_path / "call", new, stdin_xml=DOMAIN))
    assert not call.point.known
    assert call.run(pinning("1")).status == 0


@pytest.mark.parametrize(
    ("path", "suits"),
    [
        ("/x/qemu", True),
        ("/x/qemu.d/10-pin", True),
        ("/x/pin.py", True),
        ("/x/network", False),
        ("/x/before_vm_start/pin", False),
    ],
)
def test_a_script_suits_the_calls_that_its_path_tells(call: Recording, path: str, *, suits: bool) -> None:
    assert call.suits(path) == suits


def test_a_script_of_vdsm_suits_its_hook_point_only() -> None:
    calls = {call.point.op: call for call in find_recordings(VDSM)}
    assert calls["before_vm_start"].suits("/x/before_vm_start/50_pin")
    assert not calls["before_device_create"].suits("/x/before_vm_start/50_pin")


# Running


MACSPOOF = """import os
import hooking
name = 'ifacemacspoof' if 'ifacemacspoof' in os.environ else 'macspoof'
if hooking.tobool(os.environ.get(name)):
    domxml = hooking.read_domxml()
    nics = domxml.getElementsByTagName('interface')
    if not nics:
        raise ValueError('no interface')
    for nic in nics:
        for reference in nic.getElementsByTagName('filterref'):
            if reference.getAttribute('filter') == 'vdsm-no-mac-spoofing':
                nic.removeChild(reference)
    hooking.write_domxml(domxml)
"""


@pytest.mark.parametrize("folder", sorted(VDSM.glob("*/*/")), ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def test_scripts_in_vdsms_style_have_the_outcomes_of_vdsms_own(folder: Path, tmp_path: Path) -> None:
    text = {"pincpu": PINCPU, "macspoof": MACSPOOF}[folder.parent.name]
    call = Recording(folder)
    assert call.compare(call.run(script(tmp_path, f"#!/usr/bin/python3 -I\n{text}"))) == ""


def test_a_hook_and_its_script_have_the_same_outcome(call: Recording, tmp_path: Path) -> None:
    text = (
        "#!/usr/bin/python3 -I\nimport hooking\nhook = hooking.Hook()\n"
        "@hook.qemu('migrate')\ndef pin(domain, context):\n    hooking.set_cpuset(domain, '3')\nhook.run()\n"
    )
    inside, outside = call.run(pinning("3")), call.run(script(tmp_path, text))
    assert canonical(inside.after) == canonical(outside.after)
    assert inside.domain.vcpu.cpuset == "3"
    assert (inside.status, inside.stdout) == (outside.status, outside.stdout) == (0, inside.after)
    assert outside.scripts[0][0] == ARGV[0]


SHOW = """#!/bin/sh
echo "$0" >&2
echo "$@" >&2
cat "${_hook_json:-/dev/stdin}" >&2
env >&2
echo "{\\"a\\": 2}" > "$_hook_json"
"""


def test_a_script_is_called_as_recorded_less_what_belongs_to_that_host(tmp_path: Path) -> None:
    environ = {"PATH": os.defpath, "PYTHONPATH": "/usr/libexec/vdsm", "LD_PRELOAD": "x", "a": "b"}
    argv = ["/usr/libexec/vdsm/hooks/before_network_setup/50_x"]
    folder = write(tmp_path / "call", {"argv": argv, "environ": {**environ, "_hook_json": "/tmp/x"}}, data_json="{}")
    outcome = Recording(folder).run(script(tmp_path, SHOW))
    lines = outcome.stderr.splitlines()
    assert lines[:3] == [argv[0], "", f"{{}}PATH={os.defpath}"] or lines[:2] == [argv[0], ""]
    assert {"a=b", "_hook_json=/tmp/x"} <= {line.replace("{}", "", 1) for line in lines}
    assert not any(name in outcome.stderr for name in ("PYTHONPATH", "LD_PRELOAD"))
    assert outcome.json == {"a": 2}


def test_an_unset_variable_or_a_removed_file_is_no_crash(tmp_path: Path) -> None:
    argv = ["/usr/libexec/vdsm/hooks/before_vm_start/50_x"]
    call = Recording(write(tmp_path / "call", {"argv": argv, "environ": {}}, domxml_xml=DOMAIN))
    outcome = call.run(script(tmp_path, '#!/bin/sh\nrm "$_hook_domxml"\n'))
    assert outcome.refused.startswith("VDSM hands over a document")


def test_a_daemons_script_reads_nothing(tmp_path: Path) -> None:
    argv = ["/etc/libvirt/hooks/daemon", "-", "start", "-", "start"]
    call = Recording(write(tmp_path / "call", {"argv": argv, "environ": {"PATH": os.defpath}}))
    outcome = call.run(script(tmp_path, "#!/bin/sh\nreadlink /proc/self/fd/0 >&2\n"), this_python=False)
    assert outcome.stderr == "/dev/null\n"


def test_a_recorded_path_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    target = tmp_path / "qemu"
    argv = [f"/../../..{target}", *ARGV[1:]]
    call = Recording(write(tmp_path / "call", {"argv": argv, "environ": {}}, stdin_xml=DOMAIN))
    assert call.run(script(tmp_path, "#!/bin/sh\n")).status == 0
    assert not target.exists()


def test_a_recorded_payload_cannot_overwrite_the_script(tmp_path: Path) -> None:
    argv = ["/usr/libexec/vdsm/hooks/before_vm_start/50_x"]
    environ = {"_hook_domxml": argv[0]}
    call = Recording(write(tmp_path / "call", {"argv": argv, "environ": environ}, domxml_xml=DOMAIN))
    path = script(tmp_path, "#!/bin/sh\n")
    with pytest.raises(InvocationError, match="cannot start .*script: File exists"):
        call.run(path)
    assert path.read_text() == "#!/bin/sh\n"


def test_a_script_that_cannot_be_started_is_one_line(call: Recording, tmp_path: Path) -> None:
    path = script(tmp_path, "#!/no/such/interpreter\n")
    with pytest.raises(InvocationError, match="cannot start .*script: No such file or directory"):
        call.run(path)


# Comparing


def test_an_accepted_outcome_is_golden_until_something_differs(call: Recording) -> None:
    with pytest.raises(DocumentError, match=r"has no golden outcome yet; accept one with: hooking replay --update"):
        call.compare(call.run(pinning("1")))
    call.accept(call.run(pinning("1")))
    again = Recording(call.path)
    assert again.golden == call.golden
    assert json.loads((call.path / "outcome.json").read_text()) == {"status": 0, "stderr": ""}
    assert canonical((call.path / "result.xml").read_bytes()) == canonical(again.run(pinning("1")).after)
    assert again.compare(again.run(pinning("1"))) == ""
    lines = again.compare(again.run(pinning("2"))).splitlines()
    assert [line for line in lines if line[0] in "+-"] == [
        '-  <vcpu cpuset="1" placement="static">2</vcpu>',
        '+  <vcpu cpuset="2" placement="static">2</vcpu>',
    ]


def test_without_a_change_no_document_is_kept(call: Recording) -> None:
    call.accept(call.run(pinning("1")))
    call.accept(call.run(hooking.Hook()))
    assert not (call.path / "result.xml").exists()
    assert Recording(call.path).compare(call.run(hooking.Hook())) == ""


def test_status_and_first_line_of_standard_error_are_compared(call: Recording, tmp_path: Path) -> None:
    call.accept(call.run(script(tmp_path, "#!/bin/sh\necho one >&2; echo two >&2; exit 1\n")))
    assert call.compare(call.run(script(tmp_path, "#!/bin/sh\necho one >&2; echo three >&2; exit 1\n"))) == ""
    assert call.compare(call.run(script(tmp_path, "#!/bin/sh\necho four >&2; kill -9 $$\n"))).splitlines() == [
        "-exit status: 1",
        "+exit status: -9",
        "-standard error: one",
        "+standard error: four",
    ]
    (call.path / "outcome.json").write_text('{"status": 1}')
    assert Recording(call.path).compare(call.run(script(tmp_path, "#!/bin/sh\nexit 1\n"))) == ""


def test_a_document_that_the_host_refuses_differs(call: Recording, tmp_path: Path) -> None:
    call.accept(call.run(hooking.Hook()))
    outcome = call.run(script(tmp_path, "#!/bin/sh\necho no XML\n"))
    assert "+refused by the host: the document is not XML" in call.compare(outcome)
    call.accept(outcome)
    assert json.loads((call.path / "outcome.json").read_text())["refused"] == outcome.refused
    assert Recording(call.path).compare(outcome) == ""


def test_a_hang_differs_and_is_not_accepted(call: Recording, tmp_path: Path) -> None:
    call.accept(call.run(hooking.Hook()))
    outcome = call.run(script(tmp_path, "#!/bin/sh\nexec sleep 60\n"), timeout=0.2)
    assert "+hang: /etc/libvirt/hooks/qemu: the script still runs" in call.compare(outcome)
    with pytest.raises(InvocationError, match="an outcome that hangs the host cannot be a golden one"):
        call.accept(outcome)


def test_json_is_compared_whatever_the_order_of_its_keys(tmp_path: Path) -> None:
    argv = ["/usr/libexec/vdsm/hooks/before_network_setup/50_x"]
    folder = write(
        tmp_path / "call",
        {"argv": argv, "environ": {}},
        data_json='{"a": 1, "b": 2}',
        outcome_json='{"status": 0}',
        result_json='{"b": 2, "a": 3}',
    )
    call = Recording(folder)
    replace = "#!/bin/sh\necho '{}' > \"$_hook_json\"\n"
    assert call.compare(call.run(script(tmp_path, replace.replace("{}", '{"a":3,"b":2}')))) == ""
    assert '-  "a": 3,\n+  "a": 4,' in call.compare(call.run(script(tmp_path, replace.replace("{}", '{"a":4,"b":2}'))))


def test_a_payload_that_cannot_be_read_is_compared_as_it_is(tmp_path: Path) -> None:
    call = Recording(write(tmp_path / "call", stdin_xml="<!DOCTYPE x><x/>", outcome_json='{"status": 0}'))
    assert call.compare(call.run(hooking.Hook())) == ""


def test_check_compares_or_updates(call: Recording) -> None:
    with pytest.raises(AssertionError, match="has no golden outcome yet"):
        call.check(call.run(pinning("1")))
    Recording(call.path, update=True).check(call.run(pinning("1")))
    accepted = Recording(call.path)
    accepted.check(call.run(pinning("1")))
    with pytest.raises(AssertionError, match="the outcome is another than the golden one:\n") as caught:
        accepted.check(call.run(pinning("2")))
    how = "if it is right, accept it with: hooking replay --update, or pytest --update-recordings"
    assert str(caught.value).splitlines()[-1] == how


def test_what_pytest_shows_cannot_command_the_terminal(call: Recording, tmp_path: Path) -> None:
    call.accept(call.run(hooking.Hook()))
    with pytest.raises(AssertionError) as caught:
        call.check(call.run(script(tmp_path, "#!/bin/sh\nprintf '\\033[2J' >&2\n")))
    assert "+standard error: \\x1b[2J" in str(caught.value)


# The command


def replay(*arguments: object) -> Result:
    return CliRunner().invoke(command, ["replay", *map(str, arguments)])


def test_replay_tells_new_same_and_different_apart(tmp_path: Path) -> None:
    for name in "a", "b":
        write(tmp_path / name, stdin_xml=DOMAIN)
    path = script(tmp_path, "#!/bin/sh\nsed s/br0/br1/\n")
    shown = replay(tmp_path, "--", path)
    assert shown.exit_code == 1
    assert f"new      {tmp_path}/a (qemu/migrate web01)" in shown.output
    assert '+      <source bridge="br1"/>' in shown.output
    assert "exit status 0; libvirt goes on with the hook's domain" in shown.output
    shown = replay(tmp_path, "--update", "--", path)
    assert (shown.exit_code, shown.output.splitlines()[-1]) == (0, "2 accepted")
    shown = replay(tmp_path, "--host-python", "--", path)
    assert (shown.exit_code, shown.output.splitlines()[-1]) == (0, "2 same")
    (tmp_path / "b" / "result.xml").write_text(DOMAIN.replace("br0", "br2"))
    shown = replay(tmp_path, "--", path)
    assert (shown.exit_code, shown.output.splitlines()[-1]) == (1, "1 same, 1 differs")
    assert '-      <source bridge="br2"/>\n' in shown.output


def test_what_is_no_file_is_told_and_not_waited_for(tmp_path: Path) -> None:
    for name in "a", "b":
        (tmp_path / name).mkdir()
    os.mkfifo(tmp_path / "a" / "invocation.json")
    (tmp_path / "b" / "invocation.json").symlink_to("/dev/zero")
    shown = replay(tmp_path, "--", script(tmp_path, "#!/bin/sh\n"))
    assert shown.exit_code == 1
    assert [f"{tmp_path}/{name}/invocation.json is no regular file" in shown.output for name in "ab"] == [True, True]


def test_replay_calls_only_what_suits(tmp_path: Path) -> None:
    path = script(tmp_path, "#!/bin/sh\n", "qemu")
    shown = replay(HERE / "recordings" / "libvirt-9.0.0", "--", path)
    expected = len(recordings("qemu"))
    assert shown.output.splitlines()[-1] == f"{expected} new"
    shown = replay(VDSM, "--", path)
    assert shown.exit_code == 2
    assert "has no recording that suits" in shown.output


def test_a_failing_replay_is_status_1(tmp_path: Path) -> None:
    write(tmp_path / "a", stdin_xml=DOMAIN)
    shown = replay(tmp_path, "--timeout", "0.2", "--", script(tmp_path, "#!/bin/sh\nexec sleep 60\n"))
    assert shown.exit_code == 1
    assert "libvirt would hang here: /etc/libvirt/hooks/qemu: the script still runs" in shown.output
    shown = replay(tmp_path, "--", script(tmp_path, "#!/no/such\n"))
    assert (shown.exit_code, shown.output.splitlines()[-1]) == (1, "1 broken")
    assert "cannot start" in shown.output


def test_a_broken_recording_stops_no_other(tmp_path: Path) -> None:
    for name in "a", "b", "c":
        write(tmp_path / name, stdin_xml=DOMAIN, outcome_json="{")
    write(tmp_path / "b", "{")
    path = script(tmp_path, "#!/bin/sh\n")
    shown = replay(tmp_path, "--", path)
    assert (shown.exit_code, shown.output.splitlines()[-1]) == (1, "3 broken")
    assert f"  {tmp_path}/b/invocation.json is not JSON" in shown.output
    shown = replay(tmp_path, "--update", "--", path)
    assert (shown.exit_code, shown.output.splitlines()[-1]) == (1, "2 accepted, 1 broken")
    shown = replay(tmp_path, "--", path)
    assert shown.output.splitlines()[-1] == "2 same, 1 broken"


def test_replay_prints_nothing_that_commands_a_terminal(tmp_path: Path) -> None:
    argv = [ARGV[0], "web\x1b[2J", *ARGV[2:]]
    write(tmp_path / "a\x1b[2J", {"argv": argv, "environ": {}}, stdin_xml=DOMAIN)
    write(tmp_path / "b\x1b[2J", "{")
    shown = replay(tmp_path, "--", script(tmp_path, "#!/bin/sh\nprintf '\\033[2J' >&2; exit 1\n"))
    assert "\x1b" not in shown.output
    assert f"new      {tmp_path}/a\\x1b[2J (qemu/migrate web\\x1b[2J)" in shown.output
    assert f"broken   {tmp_path}/b\\x1b[2J" in shown.output
    (tmp_path / "\x1b").mkdir()
    shown = replay(tmp_path / "\x1b", "--", script(tmp_path, "#!/bin/sh\n"))
    assert (shown.exit_code, "\x1b" in shown.output) == (2, False)


def test_help_shows_the_examples_as_they_are_written() -> None:
    shown = replay("--help").output
    assert "  hooking replay tests/recordings -- ./pin.py\n" in shown
    assert "\\b" not in shown


ACTING = """#!/usr/bin/python3 -I
import hooking
hook = hooking.Hook()
@hook.qemu("migrate")
def act(domain, context):
    hooking.stop_units(hooking.state(context), "display-manager")
if __name__ == "__main__":
    hook.run()
"""


@pytest.mark.parametrize("document", [DOMAIN, "<domain", "<other/>"])
def test_a_replayed_script_changes_a_host_that_is_none(tmp_path: Path, document: str) -> None:
    script = tmp_path / "act.py"
    script.write_text(ACTING)
    outcome = Recording(write(tmp_path / "call", stdin_xml=document)).run(script)
    assert outcome.failed == (document != DOMAIN)
    assert "not installed" not in outcome.stderr


def test_a_recorded_call_finds_the_host_that_it_is_given(tmp_path: Path, fake_host: FakeHost) -> None:
    script = tmp_path / "act.py"
    script.write_text(ACTING)
    recording = Recording(write(tmp_path / "call", stdin_xml=DOMAIN))
    assert "systemctl is not installed" in recording.run(script, host=fake_host).stderr
    add_systemd(fake_host, {"display-manager.service": "active"})
    hook = hooking.Hook()

    @hook.qemu("migrate")
    def act(domain: hooking.Domain, context: hooking.HookContext) -> None:
        hooking.stop_units(hooking.state(context), "display-manager")

    for given in script, hook:
        assert recording.run(given, host=fake_host).status == 0
    assert ["systemctl", "stop", "display-manager.service"] in fake_host.commands
