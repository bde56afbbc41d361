"""The typed views of devices: which view comes for which element, and what a domain lists."""

from __future__ import annotations

import pytest

from hooking.devices import (
    Channel,
    Console,
    Controller,
    Device,
    Disk,
    Graphics,
    HostDevice,
    Interface,
    Serial,
    as_device,
)
from hooking.document import Element, parse
from hooking.domain import Domain
from hooking.exceptions import InvalidValueError

VIEWS: dict[str, type[Device]] = {
    "interface": Interface,
    "disk": Disk,
    "hostdev": HostDevice,
    "graphics": Graphics,
    "serial": Serial,
    "console": Console,
    "channel": Channel,
    "controller": Controller,
    "sound": Device,
}


def test_every_device_has_the_view_of_its_kind() -> None:
    domain = Domain(
        parse(f"<domain><devices>{''.join(f'<{tag}/><!-- -->' for tag in VIEWS)}</devices></domain>".encode())
    )
    assert {device.kind: type(device) for device in domain.devices} == VIEWS
    assert [type(as_device(device.element)) for device in domain.devices] == [*VIEWS.values()]


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("interface", "interfaces"),
        ("disk", "disks"),
        ("hostdev", "host_devices"),
        ("graphics", "graphics"),
        ("serial", "serials"),
        ("console", "consoles"),
        ("channel", "channels"),
        ("controller", "controllers"),
    ],
)
def test_a_domain_lists_the_devices_of_a_kind_in_order(tag: str, name: str) -> None:
    domain = Domain(
        parse(f"<domain><{tag}/><devices><{tag} type='a'/><sound/><{tag} type='b'/></devices></domain>".encode())
    )
    found: list[Element] = getattr(domain, name)
    assert [(type(view), view.element.get("type")) for view in found] == [(VIEWS[tag], "a"), (VIEWS[tag], "b")]
    assert getattr(Domain(parse(b"<domain/>")), name) == []


@pytest.mark.parametrize(
    ("source", "path"),
    [("<source file='/a'/>", "/a"), ("<source dev='/dev/sdb'/>", "/dev/sdb"), ("<source name='x'/>", None), ("", None)],
)
def test_the_path_of_a_disk(source: str, path: str | None) -> None:
    assert Disk(parse(f"<disk>{source}</disk>".encode())).path == path


def test_ports_of_graphics_are_ports_or_chosen_by_the_host() -> None:
    graphics = Graphics(parse(b"<graphics port='-1'/>"))
    assert graphics.port == -1
    for number in (-2, 65536):
        with pytest.raises(InvalidValueError, match="/graphics/@port: .* is not a whole number from 0 to 65535, or -1"):
            graphics.port = number
