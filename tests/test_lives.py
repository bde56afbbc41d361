"""Hooks that change the host, through whole lives under the simulated hosts: started as the hosts start them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hooking.testing import FakeHost, Libvirtd, Vdsmd
from hooking.testing.fake_programs import add_systemd
from hooking.testing.libvirtd import Trouble

SCRIPT = """#!/usr/bin/python3 -I
import hooking
hook = hooking.Hook(timeout=20)

@hook.qemu("prepare", "started", "reconnect")
@hook.lxc("prepare", "started", "reconnect")
@hook.bhyve("prepare", "started")
@hook.vdsm("before_vm_start")
def set_up(domain, context):
    hooking.stop_units(hooking.state(context), "display-manager")

@hook.qemu("release")
@hook.lxc("release")
@hook.bhyve("release")
@hook.vdsm("after_vm_destroy")
def tear_down(domain, context):
    hooking.state(context).undo()

if __name__ == "__main__":
    hook.run()
"""
FAILING = "#!/bin/sh\n[ $2 != start ]\n"
DESKTOP = {"display-manager.service": "active"}


def is_stopped(host: FakeHost) -> bool:
    return host.read("/run/systemd/units/display-manager.service/ActiveState") == "inactive"


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "desktop.py"
    path.write_text(SCRIPT)
    return path


def daemon(libvirtd: Libvirtd, script: Path, driver: str) -> Libvirtd:
    add_systemd(libvirtd.host, DESKTOP)
    libvirtd.install(script, f"{driver}.d/10-desktop")
    return libvirtd


@pytest.mark.parametrize("driver", ["qemu", "lxc", "bhyve"])
def test_a_guest_comes_and_goes(libvirtd: Libvirtd, script: Path, driver: str) -> None:
    before = daemon(libvirtd, script, driver).host.snapshot()
    guest = libvirtd.start(driver=driver)
    assert is_stopped(libvirtd.host)
    libvirtd.shutdown(guest)
    libvirtd.check()
    assert libvirtd.host.snapshot() == before


def test_bhyve_reboots_a_guest_without_preparing_it(libvirtd: Libvirtd, script: Path) -> None:
    before = daemon(libvirtd, script, "bhyve").host.snapshot()
    guest = libvirtd.start(driver="bhyve")
    libvirtd.reboot(guest)
    assert [call.point.op for call in libvirtd.log].count("prepare") == 1
    assert is_stopped(libvirtd.host)
    libvirtd.shutdown(guest)
    assert libvirtd.host.snapshot() == before


def test_lxc_releases_a_guest_that_was_not_prepared(libvirtd: Libvirtd, script: Path) -> None:
    before = daemon(libvirtd, script, "lxc").host.snapshot()
    libvirtd.start(driver="lxc", trouble="early")
    assert [call.point.op for call in libvirtd.log] == ["stopped", "release"]
    libvirtd.check()
    assert libvirtd.host.snapshot() == before


@pytest.mark.parametrize("trouble", [None, "emulator"])
def test_a_guest_that_does_not_start_leaves_nothing(libvirtd: Libvirtd, script: Path, trouble: Trouble | None) -> None:
    before = daemon(libvirtd, script, "qemu").host.snapshot()
    if trouble is None:
        failing = script.with_name("failing")
        failing.write_text(FAILING)
        libvirtd.install(failing, "qemu.d/20-failing")
    guest = libvirtd.start(trouble=trouble)
    assert not guest.active
    assert ["systemctl", "stop", "display-manager.service"] in libvirtd.host.commands
    assert libvirtd.host.snapshot() == before


def test_a_daemon_that_restarts_finds_the_guest_and_its_changes(libvirtd: Libvirtd, script: Path) -> None:
    before = daemon(libvirtd, script, "qemu").host.snapshot()
    guest = libvirtd.start()
    libvirtd.restart()
    assert is_stopped(libvirtd.host)
    libvirtd.shutdown(guest)
    assert libvirtd.host.snapshot() == before


def test_a_guest_that_migrates_takes_its_changes_along(libvirtd: Libvirtd, script: Path) -> None:
    before = daemon(libvirtd, script, "qemu").host.snapshot()
    destination = libvirtd.twin()
    add_systemd(destination.host, DESKTOP)
    guest = libvirtd.start()
    libvirtd.migrate(guest, destination)
    assert libvirtd.host.snapshot() == before
    assert is_stopped(destination.host)


def test_vdsm_destroys_what_it_started(vdsmd: Vdsmd, script: Path) -> None:
    add_systemd(vdsmd.host, DESKTOP)
    for point in "before_vm_start", "after_vm_destroy":
        vdsmd.install(script, point, "50_desktop")
    before = vdsmd.host.snapshot()
    vm = vdsmd.start_vm()
    assert is_stopped(vdsmd.host)
    vdsmd.destroy_vm(vm)
    vdsmd.check()
    assert vdsmd.host.snapshot() == before
