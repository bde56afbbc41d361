"""A `FakeHost` with what most hosts have, for hooks that are tried before anything is known of them."""

from __future__ import annotations

from hooking.actions.pci import unmanaged_devices
from hooking.document import parse
from hooking.domain import Domain
from hooking.exceptions import DocumentError
from hooking.testing.fake_host import FakeHost
from hooking.testing.fake_programs import add_systemd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

_PROGRAMS = {
    **dict.fromkeys(("nft", "iptables", "ip6tables", "modprobe"), ""),
    "bridge": "echo '[]'",
    "ip": """case "$*" in *" show match "*) echo '[{"dst": "default", "dev": "virbr0"}]' ;; *) echo '[]' ;; esac""",
}


def usual_host(root: str | Path, document: bytes | None = None) -> FakeHost:
    """Make a host with CPUs, huge pages, interrupts, consoles, a desktop, and programs that only note their calls.

    Args:
        root: The folder.
        document: What a hook is about: of a ``<domain>`` the host has the PCI devices.
    """
    host = FakeHost(root)
    host.add_cpus(16)
    host.add_nodes(2)
    host.add_interrupts({24: "0-15", 25: "0-15"}, default="ffff")
    host.add_consoles()
    for group, address in enumerate(_devices(document)):
        host.add_pci_device(address, driver="nvidia", group=group)
    host.add_pci_device("0000:ff:00.0", driver="vfio-pci", group=99)
    host.write("/proc/sys/net/ipv4/ip_forward", "1\n")
    host.write("/proc/sys/net/ipv6/conf/all/forwarding", "1\n")
    add_systemd(host, {"display-manager.service": "active"})
    for program, script in _PROGRAMS.items():
        host.add_program(program, script)
    return host


def _devices(document: bytes | None) -> list[str]:
    try:
        root = parse(document or b"")
    except DocumentError:  # the hook will say so
        return []
    return unmanaged_devices(Domain(root)) if root.tag == "domain" else []
