"""`run_hook` and `Outcome`: hooks in this process."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import hooking
from hooking import Device, Domain, HookContext, HookData
from hooking.exceptions import DocumentError, InvocationError, PointError
from hooking.points import Point, all_points
from hooking.testing import FakeHost, assert_same_document, run_hook
from hooking.testing.documents import sample
from hooking.testing.fake_programs import add_systemd
from support import DOMAIN, TEMPLATES, recordings

PIN = TEMPLATES / "pincpu" / "pincpu.py"
BY_HAND = """import hooking
domain = hooking.read_domain()
hooking.set_cpuset(domain, hooking.current_context().custom_properties["pincpu"])
hooking.write_domain(domain)
"""

hook = hooking.Hook()


@hook.vdsm("before_vm_start", "after_vm_start")
@hook.qemu("restore", "prepare", "reconnect", object="web*")
def pin(domain: Domain, context: HookContext) -> None:
    hooking.set_cpuset(domain, context.custom_properties["pincpu"])


@hook.vdsm("after_disk_prepare")
def block(disk: dict[str, Any], context: HookContext) -> None:
    disk["diskType"] = "block"
    hooking.log("the disk is a block device")


@hook.network("port-created")
def greet(data: HookData, context: HookContext) -> None:
    hooking.log(f"hello {data.network.name}")


@hook.libxl("migrate")
def grow(domain: Domain, context: HookContext) -> None:
    domain.title = (domain.title or "") + "x"


def test_a_hook_is_tested_in_a_line() -> None:
    outcome = run_hook(hook, "qemu/restore", custom_properties={"pincpu": "1-4"})
    assert outcome.domain.vcpu.cpuset == "1-4"
    assert outcome.changed
    assert (outcome.status, outcome.object, outcome.stderr, outcome.log) == (0, "web01", "", "")
    assert outcome.host_verdict == "libvirt goes on with the hook's domain"
    assert '+  <vcpu cpuset="1-4" placement="static">2</vcpu>' in outcome.diff
    assert outcome.stdout == outcome.after


def test_what_is_given_is_what_the_hook_gets() -> None:
    outcome = run_hook(hook, "qemu/restore", document=DOMAIN, object="db01")
    assert not outcome.changed
    assert (outcome.object, outcome.diff) == ("db01", "")
    assert outcome.host_verdict == "libvirt goes on"


def test_under_vdsm_the_properties_are_in_the_environment() -> None:
    outcome = run_hook(hook, "before_vm_start", document=DOMAIN, custom_properties={"pincpu": "7"}, object="some-id")
    assert (outcome.domain.vcpu.cpuset, outcome.object, outcome.stdout) == ("7", "some-id", b"")
    assert outcome.host_verdict == "VDSM goes on with the hook's domain"


def test_a_document_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "domain.xml"
    path.write_text(DOMAIN)
    assert run_hook(hook, "qemu/restore", document=path).domain.name == "web01"


def test_json_is_merged_as_vdsm_does() -> None:
    outcome = run_hook(hook, "after_disk_prepare", document={"path": "/x", "diskType": "file"})
    assert outcome.json == {"path": "/x", "diskType": "block"}
    assert outcome.stderr == "the disk is a block device\n"
    assert run_hook(hook, "before_get_caps", document={}).json == {}


def test_the_log_of_libvirt() -> None:
    outcome = run_hook(hook, "network/port-created")
    assert (outcome.log, outcome.object) == ("hello lan\n", "lan")
    assert outcome.hook_data.network.name == "lan"


def test_a_change_at_a_read_only_point_fails() -> None:
    outcome = run_hook(hook, "qemu/prepare", custom_properties={"pincpu": "1"})
    assert outcome.host_verdict == (
        "the guest is not started: hook.py: qemu/prepare web01: the document was changed, but libvirt ignores changes "
        "at qemu/prepare; do not make any"
    ).replace("hook.py", "qemu")
    assert outcome.failed
    assert not outcome.changed


def test_two_runs_know_nothing_of_each_other() -> None:
    first = run_hook(hook, "qemu/restore", custom_properties={"pincpu": "1"})
    second = run_hook(hook, "qemu/restore", custom_properties={"pincpu": "2"})
    again = run_hook(hook, "qemu/restore", custom_properties={"pincpu": "1"})
    assert second.domain.vcpu.cpuset == "2"
    assert again == first


def test_a_hook_that_changes_its_own_result() -> None:
    run_hook(hook, "qemu/restore", custom_properties={"pincpu": "1"}, twice=True)
    assert run_hook(hook, "libxl/migrate").changed
    with pytest.raises(AssertionError, match=r"the hook changes its own result:\n(.|\n)*\+  <title>.*xx</title>"):
        run_hook(hook, "libxl/migrate", twice=True)


@pytest.mark.parametrize("name", ["qemu/restore", "before_vm_start"])
def test_the_path_of_a_script(tmp_path: Path, name: str) -> None:
    by_hand = tmp_path / "by_hand.py"
    by_hand.write_text(BY_HAND)
    for path in (PIN, by_hand, str(by_hand)):
        assert run_hook(path, name, custom_properties={"pincpu": "1"}).domain.vcpu.cpuset == "1"


@pytest.mark.parametrize(
    ("text", "status", "stderr"),
    [
        ("import hooking; hooking.read_device()", 1, "qemu/restore hands over domain, not a Device\n"),
        ("import sys; sys.exit('no')", 1, "no\n"),
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit(-1)", 255, ""),
        ("import sys; sys.exit(['no'])", 1, "['no']\n"),
        ("import sys; sys.exit()", 0, ""),
        ("", 0, ""),
    ],
)
def test_how_a_script_ends(tmp_path: Path, text: str, status: int, stderr: str) -> None:
    path = tmp_path / "script"
    path.write_text(text)
    outcome = run_hook(path, "qemu/restore")
    assert (outcome.status, outcome.stderr) == (status, stderr)


def test_a_script_that_breaks(tmp_path: Path) -> None:
    path = tmp_path / "script"
    path.write_text("nothing")
    outcome = run_hook(path, "qemu/restore")
    assert outcome.status == 1
    assert outcome.stderr.splitlines()[-1] == "NameError: name 'nothing' is not defined"


def test_sys_is_left_alone(tmp_path: Path) -> None:
    before = (sys.argv[:], sys.stdin, sys.stdout, sys.stderr, sys.modules["__main__"])
    run_hook(PIN, "qemu/restore")
    assert before == (sys.argv, sys.stdin, sys.stdout, sys.stderr, sys.modules["__main__"])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"point": "qemu/migarte"}, PointError, "there is no hook point qemu/migarte; did you mean migrate?"),
        ({"point": "after_get_caps", "document": DOMAIN}, DocumentError, "the document is not JSON that VDSM writes"),
        ({"point": "qemu/start", "document": "{}"}, DocumentError, "the document is not XML that a host writes"),
        (
            {"point": "qemu/start", "document": "domain.xml"},
            DocumentError,
            "is neither XML nor JSON; give a pathlib.Path",
        ),
        ({"point": "qemu/start", "document": ""}, DocumentError, "hands over a document .domain. at qemu/start"),
        ({"point": "daemon/start", "document": DOMAIN}, InvocationError, "hands over no document at daemon/start"),
        ({"point": "daemon/start", "object": "x"}, InvocationError, "daemon/start is about no object, so object='x'"),
        ({"point": "after_get_caps", "object": "x"}, InvocationError, "after_get_caps is about no object"),
        ({"point": "qemu/start", "extra": "x"}, InvocationError, "extra='x' cannot be at qemu/start, where it is '-'"),
        ({"point": "after_get_caps", "extra": "x"}, InvocationError, "extra='x' cannot be at after_get_caps"),
        ({"point": "daemon/start", "custom_properties": {"a": "b"}}, InvocationError, "daemon/start has no document"),
        (
            {"point": "after_get_caps", "custom_properties": {"a": "b"}},
            InvocationError,
            "VDSM gives no custom properties",
        ),
    ],
)
def test_what_no_host_does_is_refused(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        run_hook(hook, **arguments)


@pytest.mark.parametrize("point", all_points(), ids=lambda point: point.name)
def test_every_point_can_be_run_on_its_sample(point: Point) -> None:
    every = hooking.Hook()
    seen: list[Any] = []
    getattr(every, point.driver)(point.op)(lambda *arguments: seen.append(arguments[0]))
    outcome = run_hook(every, point.name)
    assert not outcome.failed
    assert len(seen) == 1
    assert bool(sample(point)) == (point.document is not None)
    assert outcome.host_verdict.startswith(f"{point.host_title} goes on")
    failed = run_hook(refusing(point), point.name).host_verdict
    logged = failed.startswith(f"{point.host_title} logs the failure, and the {point.action} goes on: ")
    assert logged == (point.failure == "ignored")
    assert failed.endswith("not today")


def refusing(point: Point) -> hooking.Hook:
    refusal = hooking.Hook()

    @getattr(refusal, point.driver)(point.op)  # type: ignore[untyped-decorator]
    def refuse(*arguments: object) -> None:
        raise hooking.Refusal("not today")

    return refusal


@pytest.mark.parametrize("recording", recordings("qemu", "lxc", "network"), ids=lambda recording: recording.folder.name)
def test_captured_documents_can_be_run(recording: Any) -> None:
    name, op, _, extra = recording.argv[1:]
    outcome = run_hook(hook, f"{recording.driver}/{op}", document=recording.stdin, object=name, extra=extra)
    assert outcome.before == recording.stdin


def test_a_view_of_another_kind_is_refused() -> None:
    outcome = run_hook(hook, "before_nic_hotplug")
    assert isinstance(outcome.device, Device)
    for attribute, kind in (("domain", "Domain"), ("hook_data", "HookData"), ("json", "JSON")):
        with pytest.raises(InvocationError, match=f"before_nic_hotplug has device, not {kind}"):
            getattr(outcome, attribute)
    assert run_hook(hook, "daemon/start").document is None


def test_an_answer_that_the_host_cannot_use(tmp_path: Path) -> None:
    path = tmp_path / "script"
    path.write_text("from hooking._process import current\ncurrent().answer(None, b'<domain/>')")
    assert run_hook(path, "qemu/restore").host_verdict.startswith("the guest is not restored: /domain has no <name>")
    path.write_text("from hooking._process import current\ncurrent().answer('payload', b'<domain')")
    assert "not XML" in run_hook(path, "before_vm_start").refused
    path.write_text("from hooking._process import current\ncurrent().answer(None, b' \\0<noise>')")
    assert not run_hook(path, "qemu/restore").failed


def test_documents_are_compared_by_what_they_mean() -> None:
    assert_same_document("<a x='1'  y='2'><b/></a>", b'<a y="2" x="1">\n  <b></b>\n</a>')
    assert_same_document('{"a": 1, "b": 2}', '{"b":2,"a":1}')
    with pytest.raises(AssertionError, match=r'(?s)the documents differ:.*-<a x="1"/>.*\+<a x="2"/>'):
        assert_same_document("<a x='2'/>", "<a x='1'/>")


# The host


def on_host(context: HookContext) -> None:
    hooking.stop_units(hooking.state(context), "display-manager")


def test_a_hook_finds_the_host_that_it_is_given(fake_host: FakeHost) -> None:
    add_systemd(fake_host, {"display-manager.service": "active"})
    hook = hooking.Hook()
    hook.daemon("start")(on_host)
    assert run_hook(hook, "daemon/start", host=fake_host).status == 0
    assert fake_host.commands[-1] == ["systemctl", "stop", "display-manager.service"]


def test_a_hook_finds_nothing_on_a_host_that_was_not_given() -> None:
    hook = hooking.Hook()
    hook.daemon("start")(on_host)
    assert "systemctl is not installed on this host" in run_hook(hook, "daemon/start").stderr
