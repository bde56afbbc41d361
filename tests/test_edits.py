"""The edits: what comes out, twice is once, and what is refused."""

from __future__ import annotations

import pytest
from lxml import etree

import hooking
from hooking import Domain, HookContext, Interface
from hooking.document import child, parse
from support import DOMAIN


def guest(xml: str = DOMAIN) -> Domain:
    return Domain(parse(xml.encode()))


def xml(view: hooking.Domain | Interface) -> str:
    return etree.tostring(view.element, encoding="unicode")


def test_set_cpuset() -> None:
    domain = guest()
    hooking.set_cpuset(domain, "1-4,^3")
    once = xml(domain)
    assert (domain.vcpu.cpuset, domain.vcpu.placement, domain.vcpu.count) == ("1-4,^3", "static", 2)
    hooking.set_cpuset(domain, "1-4,^3")
    assert xml(domain) == once


def test_set_cpuset_where_placement_is_automatic_or_the_element_absent() -> None:
    domain = guest(DOMAIN.replace("placement='static'", "placement='auto' cpuset='7'"))
    hooking.set_cpuset(domain, "0")
    assert (domain.vcpu.cpuset, domain.vcpu.placement) == ("0", "static")
    domain = guest("<domain><name>x</name></domain>")
    hooking.set_cpuset(domain, "0")
    assert '<vcpu cpuset="0">1</vcpu>' in xml(domain)


def test_set_cpuset_checks_before_it_touches() -> None:
    domain = guest()
    before = xml(domain)
    with pytest.raises(hooking.InvalidValueError, match=r"/domain/vcpu/@cpuset: 'x' is not a set of CPUs"):
        hooking.set_cpuset(domain, "x")
    assert xml(domain) == before


def test_set_cpuset_needs_a_cpuset() -> None:
    domain = guest()
    hooking.set_cpuset(domain, "1")
    before = xml(domain)
    with pytest.raises(hooking.InvalidValueError, match="^/domain/vcpu/@cpuset: '' is not a set of CPUs"):
        hooking.set_cpuset(domain, None)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert xml(domain) == before


def test_pin_vcpu_adds_replaces_and_leaves_one() -> None:
    domain = guest(DOMAIN.replace("<devices>", "<cputune><shares>9</shares></cputune><devices>"))
    hooking.pin_vcpu(domain, 1, "2-3")
    hooking.pin_vcpu(domain, 1, "4")
    hooking.pin_vcpu(domain, 0, "5")
    assert '<cputune><shares>9</shares><vcpupin vcpu="1" cpuset="4"/><vcpupin vcpu="0" cpuset="5"/></cputune>' in xml(
        domain
    )
    doubled = "<cputune><vcpupin vcpu='0' cpuset='1'/><vcpupin vcpu='0' cpuset='2'/></cputune>"
    domain = guest(DOMAIN.replace("<devices>", f"{doubled}<devices>"))
    hooking.pin_vcpu(domain, 0, "3")
    assert '<cputune><vcpupin vcpu="0" cpuset="3"/></cputune>' in xml(domain)


def test_pin_vcpu_refuses_what_libvirt_would_ignore() -> None:
    domain = guest()
    for number in (2, -1):
        with pytest.raises(
            hooking.InvalidValueError, match=f"no virtual CPU {number}; the guest has 2, counted from 0"
        ):
            hooking.pin_vcpu(domain, number, "0")
    with pytest.raises(hooking.InvalidValueError, match="'x' is not a set of CPUs"):
        hooking.pin_vcpu(domain, 0, "x")
    assert domain.element.find("cputune") is None


def test_add_interface_makes_a_card_that_is_the_same_at_every_start() -> None:
    domain = guest()
    card = hooking.add_interface(domain, "network", "lan")
    once = xml(domain)
    assert (card.type, card.source_network, card.source_bridge, card.model) == ("network", "lan", None, "virtio")
    assert (card.mac or "").startswith("52:54:00:")
    hooking.add_interface(domain, "network", "lan")
    assert xml(domain) == once
    assert hooking.add_interface(guest(), "network", "lan").mac == card.mac
    assert hooking.add_interface(domain, "network", "other").mac != card.mac
    assert len(domain.interfaces) == 3


def test_add_interface_changes_the_card_with_that_mac_in_any_case() -> None:
    domain = guest()
    card = hooking.add_interface(domain, "network", "lan", mac="52:54:00:4A:23:01", model="e1000e")
    assert domain.interfaces == [card]
    assert (card.type, card.source_network, card.source_bridge, card.model) == ("network", "lan", None, "e1000e")
    hooking.add_interface(domain, "bridge", "br1", mac="52:54:00:4a:23:01")
    assert (card.type, card.source_network, card.source_bridge) == ("bridge", None, "br1")


