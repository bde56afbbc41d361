"""The edits of the guest itself: what is refused, with which message, and that nothing was touched then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lxml import etree

from edit_cases import UUID, domain, guest
from edit_cases_guest import CELLS, IOTHREADS
from hooking.domain import Domain
from hooking.edits import cpu, incoming, memory, metadata, qemu, sysinfo
from hooking.exceptions import DocumentError, InvalidValueError

RESTRICTIVE = f"<cpu>{CELLS}</cpu><numatune><memory mode='restrictive' nodeset='0'/></numatune>"
AUTOMATIC = f"<cpu>{CELLS}</cpu><numatune><memory mode='strict' placement='auto'/></numatune>"
MEMNODE = f"<cpu>{CELLS}</cpu><numatune><memnode cellid='0' mode='strict' nodeset='0'/></numatune>"

REFUSED: list[tuple[str, str, Callable[..., object], tuple[Any, ...], str]] = [
    ("a CPU set", "", cpu.pin_emulator, ("x",), "'x' is not a set of CPUs"),
    ("an I/O thread where there is none", "", cpu.pin_iothread, (1, "0"), "no I/O thread 1; set iothreads first"),
    ("an I/O thread", IOTHREADS, cpu.pin_iothread, (3, "0"), "no I/O thread 3; it has 1, 2"),
    ("a CPU mode", "", cpu.set_cpu_mode, ("custom",), "'custom' is not one of host-model"),
    ("a CPU model", "", cpu.set_cpu_model, ("",), "'' is not a name"),
    ("a policy", "", cpu.set_cpu_feature, ("vmx", "on"), "'on' is not one of force, require"),
    ("a feature without a name", "", cpu.set_cpu_feature, ("",), "'' is not a name"),
    (
        "a feature without a model",
        f"<cpu>{CELLS}</cpu>",
        cpu.set_cpu_feature,
        ("vmx",),
        "/domain/cpu: the feature vmx needs a CPU model; call set_cpu_model",
    ),
    ("a NUMA mode", "", memory.set_numatune, ("hard", "0"), "'hard' is not one of strict"),
    ("a node set", "", memory.set_numatune, ("strict", "4-1"), "'4-1' is not a set of NUMA nodes"),
    ("restrictive memory", MEMNODE, memory.set_numatune, ("restrictive", "0"), "every memnode must be, too"),
    ("a memnode in restrictive memory", RESTRICTIVE, memory.set_memnode, (0, "strict", "0"), "every memnode must be"),
    (
        "a memnode with automatic placement",
        AUTOMATIC,
        memory.set_memnode,
        (0, "strict", "0"),
        "call set_numatune first",
    ),
    ("a memnode of no cell", "", memory.set_memnode, (0, "strict", "0"), "the guest has no cell 0; it has 0"),
    ("pages of size 0", "", memory.set_hugepages, (0,), "0 is not a whole number from 1"),
    (
        "huge pages on demand",
        "<memoryBacking><allocation mode='ondemand'/></memoryBacking>",
        memory.set_hugepages,
        (),
        "huge pages are neither anonymous nor allocated on demand",
    ),
    (
        "anonymous huge pages",
        "<memoryBacking><hugepages/></memoryBacking>",
        memory.set_memory_backing,
        ("anonymous",),
        "huge pages cannot be anonymous",
    ),
    ("a source of memory", "", memory.set_memory_backing, ("disk",), "'disk' is not one of anonymous"),
    ("an access to memory", "", memory.set_memory_backing, ("file", "all"), "'all' is not one of shared"),
    ("a section", "", sysinfo.set_sysinfo, ("cpu", "serial", "1"), "'cpu' is not one of bios, system"),
    ("an entry", "", sysinfo.set_sysinfo, ("bios", "serial", "1"), "'serial' is not one of vendor, version"),
    ("an empty entry", "", sysinfo.set_sysinfo, ("bios", "vendor", ""), "'' is not a name"),
    (
        "another UUID",
        "",
        sysinfo.set_sysinfo,
        ("system", "uuid", UUID.replace("3", "4")),
        f"not that of the guest, {UUID}",
    ),
    ("an OEM string", "", sysinfo.add_oem_string, ("",), "'' is not a name"),
    ("one text", "", qemu.add_qemu_args, ("-S",), "'-S' is one text; the arguments of QEMU are a list"),
    ("a number as an argument", "", qemu.add_qemu_args, (["-m", 512],), "512 is not text"),
    ("a variable", "", qemu.set_qemu_env, ("1A", "x"), "'1A' is not the name of a variable"),
    ("a variable with a dash", "", qemu.set_qemu_env, ("A-B", "x"), "'A-B' is not the name of a variable"),
    ("metadata without a namespace", "", metadata.set_metadata, ("<a/>",), "needs a namespace of its own"),
    ("metadata that is no XML", "", metadata.set_metadata, ("<a",), "is not XML"),
    ("metadata of the Engine", "", metadata.set_metadata, ("<vm xmlns='http://ovirt.org/vm/1.0'/>",), "Engine"),
    ("no namespace", "", metadata.remove_metadata, ("",), "needs a namespace"),
    ("the Engine's namespace", "", metadata.remove_metadata, ("http://ovirt.org/vm/tune/1.0",), "Engine"),
    ("a folder moved into itself", "", incoming.retarget_disks, ({"/a": "/a/b"},), "'/a/b' and '/a' overlap"),
    ("a folder moved out of itself", "", incoming.retarget_disks, ({"/a/b": "/a"},), "'/a' and '/a/b' overlap"),
    ("chained folders", "", incoming.retarget_disks, ({"/a": "/b", "/b/c": "/d"},), "'/b' and '/b/c' overlap"),
    ("an empty path", "", incoming.retarget_disks, ({"/a": ""},), "'' is not a name"),
    ("chained names", "", incoming.rename_bridges, ({"a": "b", "b": "c"},), "'b' is renamed itself"),
    ("an empty name", "", incoming.rename_networks, ({"a": ""},), "'' is not a name"),
    ("an empty address", "", incoming.set_listen_address, ("",), "'' is not a name"),
]


@pytest.mark.parametrize(
    ("elements", "verb", "arguments", "message"), [row[1:] for row in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_what_libvirt_refuses_or_drops_is_an_error_that_says_so_and_touches_nothing(
    elements: str, verb: Callable[..., object], arguments: tuple[Any, ...], message: str
) -> None:
    view = domain(guest(elements=elements))
    before = etree.tostring(view.element)
    with pytest.raises(DocumentError) as caught:
        verb(view, *arguments)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert etree.tostring(view.element) == before


@pytest.mark.parametrize(
    ("size", "unit", "nodeset", "message"),
    [
        (None, "KiB", "0", "huge pages for the cells 0 need a size"),
        (2048, "pages", None, "'pages' is not a unit of memory"),
        (2048, "KiB", "1", "the guest has no cell 1; it has 1"),
        (2048, "KiB", "", "'' is not a set of NUMA nodes"),
    ],
)
def test_huge_pages_that_libvirt_refuses(size: int | None, unit: str, nodeset: str | None, message: str) -> None:
    view = domain(guest())
    with pytest.raises(InvalidValueError, match=message):
        memory.set_hugepages(view, size, unit=unit, nodeset=nodeset)
    assert view.memory_backing.hugepages is False


@pytest.mark.parametrize(
    "date", ["13/02/2024", "2/30", "2024-01-02", "01/02/1899", "00/01/2024", "1/32/24", "1/2/24 ", "²/1/24"]
)
def test_a_date_of_the_bios_as_libvirt_reads_it(date: str) -> None:
    view = domain(guest())
    with pytest.raises(InvalidValueError, match="is not a date as month/day/year, such as 04/01/2014"):
        sysinfo.set_sysinfo(view, "bios", "date", date)
    sysinfo.set_sysinfo(view, "bios", "date", "1/2/99")
    assert view.sysinfo.find("bios", "date") == "1/2/99"


def test_a_uuid_in_other_letters_is_the_same() -> None:
    view = domain(guest())
    sysinfo.set_sysinfo(view, "system", "uuid", UUID.upper().replace("-", ""))
    assert view.sysinfo.find("system", "uuid") == UUID.upper().replace("-", "")


def test_pages_of_some_cells_take_them_from_the_others() -> None:
    view = domain(guest(elements=f"<cpu>{CELLS}</cpu>"))
    memory.set_hugepages(view, 1, unit="GiB", nodeset="0-1")
    memory.set_hugepages(view, 2048, nodeset="0")
    pages = [dict(page.attrib) for page in view.element.iterfind("memoryBacking/hugepages/page")]
    assert pages == [
        {"size": "1", "unit": "GiB", "nodeset": "1"},
        {"size": "2048", "unit": "KiB", "nodeset": "0"},
    ]


def test_the_arguments_of_qemu_are_added_as_one_sequence() -> None:
    view = domain(guest())
    qemu.add_qemu_args(view, ["-device", "a"])
    qemu.add_qemu_args(view, ["-device", "b"])
    qemu.add_qemu_args(view, ["-device", "a"])
    qemu.add_qemu_args(view, [])
    values = [str(value) for value in view.element.xpath("*[local-name()='commandline']/*/@value")]
    assert values == ["-device", "a", "-device", "b"]


def test_no_arguments_are_no_element() -> None:
    view = domain(guest())
    qemu.add_qemu_args(view, [])
    assert b"commandline" not in etree.tostring(view.element)


def test_a_mode_of_the_cpu_keeps_what_else_is_said_of_it() -> None:
    cache = "<cache mode='passthrough'/>"
    view = domain(guest(elements=f"<cpu mode='host-passthrough' migratable='off'>{cache}{CELLS}</cpu>"))
    cpu.set_cpu_mode(view, "maximum")
    assert (view.cpu.migratable, view.cpu.cells, len(view.cpu.element.findall("cache"))) == ("off", 2, 1)
    cpu.set_cpu_mode(view, "host-model")
    assert (view.cpu.mode, view.cpu.migratable, view.cpu.cells) == ("host-model", None, 2)
    assert len(view.cpu.element.findall("cache")) == 0


def test_a_model_keeps_a_cache_that_is_not_the_hosts() -> None:
    view = domain(guest(elements="<cpu mode='host-passthrough'><cache level='3' mode='emulate'/></cpu>"))
    cpu.set_cpu_model(view, "Nehalem")
    assert len(view.cpu.element.findall("cache")) == 1


def test_a_model_keeps_its_vendor_and_match_and_another_one_does_not_get_the_vendor() -> None:
    view = domain(guest(elements="<cpu match='strict'><model>Nehalem</model><vendor>Intel</vendor></cpu>"))
    cpu.set_cpu_model(view, "Nehalem", fallback="forbid")
    assert (view.cpu.match, view.cpu.vendor, view.cpu.fallback) == ("strict", "Intel", "forbid")
    cpu.set_cpu_model(view, "Opteron_G5")
    assert (view.cpu.match, view.cpu.vendor, view.cpu.model) == ("strict", None, "Opteron_G5")
    with pytest.raises(InvalidValueError, match="'no' is not one of allow, forbid"):
        cpu.set_cpu_model(view, "Nehalem", fallback="no")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def test_features_of_the_cpu_by_name() -> None:
    view = domain(guest(elements="<cpu mode='host-model'><feature name='aes'/></cpu>"))
    cpu.set_cpu_feature(view, "vmx", "forbid")
    assert view.cpu.features == {"aes": "require", "vmx": "forbid"}


@pytest.mark.parametrize(
    ("elements", "numbers"),
    [
        ("", []),
        ("<iothreads>2</iothreads>", [1, 2]),
        ("<iothreads>3</iothreads><iothreadids><iothread id='2'/></iothreadids>", [2, 1, 3]),
        ("<iothreadids><iothread id='4'/><iothread id='5'/></iothreadids>", [4, 5]),
    ],
)
def test_the_numbers_of_io_threads(elements: str, numbers: list[int]) -> None:
    assert domain(guest(elements=elements)).iothread_ids == numbers


def test_boot_devices_and_system_information() -> None:
    view = domain(guest(os="<boot dev='hd'/><boot dev='network'/>"))
    assert view.os.boot_devices == ["hd", "network"]
    assert (view.sysinfo.find("system", "serial"), view.sysinfo.xpath) == (None, "/domain/sysinfo")
    assert (view.features.acpi, view.numatune.mode, view.cputune.shares) == (False, None, None)


def test_a_password_is_cut_between_characters() -> None:
    view = domain(guest("<graphics type='vnc' passwd='1234567é9'/>"))
    incoming.truncate_vnc_password(view)
    assert [graphics.get("passwd") for graphics in view.element.iterfind("devices/graphics")] == ["1234567"]


def test_paths_are_moved_by_the_longest_rule_and_whole_names_only() -> None:
    disk = "<disk type='{0}'><source {1}='{2}'/><mirror type='file' file='/a/m'/></disk>"
    view = domain(guest("".join(disk.format(*row) for row in [("file", "file", "/a/b/c"), ("dir", "dir", "/ab")])))
    incoming.retarget_disks(view, {"/a/": "/x", "/a/b": "/y/"})
    assert [str(path) for path in view.element.xpath("//source/@file | //source/@dir | //mirror/@file")] == [
        "/y/c",
        "/x/m",
        "/ab",
        "/x/m",
    ]


def test_media_that_the_host_has_stay_and_so_do_disks() -> None:
    disk = "<disk type='{0}' device='{1}'><source {2}='{3}'/></disk>"
    rows = [
        ("file", "cdrom", "file", "/here"),
        ("block", "cdrom", "dev", "/dev/sr0"),
        ("file", "disk", "file", "/gone"),
    ]
    view = domain(guest("".join(disk.format(*row) for row in rows)))
    incoming.eject_missing_media(view, lambda path: path == "/here")
    assert [(disk.source_file, disk.source_dev) for disk in view.disks] == [
        ("/here", None),
        (None, None),
        ("/gone", None),
    ]


def test_metadata_keeps_what_others_stored_and_the_layout() -> None:
    stored = '<metadata>\n <a xmlns="urn:a"/>\n <b xmlns="urn:b"/>\n</metadata>'
    view = Domain(etree.fromstring(f"<domain><name>x</name>{stored}</domain>"))
    metadata.set_metadata(view, "<c xmlns='urn:a'/>")
    assert etree.tostring(view.metadata.element).decode() == stored.replace("<a", "<c")
