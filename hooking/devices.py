"""Typed views of a domain's devices, in libvirt's own words.

Every property follows https://libvirt.org/formatdomain.html#devices; its path stands in its declaration. What has no
property yet is reached through ``.element``.
"""

from __future__ import annotations

from hooking.document import Attribute, Element, Flag
from hooking.values import MAC, SWITCH, TEXT, UNSIGNED, YES_NO, choice, whole_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lxml import etree

_PORT = whole_number(0, 65535, -1)


class Device(Element):
    """A child of ``<devices>`` of any kind."""

    __slots__ = ()

    alias = Attribute("alias/@name", TEXT)
    boot_order = Attribute("boot/@order", UNSIGNED)

    @property
    def kind(self) -> str:
        """The element's name, as in ``interface``, ``disk`` or ``hostdev``."""
        return str(self.element.tag)


class Interface(Device):
    """An ``<interface>``: a network card of the guest."""

    __slots__ = ()

    type = Attribute("@type", TEXT)
    mac = Attribute("mac/@address", MAC)
    source_network = Attribute("source/@network", TEXT)
    source_bridge = Attribute("source/@bridge", TEXT)
    source_dev = Attribute("source/@dev", TEXT)
    source_portgroup = Attribute("source/@portgroup", TEXT)
    target_dev = Attribute("target/@dev", TEXT)
    model = Attribute("model/@type", TEXT)
    filter = Attribute("filterref/@filter", TEXT)
    virtualport_type = Attribute("virtualport/@type", TEXT)
    link_state = Attribute("link/@state", choice("up", "down"))
    mtu = Attribute("mtu/@size", UNSIGNED)


class Disk(Device):
    """A ``<disk>``: a disk, CD-ROM, floppy or LUN of the guest."""

    __slots__ = ()

    type = Attribute("@type", TEXT)
    device = Attribute("@device", choice("disk", "cdrom", "floppy", "lun"))
    snapshot = Attribute("@snapshot", choice("no", "internal", "external", "manual"))
    source_file = Attribute("source/@file", TEXT)
    source_dev = Attribute("source/@dev", TEXT)
    source_protocol = Attribute("source/@protocol", TEXT)
    source_name = Attribute("source/@name", TEXT)
    target_dev = Attribute("target/@dev", TEXT)
    target_bus = Attribute("target/@bus", TEXT)
    driver_name = Attribute("driver/@name", TEXT)
    driver_type = Attribute("driver/@type", TEXT)
    driver_cache = Attribute("driver/@cache", TEXT)
    driver_io = Attribute("driver/@io", TEXT)
    driver_discard = Attribute("driver/@discard", TEXT)
    driver_detect_zeroes = Attribute("driver/@detect_zeroes", TEXT)
    driver_error_policy = Attribute("driver/@error_policy", TEXT)
    driver_iothread = Attribute("driver/@iothread", UNSIGNED)
    serial = Attribute("serial", TEXT)
    readonly = Flag("readonly")
    shareable = Flag("shareable")

    @property
    def path(self) -> str | None:
        """The file or host device that holds the data; `None` where there is none, as in a drive without medium."""
        return self.source_file or self.source_dev


class HostDevice(Device):
    """A ``<hostdev>``: a device of the host that is given to the guest."""

    __slots__ = ()

    mode = Attribute("@mode", TEXT)
    type = Attribute("@type", TEXT)
    managed = Attribute("@managed", YES_NO)
    model = Attribute("@model", TEXT)
    rawio = Attribute("@rawio", YES_NO)
    driver_name = Attribute("driver/@name", TEXT)
    source_vendor = Attribute("source/vendor/@id", TEXT)
    source_product = Attribute("source/product/@id", TEXT)
    source_adapter = Attribute("source/adapter/@name", TEXT)
    source_uuid = Attribute("source/address/@uuid", TEXT)
    startup_policy = Attribute("source/@startupPolicy", choice("mandatory", "requisite", "optional"))


class Graphics(Device):
    """A ``<graphics>``: how the guest's screen is shown."""

    __slots__ = ()

    type = Attribute("@type", TEXT)
    port = Attribute("@port", _PORT)
    tls_port = Attribute("@tlsPort", _PORT)
    autoport = Attribute("@autoport", YES_NO)
    listen = Attribute("@listen", TEXT)
    passwd = Attribute("@passwd", TEXT)
    passwd_valid_to = Attribute("@passwdValidTo", TEXT)
    keymap = Attribute("@keymap", TEXT)
    default_mode = Attribute("@defaultMode", choice("any", "secure", "insecure"))


class CharacterDevice(Device):
    """A character device, of which the guest's end is the target and the host's the source."""

    __slots__ = ()

    type = Attribute("@type", TEXT)
    source_mode = Attribute("source/@mode", choice("bind", "connect"))
    source_path = Attribute("source/@path", TEXT)
    target_type = Attribute("target/@type", TEXT)
    log_file = Attribute("log/@file", TEXT)
    log_append = Attribute("log/@append", SWITCH)


class Serial(CharacterDevice):
    """A ``<serial>``: a serial port of the guest."""

    __slots__ = ()

    target_port = Attribute("target/@port", UNSIGNED)


class Console(CharacterDevice):
    """A ``<console>``: where the guest shows its text; of type ``serial`` it is the first serial port once more."""

    __slots__ = ()

    target_port = Attribute("target/@port", UNSIGNED)


class Channel(CharacterDevice):
    """A ``<channel>``: a private line between the host and a program in the guest, which finds it by its name."""

    __slots__ = ()

    target_name = Attribute("target/@name", TEXT)
    target_state = Attribute("target/@state", choice("connected", "disconnected"))


class Controller(Device):
    """A ``<controller>``: what other devices are plugged into."""

    __slots__ = ()

    type = Attribute("@type", TEXT)
    index = Attribute("@index", UNSIGNED)
    model = Attribute("@model", TEXT)


def as_device(element: etree._Element) -> Device:
    """Return the view that fits ``element``, a child of ``<devices>``."""
    return _VIEWS.get(str(element.tag), Device)(element)


_VIEWS: dict[str, type[Device]] = {
    "interface": Interface,
    "disk": Disk,
    "hostdev": HostDevice,
    "graphics": Graphics,
    "serial": Serial,
    "console": Console,
    "channel": Channel,
    "controller": Controller,
}
