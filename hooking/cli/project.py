"""What the project of a new hook is called, and what it holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import format_datetime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.cli.ready_made import Template
    from hooking.points import Point

_PARAMETERS = {
    "": "",
    "domain": "domain: hooking.Domain",
    "device": "device: hooking.Device",
    "device?": "device: hooking.Device | None",
    "network": "data: hooking.HookData",
    "port": "data: hooking.PortData",
    "object": "document: dict[str, object]",
    "array": "document: list[object]",
}
_SUBJECTS = {
    "domain": "domain.name",
    "device": "device.kind",
    "network": "data.network.name",
    "port": "data.network.name",
}


@dataclass(frozen=True)
class Handler:
    """The handler of a new hook at one hook point.

    Attributes:
        point: The hook point.
        property_name: The custom property that asks for the handler.
    """

    point: Point
    property_name: str

    @property
    def decorator(self) -> str:
        """What registers it."""
        return f'@hook.{self.point.driver}("{self.point.op}")'

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.label.replace("-", "_")

    @property
    def label(self) -> str:
        """The hook point as one word."""
        return self.point.name.replace("/", "-")

    @property
    def parameter(self) -> str:
        """The parameter for the document, if there is one."""
        parameter = _PARAMETERS[self._kind]
        return f"{parameter}, " if parameter else ""

    @property
    def has_properties(self) -> bool:
        """Whether the host hands over custom properties here."""
        return (self.point.environ or "-") != "-" if self.point.host == "vdsm" else self.point.document is not None

    @property
    def custom_properties(self) -> dict[str, str]:
        """Those with which the handler has something to do."""
        return {self.property_name: "1"} if self.has_properties else {}

    @property
    def said(self) -> str:
        """What the handler logs when called with these."""
        return f"{self.property_name}=1" if self.has_properties else self.point.name

    @property
    def subject(self) -> str:
        """What the call is about, as a replacement field."""
        return _SUBJECTS.get(self._kind, "context")

    @property
    def _kind(self) -> str:
        return f"{self.point.document or ''}{'?' if self.point.may_be_empty else ''}"


def purpose_of(points: tuple[Point, ...]) -> str:
    """Return what a hook is for that does at ``points`` what a new one does."""
    handlers = [Handler(point, "") for point in points]
    carriers = {_carrier(handler.point) for handler in handlers if handler.has_properties}
    if not carriers:
        return "Log what happens on the host."
    if not all(handler.has_properties for handler in handlers):
        return "Log what happens on the host, and to what has its custom property."
    things = ("guests",) * bool(carriers - {"network"}) + ("networks",) * ("network" in carriers)
    return f"Log what happens to {' and '.join(things)} that have its custom property."


def _carrier(point: Point) -> str:
    """Return what has the custom properties that come to a hook point."""
    return "VM" if point.host == "vdsm" else "network" if point.driver == "network" else "guest"


@dataclass(frozen=True)
class Project:
    """What a new project is called, and what it holds.

    Attributes:
        name: Its folder.
        purpose: What the hook is for, in one line.
        template: The ready-made hook that it starts from, if any.
        points: The hook points.
        author: The author's name.
        mail: The author's address.
        licence: The licence, by its SPDX name.
    """

    name: str
    purpose: str
    template: Template | None
    points: tuple[Point, ...]
    author: str
    mail: str
    licence: str

    @property
    def identifier(self) -> str:
        """The name, where Python or VDSM want no dashes."""
        return self.name.replace("-", "_")

    @property
    def module(self) -> str:
        """The name of the hook's module."""
        return self.template.module if self.template else self.identifier

    @property
    def installed_file(self) -> str:
        """The name of the script on a host, where several projects may have started from one template."""
        return f"{self.identifier}.py"

    @property
    def hosts(self) -> set[str]:
        """The hosts that call it."""
        return {point.host for point in self.points}

    @property
    def package(self) -> str:
        """The name of its packages; VDSM's own hooks have such."""
        return f"{'vdsm' if 'vdsm' in self.hosts else 'libvirt'}-hook-{self.name}"

    @property
    def places(self) -> list[str]:
        """Where the hosts look for the script."""
        found = [
            f"/usr/libexec/vdsm/hooks/{point.op}/50_{self.identifier}"
            if point.host == "vdsm"
            else f"/etc/libvirt/hooks/{point.driver}.d/50-{self.name}"
            for point in self.points
        ]
        return list(dict.fromkeys(found))

    @property
    def debian_folder(self) -> str:
        """Where a Debian package keeps the script: AppArmor lets libvirt start programs in its own folder."""
        return "/usr/lib/libvirt" if "libvirt" in self.hosts else f"/usr/libexec/{self.package}"

    @property
    def handlers(self) -> list[Handler]:
        """The handlers of a hook that starts from no template."""
        return [Handler(point, self.module) for point in self.points]

    @property
    def first_handlers(self) -> list[Handler]:
        """The first for each host."""
        return list({handler.point.host: handler for handler in reversed(self.handlers)}.values())[::-1]

    @property
    def commands(self) -> list[str]:
        """The commands by which custom properties are defined and set."""
        if self.template:
            return self.template.commands
        carriers = {_carrier(handler.point) for handler in self.handlers if handler.has_properties}
        define = f"engine-config -s UserDefinedVMProperties='{self.module}=^.+$' --cver=4.7"
        value = f"<properties><{self.module}>1</{self.module}></properties>"
        store = f"NAME --config urn:libvirt-hooking:1 --key hooking --set '{value}'"
        lines = {"VM": define, "guest": f"virsh metadata {store}", "network": f"virsh net-metadata {store}"}
        return [line for carrier, line in lines.items() if carrier in carriers]

    @property
    def date(self) -> str:
        """Now, as in Debian's changelogs."""
        return format_datetime(datetime.now(timezone.utc))

    @property
    def year(self) -> int:
        """This year."""
        return datetime.now(timezone.utc).year
