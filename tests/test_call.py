"""Hooks written by hand: read, edit, write, and an error that ends the script with one line."""

from __future__ import annotations

import importlib
import subprocess
import sys
from copy import copy
from pathlib import Path

import pytest

import hooking
from hooking import _process
from support import DOMAIN, FakeProcess, execute, libvirt, recordings, vdsm


def act_for(process: FakeProcess) -> FakeProcess:
    _process.replace_current(process)
    return process


def test_read_edit_write() -> None:
    process = act_for(libvirt("qemu", "restore"))
    domain = hooking.read_domain()
    assert hooking.read_domain() is domain
    assert hooking.current_context().custom_properties == {"pincpu": "0-1"}
    hooking.set_cpuset(domain, "1")
    hooking.write_domain(domain)
    assert b'cpuset="1"' in (process.answered or b"")


def test_an_unchanged_domain_is_not_written() -> None:
    process = act_for(vdsm("before_vm_start"))
    hooking.write_domain(hooking.read_domain())
    assert process.answered is None


def test_what_was_written_is_the_new_state() -> None:
    process = act_for(vdsm("before_vm_start"))
    domain = hooking.read_domain()
    domain.title = "x"
    hooking.write_domain(domain)
    domain.title = None
    hooking.write_domain(domain)
    assert b"title" not in (process.answered or b"title")


def test_a_domain_of_ones_own_is_compared_with_what_the_host_gave() -> None:
    process = act_for(vdsm("before_vm_start"))
    other = hooking.Domain(copy(hooking.read_domain().element))
    other.element[0].text = "web02"
    with pytest.raises(hooking.IdentityError, match="must stay 'web01'"):
        hooking.write_domain(other)
    assert process.answered is None


def test_what_is_no_domain_is_not_written() -> None:
    process = act_for(vdsm("before_vm_start"))
    with pytest.raises(hooking.DocumentError, match="a Domain goes back, not '<domain/>'"):
        hooking.write_domain("<domain/>")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert process.answered is None


def test_an_empty_variable_names_no_file() -> None:
    act_for(vdsm("before_vm_start", _hook_domxml=""))
    with pytest.raises(hooking.DocumentError, match="in the variable _hook_domxml, which is not set"):
        hooking.read_domain()


def test_an_error_of_ones_own_needs_no_message() -> None:
    class OwnError(hooking.HookError):
        def __init__(self, number: int) -> None:
            self.number = number

    assert str(OwnError(5)) == "an error without a message"
    assert OwnError(5).code


def test_devices() -> None:
    process = act_for(vdsm("before_nic_hotplug", "<interface><model type='virtio'/></interface>"))
    device = hooking.read_device()
    assert isinstance(device, hooking.Interface)
    device.model = "e1000e"
    hooking.write_device(device)
    assert process.answered == b'<interface><model type="e1000e"/></interface>'


def test_an_empty_device_is_none() -> None:
    act_for(vdsm("before_device_destroy", ""))
    assert hooking.read_device() is None
    act_for(vdsm("before_device_destroy", "<disk/>"))
    assert isinstance(hooking.read_device(), hooking.Disk)


def test_hook_data() -> None:
    recording = recordings("network")[4]
    act_for(FakeProcess(recording.argv, recording.environ, recording.stdin))
    data = hooking.read_hook_data()
    assert isinstance(data, hooking.PortData)
    assert data.port.owner_name == "web01"


def test_asking_for_another_document_names_what_there_is() -> None:
    act_for(libvirt("network", "start", "<hookData/>"))
    with pytest.raises(hooking.PointError, match="network/start hands over network, not a Domain"):
        hooking.read_domain()
    act_for(FakeProcess(["/etc/libvirt/hooks/daemon", "-", "start", "-", "start"]))
    with pytest.raises(hooking.PointError, match="daemon/start hands over no document, not a Device"):
        hooking.read_device()


def test_writing_where_the_host_does_not_read() -> None:
    act_for(libvirt("qemu", "stopped"))
    domain = hooking.read_domain()
    domain.title = "x"
    with pytest.raises(hooking.ReadOnlyError, match="libvirt ignores changes at qemu/stopped"):
        hooking.write_domain(domain)


