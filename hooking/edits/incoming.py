"""Fitting an incoming guest to this host, at ``qemu/migrate``, ``qemu/restore`` and ``libxl/migrate``.

Before libvirt goes on with the changed guest it compares what the guest itself can see: a device cannot be added or
removed there (but for graphics and leases, which ``domain.element`` reaches), while paths, names and addresses of the
host are free. See https://libvirt.org/hooks.html.
"""

from __future__ import annotations

import os

from hooking.document import find, remove
from hooking.exceptions import InvalidValueError
from hooking.values import NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hooking.domain import Domain

_PATHS = ("file", "dev", "dir")
_PASSWORD_BYTES = 8
_LISTENING = ("vnc", "spice", "rdp")


def retarget_disks(domain: Domain, paths: Mapping[str, str]) -> None:
    """Move the files and devices behind the guest's disks, and those of their backing chains and mirrors.

    ``{"/srv/images": "/mnt/images"}`` makes of ``<source file='/srv/images/a.qcow2'/>``
    ``<source file='/mnt/images/a.qcow2'/>``. See https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms.

    Args:
        domain: The guest.
        paths: For a path here, or for a folder all that is in it, the path there. The longest that fits counts.

    Raises:
        InvalidValueError: A path is empty, or lies where another rule would move it again.
    """
    rules = {old.rstrip("/"): NAME.read(new).rstrip("/") for old, new in paths.items()}
    for new in rules.values():
        for old in rules:
            if _is_in(new, old) or _is_in(old, new):
                raise InvalidValueError(f"{new!r} and {old!r} overlap: a second run of the hook would move disks again")
    for source in domain.element.iterfind("devices/disk//*"):
        for attribute in _PATHS if source.tag in ("source", "mirror") else ():
            path = source.get(attribute)
            rule = max((old for old in rules if path and _is_in(path, old)), key=len, default=None)
            if path and rule is not None:
                source.set(attribute, rules[rule] + path[len(rule) :])


def rename_bridges(domain: Domain, names: Mapping[str, str]) -> None:
    """Plug the guest's cards into this host's bridges: ``{"br0": "br1"}`` for ``<source bridge='br0'/>``.

    See https://libvirt.org/formatdomain.html#bridge-to-lan.

    Raises:
        InvalidValueError: A new name is empty, or is renamed itself.
    """
    _rename(domain, names, "bridge", "interface[@type='bridge']/source")


def rename_networks(domain: Domain, names: Mapping[str, str]) -> None:
    """Plug the guest's cards into this host's networks: ``{"lan": "lan2"}`` for ``<source network='lan'/>``.

    Graphics that listen on a network follow. See https://libvirt.org/formatdomain.html#virtual-network.

    Raises:
        InvalidValueError: A new name is empty, or is renamed itself.
    """
    _rename(domain, names, "network", "interface[@type='network']/source", "graphics/listen[@type='network']")


def set_listen_address(domain: Domain, address: str) -> None:
    """Let the guest's graphics listen on another address.

    ``<graphics type='vnc' listen='192.0.2.1'><listen type='address' address='192.0.2.1'/></graphics>``.
    Graphics that listen on a socket, on a network or not at all stay as they are.
    See https://libvirt.org/formatdomain.html#graphical-framebuffers.

    Raises:
        InvalidValueError: The address is empty.
    """
    NAME.read(address)
    for graphics in domain.element.iterfind("devices/graphics"):
        listen = find(graphics, "listen")
        by_element = listen is not None and listen.get("type") == "address"
        by_attribute = listen is None and graphics.get("socket") is None and graphics.get("type") in _LISTENING
        if by_element or by_attribute:
            graphics.set("listen", address)
        if listen is not None and by_element:
            listen.set("address", address)


def truncate_vnc_password(domain: Domain) -> None:
    """Cut the password of VNC to the 8 bytes that QEMU looks at: ``<graphics type='vnc' passwd='…'/>``.

    Newer versions of libvirt refuse a longer one, which an older host let pass.
    See https://libvirt.org/formatdomain.html#graphical-framebuffers.
    """
    for graphics in domain.element.iterfind("devices/graphics[@type='vnc'][@passwd]"):
        graphics.set("passwd", graphics.get("passwd", "").encode()[:_PASSWORD_BYTES].decode(errors="ignore"))


def eject_missing_media(domain: Domain, is_present: Callable[[str], bool] = os.path.exists) -> None:
    """Take the medium out of each CD-ROM and floppy drive whose file or device this host lacks; the drive stays.

    See https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms.

    Args:
        domain: The guest.
        is_present: Tells whether this host has a path.
    """
    for disk in domain.disks:
        path = disk.source_file or disk.source_dev
        if disk.device in ("cdrom", "floppy") and path and not is_present(path):
            for element in list(disk.element.iterchildren("source", "backingStore")):
                remove(element)


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")


def _rename(domain: Domain, names: Mapping[str, str], attribute: str, *paths: str) -> None:
    for new in map(NAME.read, names.values()):
        if new in names:
            raise InvalidValueError(f"{new!r} is renamed itself: a second run of the hook would rename it again")
    for path in paths:
        for element in domain.element.iterfind(f"devices/{path}"):
            name = element.get(attribute, "")
            if name in names:
                element.set(attribute, names[name])
