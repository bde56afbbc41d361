"""Huge pages of the host: each guest adds its own to the pools, and gives them back."""

from __future__ import annotations

import os
import re

from hooking.actions import kernel
from hooking.exceptions import HostError, InvalidValueError
from hooking.values import CPU_NUMBERS, UNSIGNED, parse_cpuset, unit_bytes, whole_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from hooking.domain import Domain
    from hooking.states import State

    Pool = tuple[int, "int | None"]
    """The size of the pages in KiB, and the NUMA node that they are on."""

TIMEOUT: Final = 30.0
"""Seconds that the kernel gets to find pages: it may have to move what is in their way."""

_NODES = "/sys/devices/system/node"
_COUNT = whole_number(1, 2**40)


def reserve_hugepages(
    state: State,
    pages: int | None = None,
    *,
    size: int | None = None,
    node: int | None = None,
    drop_caches: bool = False,
) -> None:
    """Add huge pages to the host's pools for the guest, which later gives back as many.

    A pool has as many pages as it had before the first guest, and those of all guests: do not set it by other means
    meanwhile. If memory is too little or in pieces it is compacted, and the kernel asked again; if that does not help
    the pages are given back, and the guest can be refused before it starts.
    Follows https://docs.kernel.org/admin-guide/mm/hugetlbpage.html.

    Args:
        state: Where the undo is remembered.
        pages: How many the guest has then; by default as many as hold its memory: each of its NUMA cells in pages of
            the size that ``<hugepages>`` names, on the nodes that ``<numatune>`` names (in equal shares, if several).
        size: The size of a page in KiB; by default that of the guest's document, else the host's.
        node: The NUMA node of the host; by default those of the guest's document, else equal parts of all.
        drop_caches: If there are too few, let the kernel forget the files that it has in memory, which slows the host
            down for a while, and try once more.

    Raises:
        InvalidValueError: A number is none, or by default the guest's memory is not of huge pages.
        HostError: The host has no such pages or no such node, or not enough memory in one piece.
    """
    size = None if size is None else _COUNT.read(str(size))
    node = None if node is None else UNSIGNED.read(str(node))
    nodes = _host_nodes(state) if node is None else [node]
    if pages is None:
        wanted = _of_guest(state, size, node, nodes)
    else:
        wanted = _spread(_COUNT.read(str(pages)), size or _default_size(state), nodes)
    for file, count in [(_file(state, pool), count) for pool, count in wanted.items()]:
        _reserve(state, file, count, drop_caches=drop_caches)


def set_pages(file: str, before: int, compact: str, *, shares: list[int]) -> None:
    """Let a pool have the pages that it had before the first guest, and those of all guests.

    Args:
        file: The pool's ``nr_hugepages``.
        before: How many pages it had.
        compact: The file that makes the kernel compact memory.
        shares: How many pages each guest has.

    Raises:
        HostError: There are too few for the guests, or the kernel refuses or takes too long.
    """
    wanted = before + sum(shares)
    if not os.path.exists(file) or _size(file) == wanted:
        return
    kernel.put(file, f"{wanted}\n", TIMEOUT)
    if shares and _size(file) < wanted:
        kernel.put(compact, "1\n", TIMEOUT)
        kernel.put(file, f"{wanted}\n", TIMEOUT)
        if _size(file) < wanted:
            raise HostError(
                f"{file} got {_size(file)} of {wanted} huge pages: the free memory is too little or in pieces; "
                "reserve them when the host boots (hugepages=)"
            )


def _reserve(state: State, file: str, count: int, *, drop_caches: bool) -> None:
    try:
        _share(state, file, count)
    except HostError:
        if not drop_caches:
            raise
        kernel.put(kernel.locate(state, "/proc/sys/vm/drop_caches"), "3\n", TIMEOUT)
        _share(state, file, count)


def _share(state: State, file: str, count: int) -> None:
    change = f"huge pages of {kernel.name_of(state, file)}"
    compact = kernel.locate(state, "/proc/sys/vm/compact_memory")
    with state.lock(change):
        state.share(change, set_pages, file, _size(file), compact, share=count)