BY_HAND = """import sys, hooking
domain = hooking.read_domain()
hooking.set_cpuset(domain, sys.argv[4])
hooking.write_domain(domain)
if sys.argv[3] == "twice":
    domain.title = "again"
    hooking.write_domain(domain)
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "qemu"
    path.write_text(BY_HAND)
    return path


def test_by_hand_as_an_executable(script: Path) -> None:
    ended = execute(script, ["web01", "migrate", "begin", "1-2"], stdin=DOMAIN.encode())
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert b'cpuset="1-2"' in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["web01", "migrate", "begin", "x"], b"/domain/vcpu/@cpuset: 'x' is not a set of CPUs such as 0-3,^2,8\n"),
        (["web01", "prepare", "begin", "1"], b"the document was changed, but libvirt ignores changes at qemu/prepare"),
        (["web01", "migrate", "begin"], b"libvirt gives 4 arguments, OBJECT OPERATION SUB-OPERATION EXTRA, but 3 came"),
        (["web01", "migrate", "twice", "1"], b"the host reads one document from standard output, and one was already"),
    ],
)
def test_an_uncaught_error_is_one_line_and_status_1(script: Path, arguments: list[str], message: bytes) -> None:
    ended = execute(script, arguments, stdin=DOMAIN.encode())
    assert ended.returncode == 1
    assert ended.stderr.startswith(message)
    assert ended.stderr.count(b"\n") == 1


def test_our_errors_are_caught_as_exceptions() -> None:
    with pytest.raises(Exception, match="why") as caught:
        raise hooking.HookError("why\n  ")
    error: object = caught.value
    assert isinstance(error, hooking.HookError)
    assert isinstance(error, SystemExit)
    assert (error.exit_status, error.code) == (1, "why")


def test_the_face_has_all_names_and_no_other() -> None:
    assert set(dir(hooking)) >= {"Hook", "tobool", "execCmd", "block_start"}
    with pytest.raises(AttributeError, match="module 'hooking' has no attribute 'nope'"):
        hooking.nope  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue] # noqa: B018
    for name, module in hooking._HOMES.items():
        assert getattr(hooking, name) is getattr(sys.modules[f"hooking.{module}"], name)
    text = Path(hooking.__file__).read_text(encoding="utf-8")
    assert sorted(hooking._HOMES) == sorted(line.split(" as ")[0] for line in _aliases(text))


def _aliases(text: str) -> list[str]:
    words = text.replace("(", " ").replace(")", " ").replace(",", " ").split()
    return [
        f"{words[at - 1]} as {words[at + 1]}"
        for at, word in enumerate(words)
        if word == "as" and words[at - 1] == words[at + 1]
    ]


HEAVY = [
    "lxml",
    "defusedxml",
    "typing",
    "dataclasses",
    "enum",
    "inspect",
    "re",
    "fnmatch",
    "signal",
    "subprocess",
    "logging",
    "argparse",
    "json",
]

UNMATCHED = """from __future__ import annotations
import hooking
hook = hooking.Hook(timeout=10)

@hook.vdsm("before_vm_start")
@hook.qemu("migrate", object="web*")
def pin(domain: hooking.Domain, context: hooking.HookContext) -> None:
    hooking.set_cpuset(domain, "0")

try:
    hook.run()
finally:
    import sys
    print(*sorted(sys.modules), file=sys.stderr)
"""


@pytest.mark.parametrize("arguments", [["web01", "prepare", "begin", "-"], ["db", "migrate", "begin", "-"]])
def test_without_a_matching_handler_nothing_heavy_is_imported(tmp_path: Path, arguments: list[str]) -> None:
    script = tmp_path / "qemu"
    script.write_text(UNMATCHED)
    # -S: what the packages of this environment import at the start of Python is not ours
    bare = subprocess.run(
        [sys.executable, "-I", "-S", "-c", "import sys; print(*sys.modules)"], capture_output=True, check=True
    )
    arguments = [str(script), *arguments]
    setup = f"import sys; sys.path.append({str(Path(hooking.__file__).parent.parent)!r}); sys.argv = {arguments}; "
    run = f"{setup} exec(compile(open(sys.argv[0]).read(), 'x', 'exec'))"
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-c", run], capture_output=True, check=False, stdin=subprocess.DEVNULL
    )
    assert ended.returncode == 0
    imported = set(ended.stderr.decode().split()) - set(bare.stdout.decode().split())
    assert "hooking.hook" in imported
    assert not imported & set(HEAVY)


def test_the_face_can_be_loaded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("xml.dom", "urllib"):
        monkeypatch.delitem(sys.modules, package, raising=False)
    importlib.reload(hooking)
    monkeypatch.undo()
    importlib.reload(hooking)
    assert hooking.tobool("1")


@pytest.mark.parametrize("package", ["xml.dom", "urllib"])
def test_submodules_that_vdsm_scripts_take_for_granted(package: str) -> None:
    attribute = {"xml.dom": "xml.dom.minidom.parseString", "urllib": "urllib.parse.urlparse"}[package]
    code = f"import {package}\nimport hooking\n{attribute}"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
