"""`FakeHost`: a folder that stands for the root of a host, so that hooks which change hosts are tested without one."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from hooking._process import FAKE_HOST_MARK
from hooking.testing.fake_kernel import FakeKernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from typing_extensions import Self

_LOG = ".commands"


class FakeHost:
    """A folder that stands for the root of a host: files as the kernel shows them, and the programs that were put in.

    With drivers (`add_pci_device`, `add_consoles`) a process stands for the kernel: ``bind`` and ``unbind`` are pipes
    that it reads. It ends with a ``with`` block, at `close`, and with the process that made the host.

    Args:
        root: The folder; it may be there already, as another process made it.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        for folder in "run", "sys", "proc", "usr/bin":
            self.path(folder).mkdir(parents=True, exist_ok=True)
        for path in self.root, self.root / FAKE_HOST_MARK:
            path.touch()
            path.chmod(path.stat().st_mode & ~0o022)
        self._kernel = FakeKernel(self.root)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process that stands for the kernel."""
        self._kernel.close()

    def path(self, path: str) -> Path:
        """Return where the absolute ``path`` of the host lies."""
        return self.root / path.lstrip("/")

    def read(self, path: str) -> str:
        """Return what a file of the host holds."""
        return _shown(self.path(path))

    def write(self, path: str, text: str) -> None:
        """Make a file of the host, with the folders around it."""
        self.path(path).parent.mkdir(parents=True, exist_ok=True)
        self.path(path).write_text(text)

    def add_program(self, name: str, script: str) -> None:
        """Put a program on the host.

        Args:
            name: Its name.
            script: What it does, in ``sh``. Its arguments are noted first: see `commands`.
        """
        path = self.path(f"/usr/bin/{name}")
        note = f"{{ printf '%s\\t' {name} \"$@\"; echo; }} >> '{self.root}/{_LOG}'"
        path.write_text(f"#!/bin/sh\n{note}\n{script}\n")
        path.chmod(0o755)

    def add_cpus(self, count: int, governor: str = "schedutil") -> None:
        """Show ``count`` CPUs online, whose frequency ``governor``, ``performance`` or ``powersave`` governs."""
        self.write("/sys/devices/system/cpu/online", f"0-{count - 1}\n")
        for cpu in range(count):
            policy = f"/sys/devices/system/cpu/cpufreq/policy{cpu}"
            self.write(f"{policy}/scaling_available_governors", f"performance powersave {governor}\n")
            self.write(f"{policy}/scaling_governor", f"{governor}\n")
            self._link(f"/sys/devices/system/cpu/cpu{cpu}/cpufreq", policy)

    def add_nodes(self, count: int = 1, sizes: Sequence[int] = (2048, 1048576)) -> None:
        """Show NUMA nodes with empty pools of huge pages, of ``sizes`` in KiB; the first is the host's default."""
        self.write("/proc/meminfo", f"MemTotal:       24684084 kB\nHugepagesize:   {sizes[0]:>8} kB\n")
        for name in "compact_memory", "drop_caches":
            self.write(f"/proc/sys/vm/{name}", "0\n")
        tops = [f"/sys/devices/system/node/node{node}" for node in range(count)]
        if count == 1:
            self._link("/sys/kernel/mm/hugepages", f"{tops[0]}/hugepages")
        else:
            tops.append("/sys/kernel/mm")
        for top in tops:
            for size in sizes:
                for name in "nr_hugepages", "free_hugepages", "surplus_hugepages":
                    self.write(f"{top}/hugepages/hugepages-{size}kB/{name}", "0\n")

    def add_interrupts(self, affinities: Mapping[int, str], default: str = "f") -> None:
        """Show interrupts by number, each with the CPUs that it may go to, as in ``0-3``, and the default mask."""
        self.write("/proc/irq/default_smp_affinity", f"{default}\n")
        for number, cpus in affinities.items():
            self.write(f"/proc/irq/{number}/smp_affinity_list", f"{cpus}\n")

    def add_pci_device(
        self, address: str, *, driver: str | None = None, group: int | None = None, class_: str = "0x030000"
    ) -> None:
        """Plug a PCI device in, and load vfio-pci.

        Args:
            address: As in ``0000:01:00.0``.
            driver: Its driver.
            group: The number of its IOMMU group; `None` for a host without IOMMU.
            class_: Its class; by default a graphics card's.
        """
        folder = f"/sys/devices/pci0000:00/{address}"
        self.write(f"{folder}/class", f"{class_}\n")
        self.write(f"{folder}/driver_override", "(null)\n")
        if group is not None:
            members = f"/sys/kernel/iommu_groups/{group}"
            self._link(f"{members}/devices/{address}", folder)
            self._link(f"{folder}/iommu_group", members)
        self._add_device("pci", address, folder, driver, "vfio-pci")

    def add_consoles(self, framebuffer: str = "efi-framebuffer") -> None:
        """Show the dummy console, and one on the frame buffer that the firmware set up."""
        for number, bound, name in (0, 0, "(S) dummy device"), (1, 1, "(M) frame buffer device"):
            self.write(f"/sys/class/vtconsole/vtcon{number}/name", f"{name}\n")
            self.write(f"/sys/class/vtconsole/vtcon{number}/bind", f"{bound}\n")
        device = f"{framebuffer}.0"
        folder = f"/sys/devices/platform/{device}"
        self.write(f"{folder}/modalias", f"platform:{framebuffer}\n")
        self._add_device("platform", device, folder, framebuffer)

    @property
    def commands(self) -> list[list[str]]:
        """The programs that were called, each with its arguments, in order."""
        log = self.root / _LOG
        return [line.split("\t")[:-1] for line in log.read_text().splitlines()] if log.exists() else []

    def changes(self, before: Mapping[str, str]) -> list[str]:
        """Return what has changed since a `snapshot`, a line for each file, less what lies in ``/run``."""
        after = self.snapshot()
        changed = [path for path in sorted({*before, *after}) if before.get(path) != after.get(path)]
        return [
            f"/{path}: {_words(before.get(path))} → {_words(after.get(path))}"
            for path in changed
            if not path.startswith("run/")
        ]

    def snapshot(self) -> dict[str, str]:
        """Return all that is on the host: the type and content of each file, link and folder, less `commands`."""
        return dict(sorted(self._entries()))

    def _add_device(self, bus: str, device: str, folder: str, driver: str | None, *drivers: str) -> None:
        self._link(f"/sys/bus/{bus}/devices/{device}", folder)
        for each in {driver, *drivers} - {None}:
            self._kernel.add_driver(f"sys/bus/{bus}/drivers/{each}")
        if driver is not None:
            self._link(f"/sys/bus/{bus}/drivers/{driver}/{device}", folder)
            self._link(f"{folder}/driver", f"/sys/bus/{bus}/drivers/{driver}")

    def _link(self, path: str, target: str) -> None:
        link = self.path(path)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(self.path(target), link.parent))

    def _entries(self) -> Iterator[tuple[str, str]]:
        for folder, folders, files in os.walk(self.root):
            for name in folders + files:
                path = Path(folder, name)
                if path.parent != self.root or name not in (_LOG, FAKE_HOST_MARK):
                    yield str(path.relative_to(self.root)), _content(path)


def _words(content: str | None) -> str:
    return "nothing" if content is None else content.partition(" ")[2].strip() or "(empty)"


def _content(path: Path) -> str:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return f"-> {os.readlink(path)}"
    kind = f"{stat.filemode(mode)} "
    return kind + (_shown(path) if stat.S_ISREG(mode) else "")


def _shown(path: Path) -> str:
    """What a file holds, as the kernel shows it."""
    text = path.read_bytes().decode("latin-1")
    return "(null)\n" if path.name == "driver_override" and not text.strip() else text
