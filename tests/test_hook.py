"""`Hook` in this process: which handlers run, what goes back, and how it ends."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, strategies as st
from lxml import etree

import hooking
from hooking import Domain, HookContext
from support import DOMAIN, FakeProcess, libvirt, vdsm

PORT = "<hookData><network><name>lan</name></network><networkport><uuid>u</uuid></networkport></hookData>"
NIC = "<interface type='bridge'><filterref filter='vdsm-no-mac-spoofing'/></interface>"


def pinning(**options: Any) -> hooking.Hook:
    hook = hooking.Hook(**options)

    @hook.vdsm("before_vm_start", "after_vm_start")
    @hook.qemu("migrate", "prepare", "reconnect")
    def pin(domain: Domain, context: HookContext) -> None:
        hooking.set_cpuset(domain, context.custom_properties["pincpu"])

    return hook


def failing(error: BaseException, **options: Any) -> hooking.Hook:
    hook = hooking.Hook(**options)

    @hook.vdsm("before_vm_start", "before_vm_migrate_source", "after_vm_start")
    @hook.qemu("migrate", "prepare", "reconnect")
    def fail(domain: Domain, context: HookContext) -> None:
        domain.title = "half done"
        del context
        raise error

    return hook


def cpuset(document: bytes | None) -> str | None:
    assert document is not None
    return Domain(etree.fromstring(document)).vcpu.cpuset


def test_a_changed_document_goes_back_where_the_host_reads_it() -> None:
    process = libvirt("qemu", "migrate")
    assert pinning().answer(process) == 0
    assert cpuset(process.answered) == "0-1"


def test_under_vdsm_it_goes_into_the_file() -> None:
    process = vdsm("before_vm_start", '<?xml version="1.0"?>\n' + DOMAIN, pincpu="5")
    assert pinning().answer(process) == 0
    assert cpuset(process.answered) == "5"
    assert (process.answered or b"").startswith(b"<?xml version=")


def test_an_unchanged_document_is_not_written() -> None:
    process = libvirt("qemu", "migrate", DOMAIN.replace("<vcpu", "<vcpu cpuset='0-1'"))
    assert pinning().answer(process) == 0
    assert process.answered is None


@pytest.mark.parametrize("process", [libvirt("qemu", "stopped"), vdsm("before_vm_cont"), libvirt("lxc", "start")])
def test_no_handler_for_the_point_reads_nothing(process: FakeProcess) -> None:
    assert pinning().answer(process) == 0
    assert not process.was_read
    assert not process.told


def test_no_handler_for_the_object_reads_nothing() -> None:
    hook = hooking.Hook()

    @hook.qemu("migrate", object="web*")
    def never(domain: Domain, context: HookContext) -> None:
        raise AssertionError

    process = libvirt("qemu", "migrate", name="db01")
    assert hook.answer(process) == 0
    assert not process.was_read
    process = libvirt("qemu", "migrate", name="web02")
    assert hook.answer(process) == 1


def test_a_pattern_never_matches_a_call_without_object() -> None:
    hook = hooking.Hook()

    @hook.vdsm("before_network_setup", object="*")
    def never(request: dict[str, Any], context: HookContext) -> None:
        raise AssertionError

    process = FakeProcess(["/x/before_network_setup/y"], {"_hook_json": "/p"}, "{}")
    assert hook.answer(process) == 0


def test_a_change_at_a_read_only_point_is_an_error() -> None:
    process = libvirt("qemu", "prepare")
    assert pinning().answer(process) == 1
    assert (
        "qemu: qemu/prepare web01: the document was changed, but libvirt ignores changes at qemu/prepare"
        in process.told
    )
    assert process.answered is None
    process = vdsm("after_vm_start", pincpu="1")
    assert pinning().answer(process) == 1
    assert "VDSM ignores changes at after_vm_start" in process.told


def test_handlers_run_in_order_on_one_document_and_each_once() -> None:
    hook = hooking.Hook()
    seen: list[str] = []

    @hook.qemu("migrate")
    def first(domain: Domain, context: HookContext) -> None:
        seen.append("first")
        domain.title = "one"

    @hook.qemu("migrate")
    @hook.qemu("restore", "migrate")
    def second(domain: Domain, context: HookContext) -> None:
        seen.append("second")
        domain.title = f"{domain.title} two"

    process = libvirt("qemu", "migrate")
    assert hook.answer(process) == 0
    assert seen == ["first", "second"]
    assert b"<title>one two</title>" in (process.answered or b"")


def test_after_a_failure_nothing_goes_back() -> None:
    process = libvirt("qemu", "migrate")
    assert failing(ValueError("boom")).answer(process) == 1
    assert process.answered is None


def test_a_bug_is_one_line_and_its_traceback() -> None:
    process = libvirt("qemu", "migrate")
    failing(ValueError("boom\x1b[2J\n")).answer(process)
    first, second, *_ = process.told.splitlines()
    assert first == r"qemu: qemu/migrate web01: ValueError: boom\x1b[2J"
    assert second == "Traceback (most recent call last):"


def test_our_own_errors_are_one_line() -> None:
    process = vdsm("before_vm_migrate_source")
    assert failing(hooking.CommandError("lvs failed")).answer(process) == 2
    assert process.told == "50_test: before_vm_migrate_source some-id: lvs failed\n"


def test_an_error_passes_where_failing_would_kill_the_guest() -> None:
    process = libvirt("qemu", "reconnect")
    assert failing(ValueError("boom")).answer(process) == 0
    assert process.told.startswith("qemu: qemu/reconnect web01: ValueError: boom\n")
    assert process.logged == "qemu: qemu/reconnect web01: ValueError: boom\n"


def test_a_refusal_counts_there_too() -> None:
    assert failing(hooking.Refusal("no")).answer(libvirt("qemu", "reconnect")) == 1


def test_strict_counts_every_error() -> None:
    assert failing(ValueError("boom"), strict=True).answer(libvirt("qemu", "reconnect")) == 1


@pytest.mark.parametrize("code", [None, 0])
def test_a_handler_may_end_by_sys_exit_with_success(code: int | None) -> None:
    process = libvirt("qemu", "migrate")
    assert failing(SystemExit(code)).answer(process) == 0
    assert b"half done" in (process.answered or b"")


@pytest.mark.parametrize(("code", "message"), [(3, "a handler called sys.exit(3)"), ("why", "why"), (2, "sys.exit(2)")])
def test_another_sys_exit_is_an_error_and_never_above_two(code: Any, message: str) -> None:
    process = vdsm("before_vm_start")
    assert failing(SystemExit(code)).answer(process) == 2
    assert message in process.told
    assert "Traceback" not in process.told


def test_a_full_disk_is_an_error_by_the_rule_of_the_point() -> None:
    process = vdsm("before_vm_start", pincpu="1", _hook_domxml="/full")
    assert pinning().answer(process) == 2
    assert process.told == (
        "50_test: before_vm_start some-id: cannot write the document to /full: No space left on device\n"
    )


def test_a_newer_operation_exits_0_with_one_line() -> None:
    process = libvirt("qemu", "teleport")
    assert pinning().answer(process) == 0
    assert process.told == "qemu: qemu/teleport web01: unknown to this version of hooking, so nothing was done\n"
    assert process.logged == process.told
    process = FakeProcess(["/x/before_teleport/y"], {"_hook_domxml": "/p"})
    assert pinning().answer(process) == 0
    assert (process.logged, process.told.count("\n")) == ("", 1)


def test_started_by_neither_host_is_one_line_and_status_1() -> None:
    process = FakeProcess(["./pin.py"])
    assert pinning().answer(process) == 1
    assert process.told.startswith("pin.py: ./pin.py is called by neither libvirt")


@pytest.mark.parametrize(
    ("process", "expected"),
    [
        (libvirt("qemu", "migrate", ""), "libvirt hands over a document (domain) at qemu/migrate, but nothing came"),
        (
            libvirt("qemu", "migrate", "<interface/>"),
            "libvirt hands over <domain> at qemu/migrate, but <interface> came",
        ),
        (libvirt("qemu", "migrate", "<!DOCTYPE d><domain/>"), "the document has a DOCTYPE; no host writes such a one"),
        (libvirt("qemu", "migrate", "<domain>"), "the document is not XML that a host writes: "),
        (FakeProcess(["/x/before_vm_start/y"], {}), "VDSM names the document's file in the variable _hook_domxml"),
        (vdsm("before_vm_start", " \n"), "VDSM hands over a document (domain) at before_vm_start, but nothing came"),
    ],
)
def test_a_missing_or_foreign_document_is_one_line(process: FakeProcess, expected: str) -> None:
    assert pinning().answer(process) in (1, 2)
    assert expected in process.told
    assert process.told.count("\n") == 1


@pytest.mark.parametrize(
    "edit",
    [
        lambda root: root.find("name").__setattr__("text", "other"),
        lambda root: root.find("uuid").__setattr__("text", "other"),
        lambda root: root.remove(root.find("uuid")),
        lambda root: root.insert(0, etree.fromstring("<name>other</name>")),
        lambda root: root.append(etree.fromstring("<uuid>other</uuid>")),
        lambda root: root.__setattr__("tag", "network"),
        lambda root: etree.SubElement(root.find("name"), "b").__setattr__("text", "x"),
    ],
)
def test_identity_is_fixed(edit: Any) -> None:
    hook = hooking.Hook()

    @hook.vdsm("before_vm_start")
    def break_it(domain: Domain, context: HookContext) -> None:
        edit(domain.element)

    process = vdsm("before_vm_start")
    assert hook.answer(process) == 2
    assert process.answered is None
    assert "must stay" in process.told
    assert "so nothing was written" in process.told


def test_the_identity_error_names_old_and_new() -> None:
    hook = hooking.Hook()

    @hook.qemu("migrate")
    def rename(domain: Domain, context: HookContext) -> None:
        domain.element[0].text = "web02"

    process = libvirt("qemu", "migrate")
    hook.answer(process)
    assert "the name must stay 'web01', but the hook made it 'web02', so nothing was written" in process.told


def test_an_absent_uuid_stays_absent() -> None:
    hook = hooking.Hook()

    @hook.qemu("migrate")
    def add(domain: Domain, context: HookContext) -> None:
        etree.SubElement(domain.element, "uuid").text = "u"

    process = libvirt("qemu", "migrate", "<domain><name>web01</name></domain>")
    assert hook.answer(process) == 1
    assert "the UUID must stay 'absent', but the hook made it 'u'" in process.told


def test_an_edit_that_makes_a_hostile_document_is_refused() -> None:
    hook = hooking.Hook()

    @hook.qemu("migrate")
    def deepen(domain: Domain, context: HookContext) -> None:
        element = domain.element
        for _ in range(5000):
            element = etree.SubElement(element, "a")

    process = libvirt("qemu", "migrate")
    assert hook.answer(process) == 1
    assert process.answered is None


def test_devices_come_as_their_own_type_and_device_selects_them() -> None:
    hook = hooking.Hook()
    seen: list[object] = []

    @hook.vdsm("before_nic_hotplug", device="interface")
    def nic(interface: hooking.Interface, context: HookContext) -> None:
        seen.append(type(interface))
        hooking.remove_filter(interface)

    @hook.vdsm("before_nic_hotplug", device="disk")
    def disk(disk: hooking.Disk, context: HookContext) -> None:
        seen.append(type(disk))

    @hook.vdsm("before_nic_hotplug")
    def every(device: hooking.Device, context: HookContext) -> None:
        seen.append(device.kind)

    process = vdsm("before_nic_hotplug", NIC)
    assert hook.answer(process) == 0
    assert seen == [hooking.Interface, "interface"]
    assert process.answered == b'<interface type="bridge"/>'


def test_an_empty_device_comes_as_none_and_has_no_kind() -> None:
    hook = hooking.Hook()
    seen: list[object] = []

    @hook.vdsm("after_device_create", device="disk")
    def never(disk: hooking.Disk, context: HookContext) -> None:
        raise AssertionError

    @hook.vdsm("after_device_create")
    def maybe(device: hooking.Device | None, context: HookContext) -> None:
        seen.append(device)

    assert hook.answer(vdsm("after_device_create", "")) == 0
    assert seen == [None]


def test_network_operations_get_hook_data_and_ports_port_data() -> None:
    hook = hooking.Hook()
    seen: list[object] = []

    @hook.network("port-created", object="lan")
    def port(data: hooking.PortData, context: HookContext) -> None:
        seen.append(data.port.uuid)

    @hook.network("start", "port-created")
    def network(data: hooking.HookData, context: HookContext) -> None:
        seen.append((data.network.name, context.custom_properties))

    assert hook.answer(libvirt("network", "port-created", PORT, name="lan")) == 0
    assert hook.answer(libvirt("network", "start", PORT, name="default")) == 0
    assert seen == ["u", ("lan", {}), ("lan", {})]


def test_points_without_a_document_call_with_the_context_alone() -> None:
    hook = hooking.Hook()
    seen: list[str] = []

    @hook.daemon("start")
    @hook.vdsm("before_vm_destroy")
    def handler(context: HookContext) -> None:
        seen.append(str(context))
        assert context.custom_properties == {}

    process = FakeProcess(["/etc/libvirt/hooks/daemon", "-", "start", "-", "start"])
    assert hook.answer(process) == 0
    assert hook.answer(vdsm("before_vm_destroy")) == 0
    assert seen == ["daemon/start", "before_vm_destroy some-id"]
    assert not process.was_read


def json_hook(edit: Any) -> hooking.Hook:
    hook = hooking.Hook()

    @hook.vdsm("after_disk_prepare", "before_network_setup", "after_get_caps")
    def handler(document: dict[str, Any], context: HookContext) -> None:
        edit(document)

    return hook


def test_json_is_changed_in_place() -> None:
    process = vdsm("before_network_setup", '{"request": {"networks": {}}}')
    assert json_hook(lambda document: document["request"].update(bondings={})).answer(process) == 0
    assert process.answered == b'{"request": {"networks": {}, "bondings": {}}}'
    process = vdsm("before_network_setup", "{}")
    assert json_hook(lambda document: None).answer(process) == 0
    assert process.answered is None


def test_a_list_comes_as_a_list() -> None:
    hook = hooking.Hook()

    @hook.vdsm("after_get_all_vm_stats")
    def handler(document: list[Any], context: HookContext) -> None:
        document[0]["cpuUser"] = "0"

    process = vdsm("after_get_all_vm_stats", "[{}]")
    assert hook.answer(process) == 0
    assert process.answered == b'[{"cpuUser": "0"}]'


def test_a_document_that_is_merged_loses_no_key() -> None:
    process = vdsm("after_disk_prepare", '{"path": "/a", "format": "raw"}')
    assert json_hook(lambda document: document.pop("path")).answer(process) == 2
    assert "VDSM merges this document into its own, so path cannot be removed" in process.told
    process = vdsm("after_get_caps", '{"path": "/a"}')
    assert json_hook(lambda document: document.clear()).answer(process) == 0
    assert process.answered == b"{}"


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ("{broken", "the document is not JSON that VDSM writes: "),
        (b"\xff", "the document is not JSON that VDSM writes: "),
        ("[]", "VDSM hands over a JSON dict here, but a list came"),
        ("[" * 100_000, "the document is not JSON that VDSM writes: "),
    ],
)
def test_bad_json_is_one_line(payload: bytes | str, message: str) -> None:
    process = vdsm("before_network_setup", payload)
    assert json_hook(lambda document: None).answer(process) == 2
    assert message in process.told
    assert process.told.count("\n") == 1


def test_what_json_cannot_hold_is_one_line() -> None:
    process = vdsm("before_network_setup", "{}")
    assert json_hook(lambda document: document.update(x={1})).answer(process) == 2
    assert "the hook made a document that JSON cannot hold: Object of type set" in process.told


@pytest.mark.parametrize(
    ("register", "message"),
    [
        (lambda hook: hook.qemu("migarte"), "there is no hook point qemu/migarte; did you mean migrate?"),
        (lambda hook: hook.vdsm("before_vm_strat"), "no hook point before_vm_strat; did you mean before_vm_start or"),
        (lambda hook: hook.lxc("§§§"), "there is no hook point lxc/§§§; see: hooking points"),
        (lambda hook: hook.bhyve(), "@hook.bhyve needs the names of its hook points in parentheses"),
        (
            lambda hook: hook.libxl(lambda domain, context: None),
            "@hook.libxl needs the names of its hook points in parentheses",
        ),
        (lambda hook: hook.vdsm("before_vm_start", device="disk"), "device='disk' has no sense at before_vm_start"),
        (lambda hook: hook.vdsm("qemu/migrate"), "there is no hook point qemu/migrate; see: hooking points"),
        (lambda hook: hook.qemu(["migrate"]), "in parentheses, not ['migrate']"),
        (lambda hook: hook.qemu(None), "in parentheses, not None"),
        (
            lambda hook: hook.qemu("migrate", object=["a", "b"])(print),
            "object=['a', 'b'] is not a text; register the handler",
        ),
        (lambda hook: hook.vdsm("before_nic_hotplug", device=5), "device=5 is not a text; register the handler"),
        (lambda hook: hook.qemu("migrate")(asynchronous), "asynchronous at"),
        (
            lambda hook: hook.qemu("migrate")(generating),
            "is a generator or async, so it would never run; write a plain",
        ),
    ],
)
def test_a_misspelt_registration_is_reported_by_run(register: Any, message: str) -> None:
    hook = pinning()
    register(hook)
    process = libvirt("qemu", "prepare")
    assert hook.answer(process) == 1
    assert message in process.told
    assert hook.answer(libvirt("qemu", "reconnect")) == 0


async def asynchronous(domain: Domain, context: HookContext) -> None:
    domain.title = "never"


def generating(domain: Domain, context: HookContext) -> Iterator[None]:
    domain.title = "never"
    yield


def test_a_callable_object_is_a_handler() -> None:
    class Handler:
        def __call__(self, domain: Domain, context: HookContext) -> None:
            domain.title = "called"

    hook = hooking.Hook()
    hook.qemu("migrate")(Handler())
    process = libvirt("qemu", "migrate")
    assert hook.answer(process) == 0
    assert b"<title>called</title>" in (process.answered or b"")


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), 1e10, "5", [1]])
def test_a_timeout_is_a_time(timeout: Any) -> None:
    process = libvirt("qemu", "migrate")
    assert pinning(timeout=timeout).answer(process) == 1
    assert "is not a time; give seconds above 0" in process.told


def test_the_call_is_the_current_one_while_handlers_run_and_no_longer() -> None:
    hook = hooking.Hook()

    @hook.qemu("prepare")
    def handler(domain: Domain, context: HookContext) -> None:
        hooking.log("said\nwith care")
        assert hooking.current_context().op == "prepare"
        assert hooking.read_domain().name == domain.name

    process = libvirt("qemu", "prepare")
    assert hook.answer(process) == 0
    assert process.logged == r"said\nwith care" + "\n"


def test_a_handler_cannot_write_by_hand() -> None:
    hook = hooking.Hook()

    @hook.qemu("migrate")
    def handler(domain: Domain, context: HookContext) -> None:
        assert hooking.current_context() is context
        assert hooking.read_domain() == domain
        domain.title = "x"
        hooking.write_domain(domain)

    process = libvirt("qemu", "migrate")
    assert hook.answer(process) == 1
    assert "a handler changes its document and returns; Hook writes it back" in process.told
    assert process.answered is None


def test_log_under_vdsm_is_standard_error() -> None:
    hook = hooking.Hook()

    @hook.vdsm("before_vm_cont")
    def handler(domain: Domain, context: HookContext) -> None:
        hooking.log("said")

    process = vdsm("before_vm_cont")
    assert hook.answer(process) == 0
    assert (process.told, process.logged) == ("said\n", "")


def test_decorators_return_the_function_itself() -> None:
    hook = hooking.Hook()

    def handler(domain: Domain, context: HookContext) -> None: ...

    assert hook.qemu("start")(handler) is handler


def test_run_ends_the_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooking.Hook, "answer", lambda self, process: process.argv == sys.argv and 2)
    with pytest.raises(SystemExit) as caught:
        hooking.Hook().run()
    assert caught.value.code == 2


word = st.text(st.characters(blacklist_characters="\0"), max_size=12)


@given(
    st.lists(
        st.one_of(word, st.sampled_from(["/x/qemu", "/x/before_vm_start/y", "migrate", "begin", "-"])),
        min_size=1,
        max_size=6,
    ),
    st.dictionaries(st.one_of(word, st.sampled_from(["_hook_domxml", "_hook_json", "vmId"])), word, max_size=3),
    st.one_of(st.binary(max_size=64), st.sampled_from([DOMAIN.encode(), b"{}", b"<domain/>"])),
)
def test_calls_of_any_kind_end_in_a_documented_status(argv: list[str], environ: dict[str, str], payload: bytes) -> None:
    process = FakeProcess(argv, environ, payload)
    hook = hooking.Hook()

    @hook.vdsm("before_vm_start")
    @hook.qemu("migrate")
    def handler(domain: Domain, context: HookContext) -> None:
        domain.title = "x"

    assert hook.answer(process) in (0, 1, 2)
    assert "Traceback" not in process.told
    if process.answered is not None:
        before, after = etree.fromstring(payload), etree.fromstring(process.answered)
        assert (before.tag, before.findtext("name")) == (after.tag, after.findtext("name"))
