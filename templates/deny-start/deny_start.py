#!/usr/bin/python3 -I
"""Let no guest start for which the host lacks a bridge or free huge pages.

The guest is refused before anything of it is set up, with a line that says what is missing. Huge pages are counted over
all NUMA nodes, and their size is that for the whole guest, else ``PAGE_SIZE``.

libvirt: qemu.
"""

from __future__ import annotations

import os

import hooking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE_SIZE = "2 MiB"

hook = hooking.Hook(timeout=10)


@hook.qemu("prepare")
def check(domain: hooking.Domain, context: hooking.HookContext) -> None:
    for lack in (*missing_bridges(domain, context), *missing_pages(domain, context)):
        hooking.block_start(context, lack)


def missing_bridges(domain: hooking.Domain, context: hooking.HookContext) -> Iterator[str]:
    for bridge in filter(None, (card.source_bridge for card in domain.interfaces)):
        if not os.path.isdir(os.path.join(context.root, "sys/class/net", os.path.basename(bridge))):
            yield f"the bridge {bridge} is missing on this host; see: ip link show type bridge"


def missing_pages(domain: hooking.Domain, context: hooking.HookContext) -> Iterator[str]:
    if domain.memory_backing.hugepages:
        pages = domain.element.iterfind("memoryBacking/hugepages/page")
        page = next((page for page in pages if not page.get("nodeset")), None)
        size = hooking.SIZE.read(PAGE_SIZE if page is None else f"{page.get('size')} {page.get('unit', 'KiB')}")
        needed = -(-(domain.memory.bytes or 0) // size)
        folder = f"sys/kernel/mm/hugepages/hugepages-{size // 1024}kB"
        free = free_pages(os.path.join(context.root, folder, "free_hugepages"))
        if free < needed:
            yield f"the guest needs {needed} huge pages of {size // 1024} KiB, of which {free} are free"


def free_pages(file: str) -> int:
    if not os.path.exists(file):
        return 0
    with open(file, encoding="ascii") as stream:
        return int(stream.read())


if __name__ == "__main__":
    hook.run()
