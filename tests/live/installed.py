"""The ``hooking`` command where a live daemon's folders are the host's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from daemons import Daemon

ROOT = Path(__file__).parents[2]
PYTHON = "/usr/bin/python3"
DOMAIN = """<domain type='qemu'><name>g</name><memory unit='KiB'>65536</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator></devices></domain>"""


def install_python(daemon: Daemon) -> Path:
    """Make a Python of the host's that has this package, and the command."""
    environment = daemon.base / "venv"
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", "--system-site-packages", environment], check=True)
    (packages,) = environment.glob("lib/python3*/site-packages")
    (packages / "hooking.pth").write_text(f"{ROOT}\n")
    python = environment / "bin" / "python3"
    code = f"import sys; sys.path[:0] = {[str(ROOT), *_packages()]}; from hooking.cli import main; main()"
    command = python.with_name("hooking")
    command.write_text(f"#!{python}\n{code}\n")
    command.chmod(0o755)
    return python


def run(daemon: Daemon, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a program where the daemon's folders are the host's."""
    inside = ["nsenter", "-t", (daemon.base / "libvirtd.pid").read_text().strip(), "-m"]
    environ = {**os.environ, "PATH": f"{daemon.base}/venv/bin:{os.environ['PATH']}"}
    return subprocess.run(
        [*inside, *command], capture_output=True, text=True, check=False, timeout=120, env=environ, cwd="/"
    )


def hooking(daemon: Daemon, *arguments: str) -> str:
    """Run the command, which has to succeed."""
    ended = run(daemon, "hooking", *arguments)
    assert ended.returncode == 0, ended.stderr + ended.stdout
    return ended.stdout


def everything(*folders: Path) -> dict[str, tuple[int, bytes | None]]:
    """Return mode and content of all that lies in folders."""
    paths = sorted(path for folder in folders for path in folder.rglob("*") if not path.is_socket())
    return {str(path): (path.lstat().st_mode, path.read_bytes() if path.is_file() else None) for path in paths}


def _packages() -> list[str]:
    """Where this Python has what the command needs."""
    import click

    return [str(Path(click.__file__).parents[1])]
