"""VDSM's own module, name for name."""

from __future__ import annotations

import inspect
import json
import logging
import os
import stat
from pathlib import Path
from typing import Any
from xml.dom import minidom
from xml.parsers.expat import ExpatError

import pytest
from hypothesis import example, given, strategies as st

import hooking
from hooking import _process, expat, vdsm
from support import DOMAIN, GOLDEN, PINCPU, FakeProcess, canonical, execute

TEN_NAMES = {
    "tobool": "(value)",
    "read_domxml": "()",
    "write_domxml": "(domxml)",
    "read_json": "()",
    "write_json": "(data)",
    "exit_hook": "(message, return_code=2)",
    "log": "(message)",
    "load_vm_launch_flags_from_file": "(vm_id)",
    "dump_vm_launch_flags_to_file": "(vm_id, flags)",
    "execCmd": "(command, sudo=False, cwd=None, data=None, raw=False, printable=None, env=None, nice=None, "
    "ioclass=None, ioclassdata=None, setsid=False, execCmdLogger=None, resetCpuAffinity=True, **_of_old)",
}


@pytest.mark.parametrize(("name", "signature"), TEN_NAMES.items())
def test_the_ten_names_have_vdsms_arguments(name: str, signature: str) -> None:
    found = inspect.signature(getattr(hooking, name))
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in found.parameters.values()]
    assert str(inspect.Signature(bare)) == signature


def act_for(point: str, payload: bytes | str) -> FakeProcess:
    process = FakeProcess([f"/x/{point}/50_y"], {"_hook_domxml": "/p", "_hook_json": "/p"}, payload)
    _process.replace_current(process)
    return process


def test_documents_are_minidom_documents() -> None:
    process = act_for("before_vm_start", DOMAIN)
    domxml = hooking.read_domxml()
    assert isinstance(domxml, minidom.Document)
    domxml.getElementsByTagName("vcpu")[0].setAttribute("cpuset", "1\t\n2")
    hooking.write_domxml(domxml)
    written = process.answered or b""
    assert written.startswith(b'<?xml version="1.0" encoding="utf-8"?><domain type="kvm">')
    assert minidom.parseString(written).getElementsByTagName("vcpu")[0].getAttribute("cpuset") == "1\t\n2"


texts = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="\ufffe\uffff")
    | st.sampled_from('\t\n\r"=<&')
)


@example("\r", "\r", "")
@given(texts, texts, texts)
def test_what_minidom_writes_is_what_it_held(attribute: str, first: str, second: str) -> None:
    document = minidom.parseString(DOMAIN)
    root = document.documentElement
    assert root is not None
    root.setAttribute("a", attribute)
    root.appendChild(document.createTextNode(first))
    root.appendChild(document.createComment(second.replace("-", "")))
    root.appendChild(document.createElement("e")).setAttribute("b", second)
    again = minidom.parseString(expat.serialise(document)).documentElement
    assert again is not None
    assert again.getAttribute("a") == attribute
    assert again.getElementsByTagName("e")[0].getAttribute("b") == second
    assert str(again.childNodes[-3].nodeValue).endswith(first)


def test_identity_is_fixed_in_minidom_too() -> None:
    process = act_for("before_vm_start", DOMAIN)
    domxml = hooking.read_domxml()
    name = domxml.getElementsByTagName("name")[0]
    name.replaceChild(domxml.createTextNode("web02"), name.childNodes[0])
    with pytest.raises(hooking.IdentityError, match="the name must stay 'web01', but the hook made it 'web02'"):
        hooking.write_domxml(domxml)
    assert process.answered is None


def test_a_document_that_cannot_be_read_again_is_not_written() -> None:
    process = act_for("before_vm_start", DOMAIN)
    domxml = hooking.read_domxml()
    domxml.getElementsByTagName("vcpu")[0].setAttribute("cpuset", "\0")
    with pytest.raises(hooking.DocumentError, match="the hook made a document that is not XML"):
        hooking.write_domxml(domxml)
    assert process.answered is None


def root_of(domxml: minidom.Document) -> minidom.Element:
    assert domxml.documentElement is not None
    return domxml.documentElement


def test_a_name_of_another_namespace_is_no_name() -> None:
    act_for("before_vm_start", DOMAIN.replace("<name>web01</name>", "<x:name xmlns:x='urn:x'>web01</x:name>"))
    domxml = hooking.read_domxml()
    hooking.write_domxml(domxml)
    foreign = domxml.getElementsByTagName("x:name")[0]
    root_of(domxml).replaceChild(name := domxml.createElement("name"), foreign)
    name.appendChild(domxml.createTextNode("web01"))
    with pytest.raises(hooking.IdentityError, match="the name must stay 'absent', but the hook made it 'web01'"):
        hooking.write_domxml(domxml)


def test_a_root_of_another_namespace_is_another_root() -> None:
    act_for("before_vm_start", DOMAIN)
    domxml = hooking.read_domxml()
    root_of(domxml).setAttribute("xmlns", "urn:x")
    with pytest.raises(
        hooking.IdentityError, match="the root element must stay 'domain', but the hook made it 'urn:x "
    ):
        hooking.write_domxml(domxml)


