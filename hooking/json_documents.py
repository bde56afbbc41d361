"""Typed views of the JSON documents of VDSM: network setup, capabilities, statistics, and the disk that it prepared.

A handler gets the document itself, a dict or a list, and puts a view over it: ``hooking.NetworkSetup(document)``. Keys
are VDSM's own; what has no property is reached through ``.data``. See the man page vdsm-hooks and VDSM's API schema,
https://github.com/oVirt/vdsm/tree/master/lib/vdsm/api.
"""

from __future__ import annotations

from hooking._typing import Generic, T
from hooking.exceptions import DocumentError
from hooking.values import tobool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, TypeVar, overload

    from typing_extensions import Self, TypeGuard

    View = TypeVar("View", bound="JsonObject")


class JsonObject:
    """A typed view of one JSON object. Its properties read and write the dict itself; nothing is stored beside it.

    Attributes:
        data: The dict, for all that has no property.
    """

    __slots__ = ("data",)

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JsonObject) and other.data is self.data

    def __hash__(self) -> int:
        return id(self.data)

    def merge(self, additions: Mapping[str, Any]) -> None:
        """Take in ``additions``: objects that stand on both sides are merged, anything else is replaced by theirs."""
        _merge(self.data, additions)


class Key(Generic[T]):
    """A property of a `JsonObject` that stands for one of its keys.

    ``None`` stands for absent: reading what is absent or null gives it, and assigning it removes the key. VDSM and the
    Engine write numbers and truth values as themselves or as text (``true`` and ``"true"``); either is read, and what
    was text stays text.

    Args:
        name: The key.
        kind: The type of its value.

    Raises:
        DocumentError: On reading and on assigning; the message has the key, the value and the type.
    """

    __slots__ = ("_kind", "name")

    def __init__(self, name: str, kind: type[T]) -> None:
        self.name = name
        self._kind = kind

    if TYPE_CHECKING:

        @overload
        def __get__(self, view: None, owner: Any) -> Self: ...
        @overload
        def __get__(self, view: JsonObject, owner: Any) -> T | None: ...

    def __get__(self, view: JsonObject | None, owner: Any) -> Self | T | None:
        if view is None:
            return self
        value = view.data.get(self.name)
        return None if value is None else self._checked(value)

    def __set__(self, view: JsonObject, value: T | None) -> None:
        if value is None:
            view.data.pop(self.name, None)
            return
        if self._kind is bool and value not in (True, False, "true", "false"):
            raise DocumentError(f"the key {self.name!r} takes True or False, not {value!r}")
        self._checked(value)
        was_text = isinstance(view.data.get(self.name), str)
        view.data[self.name] = str(value).lower() if was_text and isinstance(value, int) else value

    def _checked(self, value: Any) -> Any:
        if self._kind is bool:
            return value is True or tobool(value)
        if self._kind is int and isinstance(value, str) and value.isascii() and value.isdigit():
            return int(value)
        if not isinstance(value, self._kind) or isinstance(value, bool):
            raise DocumentError(f"the key {self.name!r} holds {value!r}, which is no {self._kind.__name__}")
        return value


class RequestedNetwork(JsonObject):
    """One network of `NetworkSetup`."""

    __slots__ = ()

    nic = Key("nic", str)
    bonding = Key("bonding", str)
    vlan = Key("vlan", int)
    bridged = Key("bridged", bool)
    stp = Key("stp", bool)
    mtu = Key("mtu", int)
    switch = Key("switch", str)
    default_route = Key("defaultRoute", bool)
    bootproto = Key("bootproto", str)
    ipaddr = Key("ipaddr", str)
    netmask = Key("netmask", str)
    gateway = Key("gateway", str)
    ipv6addr = Key("ipv6addr", str)
    ipv6gateway = Key("ipv6gateway", str)
    ipv6autoconf = Key("ipv6autoconf", bool)
    dhcpv6 = Key("dhcpv6", bool)
    remove = Key("remove", bool)

    @property
    def custom_properties(self) -> Mapping[str, str]:
        """The custom properties that an administrator gave to the network."""
        return _object(self.data, "custom")


