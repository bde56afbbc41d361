"""What the SMBIOS tables say to a guest."""

from __future__ import annotations

from hooking.document import child, etree, only_child, own_text, set_own_text
from hooking.exceptions import InvalidValueError
from hooking.values import NAME, Kind, choice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from hooking.domain import Domain
    from hooking.machine import Sysinfo

_NAMES = {
    "bios": choice("vendor", "version", "date", "release"),
    "system": choice("manufacturer", "product", "version", "serial", "uuid", "sku", "family"),
    "baseBoard": choice("manufacturer", "product", "version", "serial", "asset", "location"),
    "chassis": choice("manufacturer", "version", "serial", "asset", "sku"),
}
_SECTION = choice(*_NAMES)


def set_sysinfo(
    domain: Domain, section: Literal["bios", "system", "baseBoard", "chassis"], name: str, value: str
) -> None:
    """Set one entry of the guest's SMBIOS tables, and let the guest see them.

    ``<sysinfo type='smbios'><system><entry name='serial'>0815</entry></system></sysinfo>``, and in ``<os>``
    ``<smbios mode='sysinfo'/>``, without which QEMU gets no entry.
    See https://libvirt.org/formatdomain.html#smbios-system-information.

    Args:
        domain: The guest.
        section: The table.
        name: The entry, such as ``serial``; libvirt would drop any other than its own silently.
        value: Its text, which is not empty.

    Raises:
        InvalidValueError: There is no such section or entry, the text is empty, a UUID is not the guest's, or a date of
            the BIOS is not ``month/day/year``.
    """
    _NAMES[_SECTION.read(section)].read(name)
    NAME.read(value)
    if (section, name) == ("system", "uuid") and _hex(value) != _hex(domain.uuid or ""):
        raise InvalidValueError(f"{domain.sysinfo.xpath}: the UUID {value!r} is not that of the guest, {domain.uuid}")
    if (section, name) == ("bios", "date"):
        _DATE.read(value)
    table = child(_shown(domain).element, section)
    set_own_text(only_child(table, "entry", name=name), value)


def add_oem_string(domain: Domain, text: str) -> None:
    """Add a text to the OEM strings of the guest's SMBIOS tables, if it is not there yet, and let the guest see them.

    ``<sysinfo type='smbios'><oemStrings><entry>myappname:config</entry></oemStrings></sysinfo>``, and in ``<os>``
    ``<smbios mode='sysinfo'/>``. See https://libvirt.org/formatdomain.html#smbios-system-information.

    Raises:
        InvalidValueError: The text is empty, or XML cannot hold it.
    """
    NAME.read(text)
    strings = child(_shown(domain).element, "oemStrings")
    if text not in map(own_text, strings.iterchildren("entry")):
        set_own_text(etree.SubElement(strings, "entry"), text)


def _shown(domain: Domain) -> Sysinfo:
    """The guest's system information, which it will see."""
    domain.os.smbios_mode = "sysinfo"
    sysinfo = domain.sysinfo
    sysinfo.attach()
    return sysinfo


def _hex(uuid: str) -> str:
    return uuid.replace("-", "").replace(" ", "").lower()


def _date(text: str) -> str:
    parts = text.split("/")
    if not all(part.isdigit() for part in parts):
        raise ValueError(text)
    month, day, year = map(int, parts)
    if not (1 <= month <= 12 and 1 <= day <= 31 and (year <= 99 or year >= 1900)):  # noqa: PLR2004 - libvirt's rule
        raise ValueError(text)
    return text


_DATE = Kind("a date as month/day/year, such as 04/01/2014", _date)
