"""The cases of the edits that fit an incoming guest to its host."""

from __future__ import annotations

from hypothesis import strategies as st

from edit_cases import Case, guest
from hooking.edits import incoming

CHAIN = (
    "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{0}/a.qcow2'/>"
    "<backingStore type='file'><format type='qcow2'/><source file='{0}/b.qcow2'/>"
    "<backingStore type='block'><format type='raw'/><source dev='/dev/{1}'/><backingStore/></backingStore>"
    "</backingStore>"
    "<target dev='vda' bus='virtio'/></disk>"
    "<disk type='file' device='disk'><source file='{2}/c'/><target dev='vdb' bus='virtio'/></disk>"
)
BRIDGE = "<interface type='bridge'><mac address='52:54:00:00:00:0{}'/><source bridge='{}'/></interface>"
NETWORK = (
    "<interface type='network'><mac address='52:54:00:00:00:0{0}'/><source network='{1}' portgroup='p'/></interface>"
    "<graphics type='vnc' port='-1'><listen type='network' network='{1}'/></graphics>"
)
LISTEN = "<graphics type='vnc' port='-1' listen='{0}'><listen type='address' address='{0}'/>{1}</graphics>"
VNC = "<graphics type='vnc' port='-1' passwd='{}'/>"
SPICE = "<graphics type='spice' passwd='123456789'/>"
CDROM = "<disk type='file' device='cdrom'>{}<target dev='{}' bus='ide'/><readonly/></disk>"
FLOPPY = "<disk type='file' device='floppy'>{}<target dev='fda' bus='fdc'/></disk>"
OLD_PATHS = ("/srv/images", "a", "/srv/images2")
MISSING = "<source file='/nowhere/a.iso' startupPolicy='optional'/>"

paths = st.dictionaries(st.sampled_from(["/srv", "/srv/images", "/mnt"]), st.sampled_from(["/mnt", "/new", "/n/a"]))

