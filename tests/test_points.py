"""The table of hook points against the hosts' own calls, and the type checkers' names against the table."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from hooking import _signatures, points
from hooking.points import Point
from support import Recording, recordings

LIBVIRT_OPS = {
    "daemon": "start shutdown reload",
    "qemu": "start stopped prepare release migrate started reconnect attach restore",
    "lxc": "start stopped prepare release started reconnect",
    "network": "start started stopped port-created port-deleted updated plugged unplugged",
    "libxl": "start stopped prepare release migrate started reconnect",
    "bhyve": "start stopped prepare release started",
}


def names(**columns: str | bool | None) -> set[str]:
    return {
        point.name
        for point in points.all_points()
        if all(getattr(point, column) == value for column, value in columns.items())
    }


@pytest.mark.parametrize(("driver", "ops"), LIBVIRT_OPS.items())
def test_libvirt_drivers_have_exactly_their_operations(driver: str, ops: str) -> None:
    assert names(driver=driver) == {f"{driver}/{op}" for op in ops.split()}


def test_vdsm_has_58_living_points_and_two_removed_ones() -> None:
    assert len(names(driver="vdsm", until=None)) == 58
    assert names(driver="vdsm") - names(until=None) == {"before_ifcfg_write", "after_ifcfg_write"}


def test_libvirt_removed_three_operations() -> None:
    assert names(until="5.5.0") == {"qemu/attach", "network/plugged", "network/unplugged"}


@pytest.mark.parametrize("recording", recordings(), ids=lambda recording: recording.folder.name)
def test_every_captured_call_is_a_row(recording: Recording) -> None:
    _, name, op, subop, extra = recording.argv
    point = points.find(recording.driver, op)
    assert point.known
    assert (point.subop, point.document is None) == (subop, not recording.stdin)
    assert point.extra in (extra, "REASON")
    assert (name == "-") == (recording.driver == "daemon")


def test_errors_pass_only_where_failing_harms() -> None:
    harmful = {"qemu/reconnect", "lxc/reconnect", "libxl/reconnect", "network/started", "before_device_destroy"}
    assert names(on_error="pass") == harmful


def test_libvirt_reads_an_answer_at_three_operations() -> None:
    assert names(reply="stdout") == {"qemu/migrate", "qemu/restore", "libxl/migrate"}


def test_vdsm_reads_an_answer_at_fourteen_points() -> None:
    assert names(reply="merged") == {"after_disk_prepare"}
    assert names(reply="file") == {
        "before_vm_start",
        "before_device_create",
        "before_nic_hotplug",
        "before_update_device",
        "before_disk_hotplug",
        "before_memory_hotplug",
        "before_network_setup",
        "before_ifcfg_write",
        "after_get_vm_stats",
        "after_get_all_vm_stats",
        "after_get_caps",
        "after_get_stats",
        "after_hostdev_list_by_caps",
    }


def test_failing_kills_what_already_runs_at_started_and_reconnect() -> None:
    drivers = {"qemu", "lxc", "libxl", "bhyve"}
    expected = {f"{driver}/started" for driver in drivers} | {f"{driver}/reconnect" for driver in drivers - {"bhyve"}}
    assert names(failure="kills") == expected


def test_after_points_of_vdsm_are_never_aborted_but_one() -> None:
    aborting = {name for name in names(failure="aborts", host="vdsm") if not name.startswith("before_")}
    assert aborting == {"after_disk_prepare"}


def test_the_document_may_be_empty_where_vdsm_forgets_the_device() -> None:
    assert names(may_be_empty=True) == {
        "after_device_create",
        "before_device_migrate_source",
        "after_device_migrate_source",
        "before_device_destroy",
        "after_device_destroy",
    }


@pytest.mark.parametrize("point", points.all_points(), ids=lambda point: point.name)
def test_a_row_uses_only_the_words_of_its_columns(point: Point) -> None:
    assert point.subop in {"begin", "end", "-"}
    assert point.extra in {"-", "start", "SIGHUP", "shutdown", "REASON"}
    assert point.environ in {"-", "vm", "vm+device"}
    assert point.document in {"domain", "device", "network", "port", "object", "array", None}
    assert point.reply in {"stdout", "file", "merged", None}
    assert point.failure in {"aborts", "kills", "ignored"}
    assert point.on_error in {"fail", "pass"}
    assert point.action
    assert repr(point) == f"<Point {point.name}>"


def test_a_point_of_a_newer_host_is_unknown_and_harmless() -> None:
    point = points.find("qemu", "teleport")
    assert (point.known, point.document, point.reply, point.on_error) == (False, None, None, "pass")
    assert point.name == "qemu/teleport"


def test_the_table_is_built_once() -> None:
    assert points.find("qemu", "start") is points.find("qemu", "start")


@pytest.mark.parametrize(
    ("alias", "columns"),
    [
        (_signatures.DaemonOp, {"driver": "daemon"}),
        (_signatures.QemuOp, {"driver": "qemu"}),
        (_signatures.LxcOp, {"driver": "lxc"}),
        (_signatures.LibxlOp, {"driver": "libxl"}),
        (_signatures.BhyveOp, {"driver": "bhyve"}),
        (_signatures.NetworkOp, {"driver": "network", "document": "network"}),
        (_signatures.NetworkPortOp, {"driver": "network", "document": "port"}),
        (_signatures.VdsmDomainPoint, {"driver": "vdsm", "document": "domain"}),
        (_signatures.VdsmDevicePoint, {"driver": "vdsm", "document": "device", "may_be_empty": False}),
        (_signatures.VdsmEmptyDevicePoint, {"driver": "vdsm", "document": "device", "may_be_empty": True}),
        (_signatures.VdsmObjectPoint, {"driver": "vdsm", "document": "object"}),
        (_signatures.VdsmArrayPoint, {"driver": "vdsm", "document": "array"}),
        (_signatures.VdsmPlainPoint, {"driver": "vdsm", "document": None}),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "names",
)
def test_type_checkers_know_the_names_of_the_table(alias: Any, columns: dict[str, Any]) -> None:
    assert {name.rpartition("/")[2] for name in names(**columns)} == set(get_args(alias))