def _size(file: str) -> int:
    """Return how many pages a pool keeps: all but those that are lent, and go when they are free."""
    surplus = os.path.join(os.path.dirname(file), "surplus_hugepages")
    return UNSIGNED.read(kernel.read(file)) - UNSIGNED.read(kernel.read(surplus))


def _spread(count: int, size: int, nodes: Sequence[int | None]) -> dict[Pool, int]:
    """Return equal parts of ``count`` pages for each node."""
    parts = {(size, node): (count + index) // len(nodes) for index, node in enumerate(nodes)}
    return {pool: part for pool, part in parts.items() if part}


def _host_nodes(state: State) -> Sequence[int | None]:
    """Return the host's NUMA nodes that have memory; a kernel without NUMA has one pool for all."""
    folders = [name for name in kernel.entries(state, _NODES) if re.fullmatch(r"node\d+", name)]
    return [int(name[4:]) for name in folders if kernel.entries(state, f"{_NODES}/{name}/hugepages")] or [None]


def _of_guest(state: State, size: int | None, node: int | None, nodes: Sequence[int | None]) -> dict[Pool, int]:
    domain = state.domain
    if not domain.memory_backing.hugepages:
        raise InvalidValueError("the guest's memory is not of huge pages; call set_hugepages, or say how many pages")
    wanted: dict[Pool, int] = {}
    for cell, memory in _cells(domain):
        chosen = size or _page_size(domain, cell) or _default_size(state)
        count = -(-memory // (chosen * 1024))
        own = _nodes(domain, cell) if node is None else []
        for pool, part in _spread(count, chosen, own or nodes).items():
            wanted[pool] = wanted.get(pool, 0) + part
    return wanted


def _cells(domain: Domain) -> list[tuple[str, int]]:
    """Return the number and the bytes of memory of each NUMA cell of the guest, which by itself is one."""
    cells = [
        (cell.get("id", str(index)), UNSIGNED.read(cell.get("memory", "0")) * unit_bytes(cell.get("unit", "KiB")))
        for index, cell in enumerate(domain.element.iterfind("cpu/numa/cell"))
    ]
    return cells or [("0", domain.memory.bytes or 0)]


def _page_size(domain: Domain, cell: str) -> int | None:
    """Return the size in KiB of the pages for a cell: those that name it come before those for all."""
    pages = list(domain.element.iterfind("memoryBacking/hugepages/page"))
    named = [page for page in pages if page.get("nodeset") and int(cell) in parse_cpuset(page.get("nodeset", ""))]
    for page in [*named, *(page for page in pages if not page.get("nodeset"))]:
        return UNSIGNED.read(page.get("size", "")) * unit_bytes(page.get("unit", "KiB")) // 1024
    return None


def _nodes(domain: Domain, cell: str) -> list[int]:
    """Return the host's NUMA nodes that the memory of a cell is taken from; none, if the document does not say."""
    node = domain.element.find(f"numatune/memnode[@cellid='{cell}']")
    nodeset = domain.numatune.nodeset if node is None else node.get("nodeset")
    return CPU_NUMBERS.read(nodeset) if nodeset else []


def _default_size(state: State) -> int:
    found = re.search(r"^Hugepagesize: *(\d+) kB$", kernel.read(kernel.locate(state, "/proc/meminfo")), re.MULTILINE)
    if found is None:
        raise HostError("this kernel has no huge pages (no Hugepagesize in /proc/meminfo)")
    return int(found[1])


def _file(state: State, pool: Pool) -> str:
    size, node = pool
    top = "/sys/kernel/mm" if node is None else f"{_NODES}/node{node}"
    known = kernel.entries(state, f"{top}/hugepages")
    if f"hugepages-{size}kB" not in known:
        raise HostError(f"{top} has no huge pages of {size} KiB; it has {', '.join(known) or 'none'}")
    return kernel.locate(state, f"{top}/hugepages/hugepages-{size}kB/nr_hugepages")
