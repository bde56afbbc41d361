"""Typed views of the machine that a ``<domain>`` describes: its memory, CPUs, firmware and system information.

Every property follows https://libvirt.org/formatdomain.html; its path stands in its declaration. What has no property
yet is reached through ``.element``.
"""

from __future__ import annotations

from hooking.document import Attribute, Element, Flag, own_text
from hooking.values import (
    CPU_PERIOD,
    CPU_QUOTA,
    CPUSET,
    MEMORY_UNIT,
    NAME,
    NODESET,
    NUMA_MODE,
    SWITCH,
    TEXT,
    UNSIGNED,
    YES_NO,
    choice,
    unit_bytes,
)


class Memory(Element):
    """An amount of memory: ``<memory unit='KiB'>``."""

    __slots__ = ()

    amount = Attribute("", UNSIGNED)
    unit = Attribute("@unit", MEMORY_UNIT)

    @property
    def bytes(self) -> int | None:
        """The amount in bytes, whatever the unit. It is written in KiB, rounded up, as libvirt itself does."""
        return None if self.amount is None else self.amount * unit_bytes(self.unit or "KiB")

    @bytes.setter
    def bytes(self, value: int) -> None:
        self.amount = -(-value // 1024)
        self.unit = "KiB"


class Vcpu(Element):
    """The element ``<vcpu>``: how many virtual CPUs the guest has, and where they run."""

    __slots__ = ()

    count = Attribute("", UNSIGNED)
    current = Attribute("@current", UNSIGNED)
    placement = Attribute("@placement", choice("static", "auto"))
    cpuset = Attribute("@cpuset", CPUSET)


class CpuTune(Element):
    """The element ``<cputune>``: where the guest's threads run, and how much time they get.

    Periods and quotas are microseconds; see https://libvirt.org/formatdomain.html#cpu-tuning.
    """

    __slots__ = ()

    shares = Attribute("shares", UNSIGNED)
    period = Attribute("period", CPU_PERIOD)
    quota = Attribute("quota", CPU_QUOTA)
    global_period = Attribute("global_period", CPU_PERIOD)
    global_quota = Attribute("global_quota", CPU_QUOTA)
    emulator_period = Attribute("emulator_period", CPU_PERIOD)
    emulator_quota = Attribute("emulator_quota", CPU_QUOTA)
    iothread_period = Attribute("iothread_period", CPU_PERIOD)
    iothread_quota = Attribute("iothread_quota", CPU_QUOTA)
    emulatorpin = Attribute("emulatorpin/@cpuset", CPUSET)


class NumaTune(Element):
    """The element ``<numatune>``: the host's NUMA nodes that the guest's memory is taken from."""

    __slots__ = ()

    mode = Attribute("memory/@mode", NUMA_MODE)
    nodeset = Attribute("memory/@nodeset", NODESET)
    placement = Attribute("memory/@placement", choice("static", "auto"))


class MemoryBacking(Element):
    """The element ``<memoryBacking>``: what the guest's memory is made of."""

    __slots__ = ()

    hugepages = Flag("hugepages")
    nosharepages = Flag("nosharepages")
    locked = Flag("locked")
    discard = Flag("discard")
    source = Attribute("source/@type", choice("anonymous", "file", "memfd"))
    access = Attribute("access/@mode", choice("shared", "private"))
    allocation = Attribute("allocation/@mode", choice("immediate", "ondemand"))
    allocation_threads = Attribute("allocation/@threads", UNSIGNED)


class Cpu(Element):
    """The element ``<cpu>``: the CPU that the guest sees."""

    __slots__ = ()

    mode = Attribute("@mode", choice("custom", "host-model", "host-passthrough", "maximum"))
    match = Attribute("@match", choice("minimum", "exact", "strict"))
    check = Attribute("@check", choice("none", "partial", "full"))
    migratable = Attribute("@migratable", SWITCH)
    model = Attribute("model", NAME)
    fallback = Attribute("model/@fallback", choice("allow", "forbid"))
    vendor = Attribute("vendor", NAME)
    sockets = Attribute("topology/@sockets", UNSIGNED)
    dies = Attribute("topology/@dies", UNSIGNED)
    cores = Attribute("topology/@cores", UNSIGNED)
    threads = Attribute("topology/@threads", UNSIGNED)

    @property
    def features(self) -> dict[str, str]:
        """The policy of each feature that is named, such as ``{"vmx": "require"}``."""
        found = self.element.iterchildren("feature")
        return {feature.get("name", ""): feature.get("policy", "require") for feature in found}

    @property
    def cells(self) -> int:
        """How many NUMA cells the guest has; libvirt numbers them from 0, without gaps."""
        return len(self.element.findall("numa/cell"))


class Features(Element):
    """The element ``<features>``: what the hypervisor offers the guest."""

    __slots__ = ()

    acpi = Flag("acpi")
    apic = Flag("apic")
    pae = Flag("pae")
    hap = Attribute("hap/@state", SWITCH)
    kvm_hidden = Attribute("kvm/hidden/@state", SWITCH)
    hyperv_mode = Attribute("hyperv/@mode", choice("custom", "passthrough"))
    hyperv_vendor_id = Attribute("hyperv/vendor_id/@value", TEXT)
    pmu = Attribute("pmu/@state", SWITCH)
    vmport = Attribute("vmport/@state", SWITCH)
    smm = Attribute("smm/@state", SWITCH)
    ioapic = Attribute("ioapic/@driver", choice("kvm", "qemu"))
    vmcoreinfo = Attribute("vmcoreinfo/@state", SWITCH)


class Os(Element):
    """The element ``<os>``: the machine, and what boots it."""

    __slots__ = ()

    type = Attribute("type", TEXT)
    arch = Attribute("type/@arch", TEXT)
    machine = Attribute("type/@machine", TEXT)
    firmware = Attribute("@firmware", choice("bios", "efi"))
    loader = Attribute("loader", TEXT)
    loader_type = Attribute("loader/@type", choice("rom", "pflash"))
    loader_secure = Attribute("loader/@secure", YES_NO)
    nvram = Attribute("nvram", TEXT)
    nvram_template = Attribute("nvram/@template", TEXT)
    kernel = Attribute("kernel", TEXT)
    initrd = Attribute("initrd", TEXT)
    cmdline = Attribute("cmdline", TEXT)
    bootmenu = Attribute("bootmenu/@enable", YES_NO)
    smbios_mode = Attribute("smbios/@mode", choice("emulate", "host", "sysinfo"))

    @property
    def boot_devices(self) -> list[str]:
        """What the firmware tries, in order: ``fd``, ``hd``, ``cdrom``, ``network``."""
        return [boot.get("dev", "") for boot in self.element.iterchildren("boot")]


class Sysinfo(Element):
    """The element ``<sysinfo type='smbios'>``: what the guest's SMBIOS tables say."""

    __slots__ = ()

    type = Attribute("@type", choice("smbios", "fwcfg"))

    def find(self, section: str, name: str) -> str | None:
        """Return the entry ``name`` of a section such as ``system``, or `None`."""
        entries = self.element.iterfind(f"{section}/entry")
        return next((own_text(entry) or "" for entry in entries if entry.get("name") == name), None)
