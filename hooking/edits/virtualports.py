"""The virtual ports by which network cards are plugged into managed switches."""

from __future__ import annotations

from hooking.document import etree, only_child
from hooking.exceptions import InvalidValueError
from hooking.values import NAME, UUID, Kind, choice, whole_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.devices import Interface

_LONGEST_PROFILE = 39  # bytes, as libvirt has it


def _profile(text: str) -> str:
    if len(NAME.read(text).encode()) > _LONGEST_PROFILE:
        raise ValueError(text)
    return text


_CARDS = ("network", "bridge", "direct", "hostdev")
_PARAMETERS: dict[str, Kind[str] | Kind[int]] = {
    "managerid": whole_number(0, 255),
    "typeid": whole_number(0, 2**24 - 1),
    "typeidversion": whole_number(0, 255),
    "instanceid": UUID,
    "interfaceid": UUID,
    "profileid": Kind(f"a profile's name of at most {_LONGEST_PROFILE} bytes", _profile),
}
_REQUIRED = {
    "802.1Qbg": ("managerid", "typeid", "typeidversion"),
    "802.1Qbh": ("profileid",),
    "midonet": ("interfaceid",),
}
_ALLOWED = {
    "802.1Qbg": ("managerid", "typeid", "typeidversion", "instanceid"),
    "802.1Qbh": ("profileid",),
    "midonet": ("interfaceid",),
    "openvswitch": ("interfaceid", "profileid"),
}


def set_virtualport(interface: Interface, type: str, **parameters: str) -> None:
    """Set the virtual port of a card, in the place of an earlier one.

    ``<virtualport type='openvswitch'><parameters interfaceid='…' profileid='gold'/></virtualport>``. Parameters of a
    port of the same type stay unless others are given: libvirt makes up some, such as ``interfaceid``.
    See https://libvirt.org/formatdomain.html#network-interfaces.

    Args:
        interface: The card; its type is ``network``, ``bridge``, ``direct`` or ``hostdev``.
        type: ``openvswitch``, ``802.1Qbg``, ``802.1Qbh`` or ``midonet``.
        **parameters: What the type takes: ``interfaceid`` and ``profileid``; ``managerid``, ``typeid``,
            ``typeidversion`` and ``instanceid``; ``profileid``; ``interfaceid``.

    Raises:
        InvalidValueError: The type or a parameter is none, one is missing that only a network could supply, or libvirt
            has no virtual ports for the type of card.
    """
    allowed = choice(*_ALLOWED[choice(*_ALLOWED).read(type)])
    texts = {allowed.read(name): str(_PARAMETERS[name].read(value)) for name, value in parameters.items()}
    if interface.type not in _CARDS:
        raise InvalidValueError(f"{interface.xpath}: a card of type {interface.type} has no virtual port")
    if interface.virtualport_type == type:
        texts = {**_parameters_of(interface), **texts}
    missing = [name for name in _REQUIRED.get(type, ()) if name not in texts]
    if missing and interface.type != "network":
        raise InvalidValueError(f"{interface.xpath}: a virtual port of type {type} needs {', '.join(missing)}")
    port = only_child(interface.element, "virtualport")
    port.clear(keep_tail=True)
    port.set("type", type)
    if texts:
        etree.SubElement(port, "parameters", texts)


def _parameters_of(interface: Interface) -> dict[str, str]:
    parameters = interface.element.find("virtualport/parameters")
    return {} if parameters is None else {str(name): str(value) for name, value in parameters.attrib.items()}
