"""What a simulated libvirt daemon has: guests, networks, and the ports between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import uuid4

from hooking.document import parse


@dataclass(eq=False)
class Port:
    """The connection of one network card to a network.

    Attributes:
        network: The network's name.
        mac: The card's MAC address.
        guest: The ``<domain>`` that has the card.
        uuid: The port's own.
    """

    network: str
    mac: str
    guest: bytes
    uuid: str = field(default_factory=lambda: str(uuid4()))


@dataclass
class Guest:
    """A guest of the simulated daemon.

    Attributes:
        driver: ``qemu``, ``lxc``, ``libxl`` or ``bhyve``.
        document: The ``<domain>`` as the host last took it.
        id: Its number while it is active.
        reached: How far its start came: ``prepare``, ``ports``, ``start``, ``emulator`` or ``started``.
        ports: Its network ports.
        saved: The document of its save image.
    """

    driver: str
    document: bytes
    id: int | None = None
    reached: str = ""
    ports: list[Port] = field(default_factory=list[Port])
    saved: bytes | None = None

    @property
    def active(self) -> bool:
        """Whether it runs."""
        return self.id is not None

    @property
    def name(self) -> str:
        """Its name."""
        return name_of(self.document)


@dataclass
class SimulatedNetwork:
    """A network of the simulated daemon.

    Attributes:
        document: The ``<network>``.
        active: Whether it is up.
        left_behind: Whether bridge and dnsmasq run although its start failed.
    """

    document: bytes
    active: bool = False
    left_behind: bool = False

    @property
    def name(self) -> str:
        """Its name."""
        return name_of(self.document)


def name_of(document: bytes) -> str:
    """Return the name in a ``<domain>`` or ``<network>``."""
    return parse(document).findtext("name") or ""
