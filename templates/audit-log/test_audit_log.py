import json
import time
from pathlib import Path
from typing import Any

import audit_log
import pytest

import hooking
from hooking import points
from hooking.testing import FakeHost, Recording, Vdsmd, run_hook

RECORDINGS = sorted((Path(__file__).parent / "recordings").iterdir())


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


@pytest.fixture(params=[True, False], ids=["root", "user"])
def privileged(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(hooking.HookContext, "privileged", request.param)
    return bool(request.param)


def logged(host: FakeHost) -> dict[str, list[dict[str, Any]]]:
    """Entries of the logs, by folder."""
    found = host.path("/var/log").rglob("hooks.log")
    return {path.parent.name: [json.loads(line) for line in path.read_text("ascii").splitlines()] for path in found}


def without_time(entry: dict[str, Any]) -> dict[str, Any]:
    time.strptime(entry["time"], "%Y-%m-%dT%H:%M:%SZ")
    return {name: value for name, value in entry.items() if name != "time"}


@pytest.mark.parametrize("point", [point.name for point in points.all_points() if not point.absent])
def test_every_event_is_one_line(point: str, host: FakeHost, privileged: bool) -> None:
    outcome = run_hook(audit_log.hook, point, host=host)
    assert (outcome.status, outcome.stderr, outcome.changed) == (0, "", False)
    if outcome.point.host == "libvirt" and not privileged:
        assert logged(host) == {}
        return
    ((folder, (entry,)),) = logged(host).items()
    assert folder == ("libvirt" if privileged else "vdsm")
    assert [entry[name] for name in ("host", "op", "object")] == [outcome.point.host, outcome.point.op, outcome.object]


@pytest.mark.parametrize("privileged", [True], indirect=True)
def test_what_a_line_says(host: FakeHost, privileged: bool) -> None:
    run_hook(audit_log.hook, "qemu/release", extra="crashed", host=host)
    run_hook(audit_log.hook, "daemon/reload", host=host)
    guest, daemon = map(without_time, logged(host)["libvirt"])
    uuid = "3573e29e-5de9-468a-9fae-16050c6b3dcc"
    call = {"host": "libvirt", "driver": "qemu", "op": "release", "subop": "end", "extra": "crashed"}
    assert guest == {**call, "object": "web01", "uuid": uuid}
    call = {"host": "libvirt", "driver": "daemon", "op": "reload", "subop": "begin", "extra": "SIGHUP"}
    assert daemon == {**call, "object": None, "uuid": None}


@pytest.mark.parametrize("privileged", [True], indirect=True)
def test_no_name_ends_a_line_or_commands_a_terminal(host: FakeHost, privileged: bool) -> None:
    name = 'a"\n{"op": "forged"}\x1b[2J\u202e\udcff'
    run_hook(audit_log.hook, "qemu/start", object=name, host=host)
    assert [entry["object"] for entry in logged(host)["libvirt"]] == [name]
    assert host.read("/var/log/libvirt/hooks.log").rstrip("\n").isprintable()


@pytest.mark.parametrize("privileged", [True], indirect=True)
def test_a_log_that_cannot_be_written_stops_nobody(host: FakeHost, privileged: bool) -> None:
    host.path("/var/log/libvirt").mkdir(parents=True)
    host.path("/var/log/libvirt/hooks.log").symlink_to(host.path("/elsewhere"))
    outcome = run_hook(audit_log.hook, "qemu/start", host=host)
    assert outcome.status == 0
    assert "the audit log lacks qemu/start web01: " in outcome.log
    assert not host.path("/elsewhere").exists()


@pytest.mark.parametrize("privileged", [True], indirect=True)
def test_nothing_else_is_kept_and_only_the_owner_reads_the_log(host: FakeHost, privileged: bool) -> None:
    before = host.snapshot()
    run_hook(audit_log.hook, "qemu/prepare", host=host)
    made = {path: content for path, content in host.snapshot().items() if path not in before and content[0] != "d"}
    assert list(made) == ["var/log/libvirt/hooks.log"]
    assert made["var/log/libvirt/hooks.log"].startswith("-rw------- ")


def test_the_life_of_a_vm(vdsmd: Vdsmd) -> None:
    for point in ("before_vm_start", "before_device_create", "before_vm_destroy", "after_vm_destroy"):
        vdsmd.install(audit_log.__file__, point)
    vdsmd.destroy_vm(vdsmd.start_vm(custom_properties={"secret": "s3cr3t"}))
    vdsmd.check()
    ((_, entries),) = logged(vdsmd.host).items()
    assert [entry["op"] for entry in entries] == ["before_vm_start", "before_vm_destroy", "after_vm_destroy"]
    assert "s3cr3t" not in str(entries)


@pytest.mark.parametrize("recording", RECORDINGS, ids=[path.name for path in RECORDINGS], indirect=True)
def test_recorded_calls_lead_to_what_they_led_to(recording: Recording) -> None:
    recording.check(recording.run(audit_log.hook))
