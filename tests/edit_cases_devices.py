"""The cases of the edits of devices; those of network cards and disks are beside."""

from __future__ import annotations

from hypothesis import strategies as st

from edit_cases import MAC, Case, calls, card, channel, disk, guest, of_first, pci
from edit_cases_disks import DISKS
from edit_cases_interfaces import INTERFACES
from hooking.edits import boot, consoles, devices, graphics, hostdevs

UUID = "c2177883-f1bb-47f0-914d-32a22e3a8804"
SPICE = "<graphics type='spice'/>"
NO_DOUBLE = {"doubled": "each is a device of its own, for libvirt too"}

macs = st.integers(0, 3).map(lambda number: f"52:54:00:4a:23:0{number}")
paths = st.text("abcXYZ019_-.", min_size=1, max_size=8).map("/{}".format)


HOSTDEVS = [
    Case(
        "add_hostdev: PCI",
        lambda domain: hostdevs.add_hostdev(domain, "pci_0000_0b_00_1"),
        {
            "absent": guest(pci(2)),
            "equal": guest(pci(1) + pci(2)),
            "different": guest(
                "<hostdev mode='subsystem' type='pci' managed='no'><source><address bus='11' slot='0' function='1'/>"
                "</source></hostdev>" + pci(2)
            ),
        },
        {
            "count(devices/hostdev)": 2,
            "string(devices/hostdev[source/address[@function='1' or @function='0x1']]/@managed)": "yes",
            "string(devices/hostdev[source/address/@function='0x2']/@managed)": "yes",
        },
        ["devices/hostdev[source/address[@function='1' or @function='0x1']]"],
        calls(hostdevs.add_hostdev, st.sampled_from(["pci_0000_0b_00_1", "pci_0000_0B_0_1"])),
        impossible={"doubled": "libvirt refuses the same device twice"},
    ),
    Case(
        "add_hostdev: SCSI",
        lambda domain: hostdevs.add_hostdev(domain, "scsi_2_0_6_0"),
        {
            "absent": guest(),
            "equal": guest(
                "<hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host2'/>"
                "<address bus='0' target='6' unit='0'/></source></hostdev>"
            ),
        },
        {
            "string(devices/hostdev[@type='scsi']/source/adapter/@name)": "scsi_host2",
            "string(devices/hostdev[@type='scsi']/source/address/@target)": "6",
            "count(devices/hostdev)": 1,
        },
        ["devices/hostdev[@type='scsi']"],
    ),
    Case(
        "add_hostdev: USB",
        lambda domain: hostdevs.add_hostdev(domain, "usb_2_8"),
        {
            "absent": guest(),
            "equal": guest(
                "<hostdev mode='subsystem' type='usb'><source><address bus='2' device='8'/></source></hostdev>"
            ),
        },
        {
            "string(devices/hostdev[@type='usb']/source/address/@bus)": "2",
            "string(devices/hostdev[@type='usb']/source/address/@device)": "8",
            "count(devices/hostdev)": 1,
        },
        ["devices/hostdev[@type='usb']"],
    ),
    Case(
        "add_hostdev: mediated",
        lambda domain: hostdevs.add_hostdev(domain, f"mdev_{UUID.replace('-', '_')}_0000_00_02_0"),
        {
            "absent": guest(),
            "equal": guest(
                "<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source>"
                f"<address uuid='{UUID}'/></source></hostdev>"
            ),
            "written otherwise": guest(
                "<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source>"
                f"<address uuid='{UUID.upper()}'/></source></hostdev>"
            ),
        },
        {"string(devices/hostdev/@model)": "vfio-pci", "count(devices/hostdev/source/address/@uuid)": 1},
        ["devices/hostdev[@type='mdev']"],
    ),
    Case(
        "add_usb_hostdev",
        lambda domain: hostdevs.add_usb_hostdev(domain, "1234", "0xbeef", startup_policy="optional"),
        {
            "absent": guest(),
            "equal": guest(
                "<hostdev mode='subsystem' type='usb'><source startupPolicy='optional'><vendor id='0x1234'/>"
                "<product id='0xbeef'/></source></hostdev>"
            ),
            "different": guest(
                "<hostdev mode='subsystem' type='usb'><source startupPolicy='mandatory'><vendor id='4660'/>"
                "<product id='0xBEEF'/></source></hostdev>"
            ),
        },
        {"string(devices/hostdev/source/@startupPolicy)": "optional", "count(devices/hostdev/source/vendor)": 1},
        ["devices/hostdev[source/vendor]"],
        calls(hostdevs.add_usb_hostdev, st.just("0x1234"), st.just("0xbeef")),
        impossible={"doubled": "libvirt refuses the same device twice"},
    ),
    Case(
        "add_hostdev_interface",
        lambda domain: hostdevs.add_hostdev_interface(domain, "pci_0000_0b_00_1", mac=MAC, vlan=42),
        {
            "absent": guest(),
            "equal": guest(
                f"<interface type='hostdev' managed='yes'><mac address='{MAC}'/><source><address type='pci'"
                " domain='0x0000' bus='0x0b' slot='0x00' function='0x1'/></source><vlan><tag id='42'/></vlan>"
                "</interface>"
            ),
            "different": guest(
                "<interface type='hostdev' managed='yes'><mac address='52:54:00:4a:23:09'/><source><address type='pci'"
                " domain='0x0000' bus='0x0b' slot='0x00' function='0x1'/></source><vlan trunk='yes'><tag id='7'/>"
                "<tag id='8'/></vlan></interface>"
            ),
            "doubled": guest(
                f"<interface type='hostdev' managed='yes'><mac address='{MAC}'/><source><address type='pci'"
                " domain='0x0000' bus='0x0b' slot='0x00' function='0x1'/></source><vlan><tag id='7'/></vlan>"
                "<vlan><tag id='42'/></vlan></interface>"
            ),
        },
        {
            "string(devices/interface/@type)": "hostdev",
            "string(devices/interface/mac/@address)": MAC,
            "string(devices/interface/source/address/@bus)": "0x0b",
            "string(devices/interface/vlan/tag/@id)": "42",
            "count(devices/interface/vlan/tag)": 1,
            "count(devices/interface)": 1,
        },
        ["devices/interface[@type='hostdev' and source/address/@bus='0x0b']"],
        st.tuples(macs, st.integers(0, 4095)).map(
            lambda chosen: (
                lambda domain: hostdevs.add_hostdev_interface(domain, "pci_0000_0b_00_1", mac=chosen[0], vlan=chosen[1])
            )
        ),
    ),
]

