"""Recording calls on a host, which must not notice."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hooking import _process
from hooking.cli.record import record as record_command
from hooking.exceptions import DocumentError, HookError, InvocationError
from hooking.testing import recorder
from hooking.testing.golden import Golden
from hooking.testing.recorder import record
from hooking.testing.recording import Recording, find_recordings
from hooking.testing.redaction import Redaction
from hooking.testing.virhook import ScriptFolder
from support import DOMAIN, FakeProcess, canonical, in_fork, libvirt, recordings, vdsm
from test_recording import ARGV, script


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_recorded_call_is_the_call(tmp_path: Path) -> None:
    for number, captured in enumerate(recordings()):
        process = FakeProcess(captured.argv, captured.environ, captured.stdin)
        made = Recording(record(tmp_path, process))
        shown = captured.stdin.replace(b"s3cr3tpw", b"REDACTED")
        assert (made.argv, made.environ) == (captured.argv, captured.environ)
        assert (
            made.payload == captured.stdin if shown == captured.stdin else canonical(made.payload) == canonical(shown)
        )
        assert made.path.name.startswith(f"{number:03}-{captured.driver}-{captured.argv[2]}")
    assert len(find_recordings(tmp_path)) == len(recordings())


def test_a_recorded_call_of_vdsm(tmp_path: Path) -> None:
    made = Recording(record(tmp_path, vdsm("before_vm_start", pincpu="1")))
    assert made.path.name == "000-vdsm-before_vm_start"
    assert (made.payload, made.environ["pincpu"]) == (DOMAIN.encode(), "1")
    made = Recording(record(tmp_path, vdsm("before_network_setup", b'{"a": 1}')))
    assert (made.path / "data.json").read_bytes() == b'{"a": 1}'
    (tmp_path / "empty").touch()
    argv = ["/usr/libexec/vdsm/hooks/before_vm_destroy/50_x"]
    for environ in {"_hook_domxml": str(tmp_path / "empty")}, {}:
        made = Recording(record(tmp_path, _process.Process(argv, environ)))
        assert (made.payload, [*made.path.iterdir()]) == (b"", [made.path / "invocation.json"])


def test_only_the_owner_can_read_a_recording(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = record(tmp_path, libvirt("qemu", "start"))
    finally:
        os.umask(before)
    assert mode(made) == 0o700
    assert {mode(path) for path in made.iterdir()} == {0o600}


def test_calls_at_once_share_no_folder(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: record(tmp_path, libvirt("qemu", "start")), range(100)))
    assert len({*made}) == 100
    assert [call.path for call in find_recordings(tmp_path)] == sorted(made)


def test_an_odd_operation_is_no_path(tmp_path: Path) -> None:
    made = record(tmp_path, FakeProcess([ARGV[0], "x", "../../x\n", "begin", "-"], {}, DOMAIN))
    assert made == tmp_path / "000-qemu-.._.._x_-begin"


def test_a_symbolic_link_in_the_folders_place_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(HookError, match="link is a symbolic link, which is not followed; give the folder itself"):
        record(f"{tmp_path}/link/", libvirt("qemu", "start"))
    monkeypatch.setattr(os.path, "islink", lambda path: False)  # it comes a moment later
    with pytest.raises(HookError, match="cannot record the call in .*link: Not a directory"):
        record(tmp_path / "link", libvirt("qemu", "start"))
    assert not [*(tmp_path / "real").iterdir()]


@pytest.mark.parametrize(("bits", "safe"), [(0o777, False), (0o770, False), (0o1777, True), (0o755, True)])
def test_a_folder_that_others_can_write_is_refused_unless_sticky(tmp_path: Path, bits: int, *, safe: bool) -> None:
    tmp_path.chmod(bits)
    if safe:
        assert record(tmp_path, libvirt("qemu", "start")).is_dir()
        return
    with pytest.raises(HookError, match="others can write to .*, and change recordings; do: chmod go-w, or chmod"):
        record(tmp_path, libvirt("qemu", "start"))
    assert not [*tmp_path.iterdir()]


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fstat = os.fstat
    monkeypatch.setattr(os, "fstat", lambda number: os.stat_result([*fstat(number)[:4], 54321, *fstat(number)[5:10]]))
    with pytest.raises(HookError, match="belongs to user 54321, who could change recordings"):
        record(tmp_path, libvirt("qemu", "start"))


def test_what_cannot_be_stored_leaves_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = _process.write

    def full(descriptor: int, data: bytes) -> None:
        if data.startswith(b"{"):
            raise OSError(28, "No space left on device")
        write(descriptor, data)

    monkeypatch.setattr(_process, "write", full)
    with pytest.raises(HookError, match="cannot record the call in .*: No space left on device"):
        record(tmp_path, libvirt("qemu", "start"))
    assert not [*tmp_path.iterdir()]


# Secrets


SECRETS = """<domain xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>web01</name>
  <metadata><x:app xmlns:x='urn:x'><x:rootPassword>hunter2!<!--hunter2!--> hunter2!</x:rootPassword></x:app>
  </metadata>
  <os><cmdline>root=/dev/vda admin_password="hunter2! hunter2!" token=hunter2!</cmdline></os>
  <devices>
    <disk><auth username='me'><secret type='ceph' uuid='6dd3e4a5-1d76-44ce-961f-f119f5aad935'/></auth>
      <source><cookies><cookie name='session'>hunter2!</cookie></cookies></source></disk>
    <graphics type='vnc' passwd='hunter2!' passwdValidTo='2030-01-01T00:00:00'/>
    <?note passwd='hunter2!'?>
  </devices>
  <qemu:commandline><qemu:env name='API_TOKEN' value='hunter2!'/></qemu:commandline>
