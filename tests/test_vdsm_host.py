"""The simulated VDSM host: its runner against VDSM's own, single calls, and what it is asked as a host."""

from __future__ import annotations

import json
import os
import pwd
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hooking import points
from hooking.exceptions import DocumentError, InvocationError, PointError
from hooking.testing.documents import SAMPLE_VM_ID
from hooking.testing.vdsm_runner import Called, HookRunner
from hooking.testing.vdsmd import Vdsmd
from support import GOLDEN, TEMPLATES, canonical
from vdsm_support import CARD, UNREADABLE, VM, calls, failing, names, sh

Golden = dict[str, Any]


def golden() -> list[Golden]:
    experiments: list[Golden] = json.loads((GOLDEN / "vdsm-runner.json").read_text())
    assert len(experiments) == 35
    return experiments


# The runner

INPUTS: dict[str, dict[str, Any]] = {
    "env_bool": {"params": {"FROM_SNAPSHOT": False}},
    "env_bool_no_script": {"params": {"FROM_SNAPSHOT": False}},
    "env_str": {"params": {"FROM_SNAPSHOT": "True"}},
    "env_none": {"custom_properties": {"p": None}},
    "env_surrogate": {"custom_properties": {"p": "\udcfcą"}},
    "custom_can_override_path": {"custom_properties": {"PATH": "/evil", "PYTHONPATH": "/evilpy"}},
    "vm_beats_device_prop": {
        "data": "<d/>",
        "params": {"p": "dev", "q": "dev"},
        "custom_properties": {"p": "vm"},
        "vm_id": "v1",
    },
    "json_roundtrip_types": {"data": {1: (1, 2), "x": None}},
    "json_not_serialisable": {"data": {"s": {1}}},
}


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The daemon's folder for temporary files, and its umask."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    umask = os.umask(0o022)
    yield folder
    os.umask(umask)


def lay_out(experiment: Golden, root: Path) -> HookRunner:
    folder = root / "hooksroot"
    for name, text in experiment["scripts"].items():
        path = folder / experiment["point"] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o644 if name == "noexec" else 0o755)
    environ = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF8", "PYTHONPATH": "/usr/libexec/vdsm"}
    return HookRunner(folder, environ, root / "lib" / "vdsm" / "hook")


def raised(point: points.Point, called: Called) -> tuple[str, str] | None:
    """What VDSM raises after a call."""
    if called.failure:
        return type(called.failure).__name__, re.sub(r"'/\S*'", "{PAYLOAD}", str(called.failure))
    return ("HookError", called.error) if called.status and point.failure == "aborts" else None


@pytest.mark.parametrize("experiment", golden(), ids=lambda experiment: experiment["name"])
def test_the_runner_does_what_vdsms_own_did(experiment: Golden, tmp_path: Path, temporary: Path) -> None:
    point = points.parse(experiment["point"])
    given: dict[str, Any] = {
        "data": {} if point.is_json else "<domain/>" if point.document else None,
        **INPUTS.get(experiment["name"], {}),
    }
    called = lay_out(experiment, tmp_path).call(point, given.pop("data"), **given)
    result = experiment["result"]
    if "raised" in result:
        assert raised(point, called) == (result["raised"], re.sub(r"'/\S*'", "{PAYLOAD}", result["text"]))
    else:
        assert raised(point, called) is None
        assert called.returned == result["returned"]
    if "callback" in experiment:
        assert [called.returned] == experiment["callback"]
    user = pwd.getpwuid(os.geteuid()).pw_name
    assert called.log == [
        line.replace("{ROOT}", str(tmp_path)).replace("600 root\\n/tmp", f"600 {user}\\n{temporary}")
        for line in experiment["log"]
    ]
    waited = sum(ended.seconds for _, ended in called.scripts)
    assert waited >= experiment["seconds"] - 0.5
    if "sleep" in json.dumps(experiment["scripts"]):  # of the others a slow machine may make anything
        assert (waited < 2.5) == (experiment["seconds"] < 2.5)
    assert not list(temporary.iterdir())