def test_add_interface_leaves_nothing_of_where_the_card_was_plugged() -> None:
    domain = guest(
        "<domain><name>x</name><devices><interface type='direct'><mac address='52:54:00:01:02:03'/>"
        "<source dev='eth0' mode='vepa'/><virtualport type='802.1Qbg'/><boot order='1'/></interface></devices></domain>"
    )
    card = hooking.add_interface(domain, "network", "lan", mac="52:54:0:1:2:3")
    assert domain.interfaces == [card]
    assert xml(domain).count("source") == 1
    assert (card.source_network, card.source_dev, card.boot_order) == ("lan", None, 1)
    assert "virtualport" not in xml(domain)
    child(card.element, "source").set("portgroup", "p")
    before = xml(domain)
    hooking.add_interface(domain, "network", "lan", mac="52:54:00:01:02:03")
    assert xml(domain) == before


def test_add_interface_makes_devices_where_there_are_none() -> None:
    domain = guest("<domain><name>x</name></domain>")
    hooking.add_interface(domain, "bridge", "br0")
    assert [card.source_bridge for card in domain.interfaces] == ["br0"]


def test_add_interface_checks_before_it_touches() -> None:
    domain = guest()
    before = xml(domain)
    with pytest.raises(hooking.InvalidValueError, match="is not the MAC address"):
        hooking.add_interface(domain, "network", "lan", mac="x")
    for name in ("l\0n", ""):
        with pytest.raises(hooking.InvalidValueError, match="is not a name that XML can hold"):
            hooking.add_interface(domain, "network", name)
    with pytest.raises(hooking.InvalidValueError, match="'user' is not one of network, bridge"):
        hooking.add_interface(domain, "user", "x")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert xml(domain) == before


def test_remove_interface_by_mac_in_any_case() -> None:
    domain = guest()
    hooking.remove_interface(domain, "52:54:00:00:00:00")
    assert len(domain.interfaces) == 1
    hooking.remove_interface(domain, "52:54:00:4A:23:01")
    hooking.remove_interface(domain, "52:54:00:4A:23:01")
    assert domain.interfaces == []
    with pytest.raises(hooking.InvalidValueError):
        hooking.remove_interface(domain, "x")


def test_find_interface() -> None:
    domain = guest()
    assert hooking.find_interface(domain, "52:54:00:4A:23:01") == domain.interfaces[0]
    assert hooking.find_interface(domain, "52:54:00:00:00:00") is None


def test_remove_filter_by_name_or_all() -> None:
    def card() -> Interface:
        return Interface(
            parse(b"<interface><filterref filter='a'/><filterref filter='b'/><filterref filter='a'/></interface>")
        )

    interface = card()
    hooking.remove_filter(interface, "a")
    hooking.remove_filter(interface, "a")
    assert xml(interface) == '<interface><filterref filter="b"/></interface>'
    interface = card()
    hooking.remove_filter(interface)
    assert xml(interface) == "<interface/>"


@pytest.mark.parametrize(
    ("block", "driver", "op"),
    [
        (hooking.block_migration, "qemu", "migrate"),
        (hooking.block_migration, "libxl", "migrate"),
        (hooking.block_migration, "vdsm", "before_vm_migrate_source"),
        (hooking.block_migration, "vdsm", "before_device_migrate_destination"),
        (hooking.block_start, "qemu", "prepare"),
        (hooking.block_start, "bhyve", "start"),
        (hooking.block_start, "vdsm", "before_vm_start"),
        (hooking.refuse, "network", "port-created"),
        (hooking.refuse, "qemu", "reconnect"),
        (hooking.refuse, "vdsm", "before_nic_hotplug"),
    ],
)
def test_refusals_where_the_host_heeds_them(block: object, driver: str, op: str) -> None:
    assert callable(block)
    with pytest.raises(hooking.Refusal, match="^because$"):
        block(HookContext(driver, op), "because")


def test_blocking_where_it_cannot_be_done_names_the_points_that_can() -> None:
    with pytest.raises(hooking.PointError) as caught:
        hooking.block_migration(HookContext("qemu", "prepare"), "x")
    assert str(caught.value) == "qemu/prepare cannot block a migration; these can: qemu/migrate, libxl/migrate"
    with pytest.raises(
        hooking.PointError, match="after_vm_start cannot block a start; these can: before_vm_start, before_dev"
    ):
        hooking.block_start(HookContext("vdsm", "after_vm_start"), "x")
    with pytest.raises(hooking.PointError, match="qemu/started cannot block a start"):
        hooking.block_start(HookContext("qemu", "started"), "x")
    with pytest.raises(
        hooking.PointError, match="qemu/stopped cannot refuse anything: the host ignores a failure there"
    ):
        hooking.refuse(HookContext("qemu", "stopped"), "x")
