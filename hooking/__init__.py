"""The SDK for hook scripts of libvirt and of oVirt's VDSM.

Open this file, know everything: what is here is the public face, loaded when it is first used. `import hooking` costs
next to nothing, which matters, because the hosts start every hook script for every event, and wait.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
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
    from hooking.domain import (
        Device as Device,
        Disk as Disk,
        Domain as Domain,
        Interface as Interface,
        Memory as Memory,
        Metadata as Metadata,
        Vcpu as Vcpu,
    )
    from hooking.edits.cpu import pin_vcpu as pin_vcpu, set_cpuset as set_cpuset
    from hooking.edits.interfaces import (
        add_interface as add_interface,
        find_interface as find_interface,
        remove_filter as remove_filter,
        remove_interface as remove_interface,
    )
    from hooking.edits.refusals import block_migration as block_migration, block_start as block_start, refuse as refuse
    from hooking.exceptions import (
        CommandError as CommandError,
        DocumentError as DocumentError,
        HookError as HookError,
        HookTimeoutError as HookTimeoutError,
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
    from hooking.network import (
        HookData as HookData,
        Network as Network,
        NetworkPort as NetworkPort,
        PortData as PortData,
    )
    from hooking.values import parse_cpuset as parse_cpuset, tobool as tobool
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
    "call": "current_context read_device read_domain read_hook_data write_device write_domain",
    "commands": "run_command",
    "context": "HookContext",
    "domain": "Device Disk Domain Interface Memory Metadata Vcpu",
    "edits.cpu": "pin_vcpu set_cpuset",
    "edits.interfaces": "add_interface find_interface remove_filter remove_interface",
    "edits.refusals": "block_migration block_start refuse",
    "exceptions": "CommandError DocumentError HookError HookTimeoutError IdentityError InvalidValueError "
    "InvocationError PointError ReadOnlyError Refusal TerminatedError",
    "hook": "Hook",
    "host": "log",
    "network": "HookData Network NetworkPort PortData",
    "values": "parse_cpuset tobool",
    "vdsm": "dump_vm_launch_flags_to_file execCmd exit_hook load_vm_launch_flags_from_file read_domxml read_json "
    "write_domxml write_json",
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names.split()}

__version__ = "0.1.0.dev0"

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
