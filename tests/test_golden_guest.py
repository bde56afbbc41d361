"""Hooks of a few lines on our verbs, against what VDSM's own scripts made of the same input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from golden_support import Fault, check_against_golden, golden_cases, name_of
from hooking import Domain, Hook, HookContext
from hooking.edits.cpu import set_cpuset
from hooking.edits.memory import set_numatune
from hooking.edits.qemu import add_qemu_args
from hooking.edits.refusals import refuse
from hooking.edits.sysinfo import set_sysinfo
from hooking.json_documents import NetworkSetup
from hooking.properties import array_of, list_of, mapping_of, pattern, read_property
from hooking.values import CPUSET, TEXT

pincpu, numa, qemucmdline, smbios, ipv6 = Hook(), Hook(), Hook(), Hook(), Hook()


@pincpu.vdsm("before_vm_start")
def _pincpu(domain: Domain, context: HookContext) -> None:
    cpuset = read_property(context, "pincpu", CPUSET)
    if cpuset and not domain.vcpu.cpuset:
        set_cpuset(domain, cpuset)


@numa.vdsm("before_vm_start")
def _numa(domain: Domain, context: HookContext) -> None:
    wanted = read_property(context, "numa", pattern("[a-z]+:.+"))
    if wanted and domain.numatune.mode:
        refuse(context, "the guest has NUMA tuning already")
    if wanted:
        mode: Any
        mode, nodeset = wanted.split(":", 1)
        set_numatune(domain, mode, nodeset)


@qemucmdline.vdsm("before_vm_start")
def _qemucmdline(domain: Domain, context: HookContext) -> None:
    args = read_property(context, "qemu_cmdline", array_of(TEXT), [])
    add_qemu_args(domain, args)


@smbios.vdsm("before_vm_start")
def _smbios(domain: Domain, context: HookContext) -> None:
    for entries in read_property(context, "smbios", list_of(mapping_of(TEXT), "^"), []):
        for name, value in entries.items():
            section: Any = "bios" if name in ("vendor", "version", "date", "release") else "system"
            set_sysinfo(domain, section, name, value)


@ipv6.vdsm("before_network_setup")
def _ipv6(document: dict[str, Any], context: HookContext) -> None:
    for network in NetworkSetup(document).networks.values():
        custom = network.custom_properties
        network.merge({name: custom[name] for name in custom if "ipv6" in name})
        if "dhcpv6" in custom:
            network.merge({"dhcpv6": custom["dhcpv6"]})


HOOKS = {"pincpu": pincpu, "numa": numa, "qemucmdline": qemucmdline, "smbios": smbios, "ipv6": ipv6}

ARGS = "*[local-name()='commandline']/*"
ENTRY = "string(sysinfo/{}/entry[@name='{}'])"
SHOWN = "string(os/smbios/@mode)"

FAULTS = {
    "pincpu/garbage_accepted": Fault("writes what is no CPU set, so that the VM does not start", None),
    "qemucmdline/empty_list": Fault("adds an empty element", {f"count({ARGS}/..)": 0}),
    "qemucmdline/escapes": Fault(
        "turns a line break in an attribute of another element into a blank",
        {f"string({ARGS}[2]/@value)": 'name=opt/x,string=a<b&"c"', "string(//@key)": "a&b\nc"},
    ),
    "qemucmdline/existing_commandline": Fault(
        "adds a second element, which the schema refuses",
        {f"count({ARGS}/..)": 1, f"count({ARGS})": 3, f"string({ARGS}[3]/@value)": "-no-hpet"},
    ),
    "qemucmdline/number_in_list": Fault(
        "empties the file, then fails",
        {f"string({ARGS}[1]/@value)": "-m", f"string({ARGS}[2]/@value)": "512"},
    ),
    "qemucmdline/string_is_split": Fault("hands QEMU the letters of a text one by one", None),
    "smbios/no_sysinfo": Fault(
        "does not show the entries to the guest",
        {ENTRY.format("system", "serial"): "S-1", ENTRY.format("system", "sku"): "k", SHOWN: "sysinfo"},
    ),
    "smbios/update_bios": Fault(
        "does not show the entries to the guest",
        {ENTRY.format("bios", "vendor"): "ACME <&>", SHOWN: "sysinfo"},
    ),
    "smbios/non_string_value": Fault("fails at a number without quotes", {ENTRY.format("system", "sku"): "5"}),
    "smbios/two_keys_in_one_dict": Fault(
        "drops all entries of a mapping but one, and does not show that",
        {ENTRY.format("system", "serial"): "1", ENTRY.format("system", "sku"): "2", SHOWN: "sysinfo"},
    ),
    "smbios/two_keys_update": Fault(
        "drops all entries of a mapping but one",
        {ENTRY.format("system", "serial"): "1", ENTRY.format("system", "product"): "P"},
    ),
}
"""The cases where VDSM's script is at fault."""

CASES = golden_cases(*HOOKS)


@pytest.mark.parametrize("folder", CASES, ids=name_of)
def test_a_short_hook_does_what_the_script_of_vdsm_does_or_what_is_right(folder: Path) -> None:
    hook = HOOKS[folder.parent.name]
    point = "before_network_setup" if hook is ipv6 else "before_vm_start"
    check_against_golden(hook, folder, point, FAULTS.get(name_of(folder)))


def test_every_fault_is_a_case() -> None:
    assert set(FAULTS) <= {name_of(folder) for folder in CASES}