INCOMING = [
    Case(
        "retarget_disks",
        lambda domain: incoming.retarget_disks(domain, {"/srv/images": "/mnt/i", "/srv": "/mnt/s", "/dev/a": "/dev/b"}),
        {"equal": guest(CHAIN.format("/mnt/i", "b", "/mnt/s/images2")), "different": guest(CHAIN.format(*OLD_PATHS))},
        {
            "string(devices/disk[1]/source/@file)": "/mnt/i/a.qcow2",
            "string(devices/disk[1]/backingStore/source/@file)": "/mnt/i/b.qcow2",
            "string(devices/disk[1]/backingStore/backingStore/source/@dev)": "/dev/b",
            "string(devices/disk[2]/source/@file)": "/mnt/s/images2/c",
        },
        ["devices/disk//source/@file", "devices/disk//source/@dev"],
    ),
    Case(
        "retarget_disks: any",
        lambda domain: incoming.retarget_disks(domain, {"/srv": "/mnt"}),
        {
            "absent": guest(),
            "doubled": guest(CHAIN.format(*OLD_PATHS).replace("</disk>", "<source file='/srv/x'/></disk>")),
        },
        {"count(devices/disk//source[starts-with(@file, '/srv')])": 0},
        ["devices/disk//source/@file"],
        paths.map(lambda rules: lambda domain: incoming.retarget_disks(domain, rules)),
    ),
    Case(
        "rename_bridges",
        lambda domain: incoming.rename_bridges(domain, {"br0": "br1"}),
        {
            "absent": guest(),
            "equal": guest(BRIDGE.format(1, "br1")),
            "different": guest(BRIDGE.format(1, "br0") + BRIDGE.format(2, "br2")),
            "doubled": guest(BRIDGE.format(1, "br0") + BRIDGE.format(2, "br0")),
        },
        {"count(devices/interface[source/@bridge='br0'])": 0, "count(devices/interface[not(source/@bridge)])": 0},
        ["devices/interface/source[@bridge='br0' or @bridge='br1']/@bridge"],
    ),
    Case(
        "rename_networks",
        lambda domain: incoming.rename_networks(domain, {"lan": "lan2"}),
        {"equal": guest(NETWORK.format(1, "lan2")), "different": guest(NETWORK.format(1, "lan"))},
        {
            "string(devices/interface/source/@network)": "lan2",
            "string(devices/interface/source/@portgroup)": "p",
            "string(devices/graphics/listen/@network)": "lan2",
        },
        ["devices/interface/source/@network", "devices/graphics/listen/@network"],
    ),
    Case(
        "rename_networks: any",
        lambda domain: incoming.rename_networks(domain, {"lan": "lan2", "wan": "wan2"}),
        {
            "absent": guest(BRIDGE.format(1, "lan")),
            "doubled": guest(NETWORK.format(1, "lan") + NETWORK.format(2, "wan")),
        },
        {"count(devices//*[@network='lan' or @network='wan'])": 0},
        ["devices/interface/source/@network", "devices/graphics/listen/@network"],
    ),
    Case(
        "set_listen_address",
        lambda domain: incoming.set_listen_address(domain, "192.0.2.1"),
        {
            "absent": guest("<graphics type='vnc' port='-1'/>"),
            "equal": guest(LISTEN.format("192.0.2.1", "")),
            "different": guest(LISTEN.format("192.0.2.9", "")),
            "doubled": guest(LISTEN.format("192.0.2.9", "<listen type='address' address='192.0.2.8'/>")),
        },
        {
            "string(devices/graphics/@listen)": "192.0.2.1",
            "devices/graphics/listen[1]/@address != '192.0.2.1'": False,
        },
        ["devices/graphics/@listen", "devices/graphics/listen[1]/@address"],
        st.ip_addresses().map(str).map(lambda address: lambda domain: incoming.set_listen_address(domain, address)),
    ),
    Case(
        "set_listen_address: not on an address",
        lambda domain: incoming.set_listen_address(domain, "192.0.2.1"),
        {
            "different": guest(
                "<graphics type='vnc' socket='/tmp/vnc.sock'/>"
                "<graphics type='spice'><listen type='none'/></graphics><graphics type='egl-headless'/>"
            ),
        },
        {"count(devices/graphics/@listen)": 0, "count(devices/graphics/listen/@address)": 0},
        ["devices/graphics/@listen", "devices/graphics/listen/@address"],
    ),
    Case(
        "truncate_vnc_password",
        incoming.truncate_vnc_password,
        {
            "equal": guest(VNC.format("12345678") + SPICE),
            "different": guest(VNC.format("123456789") + SPICE),
            "doubled": guest(VNC.format("123456789") + SPICE + VNC.format("123456789")),
        },
        {
            "string(devices/graphics[@type='vnc'][1]/@passwd)": "12345678",
            "string(devices/graphics[@type='vnc'][last()]/@passwd)": "12345678",
            "string(devices/graphics[@type='spice']/@passwd)": "123456789",
        },
        ["devices/graphics[@type='vnc']/@passwd"],
    ),
    Case(
        "truncate_vnc_password: there is none",
        incoming.truncate_vnc_password,
        {"absent": guest("<graphics type='vnc' port='-1'/>")},
        {"count(devices/graphics/@passwd)": 0},
        ["devices/graphics[@type='vnc']/@passwd"],
    ),
    Case(
        "eject_missing_media",
        incoming.eject_missing_media,
        {
            "absent": guest(),
            "equal": guest(CDROM.format("", "hda")),
            "different": guest(CDROM.format(MISSING, "hda") + FLOPPY.format("<source file='/nowhere/b.img'/>")),
            "doubled": guest(CDROM.format(MISSING, "hda") + CDROM.format(MISSING, "hdb")),
        },
        {"count(devices/disk/source)": 0},
        ["devices/disk/source"],
    ),
]
