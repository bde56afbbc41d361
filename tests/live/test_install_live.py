"""Installed hooks on a live daemon: a guest's start runs them; removed, they leave nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from daemons import Daemon, folder, missing

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[2]
PYTHON = "/usr/bin/python3"
HOOK = '''"""Refuse guests."""
import hooking

hook = hooking.Hook()


@hook.qemu("prepare")
def refuse(domain, context):
    hooking.block_start(context, f"{domain.name} has to stay off")


if __name__ == "__main__":
    hook.run()
'''
DOMAIN = """<domain type='qemu'><name>g</name><memory unit='KiB'>65536</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator></devices></domain>"""


@pytest.fixture
def daemon(require_live: Callable[[str], None]) -> Iterator[Daemon]:
    require_live(missing())
    base = folder()
    daemon = Daemon(base / "host", "host")
    (daemon.hooks / "qemu").unlink()
    daemon.start()
    yield daemon
    daemon.stop()
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture
def python(daemon: Daemon) -> Path:
    """A Python of the host's that has this package."""
    environment = daemon.base / "venv"
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", "--system-site-packages", environment], check=True)
    (packages,) = environment.glob("lib/python3*/site-packages")
    (packages / "hooking.pth").write_text(f"{ROOT}\n")
    return environment / "bin" / "python3"


def everything(*folders: Path) -> dict[str, tuple[int, bytes | None]]:
    paths = sorted(path for folder in folders for path in folder.rglob("*") if not path.is_socket())
    return {str(path): (path.lstat().st_mode, path.read_bytes() if path.is_file() else None) for path in paths}


def hooking(daemon: Daemon, python: Path, *arguments: str) -> str:
    """Run the command where the daemon's folders are the host's."""
    inside = ["nsenter", "-t", (daemon.base / "libvirtd.pid").read_text().strip(), "-m"]
    code = "import sys; sys.path[:0] = sys.argv.pop(1).split(':'); from hooking.cli import main; main()"
    packages = os.pathsep.join([str(ROOT), *_packages()])
    ended = subprocess.run(
        [*inside, python, "-c", code, packages, *arguments], capture_output=True, text=True, check=False, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def _packages() -> list[str]:
    """Where this Python has what the command needs."""
    import click

    return [str(Path(click.__file__).parents[1])]


def test_a_guest_s_start_runs_an_installed_hook_until_it_is_uninstalled(
    daemon: Daemon, python: Path, tmp_path: Path
) -> None:
    (tmp_path / "guest.xml").write_text(DOMAIN)
    script = tmp_path / "stay_off.py"
    script.write_text(HOOK)
    script.chmod(0o644)
    before = everything(daemon.hooks)
    said = hooking(daemon, python, "install", str(script), "--python", str(python), "--reload")
    try:
        assert "libvirtd (process " in said
        found = (daemon.hooks / "qemu.d" / "50-stay-off").stat()
        assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (0, 0, 0o755)
        assert "stay-off" in hooking(daemon, python, "list", "qemu")
        ended = daemon.virsh("create", str(tmp_path / "guest.xml"), check=False)
        assert "g has to stay off" in ended.stderr
    finally:
        hooking(daemon, python, "uninstall", "stay-off")
    assert everything(daemon.hooks) == before
    daemon.virsh("create", str(tmp_path / "guest.xml"))
