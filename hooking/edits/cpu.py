"""The CPU of a guest: what it sees, and which of the host's CPUs its threads run on."""

from __future__ import annotations

from hooking.document import find, merged_child, only_child, remove
from hooking.exceptions import InvalidValueError
from hooking.values import CPUSET, NAME, choice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from hooking.domain import Domain
    from hooking.machine import Cpu

_POLICY = choice("force", "require", "optional", "disable", "forbid")
_MODE = choice("host-model", "host-passthrough", "maximum")
_FALLBACK = choice("allow", "forbid")


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
    count = domain.vcpu.count or 1
    if type(vcpu) is not int or not 0 <= vcpu < count:
        raise InvalidValueError(
            f"{domain.vcpu.xpath}: there is no virtual CPU {vcpu}; the guest has {count}, counted from 0"
        )
    _pin(domain, cpuset, "vcpupin", vcpu=str(vcpu))


def pin_emulator(domain: Domain, cpuset: str) -> None:
    """Pin the threads of QEMU that are no virtual CPUs: ``<cputune><emulatorpin cpuset='0-1'/></cputune>``.

    See https://libvirt.org/formatdomain.html#cpu-tuning.

    Raises:
        InvalidValueError: The CPU set is none.
    """
    _pin(domain, cpuset, "emulatorpin")


def pin_iothread(domain: Domain, iothread: int, cpuset: str) -> None:
    """Pin one I/O thread: ``<cputune><iothreadpin iothread='1' cpuset='5'/></cputune>``.

    See https://libvirt.org/formatdomain.html#cpu-tuning.

    Args:
        domain: The guest.
        iothread: The number of the I/O thread, from 1.
        cpuset: The host's CPUs for it.

    Raises:
        InvalidValueError: The CPU set is none, or the guest has no such I/O thread.
    """
    numbers = domain.iothread_ids
    if iothread not in numbers:
        known = f"it has {', '.join(map(str, numbers))}" if numbers else "set iothreads first"
        raise InvalidValueError(f"{domain.xpath}: the guest has no I/O thread {iothread}; {known}")
    _pin(domain, cpuset, "iothreadpin", iothread=str(iothread))


def set_cpu_mode(domain: Domain, mode: Literal["host-model", "host-passthrough", "maximum"]) -> None:
    """Let the guest see the host's CPU, or all that the hypervisor can give: ``<cpu mode='host-passthrough'/>``.

    A model, its vendor and how it is matched go; features stay.
    See https://libvirt.org/formatdomain.html#cpu-model-and-topology.

    Args:
        domain: The guest.
        mode: ``host-model``, ``host-passthrough`` or ``maximum``; for a named model there is `set_cpu_model`.

    Raises:
        InvalidValueError: The mode is none of these.
    """
    cpu = domain.cpu
    cpu.mode = _MODE.read(mode)
    cpu.match = None
    if mode == "host-model":
        _leave_the_hosts_own(cpu)
    for element in list(cpu.element.iterchildren("model", "vendor")):
        remove(element)


def set_cpu_model(domain: Domain, model: str, *, fallback: Literal["allow", "forbid"] = "allow") -> None:
    """Give the guest a CPU of a named model, in the place of another model or of the host's.

    ``<cpu mode='custom' match='exact'><model fallback='allow'>Nehalem</model></cpu>``.
    See https://libvirt.org/formatdomain.html#cpu-model-and-topology.

    Args:
        domain: The guest.
        model: A name that ``virsh cpu-models`` lists.
        fallback: Whether a hypervisor that lacks the model may take the closest one.

    Raises:
        InvalidValueError: The model is no name, or ``fallback`` is none of its words.
    """
    NAME.read(model)
    _FALLBACK.read(fallback)
    cpu = domain.cpu
    cpu.mode = "custom"
    cpu.match = cpu.match or "exact"
    _leave_the_hosts_own(cpu)
    if cpu.model != model:
        cpu.vendor = None  # that of the other model
    cpu.model = model
    cpu.fallback = fallback


def set_cpu_feature(
    domain: Domain, name: str, policy: Literal["force", "require", "optional", "disable", "forbid"] = "require"
) -> None:
    """Ask for a feature of the CPU, or take it away: ``<cpu><feature name='vmx' policy='require'/></cpu>``.

    A guest without ``<cpu>`` gets ``<cpu mode='host-model'>``.
    See https://libvirt.org/formatdomain.html#cpu-model-and-topology.

    Args:
        domain: The guest.
        name: The feature, as in ``virsh capabilities``.
        policy: What libvirt makes of it.

    Raises:
        InvalidValueError: The policy is none, or the CPU has neither a model nor a mode that gives one.
    """
    NAME.read(name)
    _POLICY.read(policy)
    if find(domain.element, "cpu") is None:
        domain.cpu.mode = "host-model"
    cpu = domain.cpu
    if cpu.mode in (None, "custom") and not cpu.model:
        raise InvalidValueError(
            f"{cpu.xpath}: the feature {name} needs a CPU model; call set_cpu_model or set_cpu_mode first"
        )
    only_child(cpu.element, "feature", name=name).set("policy", policy)


def remove_cpu_feature(domain: Domain, name: str) -> None:
    """Say nothing of a feature of the CPU any more: remove ``<feature name='vmx' policy='…'/>``."""
    for feature in list(domain.cpu.element.iterchildren("feature")):
        if feature.get("name") == name:
            remove(feature)


def _pin(domain: Domain, cpuset: str, tag: str, **thread: str) -> None:
    CPUSET.read(cpuset)
    only_child(merged_child(domain.element, "cputune"), tag, **thread).set("cpuset", cpuset)


def _leave_the_hosts_own(cpu: Cpu) -> None:
    """Remove what libvirt accepts only where the guest has the host's own CPU."""
    cpu.migratable = None
    for cache in list(cpu.element.iterchildren("cache")):
        if cache.get("mode") == "passthrough":
            remove(cache)
