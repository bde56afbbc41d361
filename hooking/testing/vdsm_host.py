"""A simulated VDSM host without VMs: its hook scripts, the calls of them, and what it is asked as a host."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from hooking import points
from hooking.exceptions import InvocationError
from hooking.testing import documents
from hooking.testing.fake_host import FakeHost
from hooking.testing.outcome import Outcome, check_log
from hooking.testing.vdsm_runner import HookRunner
from hooking.testing.vm import as_vdsm_writes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from hooking.points import Point
    from hooking.testing.documents import DocumentSource

DAEMON_ENVIRON = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/var/lib/vdsm",
    "USER": "vdsm",
    "LOGNAME": "vdsm",
    "SHELL": "/sbin/nologin",
    "LC_ALL": "C.UTF8",
}
"""The daemon's environment, besides ``PYTHONPATH``."""

_STAND_IN = """raise ImportError(
    "here lies VDSM's own module hooking, which PYTHONPATH puts before installed packages; "
    "begin the script with #!/usr/bin/python3 -I"
)
"""
_ROLLBACK: dict[str, Any] = {
    "request": {"networks": {}, "bondings": {}, "options": {"_inRollback": True, "connectivityCheck": False}}
}


class VdsmHost:
    """A simulated VDSM host that knows no VMs; `Vdsmd` has them.

    Args:
        folder: A folder of its own, in the place of ``/usr/libexec/vdsm``.
        environ: What ``/etc/sysconfig/vdsm`` adds to the daemon's environment.
        timeout: Seconds until a script counts as hanging the daemon.
        this_python: Start Python scripts by this interpreter, so that they find the packages that are installed here.
        taskset: Start scripts through ``taskset``, as VDSM does unless ``cpu_affinity`` is empty in its configuration.
        stand_in: Put a module ``hooking`` in the place of VDSM's own. A script that imports it, because its first line
            lacks ``-I``, fails and is told so.
        host: What `hooking.state` and actions find and change; by default a host with nothing on it.

    Attributes:
        host: What `hooking.state` and actions find and change.
        hooks: The folder of the hook scripts, which has one for each hook point.
        log: Every call, in order.

    Raises:
        InvocationError: ``taskset`` is not installed.
    """

    def __init__(  # noqa: PLR0913 - options
        self,
        folder: str | Path,
        *,
        environ: Mapping[str, str] | None = None,
        timeout: float = 10,
        this_python: bool = False,
        taskset: bool = True,
        stand_in: bool = True,
        host: FakeHost | None = None,
    ) -> None:
        folder = Path(folder).absolute()
        self.host = host or FakeHost(folder / "host")
        self.hooks = folder / "hooks"
        self.hooks.mkdir(parents=True, exist_ok=True)
        self.log: list[Outcome] = []
        modules = folder / "vdsm" / "hook"
        modules.mkdir(parents=True, exist_ok=True)
        if stand_in:
            (modules / "hooking.py").write_text(_STAND_IN)
        self._runner = HookRunner(
            self.hooks,
            {**DAEMON_ENVIRON, "PYTHONPATH": str(folder), "HOOKING_ROOT": str(self.host.root), **(environ or {})},
            modules,
            timeout=timeout,
            this_python=this_python,
            taskset=taskset,
        )

    def install(self, script: str | Path, point: str, name: str | None = None) -> Path:
        """Copy a script into the folder of a hook point, executable.

        Args:
            script: The script.
            point: ``before_vm_start``, …
            name: Its name there, by which scripts are ordered; by default its own.

        Raises:
            PointError: There is no such hook point.
            InvocationError: It is one of libvirt.
        """
        path = self.hooks / _vdsm_point(point).op / (name or os.path.basename(script))
        path.parent.mkdir(exist_ok=True)
        shutil.copyfile(script, path)
        path.chmod(0o755)
        return path

    def check(self) -> None:
        """Raise an `AssertionError` with a line for each call that failed, hung, or left what VDSM cannot use."""
        check_log(self.log)

    def call(  # noqa: PLR0913 - as many as VDSM gives
        self,
        point: str,
        document: DocumentSource = None,
        *,
        object: str | None = None,
        custom_properties: Mapping[str, str] | None = None,
        device_properties: Mapping[str, str] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Outcome:
        """Make one call, whatever the state of things.

        Args:
            point: ``before_vm_start``, …
            document: What VDSM hands over; a recorded sample by default.
            object: The VM's ID, where there is a VM.
            custom_properties: Custom properties of the VM, which hide the other two.
            device_properties: Custom properties of the device.
            environ: What VDSM itself adds to the environment, as in ``FROM_SNAPSHOT``.

        Raises:
            PointError: There is no such hook point.
            InvocationError: VDSM makes no such call.
            DocumentError: The document is none of this hook point.
        """
        row = _vdsm_point(point)
        if device_properties and "device" not in row.environ:
            raise InvocationError(f"VDSM gives no custom properties of a device at {row.name}")
        request = documents.request(row.name, document, object, None, custom_properties or {})
        params = {**(device_properties or {}), **(environ or {})}
        return self._call(row, request.document, request.object, custom_properties, params)

    # The daemon and the host

    def boot(self) -> None:
        """Start the daemon. Its init script makes the call, as root and without ``PYTHONPATH``."""
        self._host_call("before_vdsm_start", b"")

    def shut_down(self) -> None:
        """Stop the daemon. The VMs keep running."""
        self._host_call("after_vdsm_stop", b"")

    def setup_networks(self, request: DocumentSource = None, *, trouble: bool = False) -> dict[str, Any] | None:
        """Set up networks, and return the request that VDSM carries out; `None` if a hook or ``trouble`` stops it.

        Args:
            request: ``{"request": {"networks": …, "bondings": …, "options": …}}``.
            trouble: The set-up fails on the host, and is rolled back.
        """
        before = self._host_call("before_network_setup", request)
        stopped = gives_up(before)
        if stopped or trouble:
            self._host_call("after_network_setup_fail", before.before)
            if not stopped:
                self.setup_networks(_ROLLBACK)
            return None
        self._host_call("after_network_setup", before.before)
        accepted: dict[str, Any] = before.json
        return accepted

    def get_caps(self, caps: DocumentSource = None) -> dict[str, Any] | None:
        """Ask for the host's capabilities; return what hooks made of ``caps``, `None` if the call fails."""
        answer: dict[str, Any] | None = self._ask("caps", caps)
        return answer

    def get_stats(self, stats: DocumentSource = None) -> dict[str, Any] | None:
        """Ask for the host's statistics; return what hooks made of ``stats``, `None` if the call fails."""
        answer: dict[str, Any] | None = self._ask("stats", stats)
        return answer

    def get_vm_stats(self, stats: dict[str, Any]) -> dict[str, Any] | None:
        """Ask for the statistics of one VM; return what hooks made of ``stats``, `None` if the call fails."""
        answer: list[dict[str, Any]] | None = self._ask("vm_stats", [stats])
        return answer[0] if answer else None

    def get_all_vm_stats(self, stats: DocumentSource = None) -> list[Any] | None:
        """Ask for the statistics of all VMs; return what hooks made of ``stats``, `None` if the call fails."""
        answer: list[Any] | None = self._ask("all_vm_stats", stats)
        return answer

    def list_host_devices(self, devices: DocumentSource = None) -> dict[str, Any] | None:
        """Ask for the host's devices; return what hooks made of ``devices``, `None` if the call fails."""
        outcome = self._host_call("after_hostdev_list_by_caps", devices)
        answer: dict[str, Any] | None = None if outcome.refused else outcome.json
        return answer

    # How the calls are made

    def _host_call(self, op: str, document: DocumentSource) -> Outcome:
        point = points.find("vdsm", op)
        return self._call(point, documents.load(point, document))

    def _ask(self, what: str, data: DocumentSource) -> Any:
        if gives_up(self._host_call(f"before_get_{what}", {})):
            return None
        outcome = self._host_call(f"after_get_{what}", data)
        return None if outcome.refused else outcome.json

    def _call(  # noqa: PLR0913 - as many as VDSM gives
        self,
        point: Point,
        document: bytes,
        vm_id: str | None = None,
        custom_properties: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
        *,
        used: bool = True,
    ) -> Outcome:
        data, before = _handed_over(point, document)
        called = self._runner.call(point, data, vm_id=vm_id, params=params, custom_properties=custom_properties)
        after, refused = documents.taken(point, before, called.answer if used else None, called.status)
        if called.failure:
            refused = f"VDSM fails with {type(called.failure).__name__}: {called.failure}"
        outcome = Outcome(
            point,
            vm_id,
            before,
            after,
            called.status,
            stderr="".join(ended.stderr.decode("utf-8", "replace") for _, ended in called.scripts),
            log="".join(f"{line}\n" for line in called.log),
            refused=refused,
            error=called.error,
            scripts=tuple(called.scripts),
            seconds=sum(ended.seconds for _, ended in called.scripts),
        )
        self.log.append(outcome)
        return outcome


def _vdsm_point(name: str) -> Point:
    point = points.parse(name)
    if point.host != "vdsm":
        raise InvocationError(f"{name} is a hook point of libvirt; use Libvirtd for it")
    return point


def _handed_over(point: Point, document: bytes) -> tuple[Any, bytes]:
    """Return a document as VDSM has it, and as it writes it to the file."""
    if point.document is None or not document.strip():
        return None, b""
    if point.is_json:
        value = json.loads(document)
        return value, json.dumps(value).encode()
    written = as_vdsm_writes(document)
    return written.decode(), written


def gives_up(outcome: Outcome) -> bool:
    """Tell whether VDSM gives up what it is doing: it swallows most failures, but not what it did not expect."""
    return bool(outcome.refused) or (outcome.failed and outcome.point.failure == "aborts")
