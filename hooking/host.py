"""Which host called this script, what its exit status tells that host, and where its log is read."""

from __future__ import annotations

import os

from hooking import _process, points
from hooking.exceptions import InvocationError, Refusal, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hooking.points import Point


def called_as(script: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Tell from the script's path who called: ``("qemu", "")`` for a libvirt driver, ``("vdsm", hook point)`` for VDSM.

    The nearest folder that is a VDSM hook point or ``<driver>.d`` decides, and only then the file's own name. Symbolic
    links are not followed: both hosts start a script by the path they found.

    Raises:
        InvocationError: Neither fits.
    """
    path = os.path.abspath(script)
    folders = os.path.dirname(path).split(os.sep)
    for folder in reversed(folders):
        if points.is_known("vdsm", folder):
            return "vdsm", folder
        driver, _, suffix = folder.rpartition(".")
        if suffix == "d" and driver in points.DRIVERS:
            return driver, ""
    name = os.path.basename(path)
    if name in points.DRIVERS:
        return name, ""
    if "_hook_domxml" in environ or "_hook_json" in environ:
        return "vdsm", folders[-1]
    message = (
        f"{script} is called by neither libvirt (a script named like its driver, or in <driver>.d) "
        "nor VDSM (a folder named like the hook point); try it with: hooking run SCRIPT POINT"
    )
    raise InvocationError(message)


def exit_status(point: Point, error: BaseException, *, strict: bool = False) -> int:
    """Return the status that tells the host of ``error``, by the rule of the hook point.

    libvirt knows success and failure. VDSM shows only the last script's message, so at a point that it aborts the
    status is 2, which ends the chain; elsewhere 2 would only keep other people's scripts from running.

    Args:
        point: Where the script was called.
        error: A `Refusal` counts always.
        strict: Count every other error too.
    """
    if point.on_error == "pass" and not strict and not isinstance(error, Refusal):
        return 0
    return 2 if point.driver == "vdsm" and point.failure == "aborts" else 1


def log(message: str) -> None:
    """Write a line where the administrator of the host reads it.

    That is standard error, which VDSM logs always and libvirt only when a script fails; under libvirt also the system
    log. The name and the argument are those of VDSM's ``hooking.log``.
    """
    process = _process.current()
    process.say(f"{message}\n")
    if is_libvirt(process):
        process.syslog(one_line(message))


def is_libvirt(process: _process.Process) -> bool:
    """Tell whether a libvirt daemon called, which waits for this script and cannot be called back."""
    try:
        return called_as(process.argv[0], process.environ)[0] != "vdsm"
    except InvocationError:
        return False
