"""Actions that call programs of the host, and that change the owners of its files.

The programs are stand-ins (`hooking.testing.fake_programs`). That real ones take the same command lines was seen with
systemd 252 and LVM 2.03.16.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from edit_cases import UUID, guest
from hooking import _process
from hooking.actions import files, isolation, programs, sleep, units, volumes
from hooking.context import HookContext
from hooking.document import parse
from hooking.domain import Domain
from hooking.exceptions import CommandError, HostError, InvalidValueError
from hooking.states import State, state as state_of
from hooking.testing import FakeHost
from hooking.testing.fake_programs import add_lvm, add_systemd

OTHER = UUID.replace("3", "4")
DISPLAY = "display-manager.service"
SHOW = "--property=Id,LoadState,ActiveState"
SLEEPER = f"libvirt-hooking-sleep-{UUID}.service"
UNITS = "/run/systemd/units"
SLICES = ("system.slice", "user.slice", "init.scope")
RUNNING = {
    DISPLAY: "active",
    "getty@tty1.service": "active",
    "nfs.socket": "inactive",
    "libvirtd.service": "active",
}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    host = FakeHost(tmp_path / "root")
    process = _process.Process(["/etc/libvirt/hooks/qemu"], {"HOOKING_ROOT": str(host.root)})
    monkeypatch.setattr(_process, "_current", process)
    add_systemd(host, RUNNING)
    add_lvm(host, {"vg0/guest": False, "vg0/shared.iso": True})
    host.write("/sys/devices/system/cpu/online", "0-7\n")
    host.write("/dev/bus/usb/001/002", "")
    return host


class HandedOver(NamedTuple):
    """What a host hands over."""

    payload: bytes
    described: Domain


def prepared(uuid: str = UUID, cpuset: str = "2-3", name: str = "qemu") -> State:
    """What a hook knows of a guest at ``prepare``."""
    pin = f" cpuset='{cpuset}'" if cpuset else ""
    document = guest(vcpu=f"<vcpu{pin}>2</vcpu>").replace(UUID, uuid).encode()
    context = HookContext("qemu", "prepare", object="edited", uuid=uuid)
    context.handed_over = HandedOver(document, Domain(parse(document)))
    return state_of(context, name)


def later(uuid: str = UUID) -> State:
    """What a hook knows of it in a later process."""
    return state_of(HookContext("qemu", "release", object="edited", uuid=uuid), "qemu")


def called(host: FakeHost, *verbs: str) -> list[str]:
    """The commands that change something."""
    changing = ("start", "stop", "set-property", "--activate", "--quiet")
    lines = [command for command in host.commands if command[1:2] and command[1] in (verbs or changing)]
    return [" ".join(line) for line in lines]


def active(host: FakeHost, unit: str) -> str:
    return host.read(f"{UNITS}/{unit}/ActiveState")


def allowed(host: FakeHost) -> list[str]:
    return [host.read(f"{UNITS}/{unit}/AllowedCPUs") for unit in SLICES]


def own(state: State) -> None:
    files.give_to_user(state, "/dev/bus/usb/001/002", os.geteuid())


ACTIONS: dict[str, Callable[[State], None]] = {
    "units stopped": lambda state: units.stop_units(state, DISPLAY, "getty@tty1", "nfs.socket"),
    "units started": lambda state: units.start_units(state, DISPLAY, "nfs.socket"),
    "CPUs isolated": isolation.isolate_cpus,
    "a host awake": sleep.inhibit_sleep,
    "a volume activated": lambda state: volumes.activate_volume(state, "vg0/guest"),
    "an active volume activated": lambda state: volumes.activate_volume(state, "vg0/shared.iso"),
    "a file given away": own,
}
action_cases = pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS.keys())


# What holds for every action


@action_cases
def test_the_host_is_afterwards_what_it_was(host: FakeHost, action: Callable[[State], None]) -> None:
    before = host.snapshot()
    action(prepared())
    changed = host.snapshot()
    action(prepared())
    assert host.snapshot() == changed != before
    assert later().undo()
    assert host.snapshot() == before


@action_cases
def test_the_last_of_several_guests_restores_it(host: FakeHost, action: Callable[[State], None]) -> None:
    before = host.snapshot()
    action(prepared())
    action(prepared(OTHER, "4"))
    assert later().undo()
    assert later(OTHER).undo()
    assert host.snapshot() == before


@action_cases
@pytest.mark.parametrize("commands", range(5))
def test_a_kill_before_any_command_leaves_what_can_be_undone(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch, action: Callable[[State], None], commands: int
) -> None:
    before = host.snapshot()
    budget = iter(range(commands))
    run = programs.run

    def run_or_die(root: str, program: str, *arguments: str, **options: Any) -> str:
        if "show" not in arguments and program != "lvs" and next(budget, None) is None:
            raise KeyboardInterrupt
        return run(root, program, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(programs, "run", run_or_die)
        with suppress(KeyboardInterrupt):
            action(prepared())
        budget = iter(range(commands))
        with suppress(KeyboardInterrupt):
            later().undo()
    assert later().undo()
    assert host.snapshot() == before


@pytest.mark.parametrize(
    ("undo", "arguments"),
    [
        (units.restore_unit, (DISPLAY, "start")),
        (units.restore_unit, ("gone.service", "stop")),
        (volumes.restore_volume, ("vg0/guest", False)),
        (volumes.restore_volume, ("vg0/gone", False)),
        (files.restore_owner, ("/dev/gone", [1, 2], 0, 0)),
    ],
)
def test_undoing_what_was_not_done_changes_nothing(
    host: FakeHost, undo: Callable[..., None], arguments: tuple[object, ...]
) -> None:
    before = host.snapshot()
    undo(str(host.root), *arguments)
    assert host.snapshot() == before


REFUSED: list[tuple[str, Callable[[State], None], type[Exception], str]] = [
    ("an option", lambda state: units.stop_units(state, "-H"), InvalidValueError, "'-H' is not the name of a unit"),
    ("a path", lambda state: units.stop_units(state, "a/b"), InvalidValueError, "'a/b' is not the name"),
    ("no name", lambda state: units.stop_units(state, ""), InvalidValueError, "'' is not the name"),
    ("a line", lambda state: units.stop_units(state, "a.service\n"), InvalidValueError, r"is not the name"),
    ("a letter", lambda state: units.stop_units(state, "é"), InvalidValueError, "'é' is not the name"),
    ("a long name", lambda state: units.stop_units(state, "a" * 248), InvalidValueError, "is not the name"),
    ("a slice", lambda state: units.stop_units(state, "system.slice"), HostError, "system.slice.service is not-found"),
    ("a unit that is not there", lambda state: units.start_units(state, "x"), HostError, "x.service is not-found on"),
    ("libvirt itself", lambda state: units.stop_units(state, DISPLAY, "libvirtd"), HostError, "deadlock"),
    ("no set of CPUs", lambda state: isolation.isolate_cpus(state, "x"), InvalidValueError, "'x' is not a set of CPUs"),
    ("all CPUs", lambda state: isolation.isolate_cpus(state, "0-7"), HostError, "no CPU would be left for system.sl"),
    ("CPUs of no host", lambda state: isolation.isolate_cpus(state, "7-9"), HostError, "the CPUs 8,9 are not online"),
    ("no group", lambda state: volumes.activate_volume(state, "guest"), InvalidValueError, "'guest' does not name"),
    ("an option of LVM", lambda state: volumes.activate_volume(state, "-S/a"), InvalidValueError, "does not name"),
    ("a tag", lambda state: volumes.activate_volume(state, "@a/b"), InvalidValueError, "does not name"),
    ("a folder", lambda state: volumes.activate_volume(state, "vg0/.."), InvalidValueError, "does not name"),
    ("a folder above", lambda state: volumes.activate_volume(state, "../vg0"), InvalidValueError, "does not name"),
    ("three names", lambda state: volumes.activate_volume(state, "a/b/c"), InvalidValueError, "does not name"),
    ("no volume", lambda state: volumes.activate_volume(state, "vg0/x"), HostError, "no logical volume vg0/x on this"),
    ("a relative path", lambda state: files.give_to_user(state, "dev/x"), InvalidValueError, "not an absolute path"),
    ("a null", lambda state: files.give_to_user(state, "/dev/\0"), InvalidValueError, "not an absolute path"),
    ("nobody", lambda state: files.give_to_user(state, "/", "no one"), InvalidValueError, "there is no user 'no one'"),
    ("no number", lambda state: files.give_to_user(state, "/", -1), InvalidValueError, "there is no user '-1'"),
    ("chown's -1", lambda state: files.give_to_user(state, "/", 2**32 - 1), InvalidValueError, "no user '4294967295'"),
    ("no group", lambda state: files.give_to_user(state, "/", 0, "no one"), InvalidValueError, "no group 'no one'"),
    ("no file", lambda state: files.give_to_user(state, "/dev/x", 0), HostError, r"No such file or directory \(x\)"),
    (
        "a folder",
        lambda state: files.give_to_user(state, "/dev/bus/..", 0),
        HostError,
        "/dev is neither a file nor a device",
    ),
]


@pytest.mark.parametrize(("action", "error", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_cannot_be_is_refused_before_anything_is_changed(
    host: FakeHost, action: Callable[[State], None], error: type[Exception], message: str
) -> None:
    state = prepared()
    before = host.snapshot()
    with pytest.raises(error, match=message):
        action(state)
    assert host.snapshot() == before


# Programs


def test_a_program_is_the_host_s_own(host: FakeHost) -> None:
    host.add_program("which", "cat; echo $1; exit 3")
    assert programs.status(str(host.root), "which", "one") == 3
    with pytest.raises(CommandError, match="which failed with status 3: one"):
        programs.run(str(host.root), "which", "one", stdin="two\n")
    assert host.commands == [["which", "one"], ["which", "one"]]


def test_programs_of_the_machine_are_not_those_of_a_fake_host(host: FakeHost) -> None:
    with pytest.raises(CommandError, match="sh is not installed on this host"):
        programs.run(str(host.root), "sh", "-c", "true")


def test_programs_in_path_are_found_on_a_real_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = FakeHost(tmp_path)
    program.add_program("hooking-test-program", "echo found")
    monkeypatch.setenv("PATH", f"{tmp_path}/usr/bin")
    assert programs.run("/", "hooking-test-program") == "found\n"


def test_a_program_that_a_stand_in_does_not_know_fails(host: FakeHost) -> None:
    for arguments in ("reload",), ("start", "gone.service"):
        with pytest.raises(CommandError):
            programs.run(str(host.root), "systemctl", *arguments)


# Units


def test_only_units_in_the_other_state_are_switched_and_back_in_reverse(host: FakeHost) -> None:
    units.stop_units(prepared(), "display-manager", "getty@tty1.service", "nfs.socket")
    assert called(host) == [f"systemctl stop {DISPLAY}", "systemctl stop getty@tty1.service"]
    later().undo()
    assert called(host)[2:] == ["systemctl start getty@tty1.service", f"systemctl start {DISPLAY}"]


def test_a_unit_that_is_being_started_counts_as_running(host: FakeHost) -> None:
    host.write(f"{UNITS}/{DISPLAY}/ActiveState", "activating")
    units.start_units(prepared(), DISPLAY)
    assert called(host) == []
    units.stop_units(prepared(OTHER), DISPLAY)
    assert called(host) == [f"systemctl stop {DISPLAY}"]


def test_units_that_a_guest_needs_run_with_it(host: FakeHost) -> None:
    units.start_units(prepared(), DISPLAY, "nfs.socket")
    assert called(host) == ["systemctl start nfs.socket"]
    later().undo()
    assert called(host)[1:] == ["systemctl stop nfs.socket"]


def test_a_unit_stays_stopped_while_a_guest_needs_that(host: FakeHost) -> None:
    units.stop_units(prepared(), DISPLAY)
    units.stop_units(prepared(OTHER), DISPLAY)
    later().undo()
    assert active(host, DISPLAY) == "inactive"
    later(OTHER).undo()
    assert active(host, DISPLAY) == "active"


def test_a_unit_has_one_name(host: FakeHost) -> None:
    host.path(f"{UNITS}/gdm.service").symlink_to(DISPLAY)
    host.path(f"{UNITS}/virtualization.service").symlink_to("libvirtd.service")
    units.stop_units(prepared(), "gdm")
    assert called(host) == [f"systemctl stop {DISPLAY}"]
    with pytest.raises(HostError, match="virtualization must not be started or stopped by a hook"):
        units.stop_units(prepared(), "virtualization")


@pytest.mark.parametrize(
    "unit", ["libvirtd-ro.socket", "virtqemud.service", "virtlogd-admin.socket", "supervdsmd.service", "libvirt-guests"]
)
def test_daemons_that_wait_for_the_hook_are_left_alone(host: FakeHost, unit: str) -> None:
    name = unit if "." in unit else f"{unit}.service"
    add_systemd(host, {name: "active", "virtiofsd.service": "active", "virt-who.service": "active"})
    for switch in units.stop_units, units.start_units:
        with pytest.raises(HostError, match="deadlock"):
            switch(prepared(), unit)
    units.stop_units(prepared(), "virtiofsd", "virt-who")
    assert [active(host, unit) for unit in ("virtiofsd.service", "virt-who.service")] == ["inactive"] * 2


def test_a_masked_unit_is_refused(host: FakeHost) -> None:
    host.write(f"{UNITS}/{DISPLAY}/LoadState", "masked")
    with pytest.raises(HostError, match=f"the unit {DISPLAY} is masked on this host; see systemctl status"):
        units.start_units(prepared(), DISPLAY)


def test_a_unit_that_does_not_stop_is_an_error_and_is_started_again(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = host.read("/usr/bin/systemctl")
    host.write(
        "/usr/bin/systemctl", real.replace("case $verb in", "[ $verb = stop ] && exec sleep 60\ncase $verb in", 1)
    )
    with pytest.raises(CommandError, match=r"systemctl took longer than 0\.5 s"):
        units.stop_units(prepared(), DISPLAY, timeout=0.5)
    host.write(f"{UNITS}/{DISPLAY}/ActiveState", "inactive")
    later().undo()
    assert active(host, DISPLAY) == "active"


# Isolated CPUs


def test_the_host_keeps_what_no_guest_has(host: FakeHost) -> None:
    isolation.isolate_cpus(prepared())
    assert allowed(host) == ["0,1,4,5,6,7"] * 3
    isolation.isolate_cpus(prepared(OTHER), "3-5")
    assert allowed(host) == ["0,1,6,7"] * 3
    later().undo()
    assert allowed(host) == ["0,1,2,6,7"] * 3
    later(OTHER).undo()
    assert allowed(host) == [""] * 3
    assert f"systemctl set-property --runtime init.scope AllowedCPUs={allowed(host)[2]}" == called(host)[-1]


def test_what_the_administrator_set_is_kept_and_restored(host: FakeHost) -> None:
    host.write(f"{UNITS}/system.slice/AllowedCPUs", "0 2-4")
    before = host.snapshot()
    isolation.isolate_cpus(prepared())
    assert allowed(host) == ["0,4", "0,1,4,5,6,7", "0,1,4,5,6,7"]
    later().undo()
    assert host.snapshot() == before


def test_guests_cannot_take_the_last_cpu_together(host: FakeHost) -> None:
    isolation.isolate_cpus(prepared(), "0-5")
    with pytest.raises(
        HostError, match="no CPU would be left for system.slice, which may use 0,1,2,3,4,5,6,7; isolate fewer"
    ):
        isolation.isolate_cpus(prepared(OTHER), "6-7")
    assert allowed(host) == ["6,7"] * 3


def test_a_guest_that_is_not_pinned_has_no_cpus_for_itself(host: FakeHost) -> None:
    with pytest.raises(InvalidValueError, match="the guest is pinned to no CPUs; pin it, or say which"):
        isolation.isolate_cpus(prepared(cpuset=""))


@pytest.mark.parametrize("controllers", [None, "cpu io memory\n"])
def test_without_cgroup_v2_no_cpu_is_isolated(host: FakeHost, controllers: str | None) -> None:
    host.path("/sys/fs/cgroup/cgroup.controllers").unlink()
    if controllers:
        host.write("/sys/fs/cgroup/cgroup.controllers", controllers)
    with pytest.raises(HostError, match=r"cgroup v2; boot this host with systemd\.unified_cgroup_hierarchy=1"):
        isolation.isolate_cpus(prepared())


def test_an_old_systemd_isolates_no_cpus(host: FakeHost) -> None:
    host.path(f"{UNITS}/user.slice/AllowedCPUs").unlink()
    with pytest.raises(HostError, match="older than version 244"):
        isolation.isolate_cpus(prepared())
    assert host.read(f"{UNITS}/system.slice/AllowedCPUs") == ""


# Sleep


def test_a_service_of_the_guest_keeps_the_host_awake(host: FakeHost) -> None:
    sleep.inhibit_sleep(prepared(), reason="it costs $5\n")
    sleep.inhibit_sleep(prepared())
    sleep.inhibit_sleep(prepared(OTHER))
    started = [command for command in host.commands if command[0] == "systemd-run"]
    assert started[0] == [
        "systemd-run",
        "--quiet",
        "--collect",
        f"--unit={SLEEPER}",
        "systemd-inhibit",
        "--what=sleep:idle",
        "--mode=block",
        "--who=libvirt-hooking",
        "--why=it costs $$5",
        "sleep",
        "infinity",
    ]
    assert len(started) == 2
    later().undo()
    assert called(host, "stop") == [f"systemctl stop {SLEEPER}"]


def test_a_host_without_logind_cannot_be_kept_awake(host: FakeHost) -> None:
    host.add_program("systemd-inhibit", "echo 'Failed to list inhibitors' >&2; exit 1")
    with pytest.raises(CommandError, match="Failed to list inhibitors"):
        sleep.inhibit_sleep(prepared())
    assert later().undo()
    assert called(host) == []


def test_a_service_of_that_name_is_not_replaced(host: FakeHost) -> None:
    add_systemd(host, {SLEEPER: "inactive"})
    with pytest.raises(CommandError, match="already loaded"):
        sleep.inhibit_sleep(prepared())


# Volumes


def test_only_a_volume_that_was_inactive_is_deactivated(host: FakeHost) -> None:
    volumes.activate_volume(prepared(), "vg0/guest")
    volumes.activate_volume(prepared(), "vg0/shared.iso")
    later().undo()
    assert called(host) == [
        "lvchange --activate y --ignoreactivationskip vg0/guest",
        "lvchange --activate y --ignoreactivationskip vg0/shared.iso",
        "lvchange --activate n vg0/guest",
    ]


def test_a_volume_in_use_is_deactivated_another_time(host: FakeHost) -> None:
    volumes.activate_volume(prepared(), "vg0/guest")
    real = host.read("/usr/bin/lvchange")
    host.add_program("lvchange", "echo 'Logical volume vg0/guest in use.' >&2; exit 5")
    assert not later().undo()
    host.write("/usr/bin/lvchange", real)
    assert later().undo()
    assert host.read("/run/lvm/volumes/vg0/guest") == ""


# Files

NODE = "/dev/bus/usb/001/002"


@pytest.fixture
def owners(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int]]:
    """The owners that files got, which no ordinary user can really change."""
    changes: list[tuple[str, int, int]] = []

    def chown(path: str, uid: int, gid: int) -> None:
        changes.append((os.path.basename(os.readlink(path)), uid, gid))

    monkeypatch.setattr(os, "chown", chown)
    return changes


def test_a_file_is_a_user_s_as_long_as_the_guest_runs(host: FakeHost, owners: list[tuple[str, int, int]]) -> None:
    files.give_to_user(prepared(), NODE, 107)
    files.give_to_user(prepared(OTHER), NODE, "107", "root")
    later().undo()
    later(OTHER).undo()
    owner = host.path(NODE).stat()
    assert owners == [("002", 107, -1), ("002", 107, 0), ("002", owner.st_uid, owner.st_gid)]


def test_users_have_names(host: FakeHost, owners: list[tuple[str, int, int]]) -> None:
    files.give_to_user(prepared(), NODE, "root", 36)
    assert owners == [("002", 0, 36)]


def test_another_device_of_the_same_name_keeps_its_owner(host: FakeHost, owners: list[tuple[str, int, int]]) -> None:
    files.give_to_user(prepared(), NODE, 107)
    host.write(f"{NODE}.new", "")
    host.path(f"{NODE}.new").rename(host.path(NODE))
    assert later().undo()
    assert owners == [("002", 107, -1)]


def test_the_same_device_plugged_in_again_is_given_and_restored(
    host: FakeHost, owners: list[tuple[str, int, int]]
) -> None:
    files.give_to_user(prepared(), NODE, 107)
    host.write(f"{NODE}.new", "")
    host.path(f"{NODE}.new").rename(host.path(NODE))
    files.give_to_user(prepared(), NODE, 107)
    later().undo()
    assert [uid for _, uid, _ in owners] == [107, 107, host.path(NODE).stat().st_uid]


def test_links_are_not_followed(host: FakeHost, owners: list[tuple[str, int, int]]) -> None:
    host.path("/dev/stick").symlink_to("bus/usb/001/002")
    host.path("/dev/hub").symlink_to("bus/usb/001")
    host.write("/dev/two", "")
    os.link(host.path("/dev/two"), host.path("/dev/second"))
    for path, message in {
        "/dev/stick": "neither a file nor a device node; a link is not followed",
        "/dev/hub/002": r"cannot use /dev/hub/002: Not a directory \(002\); no link is followed",
        "/dev/two": r"has another name as well \(a hard link\)",
    }.items():
        with pytest.raises(HostError, match=message):
            files.give_to_user(prepared(), path, 107)
    assert owners == []


def test_a_file_that_changes_the_user_who_runs_it_is_not_given_away(
    host: FakeHost, owners: list[tuple[str, int, int]]
) -> None:
    host.path(NODE).chmod(0o755 | stat.S_ISUID)
    with pytest.raises(HostError, match="changes user or group when it is run"):
        files.give_to_user(prepared(), NODE, 107)
    assert owners == []


def test_an_owner_that_cannot_be_changed_is_an_error(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    def chown(path: str, uid: int, gid: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", chown)
    with pytest.raises(HostError, match=f"cannot change the owner of {NODE}: Operation not permitted"):
        files.give_to_user(prepared(), NODE, 107)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_really_changes(host: FakeHost) -> None:
    files.give_to_user(prepared(), NODE, 107, 36)
    owner = host.path(NODE).stat()
    assert (owner.st_uid, owner.st_gid) == (107, 36)
    later().undo()
    owner = host.path(NODE).stat()
    assert (owner.st_uid, owner.st_gid) == (0, 0)
