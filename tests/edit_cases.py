"""What a case of an edit is: a verb, the guests that it starts from, and what must hold afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Union

from hypothesis import strategies as st
from lxml import etree

from hooking.document import parse
from hooking.domain import Domain

Edit = Callable[[Domain], object]
Expected = Union[str, int, bool]

NAME = "edited"
UUID = "3573e29e-5de9-468a-9fae-16050c6b3dcc"
MAC = "52:54:00:4a:23:01"


def guest(devices: str = "", *, elements: str = "", vcpu: str = "<vcpu>2</vcpu>", os: str = "") -> str:
    """A small guest that libvirt takes.

    Args:
        devices: XML that is added to its devices.
        elements: XML that is added to the domain.
        vcpu: Its ``<vcpu>``.
        os: XML that is added to its ``<os>``.
    """
    return (
        f"<domain type='qemu'><name>{NAME}</name><uuid>{UUID}</uuid><memory unit='MiB'>64</memory>{vcpu}"
        f"<os><type arch='x86_64' machine='pc'>hvm</type>{os}</os>{elements}"
        f"<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>{devices}</devices></domain>"
    )


def card(inside: str = "", *, type: str = "bridge", source: str = "<source bridge='br0'/>", mac: str = MAC) -> str:
    return f"<interface type='{type}'><mac address='{mac}'/>{source}{inside}</interface>"


def disk(
    target: str = "vda",
    *,
    file: str = "/a.img",
    bus: str = "virtio",
    device: str = "disk",
    driver: str = "<driver type='raw'/>",
    inside: str = "",
) -> str:
    return (
        f"<disk type='file' device='{device}'>{driver}<source file='{file}'/><target dev='{target}' bus='{bus}'/>"
        f"{inside}</disk>"
    )


def pci(function: int = 1, *, managed: str = "yes", inside: str = "") -> str:
    return (
        f"<hostdev mode='subsystem' type='pci' managed='{managed}'><source><address domain='0x0000' bus='0x0b'"
        f" slot='0x00' function='0x{function}'/></source>{inside}</hostdev>"
    )


def channel(name: str = "org.example.0", *, type: str = "unix", source: str = "") -> str:
    return f"<channel type='{type}'>{source}<target type='virtio' name='{name}'/></channel>"


@dataclass(frozen=True)
class Case:
    """One verb with its arguments.

    Attributes:
        name: The verb and, after a colon, what is special.
        edit: Calls the verb on a guest.
        starts: The guests to start from, as XML, each under the name of the state that the verb finds: ``absent``,
            ``equal``, ``different``, ``doubled``.
        expected: XPath expressions, relative to ``<domain>``, and the text, number or truth that each must give after
            the edit, from every start, in our tree and in what libvirt makes of it.
        touches: XPaths of the elements and attributes that the verb may add, change or remove. All else must stay.
        edits: Calls of the verb with any arguments, for tests with random guests; by default ``edit`` alone.
        impossible: The states that it cannot start from, each with the reason.
    """

    name: str
    edit: Edit
    starts: Mapping[str, str]
    expected: Mapping[str, Expected]
    touches: Sequence[str]
    edits: st.SearchStrategy[Edit] | None = field(default=None, compare=False)
    impossible: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def verb(self) -> str:
        """The verb alone."""
        return self.name.partition(":")[0]

    def unfulfilled(self, root: etree._Element) -> list[str]:
        """The expectations that ``root`` does not meet, each with what it gives instead."""
        found = {path: root.xpath(path) for path in self.expected}
        return [f"{path} gives {found[path]!r}" for path, value in self.expected.items() if found[path] != value]

    def untouched(self, root: etree._Element) -> bytes:
        """All of ``root`` that the verb must leave as it is, canonically."""
        rest = etree.fromstring(etree.tostring(root), etree.XMLParser(remove_blank_text=True))
        for path in self.touches:
            for found in rest.xpath(path):
                _take_out(found)
        return etree.tostring(rest, method="c14n")


def _take_out(found: Any) -> None:
    """Take an element or attribute out, and the parents that it leaves empty: a verb may have made them."""
    parent = found.getparent()
    if etree.iselement(found):
        parent.remove(found)
    else:
        del parent.attrib[found.attrname]
    while not (len(parent) or parent.attrib or parent.text or parent.getparent() is None):
        empty, parent = parent, parent.getparent()
        parent.remove(empty)


def calls(verb: Callable[..., object], *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Edit]:
    """Calls of ``verb`` with any of the arguments."""

    def bound(values: tuple[Any, ...]) -> Edit:
        def edit(domain: Domain) -> object:
            return verb(domain, *values)

        return edit

    return st.tuples(*arguments).map(bound)


def of_first(kind: str, verb: Callable[..., object]) -> Callable[..., object]:
    """``verb``, of the first of the guest's devices of a kind."""

    def call(domain: Domain, *arguments: Any, **named: Any) -> object:
        return verb(getattr(domain, kind)[0], *arguments, **named)

    return call


def domain(xml: str) -> Domain:
    """A view of the guest ``xml``."""
    return Domain(parse(xml.encode()))
