"""What the host said about this call, besides the document."""

from __future__ import annotations

import os

from hooking import _process, host, points
from hooking.exceptions import InvocationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Protocol

    from hooking._process import Process
    from hooking.points import HostName, Point

    class HandedOver(Protocol):
        """What the host handed over with a call."""

        @property
        def payload(self) -> bytes:
            """The document as the host wrote it."""
            ...

        @property
        def described(self) -> Any:
            """The guest or network that the document describes."""
            ...


_NOT_PROPERTIES = frozenset(
    [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
        "TERM",
        "TMPDIR",
        "TZ",
        "LANG",
        "LANGUAGE",
        "INVOCATION_ID",
        "JOURNAL_STREAM",
        "NOTIFY_SOCKET",
        "MAINPID",
        "MANAGERPID",
        "CREDENTIALS_DIRECTORY",
        "RUNTIME_DIRECTORY",
        "STATE_DIRECTORY",
        "CACHE_DIRECTORY",
        "LOGS_DIRECTORY",
        "CONFIGURATION_DIRECTORY",
        "PIDFILE",
        "HOOKING_ROOT",
        "vmId",
    ]
)
_NOT_PROPERTY_PREFIXES = ("LC_", "PYTHON", "LD_", "_hook_", "SYSTEMD_", "LISTEN_", "WATCHDOG_", "MEMORY_PRESSURE_")


class HookContext:
    """One call of a hook script.

    Attributes:
        host: ``libvirt`` or ``vdsm``.
        driver: ``daemon``, ``qemu``, ``lxc``, ``libxl``, ``bhyve``, ``network``, or ``vdsm``.
        object: The guest's or network's name, raw, from libvirt's first argument (`None` for the daemon); under VDSM
            the VM's ID from ``vmId`` (`None` at points that are not about one VM).
        op: libvirt's operation, from its second argument; under VDSM the hook point.
        subop: libvirt's sub-operation, from its third argument: ``begin``, ``end`` or ``-``.
        extra: libvirt's fourth argument: at ``release`` the shutoff reason, else ``-`` mostly.
        point: The row of the table of hook points; an unknown one for an operation newer than this package.
        handed_over: What the host handed over with the call; `None` for a context made by hand.
    """

    __slots__ = ("_properties", "_uuid", "driver", "extra", "handed_over", "host", "object", "op", "point", "subop")

    def __init__(  # noqa: PLR0913 - libvirt gives so many words
        self,
        driver: str,
        op: str,
        *,
        object: str | None = None,
        subop: str = "-",
        extra: str = "-",
        uuid: str | None = None,
        custom_properties: Mapping[str, str] | None = None,
    ) -> None:
        self.driver, self.op, self.object, self.subop, self.extra = driver, op, object, subop, extra
        self.point: Point = points.find(driver, op)
        self.host: HostName = self.point.host
        self.handed_over: HandedOver | None = None
        self._uuid = uuid
        self._properties = custom_properties

    @property
    def custom_properties(self) -> Mapping[str, str]:
        """The custom properties of the object; a VM's hides a device's of the same name.

        Under VDSM the environment, less what the system itself puts there (``PATH``, ``HOME``, ``USER``, ``TERM``, …):
        a property of such a name cannot be told from it. Under libvirt what ``<metadata>`` of the
        guest or network holds: our own element, set with ``virsh metadata``, before the one of oVirt's Engine.

        Raises:
            DocumentError: Under libvirt, if the document cannot be read.
        """
        described = self._described
        if self._properties is not None or described is None:
            return self._properties or {}
        properties: Mapping[str, str] = described.metadata.custom_properties
        return properties

    @property
    def uuid(self) -> str | None:
        """The UUID of the guest or network; `None` where the call is about neither (the daemon, the host).

        Raises:
            DocumentError: Under libvirt, if the document cannot be read.
        """
        if self.host == "vdsm":
            return self._uuid or self.object
        described = self._described
        if self._uuid is not None or described is None:
            return self._uuid
        uuid: str | None = described.uuid
        return uuid

    @property
    def privileged(self) -> bool:
        """Whether this process is root's, or has a host of its own in a test. Session daemons run scripts without."""
        return os.geteuid() == 0 or self.root != "/"

    @property
    def root(self) -> str:
        """The folder that stands for the root of the host: ``/``, but in tests.

        Raises:
            HostError: ``HOOKING_ROOT`` names a folder that no test made.
        """
        return _process.current().root

    @property
    def _described(self) -> Any:
        """The guest or network that the document describes; `None` where there is none."""
        return None if self.handed_over is None else self.handed_over.described

    def __str__(self) -> str:
        return self.point.name if self.object is None else f"{self.point.name} {self.object}"


def read_context(process: Process) -> HookContext:
    """Return the context of the call for which ``process`` was started.

    Under libvirt the custom properties are in the document, so `Call`, which reads that, gives them to the context.

    Raises:
        InvocationError: No host starts a script so; the message says what was expected.
    """
    script, *arguments = process.argv
    driver, op = host.called_as(script, process.environ)
    if driver == "vdsm":
        properties = _environment(process.environ)
        return HookContext(driver, op, object=process.environ.get("vmId"), custom_properties=properties)
    if len(arguments) != 4:  # noqa: PLR2004 - libvirt's contract
        message = (
            f"libvirt gives 4 arguments, OBJECT OPERATION SUB-OPERATION EXTRA, but {len(arguments)} came: {arguments}"
        )
        raise InvocationError(message)
    name, op, subop, extra = arguments
    object_ = None if driver == "daemon" and name == "-" else name
    return HookContext(driver, op, object=object_, subop=subop, extra=extra)


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environ.items()
        if name not in _NOT_PROPERTIES and not name.startswith(_NOT_PROPERTY_PREFIXES)
    }
