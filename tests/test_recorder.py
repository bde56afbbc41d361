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
from hooking.cli.command import hooking as hooking_command
from hooking.context import read_context
from hooking.exceptions import DocumentError, HookError, InvocationError
from hooking.testing import recorder
from hooking.testing.golden import Golden
from hooking.testing.outcome import Outcome
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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"password": "hun\\"ter2x"}', '{"password": "REDACTED"}'),
        ('said {"password": "hun\\"ter2x", "a": 1}', 'said {"password": "REDACTED", "a": 1}'),
        ('{\\"password\\": \\"hunter2x\\"}', '{\\"password\\": REDACTED'),
        ("password: correct horse battery\nnext", "password: REDACTED\nnext"),
        ("password=hun,ter2x;y", "password=REDACTED"),
        ("a password='hunter2x", "a password='REDACTED'"),
        ("a password='hunter2x\\", "a password='REDACTED'"),
        ('{"token": ["hunter2x","b"]}', '{"token": ["REDACTED", "REDACTED"]}'),
        ('said {"token": [\n"hunter2x",\n"b"]}', 'said {"token": REDACTED'),
        ('{"token": "a", "token": "hunter2x"}', '{"token": "REDACTED", "token": "REDACTED"}'),
        ('{"a" :1, "b": "password=hunter2x"}', '{"a": 1, "b": "password=REDACTED"}'),
        ('["--password", "hunter2x", "b"]', '["--password", "REDACTED", "b"]'),
        ('{"a" :[1]}', '{"a" :[1]}'),
        ("run --db-password hunter2x --fast", "run --db-password REDACTED --fast"),
        ("run -sshpass 'hunter2x y' --fast", "run -sshpass 'REDACTED' --fast"),
        ("Authorization: Bearer hunter2x", "Authorization: Bearer REDACTED"),
        ("a bearer hunter2x", "a bearer REDACTED"),
        ("DB_PASS=hunter2x", "DB_PASS=REDACTED"),
        ("psk=hunter2x", "psk=REDACTED"),
        ("pwd=hunter2x", "pwd=REDACTED"),
        ("rootpw: hunter2x", "rootpw: REDACTED"),
        ("DB_PWD=hunter2x", "DB_PWD=REDACTED"),
        ("PWD=/root/folder", "PWD=/root/folder"),
        ("AUTH: hunter2x", "AUTH: REDACTED"),
        ("from https://u:hunter2x@h/ and https://h2/@", "from https://REDACTED@h/ and https://h2/@"),
        ("https://u:hunter@2x@h/", "https://REDACTED@h/"),
        ("<password>hunter2x</password>", "<password>REDACTED"),
        ("-object secret,id=s0,data=hun,,ter2x -m 1", "-object secret,id=s0,data=REDACTED -m 1"),
        ("passthrough=yes author: me passwdValidTo=2030", "passthrough=yes author: me passwdValidTo=2030"),
    ],
)
def test_secrets_in_texts_are_not_stored(text: str, shown: str) -> None:
    assert Redaction().text(text) == shown
    made = Redaction().environ({"a": text})
    assert made == {"a": shown}


def test_names_of_secrets() -> None:
    names = ["DB_PASS", "sshpass", "wifi_psk", "AUTH", "authorization", "X-Bearer", "DB_PWD", "AdminPwd", "rootpw"]
    names += ["LUKS_KEY", "encryption_key", "AccessKey", "ssh-key"]
    assert set(Redaction().environ(dict.fromkeys(names, "x")).values()) == {"REDACTED"}
    others = dict.fromkeys(["passthrough", "author", "authority", "passwdValidTo", "PWD", "OLDPWD", "keymap"], "x")
    assert Redaction().environ(others) == others


