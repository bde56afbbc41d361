"""XML documents: what is refused, what survives, and the typed attributes."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, strategies as st
from lxml import etree

import hooking
from hooking import devices, document, domain, expat, machine, network
from hooking.document import Attribute, Element, Flag
from hooking.exceptions import DocumentError, InvalidValueError
from support import DOMAIN, canonical, recordings

READERS: list[Callable[[bytes], Any]] = [document.parse, expat.parse]

NESTED_ENTITIES = "".join(f"<!ENTITY e{n} '{f'&e{n - 1};' * 10}'>" for n in range(1, 10))
BOMB = f"<!DOCTYPE d [<!ENTITY e0 'lol'>{NESTED_ENTITIES}]>"

HOSTILE = {
    "entity bomb": f"{BOMB}<domain><name>&e9;</name></domain>".encode(),
    "entity bomb in an attribute": f"{BOMB}<domain type='&e9;'/>".encode(),
    "entity bomb in UTF-16": f"{BOMB}<domain><name>&e9;</name></domain>".encode("utf-16"),
    "one long entity often": f"<!DOCTYPE d [<!ENTITY e '{'x' * 99999}'>]><d a='{'&e;' * 9999}'/>".encode(),
    "external entity": b"<!DOCTYPE d [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><domain><name>&e;</name></domain>",
    "external DTD": b"<!DOCTYPE domain SYSTEM 'http://127.0.0.1:9/x.dtd'><domain/>",
    "plain DOCTYPE": b"<!DOCTYPE domain><domain/>",
    "parameter entity": b"<!DOCTYPE d [<!ENTITY % e SYSTEM 'file:///etc/passwd'> %e;]><domain/>",
    "XInclude": b"<domain xmlns:x='http://www.w3.org/2001/XInclude'><x:include href='/etc/passwd'/></domain>",
    "XInclude in disguise": b"<domain><y xmlns='http://www.w3.org/2001/&#88;Include'/></domain>",
    "100,000 deep": b"<domain>" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</domain>",
}


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_hostile_documents_are_refused_at_once(read: Callable[[bytes], Any], data: bytes) -> None:
    before, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DocumentError) as caught:
        read(data)
    assert "\n" not in str(caught.value)
    assert time.process_time() - before < 1  # an unguarded bomb would need 3 GB and minutes
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 16 * 1024 + len(data) // 1024


@pytest.mark.parametrize("data", [b"", b"<domain>", b"no XML", b"\xff\xfe\xff", b"<domain/><domain/>", b"<a:b/>"])
def test_what_is_not_xml_is_a_document_error(data: bytes) -> None:
    with pytest.raises(DocumentError, match="the document is not XML that a host writes: "):
        document.parse(data)


@pytest.mark.parametrize("read", READERS)
def test_depth_that_a_host_could_write_is_fine(read: Callable[[bytes], Any]) -> None:
    read(b"<domain>" + b"<a>" * 200 + b"</a>" * 200 + b"</domain>")


AWKWARD = """<?xml version="1.0" encoding="utf-8"?>
<!-- before --><?keep this?>
<domain xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0" type='kvm'><!-- in -->
  <name>a &amp; b</name>
  <description><![CDATA[<not markup>]]> “quotes” 𝔘&#10;</description>
  <ns0:metadata xmlns:ns0="urn:x" ns0:a="1"/>
  <qemu:commandline><qemu:arg value='-a&#9;b'/></qemu:commandline>