def test_without_scripts_the_runner_gives_back_the_very_value(tmp_path: Path) -> None:
    data = {1: (1, 2)}
    called = HookRunner(tmp_path, {}, tmp_path).call(points.parse("after_get_caps"), data)
    assert called.returned is data
    assert called.answer is None


@pytest.mark.parametrize(("text", "error"), [("#!/no/such\n", FileNotFoundError), ("echo hi\n", OSError)])
def test_without_taskset_a_script_that_cannot_be_executed_is_an_error_everywhere(
    tmp_path: Path, text: str, error: type[Exception]
) -> None:
    host = Vdsmd(tmp_path, taskset=False)
    sh(host, "after_vm_start", "").write_text(text)
    called = HookRunner(host.hooks, {}, tmp_path, taskset=False).call(points.parse("after_vm_start"), "<domain/>")
    assert isinstance(called.failure, error)
    assert host.call("after_vm_start").refused.startswith(f"VDSM fails with {error.__name__}: ")


def test_taskset_that_is_missing_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InvocationError, match="pass taskset=False"):
        Vdsmd(tmp_path)
    Vdsmd(tmp_path, taskset=False)


def test_a_folder_with_wildcards_in_its_name_is_taken_as_it_is(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path / "a[b]*")
    path = sh(host, "before_vm_start", "")
    assert [script for script, _ in host.call("before_vm_start").scripts] == [str(path)]


# The host's scripts

ASKS_FOR_HOOKING = (
    "#!/usr/bin/python3{option}\nimport hooking\nprint(hooking.__file__, file=__import__('sys').stderr)\n"
)


def test_a_script_without_isolation_gets_vdsms_module_and_is_told_so(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path / "host", this_python=True)
    script = tmp_path / "plain"
    script.write_text(ASKS_FOR_HOOKING.format(option=""))
    assert host.install(script, "before_vm_start") == host.hooks / "before_vm_start" / "plain"
    plain = host.call("before_vm_start")
    assert plain.failed
    assert "begin the script with #!/usr/bin/python3 -I" in plain.stderr
    script.write_text(ASKS_FOR_HOOKING.format(option=" -I"))
    host.install(script, "before_vm_start")
    isolated = host.call("before_vm_start")
    assert not isolated.failed
    assert isolated.stderr.strip() == str(Path(points.__file__).with_name("__init__.py"))


def test_the_stand_in_can_be_left_out(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path, stand_in=False, this_python=True)
    path = sh(host, "before_vm_start", "")
    path.write_text(ASKS_FOR_HOOKING.format(option=""))
    assert str(tmp_path) not in host.call("before_vm_start").stderr


def test_installed_scripts_are_executable_and_run_in_the_order_of_their_names(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path / "host")
    script = tmp_path / "hook"
    script.write_text("#!/bin/sh\nbasename $0 >&2\n")
    for name in ("5_b", "10_a", None):
        host.install(script, "after_vm_start", name)
    outcome = host.call("after_vm_start")
    assert outcome.stderr.split() == ["10_a", "5_b", "hook"]
    assert os.stat(outcome.scripts[0][0]).st_mode & 0o777 == 0o755
    assert outcome.log.splitlines()[0] == f"INFO {outcome.scripts[0][0]}: rc=0 err=b'10_a\\n'"
    host.check()


def test_scripts_belong_to_hook_points_of_vdsm(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path)
    with pytest.raises(PointError, match="did you mean before_vm_start"):
        host.install(tmp_path / "x", "before_vm_strat")
    with pytest.raises(InvocationError, match="use Libvirtd"):
        host.install(tmp_path / "x", "qemu/start")


# Single calls


