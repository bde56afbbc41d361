"""What several test modules share: processes in the place of this one, and scripts started as the hosts start them."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lxml import etree

from hooking import _process
from hooking.testing.in_process import InjectedProcess

HERE = Path(__file__).parent
RECORDINGS = HERE / "recordings" / "libvirt-9.0.0"
GOLDEN = HERE / "golden"
TEMPLATES = HERE.parent / "templates"

DOMAIN = """<domain type='kvm'>
  <name>web01</name>
  <uuid>3573e29e-5de9-468a-9fae-16050c6b3dcc</uuid>
  <metadata>
    <ovirt-vm:vm xmlns:ovirt-vm="http://ovirt.org/vm/1.0">
      <ovirt-vm:custom><ovirt-vm:pincpu>0-1</ovirt-vm:pincpu></ovirt-vm:custom>
    </ovirt-vm:vm>
  </metadata>
  <memory unit='KiB'>1024</memory>
  <vcpu placement='static'>2</vcpu>
  <devices>
    <interface type='bridge'><mac address='52:54:00:4a:23:01'/><source bridge='br0'/></interface>
  </devices>
</domain>
"""

PINCPU = """import os
import sys
import hooking
import traceback

if 'pincpu' in os.environ:
    try:
        domxml = hooking.read_domxml()
        vcpu = domxml.getElementsByTagName('vcpu')[0]
        if not vcpu.hasAttribute('cpuset'):
            sys.stderr.write('pincpu: pinning cpu to: %s\\n' % os.environ['pincpu'])
            vcpu.setAttribute('cpuset', os.environ['pincpu'])
            hooking.write_domxml(domxml)
        else:
            sys.stderr.write('pincpu: cpuset attribute is present in vcpu, doing nothing\\n')
    except:
        sys.stderr.write('pincpu: [unexpected error]: %s\\n' % traceback.format_exc())
        sys.exit(2)
"""
"""The example of VDSM's wiki page, as Python 3."""


class FakeProcess(InjectedProcess):
    """A process in the place of this one, that knows whether its payload was read, and whose disk may be full."""

    def __init__(
        self, argv: Sequence[str], environ: Mapping[str, str] | None = None, payload: bytes | str = b""
    ) -> None:
        super().__init__(argv, environ or {}, payload.encode() if isinstance(payload, str) else payload)
        self.was_read = False

    @property
    def told(self) -> str:
        return self.said

    def _read(self, carrier: str | None) -> bytes:
        self.was_read = True
        return super()._read(carrier)

    def _send(self, carrier: str | None, data: bytes) -> None:
        if carrier == "/full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super()._send(carrier, data)


def libvirt(
    driver: str, op: str, payload: bytes | str = DOMAIN, *, name: str = "web01", extra: str = "-"
) -> FakeProcess:
    """A call of a libvirt driver."""
    return FakeProcess([f"/etc/libvirt/hooks/{driver}", name, op, "begin", extra], {}, payload)


def vdsm(point: str, payload: bytes | str = DOMAIN, **properties: str) -> FakeProcess:
    """A call of VDSM."""
    environ = {"PATH": "/bin", "vmId": "some-id", "_hook_domxml": "/payload", "_hook_json": "/payload", **properties}
    return FakeProcess([f"/usr/libexec/vdsm/hooks/{point}/50_test"], environ, payload)


@dataclass
class Recording:
    """One captured call."""

    folder: Path
    argv: list[str] = field(init=False)
    environ: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        invocation = json.loads((self.folder / "invocation.json").read_text())
        self.argv, self.environ = invocation["argv"], invocation["environ"]

    @property
    def stdin(self) -> bytes:
        path = self.folder / "stdin.xml"
        return path.read_bytes() if path.exists() else b""

    @property
    def driver(self) -> str:
        return Path(self.argv[0]).name


def recordings(*drivers: str) -> list[Recording]:
    """The captured calls of some drivers, or all."""
    found = [Recording(folder) for folder in sorted(RECORDINGS.iterdir())]
    return [recording for recording in found if not drivers or recording.driver in drivers]


def canonical(document: bytes) -> bytes:
    """The canonical form of an XML document, without white space between elements."""
    return etree.tostring(etree.fromstring(document, etree.XMLParser(remove_blank_text=True)), method="c14n")


def execute(
    script: Path,
    arguments: Sequence[str] = (),
    *,
    stdin: bytes = b"",
    environ: Mapping[str, str] | None = None,
    options: Sequence[str] = ("-I",),
    timeout: float = 30,
) -> subprocess.CompletedProcess[bytes]:
    """Start ``script`` by this interpreter, with the environment of a host and nothing else."""
    return subprocess.run(
        [sys.executable, *options, str(script), *arguments],
        input=stdin,
        capture_output=True,
        env={"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **(environ or {})},
        cwd="/",
        check=False,
        timeout=timeout,
    )


@dataclass
class Forked:
    """How a function ended in a forked child."""

    status: int
    stdout: bytes
    stderr: str


def in_fork(function: Callable[[], Any], tmp_path: Path, stdin: bytes = b"") -> Forked:
    """Call ``function`` in a forked child whose three descriptors are files; a `SystemExit` gives the status."""
    files = [tmp_path / name for name in ("fork-in", "fork-out", "fork-err")]
    files[0].write_bytes(stdin)
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        status = 99
        try:
            for number, path in enumerate(files):
                with path.open("rb" if number == 0 else "wb") as file:
                    os.dup2(file.fileno(), number)
            sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
            _process.replace_current(None)
            function()
            status = 0
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 1
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
    return Forked(code, files[1].read_bytes(), files[2].read_text(errors="replace"))


def plant_daemon(
    root: Path, process: int, name: str, *, user: int = 0, start: int = 0, sees: Path | None = None
) -> None:
    """Let a daemon run on the host whose files are below ``root``.

    Args:
        root: The host's root.
        process: Its process ID.
        name: Its name.
        user: Whose it is.
        start: When it was started: seconds after the machine was.
        sees: What it has for a root, if that is not the host's.
    """
    folder = root / "proc" / str(process)
    folder.mkdir(parents=True)
    (folder.parent / "stat").write_text(f"cpu 1\nbtime {int(time.time()) - 1000}\n")
    (folder / "comm").write_text(f"{name}\n")
    (folder / "status").write_text(f"Name:\t{name}\nUid:\t{user}\t{user}\t{user}\t{user}\n")
    (folder / "stat").write_text(f"{process} (a ) b) S {'0 ' * 18}{start * os.sysconf('SC_CLK_TCK')} 0\n")
    (folder / "root").symlink_to(sees or root)
