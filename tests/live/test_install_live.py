"""Installed hooks on a live daemon: a guest's start runs them; removed, they leave nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from daemons import Daemon, folder, missing
from installed import DOMAIN, everything, hooking, install_python

pytestmark = pytest.mark.live

HOOK = '''"""Refuse guests."""
import hooking

hook = hooking.Hook()


@hook.qemu("prepare")
def refuse(domain, context):
    hooking.block_start(context, f"{domain.name} has to stay off")


if __name__ == "__main__":
    hook.run()
'''


@pytest.fixture
def daemon(require_live: Callable[[str], None]) -> Iterator[Daemon]:
    require_live(missing())
    base = folder()
    daemon = Daemon(base / "host", "host")
    (daemon.hooks / "qemu").unlink()
    daemon.start()
    yield daemon
    daemon.stop()
    shutil.rmtree("/run/libvirt-hooking-reloads", ignore_errors=True)
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture
def python(daemon: Daemon) -> Path:
    return install_python(daemon)


def test_a_guest_s_start_runs_an_installed_hook_until_it_is_uninstalled(
    daemon: Daemon, python: Path, tmp_path: Path
) -> None:
    (tmp_path / "guest.xml").write_text(DOMAIN)
    script = tmp_path / "stay_off.py"
    script.write_text(HOOK)
    script.chmod(0o644)
    before = everything(daemon.hooks)
    said = hooking(daemon, "install", str(script), "--python", str(python), "--reload")
    try:
        assert "libvirtd (process " in said
        found = (daemon.hooks / "qemu.d" / "50-stay-off").stat()
        assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (0, 0, 0o755)
        assert "stay-off" in hooking(daemon, "list", "qemu")
        ended = daemon.virsh("create", str(tmp_path / "guest.xml"), check=False)
        assert "g has to stay off" in ended.stderr
    finally:
        hooking(daemon, "uninstall", "stay-off")
    assert everything(daemon.hooks) == before
    daemon.virsh("create", str(tmp_path / "guest.xml"))
