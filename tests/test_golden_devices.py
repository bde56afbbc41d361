"""Hooks of a few lines on the edits of devices, against what VDSM's own scripts made of the same input."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Union

import pytest

import hooking
from golden_support import Fault, check_against_golden, golden_cases, name_of
from hooking import Domain, Hook, HookContext, Interface, commands
from hooking.edits.boot import boot_first
from hooking.edits.disks import add_disk, set_disk_driver
from hooking.edits.hostdevs import find_hostdev
from hooking.edits.interfaces import find_interface, remove_filter, set_bandwidth, set_filter, set_source
from hooking.edits.refusals import block_migration, refuse
from hooking.exceptions import CommandError
from hooking.properties import list_of, mapping_of, pattern, read_property
from hooking.values import MAC, NAME, TEXT, choice

boot_hostdev, extnet, isolatedprivatevlan, macspoof, qos, scratchpad = (Hook(strict=True) for _ in range(6))

SPOOFING = "vdsm-no-mac-spoofing"
SCRATCHPAD = list_of(pattern(r"\d+[kMGT]?,/.+"), ":")
WAY = choice("in", "out")


@boot_hostdev.vdsm("before_vm_start")
def _boot_hostdev(domain: Domain, context: HookContext) -> None:
    if name := read_property(context, "boot_hostdev"):
        device = find_hostdev(domain, name)
        if device is None:
            refuse(context, f"the guest has no host device {name}")
        boot_first(domain, device)


@extnet.vdsm("before_device_create", "before_nic_hotplug", device="interface")
def _extnet(interface: Interface, context: HookContext) -> None:
    network = read_property(context, "extnet", NAME)
    if network is not None:
        set_source(interface, "network", network)


@isolatedprivatevlan.vdsm("before_vm_start")
def _isolatedprivatevlan(domain: Domain, context: HookContext) -> None:
    if gateway_and_ip := read_property(context, "isolatedprivatevlan"):
        gateway, *addresses = gateway_and_ip.split(",")
        parameters = [("GATEWAY_MAC", MAC.read(gateway)), *(("IP", address) for address in addresses)]
        for interface in domain.interfaces:
            set_filter(interface, "isolatedprivatevlan-vdsm", parameters)


@macspoof.vdsm("before_vm_start")
def _macspoof(domain: Domain, context: HookContext) -> None:
    if hooking.tobool(read_property(context, "macspoof")):
        for interface in domain.interfaces:
            remove_filter(interface, SPOOFING)


@macspoof.vdsm("before_device_create", "before_nic_hotplug", device="interface")
def _ifacemacspoof(interface: Interface, context: HookContext) -> None:
    if hooking.tobool(read_property(context, "ifacemacspoof")):
        remove_filter(interface, SPOOFING)


@qos.vdsm("before_vm_start")
def _qos(domain: Domain, context: HookContext) -> None:
    for item in read_property(context, "qos", list_of(TEXT, "&"), []):
        mac, limits = item.split("=", 1)
        interface = find_interface(domain, mac)
        if interface is None:
            refuse(context, f"the guest has no network card {mac}")
        for limit in limits.split("^"):
            way, brace, rates = limit.partition("{")
            set_bandwidth(interface, **{f"{WAY.read(way)}bound": mapping_of(TEXT).read(brace + rates)})


def _scratch_disks(context: HookContext) -> list[list[str]]:
    return [item.split(",", 1) for item in read_property(context, "scratchpad", SCRATCHPAD, [])]


@scratchpad.vdsm("before_vm_start")
def _scratchpad(domain: Domain, context: HookContext) -> None:
    for size, path in _scratch_disks(context):
        if os.path.exists(path):
            refuse(context, f"{path} is there already; move it away")
        commands.run_command(["qemu-img", "create", "-f", "raw", path, size])
        disk = add_disk(domain, path)
        disk.snapshot = "no"
        set_disk_driver(disk, cache="writeback", error_policy="stop")


@scratchpad.vdsm("before_vm_migrate_source")
def _scratchpad_stays(domain: Domain, context: HookContext) -> None:
    if "scratchpad" in context.custom_properties:
        block_migration(context, "its scratch disks are on this host alone")


@scratchpad.vdsm("after_vm_destroy")
def _scratchpad_ends(domain: Domain, context: HookContext) -> None:
    for _, path in _scratch_disks(context):
        Path(path).unlink(missing_ok=True)


HOOKS = {
    "boot_hostdev": boot_hostdev,
    "extnet": extnet,
    "isolatedprivatevlan": isolatedprivatevlan,
    "macspoof": macspoof,
    "qos": qos,
    "scratchpad": scratchpad,
}

FILTER = "string(//interface[1]/filterref[1]/@filter)"
GATEWAY = "string(//interface[1]/filterref[1]/parameter[@name='GATEWAY_MAC']/@value)"
SECOND = "count(//interface/filterref[2])"
ISOLATED: dict[str, Union[str, float]] = {FILTER: "isolatedprivatevlan-vdsm", GATEWAY: "aa:bb:cc:dd:ee:ff", SECOND: 0.0}

FAULTS = {
    "extnet/empty_value": Fault("plugs the card into a network without a name", None),
    "extnet/hotplug": Fault(
        "keeps the port group of where the card was plugged in",
        {"string(source/@network)": "lab net", "count(source/@portgroup)": 0.0},
    ),
    "extnet/not_an_interface": Fault("fails at every device that is no card", {"string(source/address/@device)": "4"}),
    "isolatedprivatevlan/mac_ip": Fault(
        "adds a second and a third filter, which libvirt ignores",
        {**ISOLATED, "string(//interface[1]/filterref/parameter[@name='IP']/@value)": "10.35.16.50"},
    ),
    "isolatedprivatevlan/mac_only": Fault("adds a second filter, which libvirt ignores", ISOLATED),
    "isolatedprivatevlan/three_parts": Fault("takes what is no MAC address for one", None),
    "macspoof/vm_true_quirks": Fault(
        "turns a line break in an attribute of another element into a blank",
        {"count(//filterref)": 0.0, "string(//@key)": "a&b\nc"},
    ),
    "macspoof/vnic_not_interface": Fault(
        "fails at every device that is no card", {"string(source/address/@device)": "4"}
    ),
    "qos/second_bandwidth": Fault(
        "adds a second bandwidth, which libvirt ignores",
        {
            "count(//interface/bandwidth)": 1.0,
            "string(//interface/bandwidth/inbound/@average)": "1000",
            "string(//interface/bandwidth/outbound/@average)": "9",
        },
    ),
}
"""The cases where VDSM's script is at fault."""

