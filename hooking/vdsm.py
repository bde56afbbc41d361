"""VDSM's own ``hooking`` module, name for name: the face that its scripts know. `log` and `tobool` live elsewhere.

Signatures, results and quirks are VDSM's, also where it spells names in its own way. Better than there: documents are
parsed safely, written whole or not at all, and keep name and UUID.
See https://github.com/oVirt/vdsm/blob/master/lib/vdsm/hook/hooking.py and its man page vdsm-hooks.
"""

from __future__ import annotations

import os
import sys

from hooking import _process, identity
from hooking.exceptions import DocumentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable, Mapping
    from typing import Any, NoReturn
    from xml.dom.minidom import Document

_LAUNCH_FLAGS = "/run/vdsm/{}/launchflags"


class _VariableError(DocumentError, KeyError):
    """The variable that names the payload is not set: a `KeyError` to scripts that catch it, else one line."""


def read_domxml() -> Document:
    """Return the document of ``_hook_domxml`` as a `xml.dom.minidom.Document`.

    Raises:
        KeyError: The variable is not set.
        xml.parsers.expat.ExpatError: The document is not well-formed, or empty.
        DocumentError: It is hostile, or too large.
    """
    from hooking import expat

    return expat.parse(_process.current().payload(_carrier("_hook_domxml")))


def write_domxml(domxml: Document) -> None:
    """Write ``domxml`` to the file of ``_hook_domxml``.

    Raises:
        KeyError: The variable is not set.
        IdentityError: The root element, the name or the UUID is another; nothing was written.
        DocumentError: It cannot be written, or not be read again.
    """
    from hooking import expat

    carrier = _carrier("_hook_domxml")
    original = _process.current().payload(carrier)
    data = expat.serialise(domxml)
    if original.strip():
        identity.check_xml(expat.identify(original), expat.identify(data))
    _write(carrier, data)


def read_json() -> Any:
    """Return the value of the JSON document of ``_hook_json``.

    Raises:
        KeyError: The variable is not set.
        json.JSONDecodeError: It is not JSON.
        DocumentError: It is too large or too deep.
    """
    import json

    try:
        return json.loads(_process.current().payload(_carrier("_hook_json")))
    except RecursionError as error:
        raise DocumentError(f"the document is not JSON that VDSM writes: {error}") from error


def write_json(data: Any) -> None:
    """Write ``data`` to the file of ``_hook_json``.

    Raises:
        KeyError: The variable is not set.
        TypeError: JSON cannot hold ``data``; nothing was written.
        IdentityError: Its type is another, or a key is gone that VDSM would keep; nothing was written.
    """
    import json

    carrier = _carrier("_hook_json")
    document = json.dumps(data).encode()
    original = _process.current().payload(carrier)
    if original.strip():
        identity.check_json(original, document, merged=_reply() == "merged")
    _write(carrier, document)


def exit_hook(message: str, return_code: int = 2) -> NoReturn:
    """Write ``message`` to standard error and end the script with ``return_code``."""
    sys.stderr.write(message + "\n")
    sys.exit(return_code)


def load_vm_launch_flags_from_file(vm_id: str) -> int:
    """Return the launch flags of the VM, 0 without a file.

    Raises:
        ValueError: The file holds no number.
    """
    try:
        with open(_LAUNCH_FLAGS.format(vm_id), encoding="ascii") as file:
            return int(file.readline())
    except FileNotFoundError:
        return 0


def dump_vm_launch_flags_to_file(vm_id: str, flags: int) -> None:
    """Write the launch flags of the VM, for VDSM to start it with."""
    path = _LAUNCH_FLAGS.format(vm_id)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        file.write(str(flags))


def execCmd(  # noqa: N802, PLR0913, PLR0917 - VDSM's name and arguments
    command: Iterable[str | bytes],
    sudo: bool = False,
    cwd: str | None = None,
    data: bytes | None = None,
    raw: bool = False,
    printable: Iterable[str] | None = None,
    env: Mapping[str, str] | None = None,
    nice: int | None = None,
    ioclass: int | None = None,
    ioclassdata: int | None = None,
    setsid: bool = False,
    execCmdLogger: logging.Logger | None = None,  # noqa: N803
    resetCpuAffinity: bool = True,  # noqa: N803
    **_of_old: object,
) -> tuple[int, Any, Any]:
    """Run a program as VDSM does, and return its status, output and error output. The status raises no error.

    Args:
        command: The program and its arguments.
        sudo: Run it by ``sudo -n``, unless already root.
        cwd: Its working directory.
        data: Bytes for its standard input.
        raw: Return bytes; otherwise lists of lines, each bytes.
        printable: What to log in the place of ``command``, which may hold secrets.
        env: Its environment; the script's own by default.
        nice: Run it by ``nice -n``.
        ioclass: Run it by ``ionice -c``.
        ioclassdata: The level for ``ionice -n``.
        setsid: Run it in a session of its own.
        execCmdLogger: Where the call is logged; the root logger by default.
        resetCpuAffinity: Let it run on all CPUs, whatever those of VDSM are.
        **_of_old: ``sync``, ``deathSignal``, ``childUmask`` and ``logErr`` of earlier versions have no effect.

    Raises:
        OSError: Without ``resetCpuAffinity``, the program is missing.
    """
    import logging
    import subprocess

    logger = execCmdLogger or logging.getLogger()
    arguments = [os.fsdecode(argument) for argument in command]
    shown = arguments if printable is None else list(printable)
    if ioclass is not None:
        level = [] if ioclassdata is None else ["-n", str(ioclassdata)]
        arguments = ["/usr/bin/ionice", "-c", str(ioclass), *level, *arguments]
    if nice is not None:
        arguments = ["/usr/bin/nice", "-n", str(nice), *arguments]
    if setsid:
        arguments = ["/usr/bin/setsid", *arguments]
    if sudo and os.geteuid() != 0:
        arguments = ["/usr/bin/sudo", "-n", *arguments]
    if resetCpuAffinity:
        arguments = ["/usr/bin/taskset", "--cpu-list", f"0-{(os.cpu_count() or 1) - 1}", *arguments]
    logger.debug("%s (cwd %s)", " ".join(shown), cwd)
    result = subprocess.run(arguments, input=data or b"", cwd=cwd, env=env, check=False, capture_output=True)
    logger.debug("status %d, %r", result.returncode, result.stderr)
    if raw:
        return result.returncode, result.stdout, result.stderr
    return result.returncode, result.stdout.splitlines(), result.stderr.splitlines()


def _carrier(variable: str) -> str:
    path = _process.current().environ.get(variable)
    if not path:
        raise _VariableError(f"VDSM names the document's file in the variable {variable}, which is not set")
    return path


def _reply() -> str | None:
    """How VDSM takes the document back here; outside the folder of a hook point (a try by hand) as a file."""
    from hooking import host, points

    process = _process.current()
    point = points.find(*host.called_as(process.argv[0], process.environ))
    return point.reply if point.known else "file"


def _write(carrier: str, data: bytes) -> None:
    if _reply() is None:
        from hooking.host import log

        log("VDSM ignores changes of the document at this hook point")
    _process.current().answer(carrier, data)