class RequestedBonding(JsonObject):
    """One bonding of `NetworkSetup`."""

    __slots__ = ()

    options = Key("options", str)
    switch = Key("switch", str)
    remove = Key("remove", bool)

    @property
    def nics(self) -> list[str]:
        """The cards in it."""
        nics: Any = self.data.get("nics") or []
        if not _is_array(nics):
            raise DocumentError(f"the key 'nics' holds {nics!r}, which is no list")
        return list(nics)


class NetworkSetup(JsonObject):
    """What VDSM was asked to set up: the document of ``before_network_setup`` and what follows it.

    Raises:
        DocumentError: When it is asked for its networks, and there is no request in it.
    """

    __slots__ = ()

    @property
    def networks(self) -> dict[str, RequestedNetwork]:
        """The networks to set up, by name, without those to ``remove``."""
        return {name: view for name, view in self._all(RequestedNetwork, "networks").items() if not view.remove}

    @property
    def bondings(self) -> dict[str, RequestedBonding]:
        """The bondings to set up, by name, without those to ``remove``."""
        return {name: view for name, view in self._all(RequestedBonding, "bondings").items() if not view.remove}

    @property
    def removed_networks(self) -> list[str]:
        """The names of the networks to remove."""
        return [name for name, view in self._all(RequestedNetwork, "networks").items() if view.remove]

    def _all(self, view: type[View], key: str) -> dict[str, View]:
        if "request" not in self.data:
            raise DocumentError("the document of a network setup has no 'request'; VDSM writes one at this point")
        return _views(view, _object(_object(self.data, "request"), key))


class Capabilities(JsonObject):
    """What the host can do: the document of ``after_get_caps``."""

    __slots__ = ()

    kvm_enabled = Key("kvmEnabled", bool)
    cpu_model = Key("cpuModel", str)

    @property
    def cpu_flags(self) -> list[str]:
        """The flags of the CPU, and the models that it can be (``model_Nehalem``)."""
        return [flag for flag in (self.data.get("cpuFlags") or "").split(",") if flag]

    def add_cpu_flags(self, flags: Iterable[str]) -> None:
        """Add flags of the CPU that are not there yet."""
        self.data["cpuFlags"] = ",".join(dict.fromkeys([*self.cpu_flags, *flags]))


class InterfaceStatistics(JsonObject):
    """One network card or bonding of `HostStatistics`."""

    __slots__ = ()

    state = Key("state", str)


class HostStatistics(JsonObject):
    """How the host fares: the document of ``after_get_stats``."""

    __slots__ = ()

    @property
    def interfaces(self) -> dict[str, InterfaceStatistics]:
        """The network cards and bondings, by name."""
        return _views(InterfaceStatistics, _object(self.data, "network"))


class VmStatistics(JsonObject):
    """How one VM fares."""

    __slots__ = ()

    vm_id = Key("vmId", str)
    status = Key("status", str)


class PreparedDisk(JsonObject):
    """The disk that VDSM prepared: the document of ``after_disk_prepare``. VDSM merges it; no key can be removed."""

    __slots__ = ()

    path = Key("path", str)
    format = Key("format", str)
    disk_type = Key("diskType", str)


def vm_statistics(document: list[dict[str, Any]]) -> dict[str, VmStatistics]:
    """Return the statistics in the document of ``after_get_vm_stats`` or ``after_get_all_vm_stats``, by the VM's ID.

    Raises:
        DocumentError: One of them names no VM.
    """
    views = [VmStatistics(statistics) for statistics in document]
    if not all(view.vm_id for view in views):
        raise DocumentError("statistics without a 'vmId'; VDSM writes one at this point")
    return {view.vm_id or "": view for view in views}


def _is_array(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _object(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = data.get(key, {})
    if not _is_object(found):
        raise DocumentError(f"the key {key!r} holds {found!r}, which is no object")
    return found


def _views(view: type[View], data: Mapping[str, Any]) -> dict[str, View]:
    return {name: view(_object(data, name)) for name in data}


def _merge(data: dict[str, Any], additions: Mapping[str, Any]) -> None:
    for key, value in additions.items():
        if not _is_object(value):
            data[key] = value
            continue
        if not _is_object(data.get(key)):
            data[key] = {}
        _merge(data[key], value)