CASES = golden_cases(*HOOKS)


@pytest.mark.parametrize("folder", CASES, ids=name_of)
def test_a_short_hook_does_what_the_script_of_vdsm_does_or_what_is_right(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = (folder / "point").read_text().strip()
    called: list[list[str]] = []

    def run_command(command: list[str], **_options: Any) -> None:
        called.append(command)
        if not Path(command[4]).parent.exists():
            raise CommandError(f"{command[4]} cannot be made")

    monkeypatch.setattr(commands, "run_command", run_command)
    if folder.name in ("exists", "destroy_removes"):
        (tmp_path / {"exists": "x"}.get(folder.name, "a")).touch()
    scratch = str(tmp_path) if folder.parent.name == "scratchpad" else ""
    check_against_golden(HOOKS[folder.parent.name], folder, point, FAULTS.get(name_of(folder)), scratch)
    expected = folder / "expected_commands"
    lines = expected.read_text().replace("{TMP}", scratch).splitlines() if expected.exists() else []
    assert ["qemu-img [" + "] [".join(command[1:]) + "]" for command in called] == lines
    assert folder.name != "destroy_removes" or not (tmp_path / "a").exists()


def test_every_fault_is_a_case() -> None:
    assert set(FAULTS) <= {name_of(folder) for folder in CASES}
