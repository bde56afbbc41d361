"""Starting a hook script as a host starts it: with its arguments, environment and descriptors."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from hooking import points
from hooking.document import parse, serialise
from hooking.domain import Domain
from hooking.exceptions import HookError, InvalidValueError, InvocationError
from hooking.network import HookData

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hooking.points import Point

SAMPLES = Path(__file__).with_name("samples")
"""Documents that hosts handed over, one for each kind; calls on a live libvirtd 9.0.0 where libvirt is the host."""

SAMPLE_VM_ID = "3573e29e-5de9-468a-9fae-16050c6b3dcc"

_LONGEST_TIMEOUT = 24 * 60 * 60

_PASSED_ON = ("LD_PRELOAD", "LD_LIBRARY_PATH", "PATH", "HOME", "USER", "LOGNAME", "TMPDIR")


@dataclass(frozen=True)
class Ended:
    """How one call of a script ended.

    Attributes:
        point: The hook point.
        before: The document that the host handed over.
        after: The document that the host has then: the script's own if it takes that, else ``before``.
        status: The exit status; negative for a signal.
        stderr: What the host read from standard error.
        seconds: How long the host waited.
    """

    point: Point
    before: bytes
    after: bytes
    status: int
    stderr: str
    seconds: float

    @property
    def verdict(self) -> str:
        """What the host does with that, in words."""
        point = self.point
        host = "VDSM" if point.host == "vdsm" else "libvirt"
        if self.status == 0:
            if self.after != self.before:
                return f"{host} goes on with the script's document"
            return f"{host} goes on with its own document" if point.document else f"{host} goes on"
        if point.failure == "ignored":
            return f"{host} logs the failure; the {point.action} goes on"
        if point.failure == "kills":
            return f"{host} kills what already runs ({point.action})"
        return f"{host} aborts the {point.action}"


def sample(point: Point) -> bytes:
    """Return a document such as the host hands over at ``point``; nothing where there is none."""
    if point.document is None:
        return b""
    kind = "json" if point.document in ("object", "array") else "xml"
    special = SAMPLES / f"{point.op}.{kind}"
    return (special if special.exists() else SAMPLES / f"{point.document}.{kind}").read_bytes()


def start(  # noqa: PLR0913 - as many as the hosts give
    script: Path,
    point: Point,
    *,
    document: bytes | None = None,
    object: str | None = None,
    extra: str | None = None,
    custom_properties: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    own_interpreter: bool = False,
    timeout: float = 60,
) -> Ended:
    """Start ``script`` as the host of ``point`` does, and wait for it as the host does.

    Args:
        script: The script; it is started through a link in a folder like the host's.
        point: The hook point.
        document: What the host hands over; a sample by default.
        object: The object's name, or under VDSM the VM's ID; by default the document's.
        extra: libvirt's fourth argument; by default the first that the hook point has.
        custom_properties: Custom properties. Under libvirt they are put into the document's metadata.
        environ: More variables of the environment.
        own_interpreter: Start a Python script by the interpreter that runs this, with the options of its first line;
            so it finds the packages that are installed here.
        timeout: Seconds, a day at most. The hosts have no such limit.

    Raises:
        InvalidValueError: The time or a custom property is none.
        InvocationError: The script cannot be started, or the document is not one of ``point``.
        HookError: The script did not end in time; a host would wait for ever.
    """
    if not 0 < timeout <= _LONGEST_TIMEOUT:
        raise InvalidValueError(f"{timeout:g} s is no time to wait; give more than 0 and at most a day")
    before = sample(point) if document is None else document
    properties = dict(custom_properties or {})
    with tempfile.TemporaryDirectory(prefix="hooking-") as folder:
        path = _place(script, point, Path(folder))
        command = [*_interpreter(script), str(path)] if own_interpreter else [str(path)]
        if point.host == "vdsm":
            carrier = Path(folder, "payload")
            carrier.write_bytes(before)
            environment = _vdsm_environment(point, carrier, object or SAMPLE_VM_ID, properties)
            status, _, stderr, seconds = _run(command, {**environment, **(environ or {})}, None, timeout)
            after = carrier.read_bytes() if carrier.is_file() else b""
            return Ended(point, before, after if point.reply else before, status, stderr, seconds)
        before = _with_properties(before, properties)
        arguments = [object or _name(before), point.op, point.subop, extra or _first_extra(point)]
        payload = before if point.document else None
        status, stdout, stderr, seconds = _run([*command, *arguments], _libvirt_environment(environ), payload, timeout)
        taken = point.reply == "stdout" and status == 0 and stdout.strip()
        return Ended(point, before, stdout if taken else before, status, stderr, seconds)


def _place(script: Path, point: Point, folder: Path) -> Path:
    place = folder / "hooks" / (point.op if point.host == "vdsm" else f"{point.driver}.d")
    if script.name in points.DRIVERS:
        place = folder / "hooks"
    place.mkdir(parents=True)
    link = place / script.name
    link.symlink_to(script.absolute())
    return link


def _interpreter(script: Path) -> list[str]:
    """This interpreter with the options of the script's first line, if that names a Python; else nothing."""
    with script.open("rb") as file:
        line = file.readline(1024).decode("utf-8", "replace")
    words = line[2:].split() if line.startswith("#!") else []
    python = next((index for index, word in enumerate(words) if Path(word).name.startswith("python")), None)
    return [] if python is None else [sys.executable, *words[python + 1 :]]


def _run(
    command: list[str], environ: Mapping[str, str], payload: bytes | None, timeout: float
) -> tuple[int, bytes, str, float]:
    begin = time.perf_counter()
    try:
        ended = subprocess.run(
            command,
            input=payload,
            stdin=subprocess.DEVNULL if payload is None else None,
            capture_output=True,
            check=False,
            cwd="/",
            env=environ,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as error:
        raise HookError(f"the script did not end in {timeout:g} s; a host would wait for ever") from error
    except OSError as error:
        raise InvocationError(f"cannot start {command[0]}: {error.strerror}") from error
    return ended.returncode, ended.stdout, ended.stderr.decode("utf-8", "replace"), time.perf_counter() - begin


def _libvirt_environment(more: Mapping[str, str] | None) -> dict[str, str]:
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {"LC_ALL": "C", **passed_on, **(more or {})}


def _vdsm_environment(point: Point, carrier: Path, vm_id: str, properties: Mapping[str, str]) -> dict[str, str]:
    vm = {} if point.environ == "-" else {**properties, "vmId": vm_id}
    variable = "_hook_json" if point.document in ("object", "array") else "_hook_domxml"
    daemon = {"LC_ALL": "C.UTF8", "PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": "/usr/libexec/vdsm"}
    return {**daemon, **vm, variable: str(carrier)}


def _first_extra(point: Point) -> str:
    return "-" if point.extra == "REASON" else point.extra


def _view(document: bytes) -> Domain | HookData:
    root = parse(document)
    return HookData(root) if root.tag == "hookData" else Domain(root)


def _name(document: bytes) -> str:
    if not document.strip():
        return "-"
    view = _view(document)
    return (view.network.name if isinstance(view, HookData) else view.name) or "-"


def _with_properties(document: bytes, properties: Mapping[str, str]) -> bytes:
    if not properties or not document.strip():
        return document
    view = _view(document)
    described = view.network if isinstance(view, HookData) else view
    described.metadata.custom_properties = properties
    return serialise(view.element, declaration=False)
