"""The Debian package of this library: built by Debian's tools, imported by a hook of a live daemon, removed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import daemons
import packages
import pytest

import hooking

pytestmark = pytest.mark.live

HOME = Path("/usr/lib/python3/dist-packages/hooking")
HOOK = """#!/usr/bin/python3 -I
import hooking

hook = hooking.Hook()


@hook.qemu("prepare")
def refuse(domain, context):
    hooking.block_start(context, f"{domain.name} has to stay off, says {hooking.__file__}")


if __name__ == "__main__":
    hook.run()
"""
DOMAIN = """<domain type='qemu'><name>g</name><memory unit='KiB'>65536</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator></devices></domain>"""


@pytest.fixture(scope="module")
def package(require_live: Callable[[str], None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_live(daemons.missing() or packages.missing())
    return packages.build(tmp_path_factory.mktemp("deb"))


@pytest.fixture
def daemon(package: Path) -> Iterator[daemons.Daemon]:
    base = daemons.folder()
    daemon = daemons.Daemon(base / "host", "host")
    daemon.install(HOOK, "qemu.d/50-stay-off")
    daemon.start()
    yield daemon
    daemon.stop()
    shutil.rmtree(base, ignore_errors=True)


def test_a_live_daemon_calls_a_hook_that_imports_the_package_until_it_is_purged(
    package: Path, daemon: daemons.Daemon, tmp_path: Path
) -> None:
    (tmp_path / "guest.xml").write_text(DOMAIN)
    create = ("create", str(tmp_path / "guest.xml"))
    with packages.installed(package):
        files = packages.run("dpkg", "--listfiles", packages.PACKAGE).splitlines()
        assert packages.run("/usr/bin/hooking", "--version") == f"hooking, version {hooking.__version__}\n"
        assert f"g has to stay off, says {HOME}/__init__.py" in daemon.virsh(*create, check=False).stderr
        (daemon.hooks / "qemu.d" / "50-stay-off").unlink()
    left = [file for file in files if file.startswith(str(HOME)) or not Path(file).is_dir()]
    assert {f"{HOME}/py.typed", f"{HOME}/cli/templates", "/usr/bin/hooking"} <= set(left)
    assert [file for file in left if Path(file).exists()] == []
    daemon.virsh(*create)


def test_the_package_depends_on_what_hooks_import_and_on_nothing_else(package: Path) -> None:
    depends = packages.run("dpkg-deb", "--field", package, "Depends").split(",")
    names = {depend.split()[0] for depend in depends}
    assert names == {"python3-lxml", "python3-defusedxml", "python3-typing-extensions", "python3:any"}


def test_debian_s_checker_finds_nothing(package: Path) -> None:
    (changes,) = package.parent.glob("*.changes")
    assert (
        packages.run("lintian", "--allow-root", "--info", "--display-info", "--fail-on=info,warning,error", changes)
        == ""
    )