def test_a_call_hands_over_what_vdsm_would(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path, environ={"FROM_SYSCONFIG": "1"})
    sh(host, "before_device_create", "echo $vmId $p $q $r $FROM_SYSCONFIG $PYTHONPATH >&2")
    outcome = host.call(
        "before_device_create",
        CARD,
        object="some-id",
        custom_properties={"p": "vm"},
        device_properties={"p": "device", "q": "device"},
        environ={"r": "vdsm"},
    )
    assert outcome.stderr.split() == ["some-id", "vm", "device", "vdsm", "1", f"{tmp_path}:{tmp_path}/vdsm/hook"]
    assert outcome.object == "some-id"
    assert canonical(outcome.before) == canonical(CARD.encode())
    assert host.call("before_vm_start").object == SAMPLE_VM_ID
    assert host.log[0] is outcome
    host.check()


def test_calls_that_vdsm_never_makes_are_refused(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path)
    refused: list[tuple[str, dict[str, Any]]] = [
        ("qemu/start", {}),
        ("before_get_caps", {"object": "x"}),
        ("before_get_caps", {"custom_properties": {"p": "1"}}),
        ("before_vm_start", {"device_properties": {"p": "1"}}),
        ("before_vm_destroy", {"document": VM}),
    ]
    for point, options in refused:
        with pytest.raises(InvocationError):
            host.call(point, **options)
    with pytest.raises(DocumentError):
        host.call("before_vm_start", CARD)
    assert not host.log


def test_the_document_that_vdsm_takes_is_the_outcomes(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path)
    edit = "sed -i s/br0/br1/ $_hook_domxml"
    sh(host, "before_nic_hotplug", edit)
    sh(host, "after_nic_hotplug", edit)
    assert host.call("before_nic_hotplug", CARD).device.element.find("source[@bridge='br1']") is not None
    ignored = host.call("after_nic_hotplug", CARD)
    assert not ignored.changed
    assert not ignored.failed


def test_a_failure_is_told_with_the_error_that_vdsm_reports(tmp_path: Path) -> None:
    host = failing(tmp_path, "before_vm_cont")
    sh(host, "before_vm_cont", "echo two >&2; exit 3", "60")
    outcome = host.call("before_vm_cont")
    assert (outcome.status, outcome.error) == (3, "Hook Error: (b'two\\n',)")
    assert outcome.stderr == "no\ntwo\n"
    with pytest.raises(AssertionError, match=f"before_vm_cont {SAMPLE_VM_ID}: the resume does not happen: no"):
        host.check()


def test_a_payload_that_vdsm_cannot_use_is_a_refusal(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path)
    sh(host, "after_vm_start", UNREADABLE)
    sh(host, "before_vm_start", "echo '<domain' > $_hook_domxml")
    assert "VDSM fails with UnicodeDecodeError" in host.call("after_vm_start").refused
    outcome = host.call("before_vm_start")
    assert "the document is not XML" in outcome.refused
    assert not outcome.changed
    with pytest.raises(AssertionError, match="UnicodeDecodeError.*\n.*the document is not XML"):
        host.check()


def test_a_script_that_hangs_vdsm_is_no_failure_but_told(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path, timeout=1)
    sh(host, "before_vm_start", "sleep 60 & exit 0")
    outcome = host.call("before_vm_start")
    assert not outcome.failed
    assert "sleep" in outcome.hang
    with pytest.raises(AssertionError, match="VDSM would hang here: .*sleep"):
        host.check()


def test_hooks_of_this_package_work_as_they_do_on_a_host(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path, this_python=True)
    host.install(TEMPLATES / "pincpu" / "pincpu.py", "before_vm_start")
    host.install(TEMPLATES / "cantmigrate" / "cantmigrate.py", "before_vm_migrate_source")
    vm = host.start_vm(VM, custom_properties={"pincpu": "1-3", "cantmigrate": "1"})
    assert vm.domain.vcpu.cpuset == "1-3"
    assert not host.migrate_vm(vm).up
    assert vm.up


# The daemon and the host


def test_the_daemon_starts_and_stops(tmp_path: Path) -> None:
    host = failing(tmp_path, "after_vdsm_stop")
    sh(host, "before_vdsm_start", "echo $PYTHONPATH >&2; wc -c < $_hook_domxml >&2")
    host.boot()
    host.shut_down()
    assert calls(host) == [("before_vdsm_start", False), ("after_vdsm_stop", True)]
    assert host.log[0].stderr == f":{tmp_path}/vdsm/hook\n0\n"


