"""The edits of devices: what they make where cases do not show it, and what is refused, with nothing touched then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lxml import etree

import hooking
from edit_cases import MAC, card, channel, disk, domain, guest, pci
from edit_cases_devices import SPICE, UUID
from hooking.devices import Disk, Interface
from hooking.document import parse
from hooking.domain import Domain
from hooking.edits import boot, consoles, devices, disks, graphics, hostdevs, interfaces, virtualports
from hooking.exceptions import DocumentError, InvalidValueError

VF = (
    "<interface type='hostdev' managed='yes'><mac address='52:54:00:4a:23:07'/><source><address type='pci'"
    " domain='0x0000' bus='0x0b' slot='0x00' function='0x1'/></source></interface>"
)
MDEV = f"<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source><address uuid='{UUID}'/></source></hostdev>"
LAN = card(type="network", source="<source network='lan'/>")
FULL = "".join(disk(f"hd{letter}", file=f"/{letter}", bus="ide") for letter in "abcd")


def on_card(verb: Callable[..., object], *arguments: Any, **named: Any) -> Callable[[Domain], object]:
    return lambda view: verb(view.interfaces[0], *arguments, **named)


def on_disk(verb: Callable[..., object], *arguments: Any, **named: Any) -> Callable[[Domain], object]:
    return lambda view: verb(view.disks[0], *arguments, **named)


def on_graphics(verb: Callable[..., object], *arguments: Any, **named: Any) -> Callable[[Domain], object]:
    return lambda view: verb(view.graphics[0], *arguments, **named)


def on_guest(verb: Callable[..., object], *arguments: Any, **named: Any) -> Callable[[Domain], object]:
    return lambda view: verb(view, *arguments, **named)


REFUSED: list[tuple[str, Callable[[Domain], object], str]] = [
    (card(), on_card(interfaces.set_source, "user", "x"), "'user' is not one of network, bridge"),
    (card(), on_card(interfaces.set_source, "network", ""), "'' is not a name"),
    (card(), on_card(interfaces.set_source, "network", "x", portgroup="\0"), "is not a name"),
    (card(), on_card(interfaces.set_source, "bridge", "x", portgroup="gold"), "a bridge has no port group 'gold'"),
    (VF, on_card(interfaces.set_source, "bridge", "x"), r"/domain/devices/interface: the card is a device of the host"),
    (card(), on_card(virtualports.set_virtualport, "vepa"), "'vepa' is not one of 802.1Qbg"),
    (card(), on_card(virtualports.set_virtualport, "midonet", profileid="x"), "'profileid' is not one of interfaceid"),
    (card(), on_card(virtualports.set_virtualport, "midonet", interfaceid="x"), "'x' is not a UUID such as"),
    (card(), on_card(virtualports.set_virtualport, "midonet"), "type midonet needs interfaceid"),
    (card(), on_card(virtualports.set_virtualport, "802.1Qbg", managerid="1"), "needs typeid, typeidversion"),
    (
        card(),
        on_card(virtualports.set_virtualport, "802.1Qbg", managerid="256"),
        "'256' is not a whole number from 0 to",
    ),
    (card(), on_card(virtualports.set_virtualport, "802.1Qbh", profileid="x" * 40), "of at most 39 bytes"),
    (
        card(type="user", source=""),
        on_card(virtualports.set_virtualport, "openvswitch"),
        "a card of type user has no virtual port",
    ),
    (card(), on_card(interfaces.set_bandwidth, inbound={"average": "0.5"}), "'0.5' is not a whole number from 1"),
    (card(), on_card(interfaces.set_bandwidth, inbound={"average": 0}), "'0' is not a whole number from 1"),
    (
        card(),
        on_card(interfaces.set_bandwidth, inbound={"peek": 1}),
        "'peek' is not one of average, peak, burst, floor",
    ),
    (card(), on_card(interfaces.set_bandwidth, outbound={"peak": 1}), "peak of a bandwidth need an average, outbound"),
    (LAN, on_card(interfaces.set_bandwidth, inbound={"floor": 1, "burst": 2}), "floor, burst of a bandwidth need an"),
    (LAN, on_card(interfaces.set_bandwidth, outbound={"floor": 1}), "'floor' is not one of average, peak, burst"),
    (
        card(),
        on_card(interfaces.set_bandwidth, inbound={"floor": 1}),
        r"floor \(1\) needs a card in a network, not bridge",
    ),
    (card(), on_card(interfaces.set_filter, "7"), "'7' is not a name"),
    (card(), on_card(interfaces.set_filter, "a", [("a-b", "1")]), "'a-b' is not made of English letters"),
    (card(), on_card(interfaces.set_filter, "a", [("IP", "10.0.0.0/8")]), "'10.0.0.0/8' is not made of"),
    (card(), on_card(interfaces.set_filter, "a", [("IP", "")]), "'' is not made of"),
    (VF, on_card(interfaces.set_filter, "a"), "ignores filter 'a' of type hostdev"),
    (card(), on_guest(interfaces.remove_interface, "x"), "'x' is not the MAC address"),
    ("", on_guest(disks.add_disk, "a.img"), "'a.img' is not an absolute path, or a URL"),
    ("", on_guest(disks.add_disk, ""), "'' is not an absolute path"),
    ("", on_guest(disks.add_disk, "/a", "iso"), "'iso' is not one of raw"),
    ("", on_guest(disks.add_disk, "/a", bus="nvme"), "'nvme' is not one of virtio"),
    ("", on_guest(disks.add_disk, "/a", target="vd1"), "'vd1' is not the name of a disk such as vda"),
    ("", on_guest(disks.add_disk, "/a", target="xyz"), "'xyz' is not the name of a disk"),
    (disk(), on_guest(disks.add_disk, "/b", target="vda"), "vda is already the target of /domain/devices/disk; call"),
    (FULL, on_guest(disks.add_disk, "/e", bus="ide"), "has 4 disks hd…, and there can be no more"),
    ("", on_guest(disks.next_target, "zz"), "'zz' is not one of vd"),
    ("", on_guest(disks.add_cdrom, "/a.iso", bus="virtio"), "a CD-ROM drive cannot be plugged into virtio"),
    ("", on_guest(disks.add_cdrom, "gopher://h/a"), "is not an absolute path, or a URL"),
    ("", on_guest(disks.add_cdrom, "https:///a"), "is not an absolute path, or a URL"),
    ("", on_guest(disks.add_cdrom, "https://user:pass@h/a"), "without user or password"),
    ("", on_guest(disks.add_cdrom, "https://h:99999/a"), "is not an absolute path, or a URL"),
    ("", on_guest(disks.add_cdrom, "https://h"), "is not an absolute path, or a URL"),
    (disk(), on_disk(disks.set_disk_driver, cache="x"), "'x' is not one of default, none"),
    (disk(), on_disk(disks.set_disk_driver, cash="none"), "'cash' is not one of cache, io"),
    (disk(), on_disk(disks.set_disk_driver, iothread=0), "'0' is not a whole number from 1"),
    (disk(), on_disk(disks.set_disk_driver, iothread=1), "the guest has no iothread 1; set iothreads first"),
    (
        disk("sda", bus="sata"),
        on_disk(disks.set_disk_driver, iothread=1),
        "iothread 1 is for disks on virtio, not sata",
    ),
    (disk(), on_disk(disks.set_disk_driver, io="native"), "io='native' needs cache='none' or 'directsync', not None"),
    (
        disk(driver="<driver type='raw' io='native' cache='none'/>"),
        on_disk(disks.set_disk_driver, cache="writeback"),
        "needs cache='none' or 'directsync', not 'writeback'",
    ),
    ("", on_guest(hostdevs.find_hostdev, "pci_0000"), "'pci_0000' is not the name of a host device: pci_0000_0b"),
    ("", on_guest(hostdevs.find_hostdev, "pci_0000_0b_20_0"), "is not the name of a host device"),
    ("", on_guest(hostdevs.find_hostdev, "usb_2"), "is not the name of a host device"),
    ("", on_guest(hostdevs.find_hostdev, "usb_1_1_4"), "is not the name of a host device"),
    ("", on_guest(hostdevs.find_hostdev, "mdev_1"), "is not the name of a host device"),
    ("", on_guest(hostdevs.find_hostdev, "tape_0"), "is not the name of a host device"),
    ("", on_guest(hostdevs.find_hostdev, ""), "is not the name of a host device"),
    ("", on_guest(hostdevs.add_hostdev, "usb_1_1", model="x"), "'x' is not one of vfio-pci"),
    (VF, on_guest(hostdevs.add_hostdev, "pci_0000_0b_00_1"), "the guest has the host device as a network card"),
    ("", on_guest(hostdevs.add_usb_hostdev, "0", "1"), "'0' is not the ID of a USB vendor"),
    ("", on_guest(hostdevs.add_usb_hostdev, "0x12345", "1"), "'0x12345' is not the ID of a USB vendor"),
    ("", on_guest(hostdevs.add_usb_hostdev, "1", "1", startup_policy="x"), "'x' is not one of mandatory"),
    ("", on_guest(hostdevs.add_hostdev_interface, "usb_1_1"), "'usb_1_1' is no PCI device"),
    ("", on_guest(hostdevs.add_hostdev_interface, "pci_0000_0b_00_1", vlan=4096), "4096 is not a whole number from 0"),
    ("", on_guest(hostdevs.add_hostdev_interface, "pci_0000_0b_00_1", mac="x"), "'x' is not the MAC address"),
    (pci(), on_guest(hostdevs.add_hostdev_interface, "pci_0000_0b_00_1"), "pci_0000_0b_00_1 as a plain host device"),
    (
        card(),
        on_guest(hostdevs.add_hostdev_interface, "pci_0000_0b_00_1", mac=MAC),
        f"{MAC} is the MAC address of another",
    ),
    (SPICE, lambda view: boot.boot_first(view, view.graphics[0]), "no guest boots from it; from a disk, interface"),
    (MDEV, lambda view: boot.boot_first(view, view.host_devices[0]), "no guest boots from it"),
    (
        card(),
        lambda view: boot.boot_first(view, Interface(etree.Element("interface"))),
        "is not a device of guest edited",
    ),
    (
        card() + disk(inside="<boot order='2'/>"),
        lambda view: boot.set_boot_order(view, view.interfaces[0], 2),
        "/domain/devices/interface: the boot order 2 is already that of /domain/devices/disk",
    ),
    (card(), lambda view: boot.set_boot_order(view, view.interfaces[0], 0), "0 is not a whole number from 1"),
    ("<graphics type='vnc'/>", on_graphics(graphics.set_graphics_option, "image"), "of type vnc have no such options"),
    (SPICE, on_graphics(graphics.set_graphics_option, "picture"), "'picture' is not one of image"),
    (SPICE, on_graphics(graphics.set_graphics_option, "image", mode="x"), "'mode' is not one of compression"),
    (SPICE, on_graphics(graphics.set_graphics_option, "image", compression="zip"), "'zip' is not one of auto_glz"),
    (SPICE, on_graphics(graphics.set_graphics_option, "image"), "graphics/image needs the attribute compression"),
    (SPICE, on_graphics(graphics.set_graphics_option, "gl", rendernode="/x"), "graphics/gl needs the attribute enable"),
    (SPICE, on_graphics(graphics.set_spice_channel, "webdav", "any"), "'webdav' is not one of main"),
    (SPICE, on_graphics(graphics.set_spice_channel, "main", "safe"), "'safe' is not one of secure"),
    ("<graphics type='vnc'/>", on_graphics(graphics.set_spice_channel, "main", "any"), "only graphics of type spice"),
    ("", on_guest(consoles.log_console, "g.log"), "'g.log' is not an absolute path"),
    ("", on_guest(consoles.add_channel, ""), "'' is not a name"),
    ("", on_guest(consoles.add_channel, "a", type="tcp"), "'tcp' is not one of unix"),
    ("", on_guest(consoles.add_channel, "a", mode="listen"), "'listen' is not one of bind"),
    ("", on_guest(consoles.add_channel, "a", path="x"), "'x' is not an absolute path"),
    ("", on_guest(consoles.add_channel, "a", type="pty", path="/x"), "a channel of type pty has no path '/x'"),
    ("", on_guest(consoles.add_channel, "a", type="spicevmc"), "has no graphics of type spice, which spicevmc needs"),
    ("", on_guest(consoles.add_smartcard), "has no graphics of type spice, which spicevmc needs"),
    ("", on_guest(consoles.add_smartcard, "emulated"), "'emulated' is not one of passthrough, host"),
    (card(), on_guest(devices.find_devices, "interface", speed=1), "a interface has no property speed; look into its"),
    (card(), on_guest(devices.remove_devices, "interface", element=1), "has no property element"),
    ("", on_guest(devices.add_device, "<rng/><rng/>"), "the document is not XML"),
    (
        disk(inside="<boot order='1'/>"),
        on_guest(devices.add_device, card("<boot order='1'/>")),
        "the boot order 1 of the new interface is already that of /domain/devices/disk",
    ),
    (disk(), lambda view: devices.replace_device(view.disks[0], ""), "the document is not XML"),
]


@pytest.mark.parametrize(
    ("inside", "edit", "message"), REFUSED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_what_libvirt_refuses_or_ignores_is_an_error_and_nothing_is_touched(
    inside: str, edit: Callable[[Domain], object], message: str
) -> None:
    view = domain(guest(inside))
    before = etree.tostring(view.element)
    with pytest.raises(DocumentError, match=message):
        edit(view)
    assert etree.tostring(view.element) == before


def test_boot_devices_of_the_guest_exclude_a_boot_order() -> None:
    view = domain(guest(card(), os="<boot dev='hd'/>"))
    with pytest.raises(
        InvalidValueError, match="/domain/os/boot: boot devices exclude the boot order of devices; remove"
    ):
        boot.boot_first(view, view.interfaces[0])
    assert view.interfaces[0].boot_order is None


def test_a_source_that_stays_keeps_its_port_group() -> None:
    view = domain(guest(card(type="network", source="<source network='lan' portgroup='gold'/>")))
    interfaces.set_source(view.interfaces[0], "network", "lan")
    assert view.interfaces[0].source_portgroup == "gold"


def test_a_card_may_await_what_its_network_knows_of_the_virtual_port() -> None:
    view = domain(guest(LAN))
    virtualports.set_virtualport(view.interfaces[0], "802.1Qbh")
    assert view.interfaces[0].virtualport_type == "802.1Qbh"


def test_a_floor_needs_no_average_in_a_network() -> None:
    view = domain(guest(LAN))
    interfaces.set_bandwidth(view.interfaces[0], inbound={"floor": 7})
    assert view.element.xpath("string(//bandwidth/inbound/@floor)") == "7"


def test_a_limit_that_is_removed_leaves_no_bandwidth() -> None:
    view = domain(guest(card("<bandwidth><inbound average='1'/></bandwidth>")))
    interfaces.set_bandwidth(view.interfaces[0], inbound={})
    assert view.element.xpath("count(//bandwidth)") == 0


def test_every_card_of_a_mac_address_is_removed() -> None:
    view = domain(guest(card() + card()))
    interfaces.remove_interface(view, MAC)
    assert view.interfaces == []


def test_targets_go_on_behind_z() -> None:
    view = domain(guest("".join(disk(f"vd{chr(ord('a') + number)}", file=f"/{number}") for number in range(26))))
    assert disks.next_target(view, "vd") == "vdaa"
    assert disks.next_target(view, "sd") == "sda"
    first = [disks.add_disk(view, f"/more/{number}").target_dev for number in range(27)]
    assert (first[0], first[25], first[26]) == ("vdaa", "vdaz", "vdba")


def test_a_disk_keeps_the_target_that_it_has_on_the_bus() -> None:
    view = domain(guest(disk("vdc") + disk("vda", file="/b.img")))
    assert disks.add_disk(view, "/a.img").target_dev == "vdc"
    assert disks.add_disk(view, "/a.img", target="vdf").target_dev == "vdf"
    assert len(view.disks) == 2


def test_a_disk_without_device_is_a_disk() -> None:
    view = domain(guest(disk().replace("device='disk'", "")))
    disks.add_disk(view, "/a.img", "qcow2")
    assert [disk.driver_type for disk in view.disks] == ["qcow2"]


def test_a_file_that_a_drive_has_is_no_disk_yet() -> None:
    view = domain(guest(disk("hda", bus="ide", device="cdrom") + "<disk type='file' device='disk'/>"))
    disks.add_disk(view, "/a.img")
    assert [disk.target_dev for disk in view.disks] == ["hda", None, "vda"]


@pytest.mark.parametrize(
    ("machine", "inside", "bus", "target"),
    [
        ("arch='x86_64' machine='pc-q35-7.2'", "", "sata", "sda"),
        ("arch='x86_64' machine='pc'", "", "ide", "hda"),
        ("arch='i686'", "", "ide", "hda"),
        ("arch='s390x' machine='s390-ccw-virtio'", "", "scsi", "sda"),
        ("arch='x86_64' machine='pc'", "<disk device='cdrom'><target dev='sda' bus='usb'/></disk>", "usb", "sdb"),
    ],
)
def test_a_cdrom_drive_is_plugged_into_what_the_machine_has(machine: str, inside: str, bus: str, target: str) -> None:
    view = domain(guest(inside).replace("arch='x86_64' machine='pc'", machine))
    drive = disks.add_cdrom(view, "/a.iso")
    assert (drive.target_bus, drive.target_dev, drive.readonly, drive.path) == (bus, target, True, "/a.iso")
    assert disks.add_cdrom(view, "/b.iso", bus="scsi").target_bus == "scsi"


def test_a_medium_on_the_usual_port_is_the_same_with_and_without_it() -> None:
    url = "http://example.org/a.iso"
    drive = "<disk type='network' device='cdrom'><source protocol='http' name='a.iso'>{}</source><target dev='hda'"
    with_host = drive.format("<host name='example.org'/>") + " bus='ide'/></disk>"
    without_host = drive.format("") + " bus='ide'/></disk>"
    for given, count in ((with_host, 1), (without_host, 2)):
        view = domain(guest(given))
        disks.add_cdrom(view, url)
        assert len(view.disks) == count


def test_a_driver_option_is_removed_and_a_device_alone_may_name_any_iothread() -> None:
    view = Disk(parse(b"<disk><driver cache='none' iothread='7'/><target dev='vda' bus='virtio'/></disk>"))
    disks.set_disk_driver(view, cache=None, iothread=9)
    assert (view.driver_cache, view.driver_iothread) == (None, 9)


def test_host_devices_are_found_by_name_however_they_are_written() -> None:
    view = domain(
        guest(VF + pci(2) + MDEV + "<hostdev type='usb'><source><address bus='3' device='1'/></source></hostdev>")
    )
    found = [
        hostdevs.find_hostdev(view, name)
        for name in ("pci_0000_0b_00_1", "pci_0000_0B_00_2", f"mdev_{UUID.replace('-', '_')}", "usb_usb3", "usb_3_1")
    ]
    assert found == [view.interfaces[0], *view.host_devices, view.host_devices[-1]]
    assert hostdevs.find_hostdev(view, "pci_0000_0b_00_3") is None
    assert hostdevs.find_hostdev(view, "scsi_0_0_0_0") is None


def test_a_host_device_is_given_unmanaged() -> None:
    view = domain(guest(pci()))
    device = hostdevs.add_hostdev(view, "pci_0000_0b_00_1", managed=False)
    assert (device, device.managed) == (view.host_devices[0], "no")


def test_a_usb_device_keeps_its_policy() -> None:
    view = domain(guest())
    hostdevs.add_usb_hostdev(view, "0x1234", "0xbeef", startup_policy="requisite")
    device = hostdevs.add_usb_hostdev(view, "0x1234", "0xBEEF")
    assert (device.source_vendor, device.source_product, device.startup_policy) == ("0x1234", "0xbeef", "requisite")
    assert view.host_devices == [device]


def test_a_virtual_function_has_the_same_mac_address_at_every_start_and_keeps_one_that_it_has() -> None:
    made = [hostdevs.add_hostdev_interface(domain(guest()), "pci_0000_0b_00_1").mac for _ in range(2)]
    assert made[0] == made[1]
    view = domain(guest(VF))
    assert hostdevs.add_hostdev_interface(view, "pci_0000_0b_00_1").mac == "52:54:00:4a:23:07"
    assert len(view.interfaces) == 1


def test_booting_first_makes_way_for_a_second_first() -> None:
    view = domain(guest(card("<boot order='1'/>") + disk(inside="<boot order='1'/>")))
    boot.boot_first(view, view.disks[0])
    assert [device.boot_order for device in view.devices if device.boot_order] == [2, 1]


def test_a_channel_for_any_mode_needs_no_word() -> None:
    view = domain(guest("<graphics type='spice'><channel name='main' mode='secure'/></graphics>"))
    graphics.set_spice_channel(view.graphics[0], "main", "any")
    assert view.element.xpath("count(//graphics/channel)") == 0


@pytest.mark.parametrize(
    ("type", "element", "attributes"),
    [
        ("dbus", "gl", {"enable": "yes", "rendernode": "/dev/dri/renderD128"}),
        ("sdl", "gl", {"enable": "no"}),
        ("egl-headless", "gl", {"rendernode": "/dev/dri/renderD128"}),
    ],
)
def test_other_graphics_have_some_of_the_options(type: str, element: str, attributes: dict[str, str]) -> None:
    view = domain(guest(f"<graphics type='{type}'/>"))
    graphics.set_graphics_option(view.graphics[0], element, **attributes)
    found = view.graphics[0].element.find(element)
    assert found is not None
    assert dict(found.attrib) == attributes


def test_a_console_log_may_be_begun_anew_at_each_start() -> None:
    view = domain(guest("<console type='pty'><target type='virtio'/></console>"))
    console = consoles.log_console(view, "/x.log", append=False)
    assert (console, console.log_file, console.log_append) == (view.consoles[0], "/x.log", "off")
    assert view.serials == []


def test_a_channel_keeps_its_socket_and_another_type_has_none() -> None:
    view = domain(guest(SPICE + channel(source="<source mode='connect' path='/x'/>")))
    same = consoles.add_channel(view, "org.example.0")
    assert (same.source_mode, same.source_path) == ("connect", "/x")
    other = consoles.add_channel(view, "org.example.0", type="spicevmc")
    assert (other.type, other.source_path) == ("spicevmc", None)
    assert view.channels == [other]


def test_a_smart_card_reader_for_cards_of_the_host() -> None:
    view = domain(guest())
    assert dict(consoles.add_smartcard(view, "host").element.attrib) == {"mode": "host"}


def test_devices_are_found_by_kind_and_properties() -> None:
    view = domain(guest(disk() + disk("sda", file="/b", device="lun") + card()))
    assert devices.find_devices(view, "disk") == view.disks
    assert devices.find_devices(view, "disk", device="lun", path="/b", readonly=False) == [view.disks[1]]
    assert devices.find_devices(view, "disk", alias="x") == []
    assert devices.find_devices(view, "sound") == []


ADDRESS = "<address type='pci' domain='0x0000' bus='0x00' slot='0x05' function='0x0'/>"


@pytest.mark.parametrize(
    ("present", "given", "kept"),
    [
        (card("<boot order='1'/>" + ADDRESS), card(source="<source bridge='br1'/>", mac=MAC.upper()), ["address"]),
        (card(ADDRESS), card(ADDRESS.replace("0x05", "0x06"), source="<source bridge='br1'/>"), []),
        (disk(bus="sata", inside="<alias name='ua-1'/><address type='drive'/>"), disk(), ["alias"]),
        (pci(managed="no", inside=ADDRESS), pci(), ["address"]),
        (channel(type="pty", source=ADDRESS), channel(), ["address"]),
        (
            f"<sound model='ich6'><alias name='ua-1'/>{ADDRESS}</sound>",
            "<input bus='usb'><alias name='ua-1'/></input>",
            [],
        ),
    ],
)
def test_a_device_takes_the_place_of_the_one_that_it_is(present: str, given: str, kept: list[str]) -> None:
    view = domain(guest(present))
    device = devices.add_device(view, given)
    assert view.devices[1:] == [device]
    assert type(device) is type(view.devices[1])
    expected = etree.fromstring(given)
    for tag in kept:
        expected.extend([*etree.fromstring(present).iterfind(tag)])
    assert [(part.tag, dict(part.attrib)) for part in device.element] == [
        (part.tag, dict(part.attrib)) for part in expected
    ]
    once = etree.tostring(view.element)
    devices.add_device(view, given)
    assert etree.tostring(view.element) == once


def test_a_device_of_another_identity_is_added() -> None:
    rng = "<rng model='virtio'><backend model='random'>/dev/{}</backend></rng>"
    view = domain(guest(rng.format("random") + pci(1)))
    for xml in (rng.format("urandom"), pci(2), card(mac="52:54:00:00:00:01"), "<interface type='user'/>", "<rng/>"):
        devices.add_device(view, xml)
    assert [device.kind for device in view.devices[1:]] == [
        "rng",
        "hostdev",
        "rng",
        "hostdev",
        "interface",
        "interface",
    ]


def test_a_replaced_device_keeps_what_is_said() -> None:
    view = domain(guest(disk(inside=f"<alias name='ua-1'/>{ADDRESS}")))
    device = devices.replace_device(view.disks[0], f"<!-- x -->{card()}", keep=())
    assert (type(device), device.alias, view.disks) == (Interface, None, [])
    assert view.interfaces == [device]


def test_add_interface_drops_where_a_card_was_plugged_in_by_the_same_rule() -> None:
    view = domain(guest(VF))
    with pytest.raises(InvalidValueError, match="the card is a device of the host"):
        hooking.add_interface(view, "network", "lan", mac="52:54:00:4a:23:07")


def made_of(devices_: str) -> Domain:
    text = f"<domain type='qemu'><name>g</name><vcpu>2</vcpu><devices>{devices_}</devices></domain>"
    return Domain(parse(text.encode()))


def test_what_is_not_named_stays_as_it_is() -> None:
    made = made_of(
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2' iothread='1'/><source file='/a.qcow2'/>"
        "<target dev='vda' bus='virtio'/><address type='pci' slot='0x05'/></disk>"
        "<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='a'/>"
        "<model type='e1000'/></interface>"
    )
    before = etree.tostring(made.element)
    changed = hooking.add_disk(made, "/a.qcow2")
    hooking.add_interface(made, "bridge", "a", mac="52:54:00:00:00:01")
    assert etree.tostring(made.element) == before
    hooking.add_disk(made, "/a.qcow2", bus="scsi")
    assert (changed.driver_type, changed.target_bus, changed.target_dev, changed.driver_iothread) == (
        "qcow2",
        "scsi",
        "sda",
        None,
    )
    assert hooking.add_disk(made, "/b.raw").driver_type == "raw"


def test_host_devices_that_differ_in_their_source_alone_are_two() -> None:
    made = made_of("")
    for number in (1, 2, 2):
        hooking.add_device(
            made,
            "<hostdev mode='subsystem' type='scsi_host'>"
            f"<source protocol='vhost' wwpn='naa.500140535000000{number}'/></hostdev>",
        )
        hooking.add_device(
            made,
            f"<hostdev mode='capabilities' type='storage'><source><block>/dev/{number}</block></source></hostdev>",
        )
    assert len(made.host_devices) == 4


def test_a_host_device_is_found_however_its_numbers_are_written() -> None:
    made = made_of(
        "<hostdev mode='subsystem' type='usb'><source><address bus='003' device='007'/></source></hostdev>"
        "<hostdev mode='subsystem' type='pci'><source>"
        "<address domain='0' bus='01' slot='00' function='0'/></source></hostdev>"
    )
    usb, pci = made.host_devices
    assert (hooking.find_hostdev(made, "usb_3_7"), hooking.find_hostdev(made, "pci_0000_01_00_0")) == (usb, pci)


def test_nothing_is_removed_by_a_value_that_is_not_set() -> None:
    made = made_of("<disk type='file' device='disk'><source file='/a'/><target dev='vda'/></disk>")
    with pytest.raises(hooking.InvalidValueError, match="serial=None would remove each disk without serial"):
        hooking.remove_devices(made, "disk", serial=None)
    assert len(made.disks) == 1


@pytest.mark.parametrize(
    ("source", "bus"), [("foo://h:1/x", None), ("nbd://h:1/x", None), ("/a", "fdc"), ("/a", "floppy"), ("a", None)]
)
def test_a_disk_that_libvirt_would_refuse(source: str, bus: str | None) -> None:
    made = made_of("")
    with pytest.raises(hooking.InvalidValueError):
        hooking.add_disk(made, source, bus=bus)
    assert not made.disks


def test_an_empty_mac_address_is_none() -> None:
    with pytest.raises(hooking.InvalidValueError, match="is not the MAC address"):
        hooking.add_interface(made_of(""), "network", "lan", mac="")


@pytest.mark.parametrize("vcpu", [True, 1.0, "0", None, -1, 2])
def test_a_virtual_cpu_is_a_number(vcpu: Any) -> None:
    made = made_of("")
    hooking.set_cpuset(made, "0")
    with pytest.raises(hooking.InvalidValueError, match="there is no virtual CPU"):
        hooking.pin_vcpu(made, vcpu, "0")


def test_a_date_has_three_numbers() -> None:
    with pytest.raises(hooking.InvalidValueError, match="is not a date"):
        hooking.set_sysinfo(made_of(""), "bios", "date", "foo/4/1/2014")


def test_a_channel_that_connects_has_a_path() -> None:
    made = made_of("")
    with pytest.raises(hooking.InvalidValueError, match="the channel x connects to a socket, so it needs the path"):
        hooking.add_channel(made, "x", mode="connect")
    assert not made.channels


def test_a_device_has_no_boot_order_beside_that_of_the_firmware() -> None:
    made = Domain(parse(b"<domain><name>g</name><os><boot dev='hd'/></os></domain>"))
    xml = "<interface type='network'><source network='a'/><boot order='1'/></interface>"
    with pytest.raises(hooking.InvalidValueError, match="the boot order 1 of a device cannot stand beside"):
        hooking.add_device(made, xml)
    assert not made.interfaces


def test_a_card_with_a_floor_goes_to_no_bridge() -> None:
    bandwidth = "<bandwidth><inbound average='1' floor='3'/></bandwidth>"
    made = made_of(f"<interface type='network'><source network='a'/>{bandwidth}</interface>")
    before = etree.tostring(made.element)
    with pytest.raises(hooking.InvalidValueError, match="a bridge has no floor of bandwidth"):
        hooking.set_source(made.interfaces[0], "bridge", "br0")
    assert etree.tostring(made.element) == before
