"""What type checkers know of `Hook`: the names of the hook points, and the handler that fits each.

Nothing imports this when a hook runs. A test holds the names to the table in `points`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Dict, List, Literal, Optional, Protocol, TypeVar, Union, overload

from hooking.context import HookContext
from hooking.devices import Device, Disk, Interface
from hooking.domain import Domain
from hooking.network import HookData, PortData

DaemonOp = Literal["start", "reload", "shutdown"]
QemuOp = Literal["prepare", "start", "started", "stopped", "release", "migrate", "restore", "reconnect", "attach"]
LxcOp = Literal["prepare", "start", "started", "stopped", "release", "reconnect"]
LibxlOp = Literal["prepare", "start", "started", "stopped", "release", "migrate", "reconnect"]
BhyveOp = Literal["prepare", "start", "started", "stopped", "release"]
NetworkOp = Literal["start", "started", "stopped", "updated", "plugged", "unplugged"]
NetworkPortOp = Literal["port-created", "port-deleted"]

VdsmDomainPoint = Literal[
    "before_vm_start",
    "after_vm_start",
    "before_vm_cont",
    "after_vm_cont",
    "before_vm_pause",
    "after_vm_pause",
    "before_vm_hibernate",
    "after_vm_hibernate",
    "before_vm_dehibernate",
    "after_vm_dehibernate",
    "before_vm_migrate_source",
    "after_vm_migrate_source",
    "before_vm_migrate_destination",
    "after_vm_migrate_destination",
    "after_vm_destroy",
    "before_vm_set_ticket",
    "after_vm_set_ticket",
]
VdsmDevicePoint = Literal[
    "before_device_create",
    "before_device_migrate_destination",
    "after_device_migrate_destination",
    "before_nic_hotplug",
    "after_nic_hotplug",
    "after_nic_hotplug_fail",
    "before_nic_hotunplug",
    "after_nic_hotunplug",
    "after_nic_hotunplug_fail",
    "before_update_device",
    "after_update_device",
    "after_update_device_fail",
    "before_disk_hotplug",
    "after_disk_hotplug",
    "before_disk_hotunplug",
    "after_disk_hotunplug",
    "before_memory_hotplug",
    "after_memory_hotplug",
]
VdsmEmptyDevicePoint = Literal[
    "after_device_create",
    "before_device_migrate_source",
    "after_device_migrate_source",
    "before_device_destroy",
    "after_device_destroy",
]
VdsmObjectPoint = Literal[
    "after_disk_prepare",
    "before_network_setup",
    "after_network_setup",
    "after_network_setup_fail",
    "before_get_vm_stats",
    "before_get_all_vm_stats",
    "before_get_caps",
    "after_get_caps",
    "before_get_stats",
    "after_get_stats",
    "after_hostdev_list_by_caps",
    "before_ifcfg_write",
    "after_ifcfg_write",
]
VdsmArrayPoint = Literal["after_get_vm_stats", "after_get_all_vm_stats"]
VdsmPlainPoint = Literal[
    "before_vm_destroy", "before_set_num_of_cpus", "after_set_num_of_cpus", "before_vdsm_start", "after_vdsm_stop"
]

AnyNetworkOp = Union[NetworkOp, NetworkPortOp]
AnyDevicePoint = Union[VdsmDevicePoint, VdsmEmptyDevicePoint]

PlainHandler = TypeVar("PlainHandler", bound=Callable[[HookContext], None])
DomainHandler = TypeVar("DomainHandler", bound=Callable[[Domain, HookContext], None])
NetworkHandler = TypeVar("NetworkHandler", bound=Callable[[HookData, HookContext], None])
PortHandler = TypeVar("PortHandler", bound=Callable[[PortData, HookContext], None])
DeviceHandler = TypeVar("DeviceHandler", bound=Callable[[Device, HookContext], None])
InterfaceHandler = TypeVar("InterfaceHandler", bound=Callable[[Interface, HookContext], None])
DiskHandler = TypeVar("DiskHandler", bound=Callable[[Disk, HookContext], None])
MaybeDeviceHandler = TypeVar("MaybeDeviceHandler", bound=Callable[[Optional[Device], HookContext], None])
ObjectHandler = TypeVar("ObjectHandler", bound=Callable[[Dict[str, Any], HookContext], None])
ArrayHandler = TypeVar("ArrayHandler", bound=Callable[[List[Any], HookContext], None])


class Daemon(Protocol):
    """`Hook.daemon`."""

    def __call__(self, *ops: DaemonOp) -> Callable[[PlainHandler], PlainHandler]: ...


class Qemu(Protocol):
    """`Hook.qemu`."""

    def __call__(self, *ops: QemuOp, object: str | None = ...) -> Callable[[DomainHandler], DomainHandler]: ...


class Lxc(Protocol):
    """`Hook.lxc`."""

    def __call__(self, *ops: LxcOp, object: str | None = ...) -> Callable[[DomainHandler], DomainHandler]: ...


class Libxl(Protocol):
    """`Hook.libxl`."""

    def __call__(self, *ops: LibxlOp, object: str | None = ...) -> Callable[[DomainHandler], DomainHandler]: ...


class Bhyve(Protocol):
    """`Hook.bhyve`."""

    def __call__(self, *ops: BhyveOp, object: str | None = ...) -> Callable[[DomainHandler], DomainHandler]: ...


class Network(Protocol):
    """`Hook.network`: where a port is always present, the handler may ask for `PortData`."""

    @overload
    def __call__(self, *ops: NetworkPortOp, object: str | None = ...) -> Callable[[PortHandler], PortHandler]: ...
    @overload
    def __call__(self, *ops: AnyNetworkOp, object: str | None = ...) -> Callable[[NetworkHandler], NetworkHandler]: ...


class Vdsm(Protocol):
    """`Hook.vdsm`: the document follows from the hook point, and the device's type from ``device``."""

    @overload
    def __call__(self, *ops: VdsmDomainPoint, object: str | None = ...) -> Callable[[DomainHandler], DomainHandler]: ...
    @overload
    def __call__(
        self, *ops: AnyDevicePoint, object: str | None = ..., device: Literal["interface"]
    ) -> Callable[[InterfaceHandler], InterfaceHandler]: ...
    @overload
    def __call__(
        self, *ops: AnyDevicePoint, object: str | None = ..., device: Literal["disk"]
    ) -> Callable[[DiskHandler], DiskHandler]: ...
    @overload
    def __call__(
        self, *ops: AnyDevicePoint, object: str | None = ..., device: str
    ) -> Callable[[DeviceHandler], DeviceHandler]: ...
    @overload
    def __call__(self, *ops: VdsmDevicePoint, object: str | None = ...) -> Callable[[DeviceHandler], DeviceHandler]: ...
    @overload
    def __call__(
        self, *ops: AnyDevicePoint, object: str | None = ...
    ) -> Callable[[MaybeDeviceHandler], MaybeDeviceHandler]: ...
    @overload
    def __call__(self, *ops: VdsmObjectPoint, object: str | None = ...) -> Callable[[ObjectHandler], ObjectHandler]: ...
    @overload
    def __call__(self, *ops: VdsmArrayPoint, object: str | None = ...) -> Callable[[ArrayHandler], ArrayHandler]: ...
    @overload
    def __call__(self, *ops: VdsmPlainPoint, object: str | None = ...) -> Callable[[PlainHandler], PlainHandler]: ...