BOOT = [
    Case(
        "boot_first",
        lambda domain: boot.boot_first(domain, domain.interfaces[0]),
        {
            "absent": guest(card() + disk(inside="<boot order='1'/>") + pci(inside="<boot order='2'/>")),
            "equal": guest(
                card("<boot order='1'/>") + disk(inside="<boot order='2'/>") + pci(inside="<boot order='3'/>")
            ),
            "different": guest(
                card("<boot order='9'/>") + disk(inside="<boot order='1'/>") + pci(inside="<boot order='2'/>")
            ),
            "doubled": guest(
                card("<boot order='3'/><boot order='1'/>")
                + disk(inside="<boot order='1'/>")
                + pci(inside="<boot order='2'/>")
            ),
        },
        {
            "string(devices/interface/boot/@order)": "1",
            "string(devices/disk/boot/@order)": "2",
            "string(devices/hostdev/boot/@order)": "3",
        },
        ["devices/*/boot/@order", "devices/interface[1]/boot"],
    ),
    Case(
        "set_boot_order",
        lambda domain: boot.set_boot_order(domain, domain.interfaces[0], 2),
        {
            "absent": guest(card() + disk(inside="<boot order='1'/>")),
            "equal": guest(card("<boot order='2'/>") + disk(inside="<boot order='1'/>")),
            "different": guest(card("<boot order='7'/>") + disk(inside="<boot order='1'/>")),
            "doubled": guest(card("<boot order='7'/><boot order='2'/>") + disk(inside="<boot order='1'/>")),
        },
        {"string(devices/interface/boot/@order)": "2", "string(devices/disk/boot/@order)": "1"},
        ["devices/interface[1]/boot"],
        st.integers(0, 5).map(lambda order: lambda domain: boot.set_boot_order(domain, domain.interfaces[0], order)),
    ),
]