</domain>
<!-- after -->"""


def test_everything_untouched_survives() -> None:
    once = document.serialise(document.parse(AWKWARD.encode()), declaration=True)
    assert etree.tostring(etree.fromstring(once).getroottree(), method="c14n") == etree.tostring(
        etree.fromstring(AWKWARD.encode()).getroottree(), method="c14n"
    )
    assert document.serialise(document.parse(once), declaration=True) == once


names = st.sampled_from(["name", "uuid", "a", "q:b", "devices"])
texts = st.text(st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="\ufffe\uffff"), max_size=6)


@st.composite
def elements(draw: st.DrawFn, depth: int = 3) -> etree._Element:
    tag = draw(names)
    element = etree.Element(tag.replace("q:", "{urn:q}"), draw(st.dictionaries(st.sampled_from("xyz"), texts)))
    element.text = draw(texts)
    if depth:
        for child in draw(st.lists(elements(depth=depth - 1), max_size=3)):
            element.append(child)
            child.tail = draw(texts)
    if draw(st.booleans()):
        element.append(etree.Comment(draw(texts).replace("-", "")))
    return element


@given(elements())
def test_parsing_and_serialising_is_stable(root: etree._Element) -> None:
    data = etree.tostring(root, encoding="UTF-8")
    once = document.serialise(document.parse(data), declaration=False)
    assert document.serialise(document.parse(once), declaration=False) == once
    assert etree.tostring(etree.fromstring(once), method="c14n") == etree.tostring(root, method="c14n")


@given(elements())
def test_both_readers_see_the_same_identity(root: etree._Element) -> None:
    root.tag = "domain"
    data = etree.tostring(root, encoding="UTF-8")
    assert document.identify(document.parse(data)) == expat.identify(data)


@pytest.mark.parametrize("recording", recordings("qemu", "lxc", "network"), ids=lambda r: r.folder.name)
def test_both_readers_see_the_same_identity_in_captured_documents(recording: Any) -> None:
    root = document.parse(recording.stdin)
    assert document.identify(root) == expat.identify(recording.stdin)
    assert canonical(document.serialise(root, declaration=False)) == canonical(recording.stdin)


def view(xml: str = DOMAIN) -> domain.Domain:
    return domain.Domain(document.parse(xml.encode()))


SAMPLES: dict[type[Element], dict[str, Any]] = {
    machine.Memory: {"amount": 4096, "unit": "MiB"},
    machine.Vcpu: {"count": 4, "current": 2, "placement": "static", "cpuset": "0-3,^1"},
    machine.CpuTune: {
        "shares": 512,
        "period": 100_000,
        "quota": -1,
        "global_period": 1000,
        "global_quota": 2000,
        "emulator_period": 1000,
        "emulator_quota": 2000,
        "iothread_period": 1000,
        "iothread_quota": 0,
        "emulatorpin": "0-1",
    },
    machine.NumaTune: {"mode": "strict", "nodeset": "0-1", "placement": "static"},
    machine.MemoryBacking: {
        "hugepages": True,
        "nosharepages": True,
        "locked": True,
        "discard": True,
        "source": "memfd",
        "access": "shared",
        "allocation": "immediate",
        "allocation_threads": 4,
    },
    machine.Cpu: {
        "mode": "custom",
        "match": "exact",
        "check": "partial",
        "migratable": "off",
        "model": "Nehalem",
        "fallback": "forbid",
        "vendor": "Intel",
        "sockets": 1,
        "dies": 1,
        "cores": 2,
        "threads": 2,
    },
    machine.Features: {
        "acpi": True,
        "apic": True,
        "pae": True,
        "hap": "on",
        "kvm_hidden": "on",
        "hyperv_mode": "passthrough",
        "hyperv_vendor_id": "whatever",
        "pmu": "off",
        "vmport": "off",
        "smm": "on",
        "ioapic": "kvm",
        "vmcoreinfo": "on",
    },
    machine.Os: {
        "type": "hvm",
        "arch": "x86_64",
        "machine": "q35",
        "firmware": "efi",
        "loader": "/usr/share/OVMF/OVMF_CODE.fd",
        "loader_type": "pflash",
        "loader_secure": "yes",
        "nvram": "/var/lib/libvirt/qemu/nvram/web01.fd",
        "nvram_template": "/usr/share/OVMF/OVMF_VARS.fd",
        "kernel": "/boot/vmlinuz",
        "initrd": "/boot/initrd",
        "cmdline": "console=ttyS0 quiet",
        "bootmenu": "yes",
        "smbios_mode": "sysinfo",
    },
    machine.Sysinfo: {"type": "smbios"},
    devices.Device: {"alias": "ua-1", "boot_order": 1},
    devices.Interface: {
        "type": "bridge",
        "mac": "52:54:00:00:00:01",
        "source_network": "lan",
        "source_bridge": "br0",
        "source_dev": "eth0",
        "source_portgroup": "gold",
        "virtualport_type": "openvswitch",
        "target_dev": "vnet0",
        "model": "virtio",
        "filter": "clean-traffic",
        "link_state": "down",
        "mtu": 9000,
    },
    devices.Disk: {
        "type": "file",
        "device": "cdrom",
        "source_file": "/a b",
        "source_dev": "/dev/sda",
        "target_dev": "vda",
        "target_bus": "virtio",
        "driver_name": "qemu",
        "driver_type": "raw",
        "driver_cache": "none",
        "driver_io": "native",
        "driver_discard": "unmap",
        "driver_detect_zeroes": "off",
        "driver_error_policy": "stop",
        "driver_iothread": 1,
        "snapshot": "no",
        "source_protocol": "https",
        "source_name": "a.iso",
        "serial": "0815",
        "readonly": True,
        "shareable": True,
    },
    devices.HostDevice: {
        "mode": "subsystem",
        "type": "usb",
        "managed": "yes",
        "model": "vfio-pci",
        "rawio": "yes",
        "driver_name": "vfio",
        "source_vendor": "0x1234",
        "source_product": "0xbeef",
        "source_adapter": "scsi_host2",
        "source_uuid": "c2177883-f1bb-47f0-914d-32a22e3a8804",
        "startup_policy": "optional",
    },
    devices.Graphics: {
        "type": "spice",
        "port": -1,
        "tls_port": 5901,
        "autoport": "no",
        "listen": "192.0.2.1",
        "passwd": "a b",
        "passwd_valid_to": "2030-01-01T00:00:00",
        "keymap": "de",
        "default_mode": "secure",
    },
    devices.CharacterDevice: {
        "type": "unix",
        "source_mode": "bind",
        "source_path": "/a b",
        "target_type": "virtio",
        "log_file": "/a.log",
        "log_append": "on",
    },
    devices.Serial: {"target_port": 0},
    devices.Console: {"target_port": 1},
    devices.Channel: {"target_name": "org.example.0", "target_state": "connected"},
    devices.Controller: {"type": "scsi", "index": 0, "model": "virtio-scsi"},
    domain.Domain: {"iothreads": 2, "type": "kvm", "id": 7, "title": "a & b", "description": "two\nlines"},
    network.Network: {
        "name": "lan",
        "uuid": "afca425a-2c3a-420c-b2fb-dd7b4950d722",
        "connections": 1,
        "bridge": "virbr0",
        "forward_mode": "nat",
        "mac": "52:54:00:00:00:02",
        "domain_name": "lan.example",
        "ip_address": "192.0.2.1",
    },
    network.NetworkPort: {
        "uuid": "704c1a8d-fc10-4a70-88d5-2a2f4801b57d",
        "owner_name": "web01",
        "owner_uuid": "3573e29e-5de9-468a-9fae-16050c6b3dcc",
        "group": "web",
        "mac": "52:54:00:00:00:03",
        "plug_type": "network",
        "plug_bridge": "virbr0",
        "plug_dev": "eth0",
    },
}


def declared(kind: type[Element]) -> set[str]:
    return {name for name, value in vars(kind).items() if isinstance(value, (Attribute, Flag))}


def test_every_declared_property_is_exercised_below() -> None:
    modules = (devices, machine, domain, network)
    kinds = [kind for module in modules for kind in vars(module).values() if isinstance(kind, type)]
    found = {kind: declared(kind) for kind in kinds if issubclass(kind, Element) and declared(kind)}
    assert found == {kind: set(values) for kind, values in SAMPLES.items()}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, values in SAMPLES.items() for name in values])
def test_a_property_is_absent_set_replaced_and_removed(kind: type[Element], name: str) -> None:
    element = etree.fromstring("<thing><!-- kept --><other/></thing>")
    untouched = etree.tostring(element)
    thing = kind(element)
    value = SAMPLES[kind][name]
    absent = False if value is True else None
    assert getattr(thing, name) is absent
    setattr(thing, name, absent)
    assert etree.tostring(element) == untouched
    setattr(thing, name, value)
    written = etree.tostring(element)
    assert getattr(kind(etree.fromstring(written)), name) == value
    setattr(thing, name, value)
    assert etree.tostring(element) == written
    setattr(thing, name, absent)
    assert etree.tostring(element) == untouched


def test_properties_of_a_class_are_descriptors() -> None:
    assert isinstance(machine.Vcpu.cpuset, Attribute)
    assert isinstance(devices.Disk.readonly, Flag)


def test_a_bad_value_names_its_xpath_and_the_rule_on_writing() -> None:
    with pytest.raises(InvalidValueError, match=r"^/domain/devices/interface/mac/@address: 'x' is not the MAC address"):
        view().interfaces[0].mac = "x"


def test_a_bad_value_names_its_xpath_and_the_rule_on_reading() -> None:
    guest = view(DOMAIN.replace("<vcpu placement='static'>", "<vcpu cpuset='x'>"))
    with pytest.raises(InvalidValueError, match=r"^/domain/vcpu/@cpuset: 'x' is not a set of CPUs"):
        assert guest.vcpu.cpuset


def test_an_absent_element_has_an_xpath_too() -> None:
    assert view("<domain><name>x</name></domain>").vcpu.xpath == "/domain/vcpu"


def test_reading_an_absent_element_adds_nothing() -> None:
    guest = view("<domain><name>x</name></domain>")
    assert (guest.vcpu.count, guest.memory.bytes, guest.metadata.custom_properties) == (None, None, {})
    assert etree.tostring(guest.element) == b"<domain><name>x</name></domain>"


def test_removing_an_element_leaves_the_text_around_it() -> None:
    root = etree.fromstring("<r>a<x/>b<y/>c<z/></r>")
    document.remove(root[1])
    document.remove(root[0])
    document.remove(root[0])
    assert etree.tostring(root) == b"<r>abc</r>"


def test_the_root_cannot_be_removed() -> None:
    with pytest.raises(DocumentError, match="/domain is the root of the document and cannot be removed"):
        document.remove(view().element)


def test_views_of_one_element_are_equal() -> None:
    guest = view()
    assert guest.interfaces == guest.interfaces
    assert guest.interfaces[0] != guest.vcpu
    assert guest.interfaces[0] != "interface"
    assert len({guest.interfaces[0], guest.interfaces[0]}) == 1
    assert repr(guest.interfaces[0]) == "<Interface /domain/devices/interface>"


def test_a_domain_knows_its_identity_and_parts() -> None:
    guest = view()
    assert (guest.name, guest.uuid, guest.type) == ("web01", "3573e29e-5de9-468a-9fae-16050c6b3dcc", "kvm")
    assert (guest.memory.bytes, guest.current_memory.bytes, guest.vcpu.count) == (1024 * 1024, None, 2)
    assert guest.interfaces[0].source_bridge == "br0"


def test_a_domain_without_a_name_is_an_error() -> None:
    with pytest.raises(DocumentError, match="/domain has no <name>"):
        assert view("<domain><name/></domain>").name


def test_memory_is_written_in_kib_rounded_up() -> None:
    guest = view(DOMAIN.replace("<memory unit='KiB'>", "<memory unit='MB'>"))
    assert guest.memory.bytes == 1024 * 10**6
    guest.memory.bytes = 2049
    assert (guest.memory.amount, guest.memory.unit) == (3, "KiB")
    guest.current_memory.bytes = 1024
    assert guest.element.findtext("currentMemory") == "1"


def test_devices_have_their_own_types_and_comments_are_none() -> None:
    guest = view(DOMAIN.replace("<devices>", "<devices><!-- x --><disk/><sound/>"))
    assert [(type(device), device.kind) for device in guest.devices] == [
        (hooking.Disk, "disk"),
        (hooking.Device, "sound"),
        (hooking.Interface, "interface"),
    ]
    assert guest.disks == guest.devices[:1]


def test_our_custom_properties_come_before_those_of_ovirt() -> None:
    guest = view()
    assert guest.metadata.custom_properties == {"pincpu": "0-1"}
    guest.metadata.custom_properties = {"pincpu": "3", "other": "x"}
    guest.metadata.custom_properties = {"pincpu": "2"}
    assert guest.metadata.custom_properties == {"pincpu": "2"}
    assert etree.tostring(guest.element).count(b"urn:libvirt-hooking:1") == 1
    bare = view("<domain><name>x</name></domain>")
    bare.metadata.custom_properties = {"a": "b"}
    assert bare.metadata.custom_properties == {"a": "b"}


def test_custom_properties_as_virsh_metadata_writes_them() -> None:
    ours = "<k:p xmlns:k='urn:libvirt-hooking:1'><k:pincpu> 1 </k:pincpu><k:e/></k:p>"
    assert view(f"<domain><metadata>{ours}</metadata></domain>").metadata.custom_properties == {"pincpu": "1", "e": ""}


@pytest.mark.parametrize("recording", recordings("network"), ids=lambda r: r.folder.name)
def test_captured_networks_and_ports(recording: Any) -> None:
    data = network.PortData(document.parse(recording.stdin))
    assert data.network.name == "lan"
    assert data.network.forward_mode == "nat"
    assert (data.domain, data.interface) == (None, None)
    if recording.argv[2].startswith("port"):
        assert (data.port.owner_name, data.port.plug_type) == ("web01", "network")


def test_old_libvirt_puts_the_guest_beside_the_network() -> None:
    plugged = "<interface type='network'/><network><name>lan</name></network><domain><name>web01</name></domain>"
    data = network.HookData(document.parse(f"<hookData>{plugged}</hookData>".encode()))
    assert data.domain is not None
    assert data.interface is not None
    assert (data.domain.name, data.interface.type, data.network.metadata.custom_properties) == ("web01", "network", {})


def test_hook_data_without_its_network_or_port_is_an_error() -> None:
    data = network.PortData(document.parse(b"<hookData/>"))
    with pytest.raises(DocumentError, match="/hookData has no <network>"):
        assert data.network.name
    with pytest.raises(DocumentError, match="/hookData has no <networkport>"):
        assert data.port.uuid


def test_identity_of_what_is_no_domain_is_its_root() -> None:
    assert expat.identify(b"<interface><name>x</name></interface>") == ("interface", (), ())


def test_broken_output_has_no_identity() -> None:
    with pytest.raises(DocumentError, match="the hook made a document that is not XML"):
        expat.identify(b"<domain>")


def test_a_comment_does_not_cut_a_text() -> None:
    guest = view("<domain><title>a<!-- x -->b</title></domain>")
    assert guest.title == "ab"
    guest.title = "c"
    assert guest.title == "c"
    ours = f"<h:p xmlns:h='{domain.OUR_NAMESPACE}'><h:pincpu>1<!-- not -->2</h:pincpu></h:p>"
    assert view(f"<domain><metadata>{ours}</metadata></domain>").metadata.custom_properties == {"pincpu": "12"}


@pytest.mark.parametrize("properties", [{"a b": "x"}, {"": "x"}, {"é": "x"}, {"1": "x"}, {"a": "\0"}, {"a": None}])
def test_custom_properties_are_checked_before_any_is_set(properties: Any) -> None:
    guest = view(DOMAIN)
    before = etree.tostring(guest.element)
    with pytest.raises(InvalidValueError):
        guest.metadata.custom_properties = properties
    assert etree.tostring(guest.element) == before


def test_what_is_removed_is_not_there_a_second_time() -> None:
    guest = view(
        "<domain><title>a</title><title>b</title><devices><interface><filterref filter='a'/><filterref filter='b'/>"
        "<source network='a' portid='x'/><source network='b'/></interface></devices></domain>"
    )
    guest.title = None
    card = guest.interfaces[0]
    card.filter = card.source_network = None
    assert (guest.title, card.filter, card.source_network) == (None, None, None)
    assert etree.tostring(card.element) == b'<interface><source portid="x"/><source network="b"/></interface>'
