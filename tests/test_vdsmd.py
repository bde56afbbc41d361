"""The simulated VDSM host: the order, documents and consequences of its calls about a VM."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hooking.devices import Interface
from hooking.exceptions import InvocationError
from hooking.testing.documents import SAMPLE_VM_ID
from hooking.testing.vdsmd import Vdsmd
from support import canonical
from vdsm_support import CARD, MAC, UNREADABLE, UUID, VM, calls, failing, names, sh, started

DISK = "<disk type='block' device='disk'><source dev='/dev/sdx'/><target dev='vdb'/></disk>"
MEMORY = "<memory model='dimm'><target><size unit='MiB'>256</size></target></memory>"
WITH_NIC = {MAC: {"ifacemacspoof": "true"}}

STARTED = ["after_disk_prepare", "before_vm_start", "after_vm_start"]
STARTED_WITH_NIC = [
    "after_disk_prepare",
    "before_device_create",
    "before_vm_start",
    "after_vm_start",
    "after_device_create",
]
DESTROYED = ["before_vm_destroy", "after_vm_destroy"]
DESTROYED_WITH_NIC = ["before_device_destroy", "before_vm_destroy", "after_vm_destroy", "after_device_destroy"]

# VMs come and go


def test_a_vm_starts_and_is_destroyed(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path)
    vm = host.start_vm(VM)
    assert (vm.up, calls(host)) == (True, [(name, False) for name in STARTED])
    assert {call.object for call in host.log} == {UUID}
    host.log.clear()
    assert host.destroy_vm(vm)
    assert not vm.up
    assert names(host) == DESTROYED
    host.check()


def test_a_sample_vm_starts_without_a_document(tmp_path: Path) -> None:
    vm = Vdsmd(tmp_path).start_vm()
    assert vm.up
    assert vm.domain.name == "web01"


def test_a_vm_without_uuid_has_an_id_all_the_same(tmp_path: Path) -> None:
    assert Vdsmd(tmp_path).start_vm("<domain><name>g</name></domain>").id == SAMPLE_VM_ID


def test_devices_with_custom_properties_have_calls_of_their_own(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path)
    sh(host, "before_device_create", "echo $ifacemacspoof $own >&2")
    vm = host.start_vm(VM, device_properties={"vda": {"own": "disk"}, **WITH_NIC}, custom_properties={"own": "vm"})
    assert names(host) == [*STARTED_WITH_NIC, "after_device_create"]
    assert host.log[1].stderr == "true vm\n"
    assert host.log[1].device.kind == "interface"
    assert host.log[-1].before == b""
    host.log.clear()
    host.destroy_vm(vm)
    assert names(host) == [
        "before_device_destroy",
        "before_device_destroy",
        "before_vm_destroy",
        "after_vm_destroy",
        "after_device_destroy",
        "after_device_destroy",
    ]


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ("after_disk_prepare", STARTED_WITH_NIC[:1]),
        ("before_device_create", STARTED_WITH_NIC[:2]),
        ("before_vm_start", STARTED_WITH_NIC[:3]),
    ],
)
def test_a_vm_that_a_hook_keeps_from_starting_is_destroyed(tmp_path: Path, point: str, expected: list[str]) -> None:
    host = failing(tmp_path, point)
    vm = host.start_vm(VM, device_properties=WITH_NIC)
    assert not vm.up
    assert calls(host) == [(name, name == point) for name in [*expected, *DESTROYED_WITH_NIC]]


@pytest.mark.parametrize("point", ["after_vm_start", "after_device_create"])
def test_failures_after_the_start_change_nothing_but_an_unreadable_payload_does(tmp_path: Path, point: str) -> None:
    assert failing(tmp_path / "a", point).start_vm(VM, device_properties=WITH_NIC).up
    host = Vdsmd(tmp_path / "b")
    sh(host, point, UNREADABLE)
    vm = host.start_vm(VM, device_properties=WITH_NIC)
    assert not vm.up
    assert names(host)[-4:] == DESTROYED_WITH_NIC


def test_a_failing_destroy_hook_of_a_device_leaves_the_vm(tmp_path: Path) -> None:
    host = failing(tmp_path, "before_device_destroy")
    vm = started(host, device_properties=WITH_NIC)
    assert not host.destroy_vm(vm)
    assert vm.up
    assert calls(host) == [("before_device_destroy", True)]


def test_other_failing_destroy_hooks_are_ignored(tmp_path: Path) -> None:
    host = failing(tmp_path, *DESTROYED_WITH_NIC[1:])
    vm = started(host, device_properties=WITH_NIC)
    assert host.destroy_vm(vm)
    assert calls(host) == [(name, name != "before_device_destroy") for name in DESTROYED_WITH_NIC]


def test_what_hooks_make_of_the_domain_is_used_even_after_a_failed_start(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path)
    sh(host, "before_vm_start", "sed -i 's/vcpu>/& /; s/<vcpu>/<vcpu cpuset=\"1\">/' $_hook_domxml")
    assert host.start_vm(VM).domain.vcpu.cpuset == "1"
    sh(host, "before_vm_start", "exit 1", "60")
    vm = host.start_vm(VM)
    assert not vm.up
    assert host.log[-1].point.op == "after_vm_destroy"
    assert host.log[-1].domain.vcpu.cpuset == "1"
    assert host.log[-2].before == b""


def test_a_vm_keeps_its_id_whatever_hooks_make_of_the_domain(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path)
    sh(host, "before_vm_start", f"sed -i 's/{UUID}/other/' $_hook_domxml")
    vm = host.start_vm(VM)
    assert vm.domain.uuid == "other"
    assert host.log[-1].object == vm.id == UUID


def test_a_device_that_hooks_saw_is_used_and_stands_last(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path)
    sh(host, "before_device_create", "sed -i s/br0/br1/ $_hook_domxml")
    vm = host.start_vm(VM, device_properties={"ua-nic": {"p": "1"}})
    last = vm.domain.devices[-1]
    assert isinstance(last, Interface)
    assert last.source_bridge == "br1"
    assert vm.properties(MAC) == vm.properties("ua-nic") == {"p": "1"}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"diskType": "block", "path": "/dev/x", "format": "raw"}, ("block", "/dev/x", None, "raw")),
        ({"path": "/other"}, ("file", None, "/other", "qcow2")),
    ],
)
def test_a_drive_is_what_hooks_made_of_it(
    tmp_path: Path, answer: dict[str, str], expected: tuple[str | None, ...]
) -> None:
    host = Vdsmd(tmp_path)
    sh(host, "after_disk_prepare", f"echo '{json.dumps(answer)}' > $_hook_json")
    vm = host.start_vm(VM)
    prepared = json.loads(host.log[0].before)
    assert prepared == {
        "diskType": "file",
        "path": "/d",
        "format": "cow",
        "device": "disk",
        "iface": "virtio",
        "name": "vda",
    }
    disk = vm.domain.disks[0]
    assert (disk.type, disk.source_dev, disk.source_file, disk.driver_type) == expected


def test_custom_properties_of_a_device_that_is_not_there_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvocationError, match="no device 'vdz'; name one by its MAC address, target or alias"):
        Vdsmd(tmp_path).start_vm(VM, device_properties={"vdz": {"p": "1"}})


def test_a_vm_migrates(tmp_path: Path) -> None:
    source, destination = Vdsmd(tmp_path / "a"), Vdsmd(tmp_path / "b")
    vm = started(source, device_properties=WITH_NIC)
    incoming = source.migrate_vm(vm, destination)
    assert incoming.up
    assert not vm.up
    assert names(source) == [
        "before_device_migrate_source",
        "before_vm_migrate_source",
        "after_vm_migrate_source",
        "after_device_migrate_source",
        *DESTROYED_WITH_NIC,
    ]
    assert names(destination) == [
        "after_disk_prepare",
        "before_device_migrate_destination",
        "before_vm_migrate_destination",
        "after_vm_migrate_destination",
        "after_device_migrate_destination",
    ]
    assert source.log[0].before == b""
    assert destination.log[1].device.kind == "interface"
    destination.log.clear()
    destination.destroy_vm(incoming)
    assert destination.log[0].device.kind == "interface"


@pytest.mark.parametrize("point", ["before_device_migrate_source", "before_vm_migrate_source"])
def test_a_source_hook_keeps_the_vm_where_it_is(tmp_path: Path, point: str) -> None:
    host = failing(tmp_path, point)
    vm = started(host, device_properties=WITH_NIC)
    assert not host.migrate_vm(vm).up
    assert vm.up
    assert calls(host)[-1] == (point, True)


@pytest.mark.parametrize(
    "point", ["after_disk_prepare", "before_device_migrate_destination", "before_vm_migrate_destination"]
)
def test_a_destination_hook_sends_the_vm_back(tmp_path: Path, point: str) -> None:
    source, destination = Vdsmd(tmp_path / "a"), failing(tmp_path / "b", point)
    vm = started(source, device_properties=WITH_NIC)
    assert not source.migrate_vm(vm, destination).up
    assert vm.up
    assert names(source) == ["before_device_migrate_source", "before_vm_migrate_source"]
    assert calls(destination)[-5:] == [(point, True), *[(name, False) for name in DESTROYED_WITH_NIC]]


def test_edits_at_the_destination_have_no_effect(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path)
    vm = started(host)
    sh(host, "before_vm_migrate_destination", "sed -i s/br0/br1/ $_hook_domxml")
    sh(host, "after_disk_prepare", 'echo \'{"path": "/x"}\' > $_hook_json')
    assert canonical(host.migrate_vm(vm).document) == canonical(VM.encode())


def test_failures_after_a_migration_are_ignored_unless_vdsm_stumbles(tmp_path: Path) -> None:
    after = ["after_vm_migrate_source", "after_vm_migrate_destination"]
    host = failing(tmp_path, *after)
    assert host.migrate_vm(started(host, device_properties=WITH_NIC)).up
    for point in after:
        sh(host, point, UNREADABLE)
    vm = started(host, device_properties=WITH_NIC)
    assert not host.migrate_vm(vm).up
    assert not vm.up
    assert "after_device_migrate_source" not in names(host)
    assert "after_device_migrate_destination" not in names(host)
    assert names(host).count("after_vm_destroy") == 2


def test_a_vm_hibernates_and_is_restored(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path)
    vm = started(host, device_properties=WITH_NIC)
    assert (host.hibernate_vm(vm), vm.up) == (True, False)
    assert names(host) == [
        "before_vm_pause",
        "after_vm_pause",
        "before_vm_hibernate",
        "after_vm_hibernate",
        *DESTROYED_WITH_NIC,
    ]
    host.log.clear()
    sh(host, "before_vm_dehibernate", "echo $FROM_SNAPSHOT >&2")
    assert host.restore_vm(vm)
    assert vm.up
    assert names(host) == [
        "after_disk_prepare",
        "before_device_create",
        "before_vm_start",
        "before_vm_dehibernate",
        "before_vm_cont",
        "after_vm_cont",
        "after_vm_dehibernate",
    ]
    assert host.log[3].stderr == "False\n"


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ("before_vm_pause", ["before_vm_pause"]),
        ("before_vm_hibernate", ["before_vm_pause", "after_vm_pause", "before_vm_hibernate"]),
    ],
)
def test_a_vm_that_a_hook_keeps_from_hibernating_is_resumed(tmp_path: Path, point: str, expected: list[str]) -> None:
    host = failing(tmp_path, point)
    vm = started(host)
    assert not host.hibernate_vm(vm)
    assert vm.up
    assert calls(host) == [(name, name == point) for name in [*expected, "before_vm_cont", "after_vm_cont"]]


@pytest.mark.parametrize(
    "point",
    ["after_disk_prepare", "before_device_create", "before_vm_start", "before_vm_dehibernate", "before_vm_cont"],
)
def test_a_vm_that_a_hook_keeps_from_being_restored_is_destroyed(tmp_path: Path, point: str) -> None:
    host = Vdsmd(tmp_path)
    vm = started(host, device_properties=WITH_NIC)
    host.hibernate_vm(vm)
    sh(host, point, "exit 1")
    host.log.clear()
    assert not host.restore_vm(vm)
    assert not vm.up
    assert calls(host)[-5:] == [(point, True), *[(name, False) for name in DESTROYED_WITH_NIC]]


def test_a_restored_vm_is_what_was_saved_whatever_hooks_make_of_it(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path)
    vm = started(host, device_properties=WITH_NIC)
    host.hibernate_vm(vm)
    for point in ("before_device_create", "before_vm_start"):
        sh(host, point, "sed -i s/br0/br1/ $_hook_domxml")
    assert host.restore_vm(vm)
    assert canonical(vm.document) == canonical(
        Vdsmd(tmp_path / "other").start_vm(VM, device_properties=WITH_NIC).document
    )
    with pytest.raises(InvocationError, match="call hibernate_vm"):
        host.restore_vm(vm)


def test_any_script_after_a_restore_makes_vdsm_fail(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path)
    vm = started(host)
    host.hibernate_vm(vm)
    sh(host, "after_vm_dehibernate", "exit 0")
    host.log.clear()
    assert not host.restore_vm(vm, from_snapshot=True)
    assert names(host)[-3:] == ["after_vm_dehibernate", *DESTROYED]
    assert host.log[-3].refused == "VDSM fails with TypeError: expected str, bytes or os.PathLike object, not bool"
    assert not host.log[-3].scripts


# What happens to a VM that runs


@pytest.mark.parametrize("what", ["pause", "cont"])
def test_a_vm_is_paused_and_goes_on_unless_a_hook_objects(tmp_path: Path, what: str) -> None:
    for number, wrong in enumerate([None, f"before_vm_{what}", f"after_vm_{what}"]):
        host = failing(tmp_path / str(number), *[wrong] if wrong else [])
        vm = started(host)
        done = host.pause_vm(vm) if what == "pause" else host.resume_vm(vm)
        assert done == (wrong != f"before_vm_{what}")
        expected = [f"before_vm_{what}", f"after_vm_{what}"][: 2 if done else 1]
        assert calls(host) == [(name, name == wrong) for name in expected]


@pytest.mark.parametrize(("kind", "device", "name"), [("nic", CARD, "52:54:00:00:00:09"), ("disk", DISK, "vdb")])
def test_devices_are_plugged_and_unplugged(tmp_path: Path, kind: str, device: str, name: str) -> None:
    host = Vdsmd(tmp_path)
    vm = started(host)
    plug = host.hotplug_nic if kind == "nic" else host.hotplug_disk
    unplug = host.hotunplug_nic if kind == "nic" else host.hotunplug_disk
    sh(host, f"before_{kind}_hotunplug", "echo $p >&2")
    assert plug(vm, device, properties={"p": "1"})
    assert canonical(vm.device(name)) == canonical(device.encode())
    assert unplug(vm, name)
    assert calls(host) == [
        (f"{when}_{kind}_{what}", False) for what in ("hotplug", "hotunplug") for when in ("before", "after")
    ]
    assert host.log[2].stderr == "1\n"
    assert canonical(vm.document) == canonical(VM.encode())
    assert not vm.custom_devices


def test_a_plugged_device_is_what_hooks_made_of_it(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path)
    vm = started(host)
    sh(host, "before_nic_hotplug", "sed -i s/br0/br1/ $_hook_domxml")
    host.hotplug_nic(vm, CARD, properties={"p": "1"})
    assert vm.domain.interfaces[-1].source_bridge == "br1"
    assert host.log[-1].device.element.find("source[@bridge='br1']") is not None
    host.log.clear()
    host.destroy_vm(vm)
    assert host.log[0].device.element.find("source[@bridge='br1']") is not None


def test_memory_is_plugged(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path)
    vm = started(host)
    assert host.hotplug_memory(vm, MEMORY)
    assert names(host) == ["before_memory_hotplug", "after_memory_hotplug"]
    added = vm.domain.devices[-1]
    assert added.kind == "memory"
    assert added.alias is not None
    assert added.alias.startswith("ua-")


@pytest.mark.parametrize("kind", ["nic", "disk", "memory"])
def test_a_hook_keeps_a_device_from_being_plugged(tmp_path: Path, kind: str) -> None:
    host = failing(tmp_path, f"before_{kind}_hotplug")
    vm = started(host)
    plug = {"nic": host.hotplug_nic, "disk": host.hotplug_disk, "memory": host.hotplug_memory}[kind]
    assert not plug(vm, {"nic": CARD, "disk": DISK, "memory": MEMORY}[kind])
    assert calls(host) == [(f"before_{kind}_hotplug", True)]
    assert canonical(vm.document) == canonical(VM.encode())


@pytest.mark.parametrize(("kind", "name"), [("nic", MAC), ("disk", "vda")])
def test_a_hook_keeps_a_device_from_being_unplugged(tmp_path: Path, kind: str, name: str) -> None:
    host = failing(tmp_path, f"before_{kind}_hotunplug")
    vm = started(host)
    assert not (host.hotunplug_nic if kind == "nic" else host.hotunplug_disk)(vm, name)
    assert calls(host) == [(f"before_{kind}_hotunplug", True)]
    assert vm.device(name)


def test_only_network_cards_have_a_point_for_what_libvirt_refuses(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path)
    vm = started(host)
    assert not host.hotplug_nic(vm, CARD, trouble=True)
    assert not host.hotunplug_nic(vm, MAC, trouble=True)
    assert not host.hotplug_disk(vm, DISK, trouble=True)
    assert not host.hotunplug_disk(vm, "vda", trouble=True)
    assert not host.hotplug_memory(vm, MEMORY, trouble=True)
    assert names(host) == [
        "before_nic_hotplug",
        "after_nic_hotplug_fail",
        "before_nic_hotunplug",
        "after_nic_hotunplug_fail",
        "before_disk_hotplug",
        "before_disk_hotunplug",
        "before_memory_hotplug",
    ]
    assert canonical(vm.document) == canonical(VM.encode())


def test_a_device_is_updated(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path)
    vm = started(host)
    sh(host, "before_update_device", "sed -i s/br0/br1/ $_hook_domxml; echo $p >&2")
    changed = f"<interface type='bridge'><mac address='{MAC}'/><source bridge='br0'/><link state='down'/></interface>"
    assert not host.update_device(vm, MAC, changed, trouble=True)
    assert host.update_device(vm, MAC, changed, properties={"p": "1"})
    assert names(host) == [
        "before_update_device",
        "after_update_device_fail",
        "before_update_device",
        "after_update_device",
    ]
    assert host.log[2].stderr == "1\n"
    (card,) = vm.domain.interfaces
    assert (card.source_bridge, card.link_state) == ("br1", "down")


def test_a_failing_update_hook_has_a_point_to_fail_at(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path)
    sh(host, "before_update_device", "sed -i s/br0/br1/ $_hook_domxml; exit 1")
    vm = started(host)
    assert not host.update_device(vm, MAC, CARD)
    assert calls(host) == [("before_update_device", True), ("after_update_device_fail", False)]
    assert canonical(host.log[1].before) == canonical(CARD.encode())
    assert canonical(vm.document) == canonical(VM.encode())
    with pytest.raises(InvocationError, match="no device 'nope'"):
        host.update_device(vm, "nope", CARD)


def test_the_number_of_cpus_is_set_without_a_word_of_the_vm(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path / "a")
    vm = started(host, custom_properties={"p": "1"})
    sh(host, "before_set_num_of_cpus", "echo [$vmId$p] >&2")
    assert host.set_number_of_cpus(vm, 1)
    assert (host.log[0].stderr, host.log[0].object) == ("[]\n", None)
    assert calls(host) == [("before_set_num_of_cpus", False), ("after_set_num_of_cpus", False)]
    assert vm.domain.vcpu.current == 1
    host = failing(tmp_path / "b", "before_set_num_of_cpus")
    vm = started(host)
    assert not host.set_number_of_cpus(vm, 1)
    assert calls(host) == [("before_set_num_of_cpus", True)]
    assert vm.domain.vcpu.current is None


def test_a_ticket_is_set_whatever_hooks_say(tmp_path: Path) -> None:
    host = failing(tmp_path, "before_vm_set_ticket", "after_vm_set_ticket")
    vm = started(host)
    sh(host, "before_vm_set_ticket", "echo $userName >&2; exit 2", "10")
    assert host.set_ticket(vm, {"userName": "admin"})
    assert calls(host) == [("before_vm_set_ticket", True), ("after_vm_set_ticket", True)]
    assert host.log[0].stderr == "admin\n"
    sh(host, "before_vm_set_ticket", UNREADABLE, "10")
    assert not host.set_ticket(vm)


def test_a_vm_that_does_not_run_can_do_nothing(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path)
    vm = started(host)
    host.destroy_vm(vm)
    host.log.clear()
    for attempt in (
        lambda: host.migrate_vm(vm),
        lambda: host.hibernate_vm(vm),
        lambda: host.resume_vm(vm),
        lambda: host.hotplug_nic(vm, CARD),
        lambda: host.hotunplug_disk(vm, "vda"),
        lambda: host.update_device(vm, MAC, CARD),
        lambda: host.set_number_of_cpus(vm, 1),
        lambda: host.set_ticket(vm),
    ):
        with pytest.raises(InvocationError, match=f"VM {UUID} does not run; start it first"):
            attempt()
    assert not host.log
