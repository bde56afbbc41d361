"""The cases of the edits of disks and drives."""

from __future__ import annotations

from hypothesis import strategies as st

from edit_cases import Case, calls, disk, guest, of_first
from hooking.edits import disks

DISKS = [
    Case(
        "add_disk",
        lambda domain: disks.add_disk(domain, "/a.img", "qcow2", bus="virtio"),
        {
            "absent": guest(disk(file="/b.img")),
            "equal": guest(disk("vdb", driver="<driver type='qcow2'/>") + disk(file="/b.img")),
            "different": guest(
                disk("sda", bus="sata", inside="<serial>7</serial><address type='drive' controller='0' unit='1'/>")
                + disk(file="/b.img")
            ),
            "doubled": guest(disk("vdb", inside="<source file='/c.img'/>") + disk(file="/b.img")),
        },
        {
            "string(devices/disk[source/@file='/a.img']/target/@dev)": "vdb",
            "string(devices/disk[source/@file='/a.img']/target/@bus)": "virtio",
            "string(devices/disk[source/@file='/a.img']/driver/@type)": "qcow2",
            "count(devices/disk)": 2,
        },
        ["devices/disk[source/@file='/a.img']"],
        calls(disks.add_disk, st.just("/a.img"), st.sampled_from(["raw", "qcow2"])),
    ),
    Case(
        "add_disk: a block device",
        lambda domain: disks.add_disk(domain, "/dev/sdb", bus="scsi", target="sdc"),
        {
            "absent": guest(),
            "equal": guest(
                "<disk type='block' device='disk'><driver type='raw'/><source dev='/dev/sdb'/>"
                "<target dev='sdc' bus='scsi'/></disk>"
            ),
        },
        {
            "string(devices/disk/@type)": "block",
            "string(devices/disk/source/@dev)": "/dev/sdb",
            "string(devices/disk/target/@dev)": "sdc",
            "string(devices/disk/target/@bus)": "scsi",
        },
        ["devices/disk[source/@dev='/dev/sdb']"],
    ),
    Case(
        "add_cdrom",
        lambda domain: disks.add_cdrom(domain, "https://example.org/a/b.iso?x=1"),
        {
            "absent": guest(disk("hda", bus="ide")),
            "equal": guest(
                "<disk type='network' device='cdrom'><driver type='raw'/><source protocol='https' name='a/b.iso'"
                " query='x=1'><host name='example.org' port='443'/></source><target dev='hdb' bus='ide'/><readonly/>"
                "</disk>" + disk("hda", bus="ide")
            ),
            "different": guest(
                "<disk type='network' device='cdrom'><driver name='qemu'/><source protocol='https' name='a/b.iso'"
                " query='x=1'><host name='example.org' port='443'/></source><target dev='hdb' bus='ide'/></disk>"
                + disk("hda", bus="ide")
            ),
            "doubled": guest(
                "<disk type='network' device='cdrom'><source protocol='https' name='a/b.iso' query='x=1'>"
                "<host name='example.org' port='443'/></source><source protocol='http' name='x'/>"
                "<target dev='hdb' bus='ide'/></disk>" + disk("hda", bus="ide")
            ),
        },
        {
            "string(devices/disk[@device='cdrom']/@type)": "network",
            "string(devices/disk[@device='cdrom']/source/@protocol)": "https",
            "string(devices/disk[@device='cdrom']/source/@name)": "a/b.iso",
            "string(devices/disk[@device='cdrom']/source/@query)": "x=1",
            "string(devices/disk[@device='cdrom']/source/host/@name)": "example.org",
            "string(devices/disk[@device='cdrom']/source/host/@port)": "443",
            "string(devices/disk[@device='cdrom']/target/@dev)": "hdb",
            "count(devices/disk[@device='cdrom']/readonly)": 1,
            "count(devices/disk)": 2,
        },
        ["devices/disk[@device='cdrom' and source/@query='x=1']"],
    ),
    Case(
        "add_floppy",
        lambda domain: disks.add_floppy(domain, "/f.img"),
        {
            "absent": guest(),
            "equal": guest(disk("fda", file="/f.img", bus="fdc", device="floppy")),
            "different": guest(disk("fda", file="/f.img", bus="fdc", device="floppy", driver="")),
            "doubled": guest(
                disk(
                    "fda",
                    file="/f.img",
                    bus="fdc",
                    device="floppy",
                    driver="<driver name='qemu'/><driver type='qcow2'/>",
                    inside="<target dev='fdb' bus='fdc'/>",
                )
            ),
        },
        {
            "string(devices/disk[@device='floppy']/source/@file)": "/f.img",
            "string(devices/disk[@device='floppy']/target/@dev)": "fda",
            "string(devices/disk[@device='floppy']/driver/@type)": "raw",
            "count(devices/disk)": 1,
        },
        ["devices/disk[@device='floppy' and source/@file='/f.img']"],
        calls(disks.add_floppy, st.just("/f.img")),
    ),
    Case(
        "set_disk_driver",
        lambda domain: disks.set_disk_driver(
            domain.disks[0], cache="none", io="native", discard="unmap", detect_zeroes="unmap", iothread=1
        ),
        {
            "absent": guest(disk(driver=""), elements="<iothreads>1</iothreads>"),
            "equal": guest(
                disk(
                    driver="<driver name='qemu' type='raw' cache='none' io='native' discard='unmap'"
                    " detect_zeroes='unmap' iothread='1'/>"
                ),
                elements="<iothreads>1</iothreads>",
            ),
            "different": guest(
                disk(driver="<driver name='qemu' type='qcow2' cache='writeback' discard='ignore'/>"),
                elements="<iothreads>1</iothreads>",
            ),
            "doubled": guest(
                disk(driver="<driver type='raw' cache='writeback'/><driver type='qcow2' cache='unsafe'/>"),
                elements="<iothreads>1</iothreads>",
            ),
        },
        {
            "string(devices/disk/driver/@cache)": "none",
            "string(devices/disk/driver/@io)": "native",
            "string(devices/disk/driver/@discard)": "unmap",
            "string(devices/disk/driver/@detect_zeroes)": "unmap",
            "string(devices/disk/driver/@iothread)": "1",
            "count(devices/disk/driver)": 1,
        },
        ["devices/disk[1]/driver"],
        st.fixed_dictionaries(
            {},
            optional={
                "cache": st.sampled_from(["none", "writeback", None]),
                "io": st.sampled_from(["native", "threads", None]),
                "discard": st.sampled_from(["unmap", "ignore", None]),
                "error_policy": st.sampled_from(["stop", "enospace"]),
                "iothread": st.integers(0, 3),
            },
        ).map(lambda options: lambda domain: of_first("disks", disks.set_disk_driver)(domain, **options)),
    ),
]
