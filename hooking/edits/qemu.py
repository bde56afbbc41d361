"""What a guest hands on to QEMU itself, behind libvirt's back."""

from __future__ import annotations

from hooking.document import etree, merged_child, only_child
from hooking.exceptions import InvalidValueError
from hooking.values import TEXT, Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

    from hooking.domain import Domain

QEMU_NAMESPACE: Final = "http://libvirt.org/schemas/domain/qemu/1.0"
"""Namespace of what libvirt hands on to QEMU; VDSM writes it with another prefix than ``qemu:``."""

_COMMANDLINE = f"{{{QEMU_NAMESPACE}}}commandline"
_ARG = f"{{{QEMU_NAMESPACE}}}arg"
_ENV = f"{{{QEMU_NAMESPACE}}}env"


def add_qemu_args(domain: Domain, args: Iterable[str]) -> None:
    """Add arguments to the command line of QEMU, unless they are there already, one after the other.

    ``<qemu:commandline><qemu:arg value='-fw_cfg'/><qemu:arg value='name=opt/x,string=y'/></qemu:commandline>``, in the
    one such element of the guest, whatever its prefix. libvirt marks such a guest as tainted.
    See https://libvirt.org/drvqemu.html#pass-through-of-arbitrary-qemu-commands.

    Args:
        domain: The guest.
        args: The arguments, each as QEMU gets it.

    Raises:
        InvalidValueError: They are one text instead of a list, or something in it is no text.
    """
    if isinstance(args, str):
        raise InvalidValueError(f"{args!r} is one text; the arguments of QEMU are a list, such as ['-cdrom', '/a.iso']")
    wanted = [TEXT.read(arg) for arg in args]
    present = [arg.get("value") for arg in domain.element.iterfind(f"{_COMMANDLINE}/{_ARG}")]
    if any(present[at : at + len(wanted)] == wanted for at in range(len(present) + 1)):
        return
    commandline = _commandline(domain)
    for arg in wanted:
        etree.SubElement(commandline, _ARG, value=arg)


def set_qemu_env(domain: Domain, name: str, value: str) -> None:
    """Set a variable of QEMU's environment: ``<qemu:commandline><qemu:env name='TZ' value='UTC'/></qemu:commandline>``.

    See https://libvirt.org/drvqemu.html#pass-through-of-arbitrary-qemu-commands.

    Args:
        domain: The guest.
        name: The variable: English letters, digits and ``_``.
        value: Its value.

    Raises:
        InvalidValueError: The name is none that libvirt takes, or the value is no text.
    """
    _VARIABLE.read(name)
    TEXT.read(value)
    only_child(_commandline(domain), _ENV, name=name).set("value", value)


def _commandline(domain: Domain) -> etree._Element:
    """The one element for QEMU, with the usual prefix where there was none."""
    if domain.element.find(_COMMANDLINE) is None:
        return etree.SubElement(domain.element, _COMMANDLINE, nsmap={"qemu": QEMU_NAMESPACE})
    return merged_child(domain.element, _COMMANDLINE)


def _variable(text: str) -> str:
    if not (text.isascii() and text.replace("_", "a").isalnum()) or text[0].isdigit():
        raise ValueError(text)
    return text


_VARIABLE = Kind("the name of a variable: English letters, digits and _, and no digit first", _variable)