REQUEST: dict[str, Any] = {"request": {"networks": {"lan": {"nic": "em1"}}, "bondings": {}, "options": {}}}


def test_networks_are_set_up_as_hooks_say(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path)
    sh(host, "before_network_setup", "sed -i s/em1/em2/ $_hook_json")
    used = host.setup_networks(REQUEST)
    assert used is not None
    assert used["request"]["networks"] == {"lan": {"nic": "em2"}}
    assert calls(host) == [("before_network_setup", False), ("after_network_setup", False)]
    assert host.log[1].json == REQUEST


def test_a_hook_keeps_networks_from_being_set_up(tmp_path: Path) -> None:
    host = failing(tmp_path, "before_network_setup")
    assert host.setup_networks() is None
    assert calls(host) == [("before_network_setup", True), ("after_network_setup_fail", False)]


def test_networks_that_cannot_be_set_up_are_rolled_back(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path)
    assert host.setup_networks(REQUEST, trouble=True) is None
    assert names(host) == [
        "before_network_setup",
        "after_network_setup_fail",
        "before_network_setup",
        "after_network_setup",
    ]
    assert host.log[1].json == REQUEST
    assert host.log[2].json["request"]["options"]["_inRollback"] is True


@pytest.mark.parametrize("what", ["caps", "stats"])
def test_what_the_host_reports_is_what_hooks_made_of_it_even_if_they_fail(tmp_path: Path, what: str) -> None:
    host = Vdsmd(tmp_path)
    ask = host.get_caps if what == "caps" else host.get_stats
    sh(host, f"after_get_{what}", "sed -i s/1/2/ $_hook_json; exit 1")
    assert ask({"a": 1}) == {"a": 2}
    assert calls(host) == [(f"before_get_{what}", False), (f"after_get_{what}", True)]
    assert host.log[0].json == {}


@pytest.mark.parametrize("what", ["caps", "stats", "all_vm_stats", "vm_stats"])
def test_a_hook_keeps_the_host_from_reporting(tmp_path: Path, what: str) -> None:
    def ask(host: Vdsmd) -> object:
        if what == "vm_stats":
            return host.get_vm_stats({})
        return {"caps": host.get_caps, "stats": host.get_stats, "all_vm_stats": host.get_all_vm_stats}[what]()

    before, after = f"before_get_{what}", f"after_get_{what}"
    host = failing(tmp_path / "a", before)
    assert ask(host) is None
    assert calls(host) == [(before, True)]
    host = Vdsmd(tmp_path / "b")
    sh(host, after, "echo { > $_hook_json")
    assert ask(host) is None
    assert calls(host) == [(before, False), (after, True)]


def test_statistics_of_vms_are_what_hooks_made_of_them(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path)
    assert host.get_vm_stats({"vmId": "x"}) == {"vmId": "x"}
    assert host.log[-1].json == [{"vmId": "x"}]
    assert host.get_all_vm_stats([{"vmId": "x"}, {"vmId": "y"}]) == [{"vmId": "x"}, {"vmId": "y"}]
    assert names(host) == [
        "before_get_vm_stats",
        "after_get_vm_stats",
        "before_get_all_vm_stats",
        "after_get_all_vm_stats",
    ]
    sh(host, "after_get_vm_stats", "echo [] > $_hook_json")
    assert host.get_vm_stats({"vmId": "x"}) is None


def test_host_devices_are_what_hooks_made_of_them(tmp_path: Path) -> None:
    host = Vdsmd(tmp_path)
    sh(host, "after_hostdev_list_by_caps", "echo '{\"pci_1\": {}}' > $_hook_json")
    assert host.list_host_devices({}) == {"pci_1": {}}
    sh(host, "after_hostdev_list_by_caps", "rm $_hook_json")
    assert host.list_host_devices({}) is None
    assert names(host) == ["after_hostdev_list_by_caps"] * 2