def test_a_doctype_is_not_written() -> None:
    process = act_for("before_vm_start", DOMAIN)
    domxml = hooking.read_domxml()
    doctype = minidom.getDOMImplementation().createDocumentType("domain", None, "file:///etc/passwd")
    domxml.insertBefore(doctype, domxml.documentElement)
    with pytest.raises(
        hooking.DocumentError, match="the hook made a document with a DOCTYPE; no host reads such a one"
    ):
        hooking.write_domxml(domxml)
    assert process.answered is None


@pytest.mark.parametrize("encoding", ["nope", "utf-7", "idna", "rot13", "undefined"])
def test_an_absurd_encoding_is_one_line(encoding: str) -> None:
    document = f"<?xml version='1.0' encoding='{encoding}'?>{DOMAIN}"
    act_for("before_vm_start", document)
    with pytest.raises(hooking.DocumentError, match="the document is in an encoding that no host writes"):
        hooking.read_domxml()
    with pytest.raises(hooking.DocumentError, match="the hook made a document that is not XML"):
        expat.identify(document.encode())


def test_json_that_is_too_deep_is_one_line() -> None:
    act_for("before_network_setup", "[" * 100_000)
    with pytest.raises(hooking.DocumentError, match="the document is not JSON that VDSM writes"):
        hooking.read_json()


def test_the_reference_is_what_the_host_gave_first() -> None:
    process = act_for("before_vm_start", DOMAIN)
    for name in ("web01", "web02"):
        domxml = minidom.parseString(DOMAIN.replace("web01", name))
        process.given = DOMAIN.replace("web01", "web02").encode()
        if name == "web01":
            process.given = DOMAIN.encode()
            hooking.write_domxml(domxml)
        else:
            with pytest.raises(hooking.IdentityError):
                hooking.write_domxml(domxml)


def test_an_empty_file_is_an_expat_error_and_has_no_identity() -> None:
    process = act_for("before_vm_destroy", "")
    with pytest.raises(ExpatError):
        hooking.read_domxml()
    hooking.write_domxml(minidom.parseString("<x/>"))
    assert process.answered
    assert process.told == "VDSM ignores changes of the document at this hook point\n"


@pytest.mark.parametrize("point", ["after_vm_start", "before_vm_cont"])
def test_writing_where_vdsm_does_not_read_is_done_with_a_warning(point: str) -> None:
    process = act_for(point, DOMAIN)
    hooking.write_domxml(hooking.read_domxml())
    assert process.answered
    assert process.told == "VDSM ignores changes of the document at this hook point\n"


@pytest.mark.parametrize("point", ["before_vm_start", "before_teleport", "some_folder"])
def test_elsewhere_it_is_silent(point: str) -> None:
    process = act_for(point, DOMAIN)
    hooking.write_domxml(hooking.read_domxml())
    assert not process.told


def test_outside_of_any_hook_folder_the_file_is_written() -> None:
    process = FakeProcess(["/x/qemu", "a"], {"_hook_domxml": "/p"}, DOMAIN)
    _process.replace_current(process)
    hooking.write_domxml(hooking.read_domxml())
    assert process.answered
    assert not process.told


@pytest.mark.parametrize("environ", [{}, {"_hook_domxml": "", "_hook_json": ""}])
@pytest.mark.parametrize("function", [hooking.read_domxml, hooking.read_json])
def test_an_unset_variable_is_a_key_error_and_one_line(function: Any, environ: dict[str, str]) -> None:
    _process.replace_current(FakeProcess(["/x/before_vm_start/y"], environ))
    with pytest.raises(KeyError) as caught:
        function()
    assert isinstance(caught.value, SystemExit)
    assert "VDSM names the document's file in the variable _hook_" in str(caught.value)


def test_json_documents() -> None:
    process = act_for("before_network_setup", '{"a": "ü"}')
    data = hooking.read_json()
    assert data == {"a": "ü"}
    hooking.write_json({**data, "b": 1})
    assert process.answered == b'{"a": "\\u00fc", "b": 1}'
    with pytest.raises(TypeError):
        hooking.write_json({1, 2})
    with pytest.raises(hooking.IdentityError, match="the type of the document must stay 'dict'"):
        hooking.write_json([])


def test_a_key_that_vdsm_would_keep_cannot_go() -> None:
    act_for("after_disk_prepare", '{"path": "/a"}')
    with pytest.raises(hooking.IdentityError, match="so path cannot be removed"):
        hooking.write_json({})


def test_an_empty_json_file_has_no_identity() -> None:
    process = act_for("after_get_caps", "")
    with pytest.raises(json.JSONDecodeError):
        hooking.read_json()
    hooking.write_json([])
    assert process.answered == b"[]"