@pytest.mark.parametrize(
    ("document", "shown"),
    [
        ("<a><entry key='password' value='hunter2x'/></a>", "<a><entry key='password' value='REDACTED'/></a>"),
        ("<a><entry key='password'>hunter2x</entry></a>", "<a><entry key='password'>REDACTED</entry></a>"),
        ("<a><arg value='secret,id=s0,data=hunter2x'/></a>", "<a><arg value='secret,id=s0,data=REDACTED'/></a>"),
        (
            "<a><arg value='--password'/><!--x--><arg value='x'/></a>",
            "<a><arg value='--password'/><!--REDACTED--><arg value='REDACTED'/></a>",
        ),
        (
            "<a><arg value='--password'/><arg value='hunter2x'/><arg value='b'/></a>",
            "<a><arg value='--password'/><arg value='REDACTED'/><arg value='b'/></a>",
        ),
        (
            "<a><credentials type='t' name='n' uuid='u'><y u='hunter2x' usage='z'/></credentials></a>",
            "<a><credentials type='t' name='n' uuid='u'><y u='REDACTED' usage='z'/></credentials></a>",
        ),
        ('<a>{"token": ["hunter2x"]}</a>', '<a>{"token": ["REDACTED"]}</a>'),
        ("<!--password=hunter2x--><a/>", "<!--password=REDACTED--><a/>"),
    ],
)
def test_secrets_in_xml_are_not_stored(document: str, shown: str) -> None:
    made = Redaction().document(document.encode(), is_json=False)
    assert canonical(made) == canonical(shown.encode())
    assert b"hunter2x" not in made


def test_pairs_in_json_are_not_stored() -> None:
    document = {
        "args": [{"name": "password", "value": "x"}, {"key": "a", "value": "b"}, {"key": "psk", "value": [1]}],
        "object": {"qom-type": "secret", "id": "s0", "data": "x"},
        "https://u:hunter2x@h/": "said hunter2x",
    }
    assert json.loads(Redaction().document(json.dumps(document).encode(), is_json=True)) == {
        "args": [
            {"name": "password", "value": "REDACTED"},
            {"key": "a", "value": "b"},
            {"key": "psk", "value": ["REDACTED"]},
        ],
        "object": {"qom-type": "secret", "id": "s0", "data": "REDACTED"},
        "https://REDACTED@h/": "said REDACTED",
    }


def test_a_secret_found_in_one_place_is_stored_in_none(tmp_path: Path) -> None:
    document = DOMAIN.replace("web01", "hunter2x").replace("'br0'/>", "'br0'/>\n<!-- said hunter2x -->")
    process = FakeProcess([*ARGV[:1], "hunter2x", *ARGV[2:]], {"a": "hunter2x", "PASSWORD": "hunter2x"}, document)
    context = read_context(process)
    said = "hunter2x, and the other: s3cr3tpw"
    after = document.replace("</devices>", "<graphics type='vnc' passwd='s3cr3tpw'/></devices>").encode()
    outcome = Outcome(context.point, "web01", document.encode(), after, stderr=said)
    made = record(tmp_path, process, outcome)
    assert sorted(file.name for file in made.iterdir()) == [
        "invocation.json",
        "outcome.json",
        "result.xml",
        "stdin.xml",
    ]
    for file in made.iterdir():
        assert b"hunter2x" not in file.read_bytes()
        assert b"s3cr3tpw" not in file.read_bytes()
    assert Recording(made).golden is not None


def test_more_secrets_than_can_be_looked_for_are_not_stored(tmp_path: Path) -> None:
    document = "<domain>" + "".join(f"<a passwd='hunter{number}'/>" for number in range(2000)) + "</domain>"
    made = record(tmp_path, libvirt("qemu", "start", document))
    assert [file.name for file in made.iterdir()] == ["invocation.json"]


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
    quiet = (
        "a" * 1_000_000,
        "passwd" * 200_000,
        "password " * 100_000,
        "-pass" * 200_000,
        "://a:" * 200_000,
    )
    for text in quiet:
        assert Redaction().text(text) == text
    loud = "token='" * 100_000, 'token="\\\\\n' * 100_000, "--token 'x" * 100_000, "secret,a=,data=x " * 100_000
    for text in loud:
        assert "REDACTED" in Redaction().text(text)


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
        ("hooks/qemu", HookError, "cannot write .*qemu: File exists"),
        ("no/qemu", HookError, "cannot write .*no/qemu: No such file or directory"),
    ],
)
def test_a_recorder_is_installed_only_where_a_host_looks(
    tmp_path: Path, name: str, error: type[HookError], message: str
) -> None:
    installed(tmp_path, "qemu")
    with pytest.raises(error, match=message):
        recorder.install(tmp_path / name, tmp_path / "calls")


