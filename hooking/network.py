"""Typed views of what libvirt's network driver hands over: ``<hookData>`` with a network and what is plugged into it.

Every property follows https://libvirt.org/formatnetwork.html or https://libvirt.org/formatnetworkport.html. The network
driver never reads an answer, so these views are for reading.
"""

from __future__ import annotations

from hooking.devices import Interface
from hooking.document import Attribute, Element
from hooking.domain import Domain, Metadata
from hooking.exceptions import DocumentError
from hooking.values import MAC, TEXT, UNSIGNED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    AnyElement = TypeVar("AnyElement", bound=Element)


class Network(Element):
    """A ``<network>``: the live definition while it is active, else the persistent one."""

    __slots__ = ()

    name = Attribute("name", TEXT)
    uuid = Attribute("uuid", TEXT)
    connections = Attribute("@connections", UNSIGNED)
    bridge = Attribute("bridge/@name", TEXT)
    forward_mode = Attribute("forward/@mode", TEXT)
    mac = Attribute("mac/@address", MAC)
    domain_name = Attribute("domain/@name", TEXT)
    ip_address = Attribute("ip/@address", TEXT)

    @property
    def metadata(self) -> Metadata:
        """What applications stored with the network."""
        return Metadata.within(self.element, "metadata")


class NetworkPort(Element):
    """A ``<networkport>``: the connection of one network card (``owner`` is its guest) to the network."""

    __slots__ = ()

    uuid = Attribute("uuid", TEXT)
    owner_name = Attribute("owner/name", TEXT)
    owner_uuid = Attribute("owner/uuid", TEXT)
    group = Attribute("group", TEXT)
    mac = Attribute("mac/@address", MAC)
    plug_type = Attribute("plug/@type", TEXT)
    plug_bridge = Attribute("plug/@bridge", TEXT)
    plug_dev = Attribute("plug/@dev", TEXT)


class HookData(Element):
    """``<hookData>``: a network, and with libvirt before 5.5.0 the guest or its card that is plugged or unplugged."""

    __slots__ = ()

    @property
    def network(self) -> Network:
        """The network.

        Raises:
            DocumentError: There is none.
        """
        return _child(self, Network, "network")

    @property
    def domain(self) -> Domain | None:
        """The guest of a port (``plugged``, ``unplugged``)."""
        element = self.element.find("domain")
        return None if element is None else Domain(element)

    @property
    def interface(self) -> Interface | None:
        """The guest's card (``plugged``, ``unplugged`` of some versions)."""
        element = self.element.find("interface")
        return None if element is None else Interface(element)


class PortData(HookData):
    """``<hookData>`` of ``port-created`` and ``port-deleted``: a network and one of its ports."""

    __slots__ = ()

    @property
    def port(self) -> NetworkPort:
        """The port.

        Raises:
            DocumentError: There is none.
        """
        return _child(self, NetworkPort, "networkport")


def _child(data: HookData, view: type[AnyElement], tag: str) -> AnyElement:
    element = data.element.find(tag)
    if element is None:
        raise DocumentError(f"/hookData has no <{tag}>; libvirt writes one at this point")
    return view(element)
