"""Where the virtual CPUs of a guest run."""

from __future__ import annotations

from lxml import etree

from hooking.document import child, remove
from hooking.exceptions import InvalidValueError
from hooking.values import CPUSET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.domain import Domain


def set_cpuset(domain: Domain, cpuset: str) -> None:
    """Pin the guest to the host's CPUs ``cpuset``: ``<vcpu placement='static' cpuset='1-4,^3'>2</vcpu>``.

    Automatic placement, which would make libvirt ignore the set, becomes static.
    See https://libvirt.org/formatdomain.html#cpu-allocation.

    Args:
        domain: The guest.
        cpuset: The CPUs, as in ``1-4,^3,6``.

    Raises:
        InvalidValueError: The CPU set is none.
    """
    vcpu = domain.vcpu
    vcpu.cpuset = cpuset or ""  # None, as of a property that is not set, would remove it
    if vcpu.placement == "auto":
        vcpu.placement = "static"
    if vcpu.count is None:
        vcpu.count = 1


def pin_vcpu(domain: Domain, vcpu: int, cpuset: str) -> None:
    """Pin one virtual CPU: ``<cputune><vcpupin vcpu='0' cpuset='2-3'/></cputune>``, in the place of an earlier pinning.

    See https://libvirt.org/formatdomain.html#cpu-tuning.

    Args:
        domain: The guest.
        vcpu: The number of the virtual CPU, from 0.
        cpuset: The host's CPUs for it.

    Raises:
        InvalidValueError: The CPU set is none, or the guest has no such virtual CPU (libvirt would ignore the pinning).
    """
    CPUSET.read(cpuset)
    count = domain.vcpu.count or 1
    if not 0 <= vcpu < count:
        raise InvalidValueError(
            f"{domain.vcpu.xpath}: there is no virtual CPU {vcpu}; the guest has {count}, counted from 0"
        )
    pins = domain.element.findall(f"cputune/vcpupin[@vcpu='{vcpu}']")
    if not pins:
        pins = [etree.SubElement(child(domain.element, "cputune"), "vcpupin", vcpu=str(vcpu))]
    pins[0].set("cpuset", cpuset)
    for extra in pins[1:]:  # libvirt refuses a second one
        remove(extra)
