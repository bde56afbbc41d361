"""A bundle on a live daemon: a guest's start runs it, with the package that is inside."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from daemons import Daemon, folder, missing

from hooking.cli.bundle import bundle

pytestmark = pytest.mark.live

HOOK = '''"""Refuse the guests in a list."""
from __future__ import annotations

import hooking
from off import NAMES

hook = hooking.Hook(timeout=10)


@hook.qemu("prepare")
def refuse(domain: hooking.Domain, context: hooking.HookContext) -> None:
    if domain.name in NAMES:
        hooking.block_start(context, f"{domain.name} has to stay off: {hooking.__file__}")


if __name__ == "__main__":
    hook.run()
'''
DOMAIN = """<domain type='qemu'><name>{}</name><memory unit='KiB'>65536</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator></devices></domain>"""


@pytest.fixture
def daemon(require_live: Callable[[str], None]) -> Iterator[Daemon]:
    require_live(missing())
    base = folder()
    daemon = Daemon(base / "host", "host")
    (daemon.hooks / "qemu").unlink()
    (daemon.hooks / "qemu.d").mkdir()
    daemon.start()
    yield daemon
    daemon.stop()
    shutil.rmtree(base, ignore_errors=True)


def test_a_guest_s_start_runs_a_bundle(daemon: Daemon, tmp_path: Path) -> None:
    script = tmp_path / "stay_off.py"
    script.write_text(HOOK)
    (tmp_path / "off.py").write_text("NAMES = {'g'}\n")
    target = daemon.hooks / "qemu.d" / "50-stay-off"
    result = CliRunner().invoke(bundle, [str(script), "--output", str(target)])
    assert result.exit_code == 0, result.output
    daemon.restart()
    for name in ("g", "h"):
        (tmp_path / f"{name}.xml").write_text(DOMAIN.format(name))
    ended = daemon.virsh("create", str(tmp_path / "g.xml"), check=False)
    assert "g has to stay off: /etc/libvirt/hooks/qemu.d/50-stay-off/hooking/__init__.py" in ended.stderr
    daemon.virsh("create", str(tmp_path / "h.xml"))
    assert "h" in daemon.virsh("list", "--name").stdout.split()