def test_exit_hook(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        hooking.exit_hook("why")
    assert (caught.value.code, capsys.readouterr().err) == (2, "why\n")
    with pytest.raises(SystemExit) as caught:
        hooking.exit_hook("why", return_code=0)
    assert caught.value.code == 0
    with pytest.raises(TypeError):
        hooking.exit_hook(1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def test_launch_flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vdsm, "_LAUNCH_FLAGS", f"{tmp_path}/{{}}/launchflags")
    assert hooking.load_vm_launch_flags_from_file("vm") == 0
    hooking.dump_vm_launch_flags_to_file("vm", 1)
    assert (tmp_path / "vm" / "launchflags").read_bytes() == b"1"
    assert hooking.load_vm_launch_flags_from_file("vm") == 1
    (tmp_path / "vm" / "launchflags").write_text("")
    with pytest.raises(ValueError, match="invalid literal"):
        hooking.load_vm_launch_flags_from_file("vm")


def test_exec_cmd_returns_status_and_lines_of_bytes(caplog: pytest.LogCaptureFixture) -> None:
    assert hooking.execCmd(["sh", "-c", "echo a; echo b; echo c >&2; exit 3"]) == (3, [b"a", b"b"], [b"c"])
    assert hooking.execCmd(iter([b"cat"]), data=b"x\n", raw=True) == (0, b"x\n", b"")
    assert hooking.execCmd(("pwd",), cwd="/", env={"A": "1"}, sync=True, deathSignal=9)[1] == [b"/"]
    caplog.set_level(logging.DEBUG)
    hooking.execCmd(["echo", "secret"], printable=["echo", "***"])
    assert "echo ***" in caplog.text
    assert "secret" not in caplog.text


def test_exec_cmd_without_the_program() -> None:
    assert hooking.execCmd(["/no/such/program"])[0] == 127
    with pytest.raises(OSError, match="No such file"):
        hooking.execCmd(["/no/such/program"], resetCpuAffinity=False)


def test_exec_cmd_wraps_as_vdsm_does(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []

    def run(arguments: list[str], **_: object) -> Any:
        calls.append(arguments)
        raise OSError

    monkeypatch.setattr("subprocess.run", run)
    monkeypatch.setattr(os, "geteuid", lambda: 36)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    with pytest.raises(OSError, match="^$"):
        hooking.execCmd(["x"], sudo=True, nice=5, ioclass=2, ioclassdata=7, setsid=True)
    with pytest.raises(OSError, match="^$"):
        hooking.execCmd(["x"], ioclass=3, resetCpuAffinity=False)
    taskset = ["/usr/bin/taskset", "--cpu-list", "0-7"]
    nice = ["/usr/bin/nice", "-n", "5"]
    ionice = ["/usr/bin/ionice", "-c", "2", "-n", "7"]
    assert calls == [
        [*taskset, "/usr/bin/sudo", "-n", "/usr/bin/setsid", *nice, *ionice, "x"],
        ["/usr/bin/ionice", "-c", "3", "x"],
    ]


MACSPOOF = """import os
import hooking

def drop(parent, nics):
    for nic in nics:
        for reference in nic.getElementsByTagName('filterref'):
            if reference.getAttribute('filter') == 'vdsm-no-mac-spoofing':
                nic.removeChild(reference)

if hooking.tobool(os.environ.get('macspoof')):
    domxml = hooking.read_domxml()
    drop(domxml, domxml.getElementsByTagName('interface'))
    hooking.write_domxml(domxml)
elif hooking.tobool(os.environ.get('ifacemacspoof')):
    domxml = hooking.read_domxml()
    if domxml.documentElement.tagName != 'interface':
        raise RuntimeError('not an interface')
    drop(domxml, [domxml.documentElement])
    hooking.write_domxml(domxml)
"""


@pytest.mark.parametrize(
    "case",
    sorted([*GOLDEN.glob("macspoof/*"), *GOLDEN.glob("pincpu/*")]),
    ids=lambda case: f"{case.parent.name}-{case.name}",
)
def test_scripts_in_vdsms_style_give_vdsms_results(case: Path, tmp_path: Path) -> None:
    meta = json.loads((case / "meta.json").read_text())
    script = tmp_path / meta["point"] / "50_script"
    script.parent.mkdir()
    script.write_text({"pincpu": PINCPU, "macspoof": MACSPOOF}[meta["hook"]])
    payload = tmp_path / "payload"
    payload.write_bytes((case / "stdin_or_domxml").read_bytes())
    payload.chmod(0o640)
    properties = dict(line.split("=", 1) for line in (case / "env").read_text().splitlines())
    ended = execute(script, environ={**properties, "_hook_domxml": str(payload), "vmId": "x"})
    assert ended.returncode == int((case / "expected_rc").read_text())
    if ended.returncode == 0:
        assert ended.stderr == (case / "expected_stderr").read_bytes()
    written = canonical(payload.read_bytes())
    if case.name == "vm_true_quirks":  # VDSM's minidom loses these line breaks and tabs in an attribute
        assert b"&#xA;" in written
        written = written.replace(b"&#xA;", b" ").replace(b"&#x9;", b" ")
    assert written == canonical((case / "expected_out").read_bytes())
    assert stat.S_IMODE(payload.stat().st_mode) == 0o640
