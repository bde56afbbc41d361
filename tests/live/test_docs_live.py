"""What the documents say to do as root on a host, done on one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from daemons import Daemon, folder, missing
from installed import DOMAIN, PYTHON, ROOT

from blocks import Reader, run_here

pytestmark = pytest.mark.live

PAGES = [
    page
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if "```console\n# " in page.read_text()
]
MANIFESTS = Path("/var/lib/libvirt-hooking")


@pytest.fixture
def daemon(require_live: Callable[[str], None], tmp_path: Path) -> Iterator[Daemon]:
    """A daemon with the guest ``web01``, on a host whose own Python has this package."""
    require_live(missing())
    base = folder()
    daemon = Daemon(base / "host", "host")
    for script in daemon.hooks.iterdir():
        script.unlink()
    daemon.start()
    (tmp_path / "web01.xml").write_text(DOMAIN.replace("<name>g<", "<name>web01<"))
    daemon.virsh("define", str(tmp_path / "web01.xml"))
    daemon.virsh("start", "web01")
    give_package(daemon)
    had_manifests = MANIFESTS.exists()
    yield daemon
    daemon.stop()
    shutil.rmtree(base, ignore_errors=True)
    if not had_manifests:
        shutil.rmtree(MANIFESTS, ignore_errors=True)


def give_package(daemon: Daemon) -> None:
    """Put this package where the host's Python looks first, for the daemon and what runs beside it."""
    site = [PYTHON, "-Ic", "import site; print(site.getsitepackages()[0])"]
    found = subprocess.run(site, check=True, capture_output=True, text=True).stdout.strip()
    packages = daemon.base / "packages"
    packages.mkdir()
    (packages / "hooking.pth").write_text(f"{ROOT}\n")
    subprocess.run([*inside(daemon), "mount", "--bind", packages, found], check=True)


def inside(daemon: Daemon) -> list[str]:
    """What runs a program beside the daemon."""
    return ["nsenter", "-t", (daemon.base / "libvirtd.pid").read_text().strip(), "-m", "-n", "-u"]


@pytest.mark.parametrize("page", PAGES, ids=[page.relative_to(ROOT).as_posix() for page in PAGES])
def test_what_a_page_says_to_do_on_a_host_can_be_done(page: Path, daemon: Daemon, tmp_path: Path) -> None:
    def run(command: Sequence[str], place: Path, environ: dict[str, str]) -> tuple[int, str]:
        beside = ["nsenter", f"--wd={place}", *inside(daemon)[1:]]
        return run_here([*beside, *command], place, {**environ, "LIBVIRT_DEFAULT_URI": daemon.uri})

    Reader(page, tmp_path, run).read(live=True)
