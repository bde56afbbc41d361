"""The SDK for hook scripts of libvirt and of oVirt's VDSM.

Open this file, know everything: what is here is the public face, loaded when it is first used. `import hooking` costs
next to nothing, which matters, because the hosts start every hook script for every event, and wait.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.actions.bridges import (
        add_to_bridge as add_to_bridge,
        set_vlans as set_vlans,
    )
    from hooking.actions.consoles import unbind_consoles as unbind_consoles
    from hooking.actions.cpus import (
        move_interrupts as move_interrupts,
        pinned_cpus as pinned_cpus,
        set_governor as set_governor,
    )
    from hooking.actions.files import give_to_user as give_to_user
    from hooking.actions.hugepages import reserve_hugepages as reserve_hugepages
    from hooking.actions.isolation import isolate_cpus as isolate_cpus
    from hooking.actions.kernel import write_sysfs as write_sysfs
    from hooking.actions.pci import bind_to_vfio as bind_to_vfio
    from hooking.actions.ports import forward_port as forward_port
    from hooking.actions.routes import add_route as add_route
    from hooking.actions.sleep import inhibit_sleep as inhibit_sleep
    from hooking.actions.units import (
        start_units as start_units,
        stop_units as stop_units,
    )
    from hooking.actions.volumes import activate_volume as activate_volume
    from hooking.call import (
        current_context as current_context,
        read_device as read_device,
        read_domain as read_domain,
        read_hook_data as read_hook_data,
        write_device as write_device,
        write_domain as write_domain,
    )
    from hooking.commands import run_command as run_command
    from hooking.context import HookContext as HookContext
    from hooking.devices import (
        Channel as Channel,
        CharacterDevice as CharacterDevice,
        Console as Console,
        Controller as Controller,
        Device as Device,
        Disk as Disk,
        Graphics as Graphics,
        HostDevice as HostDevice,
        Interface as Interface,
        Serial as Serial,
    )
    from hooking.domain import (
        Domain as Domain,
        Metadata as Metadata,
    )
    from hooking.edits.boot import (
        boot_first as boot_first,
        set_boot_order as set_boot_order,
    )
    from hooking.edits.consoles import (
        add_channel as add_channel,
        add_smartcard as add_smartcard,
        log_console as log_console,
    )
    from hooking.edits.cpu import (
        pin_emulator as pin_emulator,
        pin_iothread as pin_iothread,
        pin_vcpu as pin_vcpu,
        remove_cpu_feature as remove_cpu_feature,
        set_cpu_feature as set_cpu_feature,
        set_cpu_mode as set_cpu_mode,
        set_cpu_model as set_cpu_model,
        set_cpuset as set_cpuset,
    )
    from hooking.edits.devices import (
        add_device as add_device,
        find_devices as find_devices,
        remove_devices as remove_devices,
        replace_device as replace_device,
    )
    from hooking.edits.disks import (
        add_cdrom as add_cdrom,
        add_disk as add_disk,
        add_floppy as add_floppy,
        next_target as next_target,
        set_disk_driver as set_disk_driver,
    )
    from hooking.edits.graphics import (
        set_graphics_option as set_graphics_option,
        set_spice_channel as set_spice_channel,
    )
    from hooking.edits.hostdevs import (
        add_hostdev as add_hostdev,
        add_hostdev_interface as add_hostdev_interface,
        add_usb_hostdev as add_usb_hostdev,
        find_hostdev as find_hostdev,
    )
    from hooking.edits.incoming import (
        eject_missing_media as eject_missing_media,
        rename_bridges as rename_bridges,
        rename_networks as rename_networks,
        retarget_disks as retarget_disks,
        set_listen_address as set_listen_address,
        truncate_vnc_password as truncate_vnc_password,
    )
    from hooking.edits.interfaces import (
        add_interface as add_interface,
        find_interface as find_interface,
        remove_filter as remove_filter,
        remove_interface as remove_interface,
        set_bandwidth as set_bandwidth,
        set_filter as set_filter,
        set_source as set_source,
    )
    from hooking.edits.memory import (
        lock_memory as lock_memory,
        set_hugepages as set_hugepages,
        set_memnode as set_memnode,
        set_memory_backing as set_memory_backing,
        set_numatune as set_numatune,
    )
    from hooking.edits.metadata import (
        remove_metadata as remove_metadata,
        set_metadata as set_metadata,
    )
    from hooking.edits.qemu import (
        QEMU_NAMESPACE as QEMU_NAMESPACE,
        add_qemu_args as add_qemu_args,
        set_qemu_env as set_qemu_env,
    )
    from hooking.edits.refusals import (
        block_migration as block_migration,
        block_start as block_start,
        refuse as refuse,
    )
    from hooking.edits.sysinfo import (
        add_oem_string as add_oem_string,
        set_sysinfo as set_sysinfo,
    )
    from hooking.edits.virtualports import set_virtualport as set_virtualport
    from hooking.exceptions import (
        CommandError as CommandError,
        DocumentError as DocumentError,
        HookError as HookError,
        HookTimeoutError as HookTimeoutError,
        HostError as HostError,
        IdentityError as IdentityError,
        InvalidValueError as InvalidValueError,
        InvocationError as InvocationError,
        PointError as PointError,
        ReadOnlyError as ReadOnlyError,
        Refusal as Refusal,
        TerminatedError as TerminatedError,
    )
    from hooking.hook import Hook as Hook
    from hooking.host import log as log
    from hooking.json_documents import (
        Capabilities as Capabilities,
        HostStatistics as HostStatistics,
        InterfaceStatistics as InterfaceStatistics,
        NetworkSetup as NetworkSetup,
        PreparedDisk as PreparedDisk,
        RequestedBonding as RequestedBonding,
        RequestedNetwork as RequestedNetwork,
        VmStatistics as VmStatistics,
        vm_statistics as vm_statistics,
    )
    from hooking.machine import (
        Cpu as Cpu,
        CpuTune as CpuTune,
        Features as Features,
        Memory as Memory,
        MemoryBacking as MemoryBacking,
        NumaTune as NumaTune,
        Os as Os,
        Sysinfo as Sysinfo,
        Vcpu as Vcpu,
    )
    from hooking.network import (
        HookData as HookData,
        Network as Network,
        NetworkPort as NetworkPort,
        PortData as PortData,
    )
    from hooking.properties import (
        BOOLEAN as BOOLEAN,
        INTEGER as INTEGER,
        SIZE as SIZE,
        array_of as array_of,
        list_of as list_of,
        mapping_of as mapping_of,
        pattern as pattern,
        read_property as read_property,
    )
    from hooking.states import (
        State as State,
        state as state,
    )
    from hooking.values import (
        CPUSET as CPUSET,
        MAC as MAC,
        TEXT as TEXT,
        UNSIGNED as UNSIGNED,
        choice as choice,
        parse_cpuset as parse_cpuset,
        tobool as tobool,
        whole_number as whole_number,
    )
    from hooking.vdsm import (
        dump_vm_launch_flags_to_file as dump_vm_launch_flags_to_file,
        execCmd as execCmd,
        exit_hook as exit_hook,
        load_vm_launch_flags_from_file as load_vm_launch_flags_from_file,
        read_domxml as read_domxml,
        read_json as read_json,
        write_domxml as write_domxml,
        write_json as write_json,
    )

_MODULES = {
    "actions.bridges": "add_to_bridge set_vlans",
    "actions.consoles": "unbind_consoles",
    "actions.cpus": "move_interrupts pinned_cpus set_governor",
    "actions.files": "give_to_user",
    "actions.hugepages": "reserve_hugepages",
    "actions.isolation": "isolate_cpus",
    "actions.kernel": "write_sysfs",
    "actions.pci": "bind_to_vfio",
    "actions.ports": "forward_port",
    "actions.routes": "add_route",
    "actions.sleep": "inhibit_sleep",
    "actions.units": "start_units stop_units",
    "actions.volumes": "activate_volume",
    "call": "current_context read_device read_domain read_hook_data write_device write_domain",
    "commands": "run_command",
    "context": "HookContext",
    "devices": "Channel CharacterDevice Console Controller Device Disk Graphics HostDevice Interface Serial",
    "domain": "Domain Metadata",
    "edits.boot": "boot_first set_boot_order",
    "edits.consoles": "add_channel add_smartcard log_console",
    "edits.cpu": "pin_emulator pin_iothread pin_vcpu remove_cpu_feature set_cpu_feature set_cpu_mode "
    "set_cpu_model set_cpuset",
    "edits.devices": "add_device find_devices remove_devices replace_device",
    "edits.disks": "add_cdrom add_disk add_floppy next_target set_disk_driver",
    "edits.graphics": "set_graphics_option set_spice_channel",
    "edits.hostdevs": "add_hostdev add_hostdev_interface add_usb_hostdev find_hostdev",
    "edits.incoming": "eject_missing_media rename_bridges rename_networks retarget_disks set_listen_address "
    "truncate_vnc_password",
    "edits.interfaces": "add_interface find_interface remove_filter remove_interface set_bandwidth set_filter "
    "set_source",
    "edits.memory": "lock_memory set_hugepages set_memnode set_memory_backing set_numatune",
    "edits.metadata": "remove_metadata set_metadata",
    "edits.qemu": "QEMU_NAMESPACE add_qemu_args set_qemu_env",
    "edits.refusals": "block_migration block_start refuse",
    "edits.sysinfo": "add_oem_string set_sysinfo",
    "edits.virtualports": "set_virtualport",
    "exceptions": "CommandError DocumentError HookError HookTimeoutError HostError IdentityError InvalidValueError "
    "InvocationError PointError ReadOnlyError Refusal TerminatedError",
    "hook": "Hook",
    "host": "log",
    "json_documents": "Capabilities HostStatistics InterfaceStatistics NetworkSetup PreparedDisk RequestedBonding "
    "RequestedNetwork VmStatistics vm_statistics",
    "machine": "Cpu CpuTune Features Memory MemoryBacking NumaTune Os Sysinfo Vcpu",
    "network": "HookData Network NetworkPort PortData",
    "properties": "BOOLEAN INTEGER SIZE array_of list_of mapping_of pattern read_property",
    "states": "State state",
    "values": "CPUSET MAC TEXT UNSIGNED choice parse_cpuset tobool whole_number",
    "vdsm": "dump_vm_launch_flags_to_file execCmd exit_hook load_vm_launch_flags_from_file read_domxml "
    "read_json write_domxml write_json",
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names.split()}

__version__ = "0.1.0"

if not TYPE_CHECKING:

    def __getattr__(name):
        if name not in _HOMES:
            raise AttributeError(f"module 'hooking' has no attribute {name!r}")
        module = f"hooking.{_HOMES[name]}"
        __import__(module)
        value = globals()[name] = getattr(sys.modules[module], name)
        return value

    def __dir__():
        return sorted({*globals(), *_HOMES})


for _package, _module in (("xml.dom", "xml.dom.minidom"), ("urllib", "urllib.parse")):
    if _package in sys.modules:  # VDSM's module brings these submodules along, and some of its scripts rely on that
        __import__(_module)
