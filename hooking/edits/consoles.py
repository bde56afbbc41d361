"""The lines between a guest and its host: serial console, channels, smart card reader."""

from __future__ import annotations

from hooking.devices import Channel, CharacterDevice, Device, Serial
from hooking.document import child, etree, only_child, remove
from hooking.exceptions import InvalidValueError
from hooking.values import NAME, Kind, choice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from hooking.domain import Domain


def _absolute(text: str) -> str:
    if not NAME.read(text).startswith("/"):
        raise ValueError(text)
    return text


_PATH = Kind("an absolute path", _absolute)
_CHANNEL_TYPE = choice("unix", "pty", "spicevmc", "null")
_MODE = choice("bind", "connect")
_CARD = choice("passthrough", "host")


def log_console(domain: Domain, path: str, *, append: bool = True) -> CharacterDevice:
    """Let the host write what the guest says on its serial console to a file, and return the console.

    ``<serial type='pty'><log file='/var/log/g.log' append='on'/></serial>``, in the first serial port; else in the
    first console; a guest without either gets a serial port.
    See https://libvirt.org/formatdomain.html#consoles-serial-parallel-channel-devices.

    Args:
        domain: The guest.
        path: The path of the file.
        append: Whether it is appended to at each start, or begun anew.

    Raises:
        InvalidValueError: The path is none.
    """
    _PATH.read(path)
    found: list[CharacterDevice] = [*domain.serials, *domain.consoles]
    console = found[0] if found else _add_serial(domain)
    only_child(console.element, "log")  # libvirt refuses a second one
    console.log_file = path
    console.log_append = "on" if append else "off"
    return console


def add_channel(
    domain: Domain,
    name: str,
    *,
    type: Literal["unix", "pty", "spicevmc", "null"] = "unix",
    mode: Literal["bind", "connect"] = "bind",
    path: str | None = None,
) -> Channel:
    """Add a channel, or change the one of this name, and return it.

    ``<channel type='unix'><source mode='bind' path='/run/a.sock'/><target type='virtio' name='org.example.0'/>
    </channel>``. See https://libvirt.org/formatdomain.html#channel.

    Args:
        domain: The guest.
        name: The name by which programs in the guest find it.
        type: What the host's end is.
        mode: Whether QEMU makes the socket ``path`` (``bind``) or connects to it.
        path: The socket, of type ``unix``; by default libvirt makes one up.

    Raises:
        InvalidValueError: An argument is none, another type than ``unix`` was given a path, or the guest lacks the
            SPICE graphics that ``spicevmc`` needs.
    """
    NAME.read(name)
    _CHANNEL_TYPE.read(type)
    _MODE.read(mode)
    if path is not None and type != "unix":
        raise InvalidValueError(f"a channel of type {type} has no path {path!r}; only one of type unix has")
    if path is not None:
        _PATH.read(path)
    if mode == "connect" and path is None:
        raise InvalidValueError(f"the channel {name} connects to a socket, so it needs the path of that")
    _need_spice(domain, type)
    channel = next((channel for channel in domain.channels if channel.target_name == name), None)
    if channel is None:
        channel = Channel(etree.SubElement(child(domain.element, "devices"), "channel"))
    elif channel.type != type:
        for source in [*channel.element.iterchildren("source", "protocol")]:
            remove(source)
    channel.type = type
    if path is not None:
        only_child(channel.element, "source")  # libvirt refuses a second one
        channel.source_mode, channel.source_path = mode, path
    channel.target_type, channel.target_name = "virtio", name
    return channel


def add_smartcard(domain: Domain, mode: Literal["passthrough", "host"] = "passthrough") -> Device:
    """Give the guest a smart card reader, in the place of another: it has one at most. Return it.

    ``<smartcard mode='passthrough' type='spicevmc'/>``.
    See https://libvirt.org/formatdomain.html#smartcard-devices.

    Args:
        domain: The guest.
        mode: ``passthrough`` for the cards of who looks at the guest by SPICE, ``host`` for those of the host.

    Raises:
        InvalidValueError: The mode is none, or the guest lacks the SPICE graphics that ``passthrough`` needs.
    """
    attributes = {"mode": _CARD.read(mode), **({"type": "spicevmc"} if mode == "passthrough" else {})}
    _need_spice(domain, attributes.get("type", ""))
    card = only_child(child(domain.element, "devices"), "smartcard")
    if attributes.items() != dict(card.attrib).items():
        for part in [*card.iterchildren("source", "protocol", "certificate", "database")]:
            remove(part)
        card.attrib.clear()
        card.attrib.update(attributes)
    return Device(card)


def _add_serial(domain: Domain) -> Serial:
    serial = Serial(etree.SubElement(child(domain.element, "devices"), "serial"))
    serial.type = "pty"
    return serial


def _need_spice(domain: Domain, type: str) -> None:
    if type == "spicevmc" and all(graphics.type != "spice" for graphics in domain.graphics):
        raise InvalidValueError(f"guest {domain.name} has no graphics of type spice, which {type} needs")
