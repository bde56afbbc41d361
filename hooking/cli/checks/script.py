"""The script that is checked: its text, its interpreter, and where a host calls it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hooking import host, points
from hooking.cli.bundling import source_of
from hooking.exceptions import InvocationError
from hooking.testing.private_folder import read_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from hooking.points import Point

_VDSM_WORDS = re.compile(r"_hook_domxml|_hook_json|\b(read|write)_(domxml|json)\b|\bimport\s+vdsm\b|\bfrom\s+vdsm\b")
_ARGUMENTS = re.compile(r"sys\.argv\[(1:|2\])|\$\{?2\b")
_REGISTERED = re.compile(r"^@\w+\.(qemu|lxc|libxl|bhyve|network|daemon|vdsm)\(\s*([^)]*)\)", re.MULTILINE)
_NAME = re.compile(r"""["']([a-z_-]+)["']""")


@dataclass(frozen=True)
class Script:
    """A script.

    Attributes:
        path: Where it lies.
        data: What it holds.
        points: Where it is called, as far as that can be told; else where it most likely is.
        sure: Whether its place or the user tells.
        bundled: Whether it lies in a bundle, which has all that it imports.
    """

    path: Path
    data: bytes
    points: tuple[Point, ...]
    sure: bool
    bundled: bool = False

    @property
    def text(self) -> str:
        """Its text; of an archive that Python runs, the first line."""
        return _text(self.data)

    @property
    def is_archive(self) -> bool:
        """Whether it is an archive that Python runs, and nothing to read."""
        return _is_archive(self.data)

    @property
    def shebang(self) -> list[str]:
        """The interpreter and its argument or arguments, from the first line; empty if there is none."""
        first = self.text.split("\n", 1)[0]
        return first[2:].split() if first.startswith("#!") else []

    @property
    def interpreter(self) -> str:
        """The name of the interpreter; empty if there is none."""
        words = [word for word in self.shebang if not word.startswith("-")]
        names = [word.rpartition("/")[2] for word in words]
        if names[:1] == ["env"]:
            names = [name for name in names[1:] if "=" not in name]
        return names[0] if names else ""

    @property
    def is_python(self) -> bool:
        """Whether it is for Python; without an interpreter its name tells."""
        if not self.interpreter:
            return self.path.suffix == ".py"
        return self.interpreter.startswith(("python", "platform-python"))

    @property
    def is_shell(self) -> bool:
        """Whether it is for a shell that POSIX would know."""
        return self.interpreter in {"sh", "bash", "dash", "ksh", "ash"}

    @property
    def under_libvirt(self) -> bool:
        """Whether libvirt may call it."""
        return any(point.host == "libvirt" for point in self.points)

    @property
    def under_vdsm(self) -> bool:
        """Whether VDSM may call it."""
        return any(point.host == "vdsm" for point in self.points)

    @property
    def is_for_daemon(self) -> bool:
        """Whether libvirt calls it about its daemon, and no guest or network is being started."""
        return all(point.driver == "daemon" for point in self.points)

    @property
    def has_input(self) -> bool:
        """Whether there is something on its standard input, as far as that can be told."""
        return not self.sure or any(point.host == "libvirt" and point.document for point in self.points)

    @property
    def filter_ops(self) -> frozenset[str]:
        """The operations of libvirt whose answer is standard output."""
        return frozenset(point.op for point in self.points if point.reply == "stdout")


def load(path: Path, host_name: str | None = None, point: Point | None = None) -> Script:
    """Read a script, and tell where it is called.

    Args:
        path: The script.
        host_name: ``libvirt`` or ``vdsm``, if the user says so.
        point: The hook point, if the user says so.

    Raises:
        HookError: It is no regular file, or too large.
        OSError: It cannot be read.
    """
    whole = read_regular(path)
    data = source_of(whole)
    place, sure = ((point,), True) if point else _called_at(path, data, host_name)
    return Script(path, data, place, sure, bundled=data != whole)


def _called_at(path: Path, data: bytes, host_name: str | None) -> tuple[tuple[Point, ...], bool]:
    """Return where a script is called, and whether its place tells."""
    try:
        driver, op = host.called_as(str(path), {})
    except InvocationError:
        return _likely(_text(data), host_name), False
    return (points.find("vdsm", op),) if driver == "vdsm" else _of(driver), not place_above(path)


def _is_archive(data: bytes) -> bool:
    return data.partition(b"\n")[2].startswith(b"PK\x03\x04")


def _text(data: bytes) -> str:
    data = data.partition(b"\n")[0] if _is_archive(data) else data
    return data.decode("utf-8", "replace").replace("\r\n", "\n")


def place_above(path: Path) -> Path | None:
    """Return the folder of hooks in whose folders a script lies; `None` if it lies where a host looks itself."""
    return None if is_at_place(path) else next(filter(_is_place, list(path.absolute().parents)[:-1]), None)


def is_at_place(path: Path) -> bool:
    """Tell whether a script lies where a host looks."""
    return path.name in points.DRIVERS or _is_place(path.absolute().parent)


def _is_place(folder: Path) -> bool:
    driver, _, suffix = folder.name.rpartition(".")
    return points.is_known("vdsm", folder.name) or (suffix == "d" and driver in points.DRIVERS)


def _of(driver: str) -> tuple[Point, ...]:
    return tuple(point for point in points.all_points() if point.driver == driver and not point.absent)


def _likely(text: str, host_name: str | None) -> tuple[Point, ...]:
    named = tuple(
        points.find(driver, op)
        for driver, arguments in _REGISTERED.findall(text)
        for op in _NAME.findall(arguments.partition("=")[0])
        if points.is_known(driver, op)
    )
    if named:
        return tuple(point for point in named if host_name in {None, point.host})
    if "hooking.write_domain(" in text and host_name is None:
        return tuple(map(points.parse, ("qemu/migrate", "qemu/restore", "before_vm_start")))
    asks = host_name is None and _VDSM_WORDS.search(text) and not _ARGUMENTS.search(text)
    vdsm = host_name == "vdsm" or asks
    return (points.find("vdsm", "before_vm_start"),) if vdsm else _of("qemu")
