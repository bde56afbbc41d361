"""A new hook from the built wheel; its packages, built by the tools of their systems, and called by a live daemon."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import daemons
import packages
import pytest
from daemons import Daemon
from packages import run

from hooking.cli.baking import bake

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[2]
AUTHOR = "Example Author <author@example.org>"
PACKAGE = "libvirt-hook-keep-away"
PLACES = ("/usr/lib/libvirt", "/usr/libexec", "/usr/share/doc", "/usr/lib/python3/dist-packages", "/var/lib/dpkg/info")
DOMAIN = """<domain type='qemu'><name>g</name><memory unit='KiB'>65536</memory><vcpu>1</vcpu>
<metadata><properties xmlns='urn:libvirt-hooking:1'>{}</properties></metadata>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator></devices></domain>"""


@pytest.fixture(scope="module")
def _tools(require_live: Callable[[str], None]) -> None:
    absent = "" if shutil.which("rpmbuild") else "not installed: rpmbuild"
    require_live(daemons.missing() or packages.missing() or absent)


@pytest.fixture
def project(_tools: None, tmp_path: Path) -> Path:
    """A new hook whose author lets it refuse what it logged."""
    made = bake({"name": "keep-away", "author": AUTHOR}, tmp_path)
    script = made / "keep_away.py"
    script.write_text(script.read_text().replace("hooking.log(", "hooking.block_start(context, "))
    return made


@pytest.fixture
def daemon(_tools: None) -> Iterator[Daemon]:
    base = daemons.folder()
    daemon = Daemon(base / "host", "host")
    daemon.start()
    yield daemon
    daemon.stop()
    shutil.rmtree(base, ignore_errors=True)


def present(daemon: Daemon) -> set[str]:
    """What lies where the packages put something."""
    return {str(path) for place in (*PLACES, daemon.hooks) for path in Path(place).rglob("*")}


def test_a_debian_package_is_built_and_installed_and_called_and_removed(
    project: Path, daemon: Daemon, tmp_path: Path
) -> None:
    run("dpkg-buildpackage", "--build=binary", "--no-sign", cwd=project)
    before = present(daemon)
    # in the name space of the daemon, so that no other one meets the hook
    dpkg = ("nsenter", "-t", (daemon.base / "libvirtd.pid").read_text().strip(), "-m", "dpkg")
    (tmp_path / "asking.xml").write_text(DOMAIN.format("<keep_away>1</keep_away>"))
    with packages.installed(packages.build(tmp_path / "sdk"), tmp_path / f"{PACKAGE}_0.1_all.deb", dpkg=dpkg):
        assert (daemon.hooks / "qemu.d" / "50-keep-away").is_symlink()
        daemon.reload()
        ended = daemon.virsh("create", str(tmp_path / "asking.xml"), check=False)
        assert "50-keep-away: qemu/prepare g: g: keep_away=1" in ended.stderr
    assert present(daemon) - before == set()
    daemon.virsh("create", str(tmp_path / "asking.xml"))


def packed(package: Path) -> set[str]:
    """The files in a Debian package."""
    lines = run("dpkg-deb", "--contents", package).splitlines()
    return {line.split()[5] for line in lines if not line.startswith("d")}


@pytest.mark.usefixtures("_tools")
def test_two_debian_packages_from_one_template_have_no_file_in_common(tmp_path: Path) -> None:
    for name in ("pin-web", "pin-db"):
        made = bake({"name": name, "author": AUTHOR, "start": "pincpu"}, tmp_path)
        run("dpkg-buildpackage", "--build=binary", "--no-sign", cwd=made)
    web, db = (packed(tmp_path / f"vdsm-hook-{name}_0.1_all.deb") for name in ("pin-web", "pin-db"))
    assert "./usr/lib/libvirt/pin_web.py" in web
    assert web & db == set()


def test_an_rpm_is_built(project: Path, tmp_path: Path) -> None:
    spec = f"{PACKAGE}.spec"
    run("rpmbuild", "-bb", "--build-in-place", "--nodeps", "--define", f"_topdir {tmp_path}/rpm", spec, cwd=project)
    (package,) = (tmp_path / "rpm" / "RPMS" / "noarch").iterdir()
    installed = run("rpm", "-qlp", package).split()
    assert {"/etc/libvirt/hooks/qemu.d/50-keep-away", f"/usr/libexec/{PACKAGE}/keep_away.py"} <= set(installed)


@pytest.mark.usefixtures("_tools")
def test_from_the_wheel_to_a_passing_test_in_three_commands(tmp_path: Path) -> None:
    pip = ("pip", "--quiet", "--disable-pip-version-check")
    run(sys.executable, "-m", *pip, "wheel", "--no-deps", "--wheel-dir", tmp_path, ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    environ = os.environ.copy()
    environ.update(
        PATH=f"{tmp_path}/venv/bin:{environ['PATH']}", DEBFULLNAME="Example Author", DEBEMAIL="a@example.org"
    )
    for command in (
        f"pip install --quiet '{wheel}[cli]' pytest",
        "hooking new my-pinning --template pincpu",
        "pytest my-pinning",
    ):
        ended = subprocess.run(
            command, shell=True, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=300
        )
        assert ended.returncode == 0, f"{command}: {ended.stdout}{ended.stderr}"
    assert " passed" in ended.stdout