</domain>
"""
REDACTED = (
    SECRETS.replace("hunter2!<!--hunter2!--> hunter2!", "REDACTED<!--REDACTED-->REDACTED")
    .replace("hunter2! hunter2!", "REDACTED")
    .replace("hunter2!", "REDACTED")
)


def test_secrets_are_not_stored_and_the_rest_is(tmp_path: Path) -> None:
    made = record(tmp_path, libvirt("qemu", "migrate", SECRETS, name="token=hunter2!"))
    assert not any(b"hunter2" in path.read_bytes() for path in made.iterdir())
    assert canonical(Recording(made).payload) == canonical(REDACTED.encode())


def test_secrets_of_vdsms_environment_are_not_stored(tmp_path: Path) -> None:
    process = vdsm(
        "before_vm_set_ticket", Ticket="hunter2!", vncPASSWD="hunter2!", a="password: 'hunter2!'", b="b", secret=""
    )
    made = Recording(record(tmp_path, process))
    assert "hunter2" not in (made.path / "invocation.json").read_text()
    shown = [made.environ[name] for name in ("Ticket", "vncPASSWD", "a", "b", "secret")]
    assert shown == ["REDACTED", "REDACTED", "password: 'REDACTED'", "b", ""]


def test_secrets_in_json_are_not_stored() -> None:
    document = b'{"ticket": "hunter2!", "token": {"x": [1, true, null]}, "n": 1, "s": ["password=hunter2!", "x"]}'
    shown = json.loads(Redaction().document(document, is_json=True))
    expected = {"ticket": "REDACTED", "token": {"x": ["REDACTED", True, None]}, "n": 1, "s": ["password=REDACTED", "x"]}
    assert shown == expected
    with pytest.raises(DocumentError, match="the document is not JSON that VDSM writes"):
        Redaction().document(b"{", is_json=True)


def test_what_holds_no_secret_stays_byte_for_byte() -> None:
    for data in b"<a  b = 'c'/>", b" \n":
        assert Redaction().document(data, is_json=False) == data
    assert Redaction().document(b'{"a" :1}', is_json=True) == b'{"a" :1}'


def test_looking_for_secrets_takes_no_time_on_hostile_text() -> None:
    for text in "a" * 1_000_000, "passwd" * 200_000, "token='" * 100_000, "password " * 100_000:
        assert ("REDACTED" in Redaction().text(text)) == ("=" in text)


@pytest.mark.parametrize("payload", ["passwd=hunter2!", "<!DOCTYPE x [<!ENTITY a 'hunter2!'>]><x/>"])
def test_what_cannot_be_read_is_not_stored_but_noted(tmp_path: Path, payload: str) -> None:
    made = Recording(record(tmp_path, libvirt("qemu", "start", payload)))
    assert [path.name for path in made.path.iterdir()] == ["invocation.json"]
    note = json.loads((made.path / "invocation.json").read_text())["note"]
    assert note == f"the payload ({len(payload)} bytes) is not recorded: it is no document that a host writes"
    assert made.payload == b""


# On a host: beside


def installed(tmp_path: Path, name: str = "qemu.d/00-record") -> tuple[Path, Path]:
    """The hooks folder with an installed recorder, and its folder of recordings."""
    path = tmp_path / "hooks" / name
    path.parent.mkdir(parents=True)
    recorder.install(path, tmp_path / "calls")
    return tmp_path / "hooks", tmp_path / "calls"


def test_beside_other_scripts_the_host_goes_on_as_without(tmp_path: Path) -> None:
    hooks, calls = installed(tmp_path)
    script(hooks / "qemu.d", "#!/bin/sh\nsed 's/br0/br1/'\n", "50-edit")
    assert (mode(hooks / "qemu.d" / "00-record"), mode(calls)) == (0o755, 0o700)
    called = ScriptFolder(hooks).call("qemu", ARGV[1:], DOMAIN.encode(), with_output=True)
    assert (called.status, called.error) == (0, "")
    assert called.output == DOMAIN.replace("br0", "br1").encode()
    recorder_ended = called.scripts[0][1]
    assert (recorder_ended.stdout, recorder_ended.stderr) == (b"", b"")
    (made,) = find_recordings(calls)
    assert made.argv == [str(hooks / "qemu.d" / "00-record"), *ARGV[1:]]
    assert made.payload == DOMAIN.encode()


def test_a_recorder_fails_no_host(tmp_path: Path) -> None:
    hooks, calls = installed(tmp_path)
    path = hooks / "qemu.d" / "00-record"
    full = script(tmp_path, f'#!/bin/sh\nulimit -f 0\nexec {path} "$@"\n')
    for command, why in ([full, *ARGV[1:]], "File too large"), ([path], "libvirt gives 4 arguments"):
        ended = subprocess.run([*map(str, command)], input=DOMAIN.encode(), capture_output=True, check=False)
        assert (ended.returncode, ended.stdout, ended.stderr.count(b"\n")) == (0, b"", 1)
        assert f"00-record: the call is not recorded: {'cannot record' if command[1:] else ''}".encode() in ended.stderr
        assert why.encode() in ended.stderr
    assert not [*calls.iterdir()]
    calls.rmdir()
    called = ScriptFolder(hooks).call("qemu", ARGV[1:], DOMAIN.encode())
    assert called.status == 0
    assert b"No such file or directory" in called.scripts[0][1].stderr


def test_a_recorder_whose_package_is_gone_fails_no_host(tmp_path: Path) -> None:
    hooks, _ = installed(tmp_path)
    path = hooks / "qemu.d" / "00-record"
    path.write_text(path.read_text().replace("hooking.testing", "hooking.gone"))
    ended = subprocess.run([path, *ARGV[1:]], input=b"", capture_output=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, b"")
    assert b"00-record: nothing is recorded: " in ended.stderr


def test_recording_beside_in_this_process(tmp_path: Path) -> None:
    ended = in_fork(lambda: recorder.record_beside(tmp_path, ARGV), tmp_path, DOMAIN.encode())
    assert (ended.status, ended.stdout, ended.stderr) == (0, b"", "")
    assert find_recordings(tmp_path)[0].payload == DOMAIN.encode()


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("elsewhere/x", InvocationError, "is called by neither libvirt"),
        ("hooks/qemu", HookError, "cannot install the recorder: .*qemu: File exists"),
        ("no/qemu", HookError, "cannot install the recorder: .*no/qemu: No such file or directory"),
    ],
)
def test_a_recorder_is_installed_only_where_a_host_looks(
    tmp_path: Path, name: str, error: type[HookError], message: str
) -> None:
    installed(tmp_path, "qemu")
    with pytest.raises(error, match=message):
        recorder.install(tmp_path / name, tmp_path / "calls")


def test_an_interpreter_with_white_space_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/opt/my python/bin/python3")
    with pytest.raises(InvocationError, match="a script cannot name /opt/my python/bin/python3"):
        recorder.install(tmp_path / "qemu", tmp_path / "calls")


# On a host: around a script


def wrapped(
    calls: Path, path: Path, *arguments: str, stdin: bytes | None = b"", **environ: str
) -> subprocess.CompletedProcess[bytes]:
    """Run a script in the recorder; ``None`` is no standard input."""
    code = "import sys; from hooking.testing import recorder; recorder.run_recorded(sys.argv[1], sys.argv[2:])"
    return subprocess.run(
        [sys.executable, "-I", "-c", code, str(calls), str(path), *arguments],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        check=False,
        env={"LC_ALL": "C", "PATH": os.defpath, **environ},
    )


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    folder = tmp_path / "calls"
    folder.mkdir(mode=0o700)
    return folder


BYTES = bytes(range(256)) * 1000


def test_a_wrapped_script_gets_and_gives_every_byte(tmp_path: Path, calls: Path) -> None:
    text = '#!/bin/sh\nprintf "%s|" "$0" "$@" >&2\nenv >&2\ncat\nexit 7\n'
    path = script(tmp_path, text, "qemu")
    arguments = ["web 01\udcff", "start", "begin", "-"]
    ended = wrapped(calls, path, *arguments, stdin=BYTES, odd="\udcfe")
    alone = subprocess.run(
        [path, *arguments],
        input=BYTES,
        capture_output=True,
        check=False,
        env={"LC_ALL": "C", "PATH": os.defpath, "odd": "\udcfe"},
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (7, BYTES, alone.stderr)
    assert alone.stdout == BYTES
    (made,) = find_recordings(calls)
    assert made.argv == [str(path), *arguments]
    assert made.environ["odd"] == "\udcfe"


def test_a_wrapped_script_dies_by_the_same_signal(tmp_path: Path, calls: Path) -> None:
    for number in signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGPIPE:
        path = script(tmp_path, f"#!/bin/sh\nkill -{int(number)} $$\n", "qemu")
        assert wrapped(calls, path, *ARGV[1:], stdin=DOMAIN.encode()).returncode == -number
    golden = [call.golden for call in find_recordings(calls)]
    assert [kept.status for kept in golden if kept] == [-9, -11, -15, -13]


def test_a_signal_for_the_recorder_reaches_the_script(tmp_path: Path, calls: Path) -> None:
    path = script(
        tmp_path, "#!/bin/sh\ntrap 'echo told >&2; exit 3' TERM\nkill -TERM $PPID\nsleep 5 & wait $!\n", "qemu"
    )
    ended = wrapped(calls, path, *ARGV[1:], stdin=b"")
    assert (ended.returncode, ended.stderr) == (3, b"told\n")


def test_a_wrapped_script_has_its_outcome_recorded(tmp_path: Path, calls: Path) -> None:
    path = script(tmp_path, "#!/bin/sh\necho pinned hunter2! >&2\nsed 's/br0/br1/'\n", "qemu")
    document = SECRETS.replace("<disk>", "<interface><source bridge='br0'/></interface><disk>")
    ended = wrapped(calls, path, *ARGV[1:], stdin=document.encode())
    assert ended.stdout == document.replace("br0", "br1").encode()
    (made,) = find_recordings(calls)
    assert made.golden is not None
    assert (made.golden.status, made.golden.stderr) == (0, "pinned REDACTED")
    assert made.compare(made.run(script(tmp_path, "#!/bin/sh\necho pinned REDACTED >&2\nsed s/br0/br1/\n"))) == ""
    assert not any(b"hunter2" in file.read_bytes() for file in made.path.iterdir())


def test_a_wrapped_script_of_vdsm_keeps_its_file_and_its_empty_input(tmp_path: Path, calls: Path) -> None:
    (tmp_path / "before_vm_start").mkdir()
    payload = tmp_path / "payload"
    payload.write_text(DOMAIN)
    text = '#!/bin/sh\nreadlink /proc/self/fd/0\nsed -i s/br0/br1/ "$_hook_domxml"\n'
    path = script(tmp_path / "before_vm_start", text, "50_x")
    ended = wrapped(calls, path, stdin=None, _hook_domxml=str(payload))
    assert (ended.returncode, ended.stdout) == (0, b"/dev/null\n")
    (made,) = find_recordings(calls)
    assert made.payload == DOMAIN.encode()
    assert made.golden == Golden(0, "", "", DOMAIN.replace("br0", "br1").encode())


def test_a_wrapped_script_runs_whatever_recording_does(tmp_path: Path, calls: Path) -> None:
    cases: Sequence[tuple[Path, str, bytes, str]] = [
        (calls, "unnamed", b"x", "is called by neither libvirt"),
        (tmp_path / "none", "qemu", DOMAIN.encode(), "No such file or directory"),
        (calls, "qemu", b" " * (_process.LARGEST_PAYLOAD + 1), "standard input holds more than 16 MiB"),
    ]
    for folder, name, payload, why in cases:
        ended = wrapped(folder, script(tmp_path, "#!/bin/sh\ncat\nexit 4\n", name), *ARGV[1:], stdin=payload)
        assert (ended.returncode, ended.stdout, ended.stderr.count(b"\n")) == (4, payload, 1)
        assert why.encode() in ended.stderr
    assert not [*calls.iterdir()]


@pytest.mark.parametrize(("text", "status"), [("#!/no/such\n", 127), ("", 126)])
def test_a_script_that_cannot_be_started_ends_as_under_the_host(
    tmp_path: Path, calls: Path, text: str, status: int
) -> None:
    path = script(tmp_path, text, "qemu")
    path.chmod(0o755 if text else 0o644)
    ended = wrapped(calls, path, *ARGV[1:], stdin=DOMAIN.encode())
    assert ended.returncode == status
    assert ended.stderr.startswith(f"cannot start {path}: ".encode())


def in_this_process(function: Callable[[], Any], tmp_path: Path, stdin: bytes = b"") -> int:
    ended = in_fork(function, tmp_path, stdin)
    assert "Traceback" not in ended.stderr
    return ended.status


def test_recording_around_a_script_in_this_process(tmp_path: Path, calls: Path) -> None:
    path = script(tmp_path, "#!/bin/sh\ntrap 'exit 6' TERM\nkill -TERM $PPID\nsleep 5 & wait $!\n", "qemu")
    assert in_this_process(lambda: recorder.run_recorded(calls, [str(path), *ARGV[1:]]), tmp_path, DOMAIN.encode()) == 6
    script(tmp_path, "#!/bin/sh\nexit 5\n", "qemu")
    unnamed = script(tmp_path, "#!/bin/sh\nexit 5\n", "unnamed")
    missing = tmp_path / "no" / "qemu"
    for command, status in ([path, *ARGV[1:]], 5), ([unnamed], 5), ([missing, *ARGV[1:]], 127):
        run = partial(recorder.run_recorded, calls, [str(word) for word in command])
        assert in_this_process(run, tmp_path, DOMAIN.encode()) == status
    large = b" " * (_process.LARGEST_PAYLOAD + 1)
    assert in_this_process(lambda: recorder.run_recorded(calls, [str(path), *ARGV[1:]]), tmp_path, large) == 5


def test_input_that_cannot_be_read_in_this_process(tmp_path: Path, calls: Path) -> None:
    payload = tmp_path / "payload"
    payload.write_text(DOMAIN)
    (tmp_path / "before_vm_start").mkdir()
    path = script(tmp_path / "before_vm_start", '#!/bin/sh\nsed -i s/br0/br1/ "$_hook_domxml"\n', "50_x")

    def without_input() -> None:
        os.environ.update(_hook_domxml=str(payload))
        os.close(0)
        recorder.run_recorded(calls, [str(path)])

    def from_nothing() -> None:
        os.environ.update(_hook_domxml=str(payload))
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        recorder.run_recorded(calls, [str(path)])

    assert in_this_process(from_nothing, tmp_path) == 0
    assert in_this_process(without_input, tmp_path) == 0
    assert [call.payload == DOMAIN.encode() for call in find_recordings(calls)] == [True, False]


def test_ending_by_a_signal_that_does_not_end(tmp_path: Path) -> None:
    def end() -> None:
        signal.signal(signal.SIGWINCH, lambda *_: None)
        recorder.end_as(-signal.SIGWINCH)

    assert in_this_process(end, tmp_path) == 256 - signal.SIGWINCH
    assert in_this_process(lambda: recorder.end_as(-signal.SIGURG), tmp_path) == 256 - signal.SIGURG


# The command


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(record_command, [str(argument) for argument in arguments])


def test_record_installs(tmp_path: Path) -> None:
    (tmp_path / "qemu.d").mkdir()
    path = tmp_path / "qemu.d" / "00-record"
    shown = invoke("--output", tmp_path / "calls", "--install", path)
    assert shown.exit_code == 0
    assert path.read_text().startswith(f"#!{sys.executable} -I\n")
    shown = invoke("--output", tmp_path / "calls", "--install", path)
    assert (shown.exit_code, shown.output.count("\n")) == (1, 1)
    assert "File exists" in shown.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--install", "/x/qemu"], "Missing option '--output'"),
        (["--output", "/x", "--install", "/x/qemu", "--", "y"], "--install takes neither SCRIPT nor --called-as"),
        (["--output", "/x", "--install", "/x/y"], "is called by neither libvirt"),
    ],
)
def test_wrong_use_of_record_is_status_2(arguments: list[str], message: str) -> None:
    shown = invoke(*arguments)
    assert shown.exit_code == 2
    assert message in " ".join(shown.output.replace("│", " ").split())


def record_in_fork(tmp_path: Path, *arguments: object) -> Any:
    words = ["--output", str(tmp_path / "calls"), *map(str, arguments)]
    return in_fork(lambda: record_command.main(words, "hooking record"), tmp_path, DOMAIN.encode())


def test_record_as_a_hook_prints_nothing(tmp_path: Path, calls: Path) -> None:
    ended = record_in_fork(tmp_path, "--called-as", ARGV[0], "--", *ARGV[1:])
    assert (ended.status, ended.stdout, ended.stderr) == (0, b"", "")
    assert find_recordings(calls)[0].argv == ARGV
    ended = record_in_fork(tmp_path)
    assert (ended.status, ended.stdout, ended.stderr.count("\n")) == (0, b"", 1)
    assert "is called by neither libvirt" in ended.stderr


def test_record_wraps(tmp_path: Path, calls: Path) -> None:
    path = script(tmp_path, '#!/bin/sh\necho "$@"\ncat\nexit 9\n', "qemu")
    ended = record_in_fork(tmp_path, "--", path, "--output", "start", "begin", "-")
    assert (ended.status, ended.stdout) == (9, b"--output start begin -\n" + DOMAIN.encode())
    assert find_recordings(calls)[0].object == "--output"
