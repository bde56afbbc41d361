"""What editing costs in a running process, for domains of 10 to 10,000 network cards.

Each way parses the domain, gives every card a model, removes its filter, and serialises. By hand that is all. A hook
also refuses hostile documents, compares what goes back with what came, and reads its identity again from the bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any
from xml.dom import minidom
from xml.etree import ElementTree as ET

from lxml import etree
from measuring import Promise, report, seconds, take_turns

import hooking
from hooking import document, expat, identity
from hooking._process import Process
from hooking.call import Call
from hooking.context import read_context

CARD = """<interface type='network'><mac address='52:54:00:{:02x}:{:02x}:{:02x}'/><source network='lan'/>
<model type='e1000e'/><filterref filter='vdsm-no-mac-spoofing'/><alias name='net0'/>
<address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></interface>
"""


def domain(cards: int) -> bytes:
    devices = "".join(CARD.format(card >> 16, card >> 8 & 255, card & 255) for card in range(cards))
    name = "<name>web01</name><uuid>3573e29e-5de9-468a-9fae-16050c6b3dcc</uuid>"
    return f"<domain type='kvm'>{name}<devices>{devices}</devices></domain>".encode()


class Given(Process):
    def __init__(self, payload: bytes) -> None:
        super().__init__(["/etc/libvirt/hooks/qemu", "web01", "migrate", "begin", "-"], {})
        self._payloads[None] = payload


def edit_typed(guest: hooking.Domain) -> None:
    for card in guest.interfaces:
        card.model = "virtio"
        hooking.remove_filter(card, "vdsm-no-mac-spoofing")


def edit_minidom(domxml: minidom.Document) -> None:
    for card in domxml.getElementsByTagName("interface"):
        card.getElementsByTagName("model")[0].setAttribute("type", "virtio")
        for reference in card.getElementsByTagName("filterref"):
            card.removeChild(reference)


def typed(payload: bytes) -> None:
    guest = hooking.Domain(document.parse(payload))
    edit_typed(guest)
    document.serialise(guest.element, declaration=False)


def edit_tree(root: ET.Element) -> None:
    for card in root.iter("interface"):
        for model in card.iter("model"):
            model.set("type", "virtio")
        for reference in card.findall("filterref"):
            card.remove(reference)


def with_minidom(payload: bytes) -> None:
    domxml = minidom.parseString(payload)
    edit_minidom(domxml)
    domxml.toxml(encoding="utf-8")


def with_element_tree(payload: bytes) -> None:
    root = ET.fromstring(payload)
    edit_tree(root)
    ET.tostring(root)


def with_lxml(payload: bytes) -> None:
    root: Any = etree.fromstring(payload)
    edit_tree(root)
    etree.tostring(root)


def hook(payload: bytes) -> None:
    process = Given(payload)
    call = Call(process, read_context(process))
    guest: hooking.Domain = call.document  # type: ignore[assignment] # pyright: ignore[reportAssignmentType]
    edit_typed(guest)
    call.reply(guest)


def drop_in(payload: bytes) -> None:
    domxml = expat.parse(payload)
    edit_minidom(domxml)
    identity.check_xml(expat.identify(payload), expat.identify(expat.serialise(domxml)))


COUNTS = (10, 100, 1000, 10_000)
HOOK, TYPED, DROP_IN = "`Hook`", "typed views by hand", "VDSM's functions (the drop-in)"
MINIDOM, ELEMENT_TREE, LXML = "minidom by hand", "ElementTree by hand", "lxml by hand"
WAYS: dict[str, Callable[[bytes], None]] = {
    HOOK: hook,
    TYPED: typed,
    LXML: with_lxml,
    ELEMENT_TREE: with_element_tree,
    DROP_IN: drop_in,
    MINIDOM: with_minidom,
}


def measure() -> dict[str, dict[int, float]]:
    """Return the seconds that each way takes for a domain with so many cards."""
    times = {count: take_turns(works(domain(count)), min(100, max(3, 20_000 // count))) for count in COUNTS}
    return {way: {count: times[count][way] for count in COUNTS} for way in WAYS}


def works(payload: bytes) -> dict[str, Callable[[], float]]:
    return {name: partial(seconds, partial(way, payload)) for name, way in WAYS.items()}


def promises(times: dict[str, dict[int, float]]) -> list[Promise]:
    per_card = {count: taken / count for count, taken in times[HOOK].items()}
    return [
        Promise("1,000 cards: minidom / typed views, by hand", times[MINIDOM][1000] / times[TYPED][1000], 8, True),
        Promise("a card of 10,000 / a card of 100, in a hook", per_card[10_000] / per_card[100], 2),
    ]


def main() -> int:
    times = measure()
    for way, taken in times.items():
        print(f"{way:40}" + "".join(f"{count:8}:{each * 1000:8.2f} ms" for count, each in taken.items()))
    return report(promises(times))


if __name__ == "__main__":
    sys.exit(main())