GRAPHICS = [
    Case(
        "set_graphics_option",
        lambda domain: graphics.set_graphics_option(domain.graphics[0], "image", compression="glz"),
        {
            "absent": guest(SPICE),
            "equal": guest("<graphics type='spice'><image compression='glz'/></graphics>"),
            "different": guest("<graphics type='spice'><image compression='off'/><mouse mode='client'/></graphics>"),
            "doubled": guest("<graphics type='spice'><image compression='off'/><image compression='lz'/></graphics>"),
        },
        {
            "string(devices/graphics/image/@compression)": "glz",
            "count(devices/graphics/image)": 1,
        },
        ["devices/graphics[1]/image"],
        calls(
            lambda domain, value: graphics.set_graphics_option(domain.graphics[0], "image", compression=value),
            st.sampled_from(["glz", "off", "x"]),
        ),
    ),
    Case(
        "set_graphics_option: of two attributes",
        lambda domain: graphics.set_graphics_option(domain.graphics[0], "gl", rendernode="/dev/dri/renderD128"),
        {
            "equal": guest("<graphics type='spice'><gl enable='yes' rendernode='/dev/dri/renderD128'/></graphics>"),
            "different": guest("<graphics type='spice'><gl enable='yes'/></graphics>"),
        },
        {
            "string(devices/graphics/gl/@enable)": "yes",
            "string(devices/graphics/gl/@rendernode)": "/dev/dri/renderD128",
        },
        ["devices/graphics[1]/gl"],
    ),
    Case(
        "set_spice_channel",
        lambda domain: graphics.set_spice_channel(domain.graphics[0], "main", "secure"),
        {
            "absent": guest("<graphics type='spice'><channel name='display' mode='insecure'/></graphics>"),
            "equal": guest(
                "<graphics type='spice'><channel name='display' mode='insecure'/><channel name='main' mode='secure'/>"
                "</graphics>"
            ),
            "different": guest(
                "<graphics type='spice'><channel name='main' mode='insecure'/><channel name='display' mode='insecure'/>"
                "</graphics>"
            ),
            "doubled": guest(
                "<graphics type='spice'><channel name='main' mode='secure'/><channel name='main' mode='insecure'/>"
                "<channel name='display' mode='insecure'/></graphics>"
            ),
        },
        {
            "string(devices/graphics/channel[@name='main']/@mode)": "secure",
            "string(devices/graphics/channel[@name='display']/@mode)": "insecure",
            "count(devices/graphics/channel)": 2,
        },
        ["devices/graphics[1]/channel[@name='main' or @name='inputs']"],
        calls(
            of_first("graphics", graphics.set_spice_channel),
            st.sampled_from(["main", "inputs"]),
            st.sampled_from(["secure", "insecure", "any"]),
        ),
    ),
]

CONSOLES = [
    Case(
        "log_console",
        lambda domain: consoles.log_console(domain, "/var/log/g.log"),
        {
            "absent": guest(),
            "equal": guest("<serial type='pty'><log file='/var/log/g.log' append='on'/></serial>"),
            "different": guest("<serial type='pty'><log file='/x' append='off'/></serial><serial type='pty'/>"),
            "doubled": guest("<serial type='pty'><log file='/x'/><log file='/y'/></serial>"),
            "console only": guest(
                "<console type='tcp'><source mode='bind' host='127.0.0.1' service='4555'/><target type='serial'/>"
                "</console>"
            ),
        },
        {
            "string((devices/serial | devices/console)[1]/log/@file)": "/var/log/g.log",
            "string((devices/serial | devices/console)[1]/log/@append)": "on",
            "count((devices/serial | devices/console)[1]/log)": 1,
        },
        ["devices/serial[1]/log", "devices/serial[1]/@type", "devices[not(serial)]/console[1]/log"],
        calls(consoles.log_console, paths),
    ),
    Case(
        "add_channel",
        lambda domain: consoles.add_channel(domain, "org.example.0", path="/run/a.sock"),
        {
            "absent": guest(channel("org.example.1")),
            "equal": guest(channel(source="<source mode='bind' path='/run/a.sock'/>") + channel("org.example.1")),
            "different": guest(channel(type="pty") + channel("org.example.1")),
            "elsewhere": guest(channel(source="<source mode='connect' path='/x'/>") + channel("org.example.1")),
            "doubled": guest(
                channel(source="<source mode='bind' path='/x'/><source mode='bind' path='/y'/>")
                + channel("org.example.1")
            ),
        },
        {
            "string(devices/channel[target/@name='org.example.0']/@type)": "unix",
            "string(devices/channel[target/@name='org.example.0']/source/@path)": "/run/a.sock",
            "string(devices/channel[target/@name='org.example.0']/source/@mode)": "bind",
            "count(devices/channel)": 2,
        },
        ["devices/channel[target/@name='org.example.0']"],
        calls(consoles.add_channel, st.just("org.example.0")),
    ),
    Case(
        "add_smartcard",
        consoles.add_smartcard,
        {
            "absent": guest(SPICE),
            "equal": guest(f"{SPICE}<smartcard mode='passthrough' type='spicevmc'/>"),
            "different": guest(
                f"{SPICE}<smartcard mode='host-certificates'><certificate>a</certificate><certificate>b</certificate>"
                "<certificate>c</certificate></smartcard>"
            ),
            "doubled": guest(f"{SPICE}<smartcard mode='host'/><smartcard mode='host'/>"),
        },
        {
            "string(devices/smartcard/@mode)": "passthrough",
            "string(devices/smartcard/@type)": "spicevmc",
            "count(devices/smartcard)": 1,
            "count(devices/smartcard/certificate)": 0,
        },
        ["devices/smartcard"],
        calls(consoles.add_smartcard, st.sampled_from(["passthrough", "host"])),
    ),
]

