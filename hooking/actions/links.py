"""The host's network interfaces as `ip` and `bridge` show them, and the values that are handed to these programs."""

from __future__ import annotations

from hooking.actions.programs import run, status
from hooking.exceptions import HostError
from hooking.values import Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
    from typing import Any, Final, Union

    Address = Union[IPv4Address, IPv6Address]
    Network = Union[IPv4Network, IPv6Network]

_LONGEST_NAME = 15  # IFNAMSIZ less its end


def show(root: str, program: str, *arguments: str) -> list[dict[str, Any]]:
    """Return what ``ip`` or ``bridge`` of the host below ``root`` shows.

    Raises:
        CommandError: It fails.
    """
    import json

    entries = json.loads(run(root, program, "-json", *arguments) or "[]")
    return [entry for entry in entries if entry]  # old versions leave empty ones in the place of what is filtered out


def find_link(root: str, name: str, index: int | None = None) -> dict[str, Any] | None:
    """Return what ``ip`` tells of an interface, in detail; `None` if it is gone.

    Args:
        root: The root of the host.
        name: The interface's name.
        index: Its number, if known: another guest's interface may have the name by now, but never the number.
    """
    if status(root, "ip", "link", "show", "dev", name):
        return None
    found = show(root, "ip", "-details", "link", "show", "dev", name)[0]
    return found if index in (None, found["ifindex"]) else None


def get_link(root: str, name: str) -> dict[str, Any]:
    """Return what ``ip`` tells of an interface, in detail.

    Raises:
        InvalidValueError: It cannot be the name of an interface.
        HostError: There is no such interface.
    """
    found = find_link(root, INTERFACE.read(name))
    if found is None:
        raise HostError(f"this host has no network interface {name}; see: ip link")
    return found


def _interface(text: str) -> str:
    plain = text.translate(dict.fromkeys(map(ord, "-._@+"), "0"))
    if not (plain.isascii() and plain.isalnum()) or len(text) > _LONGEST_NAME or text[0] in "-.":
        raise ValueError(text)
    return text


def _address(text: str) -> Address:
    import ipaddress

    address = ipaddress.ip_address(text)
    unusable = address.is_loopback or address.is_multicast or address.is_unspecified
    if "%" in text or unusable:  # what follows % may be anything
        raise ValueError(text)
    return address


def _network(text: str) -> Network:
    import ipaddress

    if "%" in text:
        raise ValueError(text)
    return ipaddress.ip_network(text)


INTERFACE: Final = Kind("the name of a network interface: 1 to 15 letters, digits and -._@+", _interface)
ADDRESS: Final = Kind("the IPv4 or IPv6 address of one machine, such as 192.0.2.5", _address)
NETWORK: Final = Kind("an IPv4 or IPv6 network such as 198.51.100.0/24, its host part zero", _network)
