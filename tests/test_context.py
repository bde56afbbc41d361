"""Which host called, with what."""

from __future__ import annotations

import os

import pytest

from hooking import host
from hooking.context import HookContext, read_context
from hooking.exceptions import HookError, InvocationError, Refusal
from support import FakeProcess, Recording, libvirt, recordings, vdsm

LIBVIRT = "/etc/libvirt/hooks"
VDSM = "/usr/libexec/vdsm/hooks"


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (f"{LIBVIRT}/qemu", ("qemu", "")),
        (f"{LIBVIRT}/qemu.d/10-pin", ("qemu", "")),
        (f"{LIBVIRT}/qemu.d/network", ("qemu", "")),
        (f"{LIBVIRT}/lxc.d/sub/qemu", ("lxc", "")),
        (f"{LIBVIRT}/qemu.d/../network", ("network", "")),
        (f"{VDSM}/before_vm_start/50_x", ("vdsm", "before_vm_start")),
        (f"{VDSM}/before_vm_start/qemu", ("vdsm", "before_vm_start")),
        ("/x/qemu.d/after_vm_start/y", ("vdsm", "after_vm_start")),
        ("/x/after_vm_start/qemu.d/y", ("qemu", "")),
        ("/x/q.d/daemon", ("daemon", "")),
    ],
)
def test_the_nearest_telling_folder_decides_and_then_the_name(script: str, expected: tuple[str, str]) -> None:
    assert host.called_as(script, {}) == expected


def test_a_relative_path_is_completed(monkeypatch: pytest.MonkeyPatch, tmp_path: os.PathLike[str]) -> None:
    os.mkdir(f"{tmp_path}/bhyve.d")
    monkeypatch.chdir(f"{tmp_path}/bhyve.d")
    assert host.called_as("./x", {}) == ("bhyve", "")


def test_an_unknown_folder_of_vdsm_is_a_point_of_a_newer_vdsm() -> None:
    context = read_context(FakeProcess([f"{VDSM}/before_teleport/x"], {"_hook_domxml": "/p"}))
    assert (context.driver, context.op, context.point.known) == ("vdsm", "before_teleport", False)


def test_started_by_neither_host() -> None:
    with pytest.raises(InvocationError, match=r"^./pin.py is called by neither libvirt .* nor VDSM .*hooking run"):
        read_context(FakeProcess(["./pin.py"]))


@pytest.mark.parametrize("arguments", [[], ["web01"], ["web01", "start", "begin"], ["a", "b", "c", "d", "e"]])
def test_libvirt_gives_four_arguments(arguments: list[str]) -> None:
    with pytest.raises(InvocationError, match=f"gives 4 arguments, .* but {len(arguments)} came"):
        read_context(FakeProcess([f"{LIBVIRT}/qemu", *arguments]))


@pytest.mark.parametrize("recording", recordings(), ids=lambda r: r.folder.name)
def test_captured_calls(recording: Recording) -> None:
    context = read_context(FakeProcess(recording.argv, recording.environ))
    _, name, op, subop, extra = recording.argv
    assert (context.host, context.driver) == ("libvirt", recording.driver)
    assert context.object == (None if recording.driver == "daemon" else name)
    assert (context.op, context.subop, context.extra) == (op, subop, extra)
    assert str(context) == f"{context.point.name}{'' if context.object is None else f' {name}'}"


@pytest.mark.parametrize("name", ["-", "a b", 'it\'s "x"', "--help", "Büro", "\udcff", "$(reboot)", ";", "*"])
def test_names_arrive_raw(name: str) -> None:
    assert read_context(libvirt("qemu", "start", name=name)).object == name


def test_a_reason_with_a_blank_is_one_argument() -> None:
    assert read_context(libvirt("qemu", "release", extra="from snapshot")).extra == "from snapshot"


def test_vdsm_gives_properties_and_the_id_in_the_environment() -> None:
    own = {"LC_ALL": "C.UTF8", "PYTHONPATH": "/x", "LD_PRELOAD": "", "INVOCATION_ID": "1", "SYSTEMD_EXEC_PID": "2"}
    context = read_context(vdsm("before_vm_start", pincpu="1", empty="", LANG="C", **own))
    assert (context.host, context.object, context.op, context.subop) == ("vdsm", "some-id", "before_vm_start", "-")
    assert context.custom_properties == {"pincpu": "1", "empty": ""}


def test_points_that_are_about_no_vm_have_no_object() -> None:
    process = FakeProcess([f"{VDSM}/before_network_setup/x"], {"_hook_json": "/p"})
    assert read_context(process).object is None


def test_a_context_for_a_test_of_a_handler() -> None:
    context = HookContext("qemu", "migrate", object="web01", custom_properties={"pincpu": "1"})
    assert context.custom_properties == {"pincpu": "1"}
    assert HookContext("daemon", "start").custom_properties == {}
    assert context.privileged == (os.geteuid() == 0)


@pytest.mark.parametrize(
    ("driver", "op", "refusal", "error", "strict"),
    [
        ("qemu", "prepare", 1, 1, 1),
        ("qemu", "stopped", 1, 1, 1),
        ("qemu", "reconnect", 1, 0, 1),
        ("network", "started", 1, 0, 1),
        ("vdsm", "before_vm_start", 2, 2, 2),
        ("vdsm", "after_vm_start", 1, 1, 1),
        ("vdsm", "before_device_destroy", 2, 0, 2),
    ],
)
def test_the_status_follows_the_rule_of_the_point(driver: str, op: str, refusal: int, error: int, strict: int) -> None:
    point = HookContext(driver, op).point
    assert host.exit_status(point, Refusal("no")) == refusal
    assert host.exit_status(point, ValueError()) == error
    assert host.exit_status(point, HookError("x"), strict=True) == strict