def test_an_installed_recorder_is_whole_before_a_host_can_run_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "qemu"
    write = _process.write
    seen: list[tuple[bool, list[int]]] = []

    def watched(descriptor: int, data: bytes) -> None:
        seen.append((path.exists(), [mode(file) for file in tmp_path.iterdir() if file.is_file()]))
        write(descriptor, data)

    monkeypatch.setattr(_process, "write", watched)
    recorder.install(path, tmp_path / "calls")
    assert seen == [(False, [0o600])]
    assert mode(path) == 0o755
    assert {file.name for file in tmp_path.iterdir()} == {"qemu", "calls"}


def test_a_recorder_that_cannot_be_written_whole_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_process, "write", full)
    with pytest.raises(HookError, match="cannot write .*qemu: No space left on device"):
        recorder.install(tmp_path / "qemu", tmp_path / "calls")
    assert [file.name for file in tmp_path.iterdir()] == ["calls"]


def test_what_is_there_already_is_left_alone(tmp_path: Path) -> None:
    hooks, calls = installed(tmp_path, "qemu")
    (hooks / "network").symlink_to("nowhere")
    for name in "qemu", "network":
        before = os.lstat(hooks / name)
        with pytest.raises(HookError, match="File exists"):
            recorder.install(hooks / name, calls)
        assert os.lstat(hooks / name) == before
    assert {file.name for file in hooks.iterdir()} == {"qemu", "network"}


