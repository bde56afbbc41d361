"""The memory of a guest: which of the host's NUMA nodes it is taken from, and what it is made of."""

from __future__ import annotations

from hooking.document import merged_child, only_child, remove
from hooking.exceptions import InvalidValueError
from hooking.values import CPU_NUMBERS, NODESET, NUMA_MODE, choice, unit_bytes, whole_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from lxml import etree

    from hooking.domain import Domain

    NumaMode = Literal["strict", "interleave", "preferred", "restrictive"]

_SOURCE = choice("anonymous", "file", "memfd")
_ACCESS = choice("shared", "private")
_PAGE_SIZE = whole_number(1, 2**63 - 1)


def set_numatune(domain: Domain, mode: NumaMode, nodeset: str) -> None:
    """Take the guest's memory from some NUMA nodes of the host.

    ``<numatune><memory mode='strict' nodeset='0-1'/></numatune>``, also where the placement was automatic.
    See https://libvirt.org/formatdomain.html#numa-node-tuning.

    Args:
        domain: The guest.
        mode: What happens if those nodes have too little.
        nodeset: The nodes, as in ``0-3,^2``.

    Raises:
        InvalidValueError: The mode or the node set is none, or a ``<memnode>`` contradicts ``restrictive``.
    """
    NUMA_MODE.read(mode)
    NODESET.read(nodeset)
    _check_restrictive(domain, mode, [node.get("mode") for node in domain.element.iterfind("numatune/memnode")])
    memory = only_child(merged_child(domain.element, "numatune"), "memory")
    memory.attrib.pop("placement", None)
    memory.set("mode", mode)
    memory.set("nodeset", nodeset)


def set_memnode(domain: Domain, cellid: int, mode: NumaMode, nodeset: str) -> None:
    """Take the memory of one NUMA cell of the guest from some NUMA nodes of the host.

    ``<numatune><memnode cellid='0' mode='strict' nodeset='1'/></numatune>``.
    See https://libvirt.org/formatdomain.html#numa-node-tuning.

    Args:
        domain: The guest.
        cellid: The number of the cell in ``<cpu><numa>``, from 0.
        mode: What happens if those nodes have too little.
        nodeset: The host's nodes, as in ``0-3,^2``.

    Raises:
        InvalidValueError: The mode or the node set is none, the guest has no such cell, or what ``<numatune>`` says of
            the whole guest contradicts.
    """
    NUMA_MODE.read(mode)
    NODESET.read(nodeset)
    _check_nodes(domain, [cellid], domain.cpu.cells)
    whole = domain.numatune
    if whole.placement == "auto":
        raise InvalidValueError(f"{whole.xpath}: automatic placement allows no memnode; call set_numatune first")
    _check_restrictive(domain, whole.mode, [mode])
    node = only_child(merged_child(domain.element, "numatune"), "memnode", cellid=str(cellid))
    node.set("mode", mode)
    node.set("nodeset", nodeset)


def set_hugepages(domain: Domain, size: int | None = None, *, unit: str = "KiB", nodeset: str | None = None) -> None:
    """Take the guest's memory from huge pages of the host.

    ``<memoryBacking><hugepages><page size='2048' unit='KiB' nodeset='0'/></hugepages></memoryBacking>``.
    See https://libvirt.org/formatdomain.html#memory-backing.

    Args:
        domain: The guest.
        size: The size of the pages; by default that of the host, for the whole guest.
        unit: The unit of ``size``.
        nodeset: The NUMA cells of the guest that get these pages, and no others any more; by default all cells, in the
            place of what was said of any. Pages of a size for all cells stay, for the rest of them.

    Raises:
        InvalidValueError: The size or the unit is none, the guest has no such cell, a node set comes without a size,
            or the memory is anonymous or allocated on demand, which huge pages are not.
    """
    backing = domain.memory_backing
    if backing.source == "anonymous" or backing.allocation == "ondemand":
        raise InvalidValueError(f"{backing.xpath}: huge pages are neither anonymous nor allocated on demand")
    cells = None if nodeset is None else CPU_NUMBERS.read(NODESET.read(nodeset))
    if size is None and cells:
        raise InvalidValueError(f"{backing.xpath}: huge pages for the cells {nodeset} need a size")
    attributes = {"size": _PAGE_SIZE.write(size), "unit": unit} if size is not None and unit_bytes(unit) else {}
    if cells is not None:
        _check_nodes(domain, cells, max(domain.cpu.cells, 1))
        attributes["nodeset"] = nodeset or ""
    pages = merged_child(merged_child(domain.element, "memoryBacking"), "hugepages")
    _free_cells(pages, cells, attributes)
    if attributes:
        only_child(pages, "page", **attributes)


def set_memory_backing(
    domain: Domain,
    source: Literal["anonymous", "file", "memfd"],
    access: Literal["shared", "private"] = "shared",
) -> None:
    """Say what the guest's memory is made of, and whether other processes may share it (virtiofs and vhost-user must).

    ``<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>``.
    See https://libvirt.org/formatdomain.html#memory-backing.

    Args:
        domain: The guest.
        source: What it is made of.
        access: Who may use it.

    Raises:
        InvalidValueError: The source or the access is none, or the memory is of huge pages and cannot be anonymous.
    """
    _SOURCE.read(source)
    _ACCESS.read(access)
    if source == "anonymous" and domain.memory_backing.hugepages:
        raise InvalidValueError(f"{domain.memory_backing.xpath}: huge pages cannot be anonymous memory")
    backing = merged_child(domain.element, "memoryBacking")
    only_child(backing, "source").set("type", source)
    only_child(backing, "access").set("mode", access)


def lock_memory(domain: Domain) -> None:
    """Never let the host swap the guest's memory out: ``<memoryBacking><locked/></memoryBacking>``.

    See https://libvirt.org/formatdomain.html#memory-backing.
    """
    only_child(merged_child(domain.element, "memoryBacking"), "locked")


def _check_restrictive(domain: Domain, whole: str | None, nodes: Sequence[str | None]) -> None:
    if whole == "restrictive" and set(nodes) - {"restrictive"}:
        raise InvalidValueError(f"{domain.numatune.xpath}: where the memory is restrictive every memnode must be, too")


def _check_nodes(domain: Domain, cells: list[int], count: int) -> None:
    absent = [cell for cell in cells if not 0 <= cell < count]
    if absent:
        raise InvalidValueError(
            f"{domain.cpu.xpath}/numa: the guest has no cell {absent[0]}; it has {count}, counted from 0"
        )


def _free_cells(pages: etree._Element, cells: list[int] | None, kept: dict[str, str]) -> None:
    """Take ``cells`` (`None`: all) from the pages that are not ``kept``; those without a node set are the others'."""
    for page in list(pages.iterchildren("page")):
        nodeset = page.get("nodeset")
        if dict(page.attrib) == kept or (cells is not None and nodeset is None):
            continue
        left = [cell for cell in CPU_NUMBERS.read(nodeset) if cell not in cells] if cells and nodeset else []
        if left:
            page.set("nodeset", CPU_NUMBERS.write(left))
        else:
            remove(page)