RNG = "<rng model='virtio'><backend model='random'>/dev/urandom</backend>{}</rng>"
WATCHDOG = "<watchdog model='i6300esb' action='{}'/>"

DEVICES = [
    Case(
        "add_device: one of a kind",
        lambda domain: devices.add_device(domain, WATCHDOG.format("reset")),
        {
            "absent": guest(),
            "equal": guest(WATCHDOG.format("reset")),
            "different": guest(WATCHDOG.format("pause")),
        },
        {"string(devices/watchdog/@action)": "reset", "count(devices/watchdog)": 1},
        ["devices/watchdog"],
        calls(devices.add_device, st.sampled_from(["reset", "poweroff"]).map(WATCHDOG.format)),
        impossible=NO_DOUBLE,
    ),
    Case(
        "add_device: one of many",
        lambda domain: devices.add_device(domain, RNG.format("")),
        {
            "absent": guest(),
            "equal": guest(RNG.format("")),
            "with an address": guest(RNG.format("<address type='pci' domain='0' bus='0' slot='5' function='0'/>")),
        },
        {"string(devices/rng/backend)": "/dev/urandom", "count(devices/rng)": 1},
        ["devices/rng"],
    ),
    Case(
        "add_device: a disk in the place of another",
        lambda domain: devices.add_device(domain, disk(file="/new.img", driver="<driver type='qcow2'/>")),
        {
            "equal": guest(disk(file="/new.img", driver="<driver type='qcow2'/>")),
            "different": guest(
                disk(inside="<address type='pci' domain='0x0000' bus='0x00' slot='0x09' function='0x0'/>")
            ),
            "on another bus": guest(
                disk(bus="sata", inside="<address type='drive' controller='0' bus='0' target='0' unit='3'/>")
            ),
        },
        {
            "string(devices/disk/source/@file)": "/new.img",
            "string(devices/disk/driver/@type)": "qcow2",
            "string(devices/disk/target/@bus)": "virtio",
            "count(devices/disk)": 1,
        },
        ["devices/disk[target/@dev='vda']"],
    ),
    Case(
        "replace_device",
        lambda domain: devices.replace_device(
            domain.devices[1],
            "<disk type='block' device='lun'><source dev='/dev/sdb'/><target dev='sda' bus='scsi'/></disk>",
        ),
        {
            "absent": guest(card()),
            "equal": guest(
                "<disk type='block' device='lun'><source dev='/dev/sdb'/><target dev='sda' bus='scsi'/></disk>"
            ),
            "different": guest(
                "<hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host2'/><address bus='0' target='6'"
                " unit='0'/></source><address type='drive' controller='0' bus='0' target='0' unit='1'/></hostdev>"
            ),
        },
        {"string(devices/disk/@device)": "lun", "string(devices/disk/source/@dev)": "/dev/sdb"},
        ["devices/*[2]"],
        impossible=NO_DOUBLE,
    ),
    Case(
        "remove_devices",
        lambda domain: devices.remove_devices(domain, "channel", target_name="org.example.0"),
        {
            "absent": guest(channel("org.example.1")),
            "different": guest(channel() + channel("org.example.1")),
            "doubled": guest(channel() + channel("org.example.1") + channel()),
        },
        {"count(devices/channel)": 1, "string(devices/channel/target/@name)": "org.example.1"},
        ["devices/channel[target/@name='org.example.0']"],
        impossible={"equal": "absent is what it makes"},
    ),
]

CASES: list[Case] = [*INTERFACES, *DISKS, *HOSTDEVS, *BOOT, *GRAPHICS, *CONSOLES, *DEVICES]