def test_nothing_is_installed_where_no_call_could_be_stored(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to("open")
    (tmp_path / "file").touch()
    (tmp_path / "before_vm_start").mkdir()
    cases = [
        ("open", "qemu", "others can write to"),
        ("link", "qemu", "is a symbolic link"),
        ("file", "qemu", "cannot record calls in .*file: Not a directory"),
        ("before_vm_start", "before_vm_start/50_x", "run as vdsm and as root; let both write: chmod 1777 /"),
    ]
    for folder, name, why in cases:
        with pytest.raises(HookError, match=why):
            recorder.install(tmp_path / name, tmp_path / folder)
        assert not (tmp_path / name).exists()


def test_at_a_hook_point_of_vdsm_all_its_users_can_record(tmp_path: Path) -> None:
    hooks, calls = installed(tmp_path, "before_vm_start/00_record")
    assert mode(calls) == 0o1777
    recorder.install(hooks / "before_vm_start" / "01_record", calls)
    path = hooks / "before_vm_start" / "00_record"
    (tmp_path / "payload").write_text(DOMAIN)
    environ = {"_hook_domxml": str(tmp_path / "payload")}
    ended = subprocess.run([path], env=environ, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")
    assert find_recordings(calls)[0].payload == DOMAIN.encode()


def test_an_interpreter_that_cannot_be_started_fails_no_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/opt/my python/bin/python3")
    hooks, calls = installed(tmp_path)
    called = ScriptFolder(hooks).call("qemu", ARGV[1:], DOMAIN.encode())
    assert (called.status, called.output) == (0, b"")
    assert b"/opt/my python/bin/python3: not found" in called.scripts[0][1].stderr
    assert not [*calls.iterdir()]


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


@pytest.mark.parametrize("end", ['rm "$_hook_domxml"', 'ln -sf /etc/hostname "$_hook_domxml"'])
def test_a_wrapped_script_of_vdsm_that_removes_its_file_is_recorded(tmp_path: Path, calls: Path, end: str) -> None:
    (tmp_path / "before_vm_start").mkdir()
    payload = tmp_path / "payload"
    payload.write_text(DOMAIN)
    path = script(tmp_path / "before_vm_start", f"#!/bin/sh\n{end}\nexit 1\n", "50_x")
    ended = wrapped(calls, path, stdin=None, _hook_domxml=str(payload))
    assert (ended.returncode, ended.stderr) == (1, b"")
    (made,) = find_recordings(calls)
    assert made.payload == DOMAIN.encode()
    assert made.golden is not None
    assert made.golden.status == 1
    assert made.golden.refused.startswith("VDSM hands over a document")


def test_a_wrapped_script_that_writes_much_takes_no_memory(tmp_path: Path, calls: Path) -> None:
    path = script(tmp_path, "#!/bin/sh\nhead -c 300000000 /dev/zero\n", "qemu")
    code = "import sys; from hooking.testing import recorder; recorder.run_recorded(sys.argv[1], sys.argv[2:])"
    limited = ["sh", "-c", 'ulimit -d 250000; exec "$@"', "sh"]  # KiB
    command = [*limited, sys.executable, "-I", "-c", code, str(calls), str(path), *ARGV[1:]]
    with subprocess.Popen(["wc", "-c"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as counter:
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=counter.stdin, check=False)
        assert counter.communicate()[0].strip() == b"300000000"
    assert ended.returncode == 0


def test_a_wrapped_script_need_not_read_its_input(tmp_path: Path, calls: Path) -> None:
    path = script(tmp_path, "#!/bin/sh\nexit 3\n", "qemu")
    ended = wrapped(calls, path, *ARGV[1:], stdin=DOMAIN.encode() + b" " * 1_000_000)
    assert (ended.returncode, ended.stderr) == (3, b"")
    assert len(find_recordings(calls)) == 1


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
    script(path.parent, '#!/bin/sh\nrm "$_hook_domxml"\n', path.name)
    assert in_this_process(from_nothing, tmp_path) == 0
    assert [call.payload == DOMAIN.encode() for call in find_recordings(calls)] == [True, False, False]


def test_ending_by_a_signal_that_does_not_end(tmp_path: Path) -> None:
    def end() -> None:
        signal.signal(signal.SIGWINCH, lambda *_: None)
        recorder.end_as(-signal.SIGWINCH)

    assert in_this_process(end, tmp_path) == 256 - signal.SIGWINCH
    assert in_this_process(lambda: recorder.end_as(-signal.SIGURG), tmp_path) == 256 - signal.SIGURG


# The command


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(hooking_command, ["record", *map(str, arguments)])


def test_record_installs(tmp_path: Path) -> None:
    (tmp_path / "qemu.d").mkdir()
    path = tmp_path / "qemu.d" / "00-record"
    shown = invoke("--output", tmp_path / "calls", "--install", path)
    assert shown.exit_code == 0
    assert f"\n{sys.executable} -I -c " in path.read_text()
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


def record_in_fork(tmp_path: Path, *arguments: object, **environ: str) -> Any:
    words = ["--output", str(tmp_path / "calls"), *map(str, arguments)]

    def main() -> None:
        os.environ.update({"LC_ALL": "C.UTF-8", **environ})
        hooking_command.main(["record", *words], "hooking")

    return in_fork(main, tmp_path, DOMAIN.encode())


def test_nothing_to_record_is_wrong_use_unless_a_host_may_have_called(tmp_path: Path, calls: Path) -> None:
    ended = record_in_fork(tmp_path)
    assert (ended.status, ended.stdout) == (2, b"")
    assert "nothing to record: give SCRIPT, --install or --called-as" in ended.stderr
    ended = record_in_fork(tmp_path, _hook_json="/none")
    assert (ended.status, ended.stdout) == (0, b"")


def test_nothing_to_record_at_a_terminal_is_wrong_use(tmp_path: Path) -> None:
    def main() -> None:
        _, terminal = os.openpty()
        os.dup2(terminal, 0)
        os.environ["LC_ALL"] = "C"
        hooking_command.main(["record", "--output", str(tmp_path)], "hooking")

    assert in_fork(main, tmp_path).status == 2


def test_help_of_record_shows_the_examples_as_they_are_written() -> None:
    shown = invoke("--help").output
    assert '  exec hooking record --output /var/tmp/calls --called-as "$0" -- "$@"\n' in shown
    assert "\\b" not in shown
    assert "1777" in shown


def test_record_as_a_hook_prints_nothing(tmp_path: Path, calls: Path) -> None:
    ended = record_in_fork(tmp_path, "--called-as", ARGV[0], "--", *ARGV[1:])
    assert (ended.status, ended.stdout, ended.stderr) == (0, b"", "")
    assert find_recordings(calls)[0].argv == ARGV
    ended = record_in_fork(tmp_path, LC_ALL="C")
    assert (ended.status, ended.stdout, ended.stderr.count("\n")) == (0, b"", 1)
    assert "is called by neither libvirt" in ended.stderr


def test_record_wraps(tmp_path: Path, calls: Path) -> None:
    path = script(tmp_path, '#!/bin/sh\necho "$@"\ncat\nexit 9\n', "qemu")
    ended = record_in_fork(tmp_path, "--", path, "--output", "start", "begin", "-")
    assert (ended.status, ended.stdout) == (9, b"--output start begin -\n" + DOMAIN.encode())
    assert find_recordings(calls)[0].object == "--output"
