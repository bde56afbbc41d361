"""The typed views of VDSM's JSON documents: what is read, what is written, and that nothing is lost."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, strategies as st

import hooking
from hooking.exceptions import DocumentError
from hooking.json_documents import (
    Capabilities,
    HostStatistics,
    InterfaceStatistics,
    JsonObject,
    Key,
    NetworkSetup,
    PreparedDisk,
    RequestedBonding,
    RequestedNetwork,
    VmStatistics,
    vm_statistics,
)
from hooking.testing.documents import SAMPLES


def sample(name: str) -> Any:
    return json.loads(Path(SAMPLES / name).read_text())


VALUES: dict[type[JsonObject], dict[str, Any]] = {
    RequestedNetwork: {
        "nic": "em1",
        "bonding": "bond0",
        "vlan": 27,
        "bridged": False,
        "stp": True,
        "mtu": 9000,
        "switch": "legacy",
        "default_route": True,
        "bootproto": "dhcp",
        "ipaddr": "192.0.2.2",
        "netmask": "255.255.255.0",
        "gateway": "192.0.2.1",
        "ipv6addr": "2001:db8::2/64",
        "ipv6gateway": "2001:db8::1",
        "ipv6autoconf": True,
        "dhcpv6": False,
        "remove": True,
    },
    RequestedBonding: {"options": "mode=4", "switch": "ovs", "remove": False},
    Capabilities: {"kvm_enabled": True, "cpu_model": "Xeon"},
    InterfaceStatistics: {"state": "down"},
    VmStatistics: {"vm_id": "7c1f2a54", "status": "Up"},
    PreparedDisk: {"path": "/dev/vg/lv", "format": "raw", "disk_type": "block"},
}


def test_every_declared_key_has_a_value_here() -> None:
    kinds = [kind for kind in JsonObject.__subclasses__() if any(isinstance(it, Key) for it in vars(kind).values())]
    declared = {kind: {name for name, it in vars(kind).items() if isinstance(it, Key)} for kind in kinds}
    assert declared == {kind: set(values) for kind, values in VALUES.items()}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, values in VALUES.items() for name in values])
def test_a_key_is_absent_set_and_removed(kind: type[JsonObject], name: str) -> None:
    view = kind({"other": [1]})
    assert getattr(view, name) is None
    setattr(view, name, VALUES[kind][name])
    assert getattr(view, name) == VALUES[kind][name]
    assert json.loads(json.dumps(view.data))[getattr(kind, name).name] == VALUES[kind][name]
    setattr(view, name, None)
    setattr(view, name, None)
    assert view.data == {"other": [1]}


def test_numbers_and_truth_values_that_were_text_stay_text() -> None:
    network = RequestedNetwork({"bridged": "TRUE", "vlan": "27", "mtu": None, "remove": "false"})
    assert (network.bridged, network.vlan, network.mtu, network.remove) == (True, 27, None, False)
    network.bridged, network.vlan, network.mtu = False, 28, 1500
    assert network.data == {"bridged": "false", "vlan": "28", "mtu": 1500, "remove": "false"}


@pytest.mark.parametrize(
    ("name", "value"), [("vlan", "x"), ("vlan", True), ("vlan", 1.5), ("nic", 5), ("nic", ["em1"])]
)
def test_a_value_of_another_type_is_an_error_that_names_key_value_and_type(name: str, value: Any) -> None:
    with pytest.raises(DocumentError, match=f"the key '{name}' holds .*, which is no (int|str)"):
        assert getattr(RequestedNetwork({name: value}), name)
    with pytest.raises(DocumentError, match=f"the key '{name}' holds"):
        setattr(RequestedNetwork({}), name, value)


def test_a_network_setup_without_what_is_to_be_removed() -> None:
    setup = NetworkSetup(sample("object.json"))
    assert list(setup.networks) == ["ovirtmgmt", "storage6", "dmz"]
    assert setup.removed_networks == ["old"]
    assert setup.networks["dmz"].custom_properties == {"ethtool_opts": "--offload em4 rx on"}
    assert setup.networks["ovirtmgmt"].custom_properties == {}
    assert {name: bond.nics for name, bond in setup.bondings.items()} == {"bond0": ["em2", "em3"]}
    assert RequestedBonding({}).nics == []


def test_what_is_set_in_a_view_is_set_in_the_document() -> None:
    document: dict[str, Any] = {"request": {"networks": {"lan": {}}}}
    NetworkSetup(document).networks["lan"].mtu = 9000
    assert document == {"request": {"networks": {"lan": {"mtu": 9000}}}}
    assert NetworkSetup(document).networks["lan"] == NetworkSetup(document).networks["lan"]
    assert NetworkSetup(document).networks["lan"] != RequestedNetwork({"mtu": 9000})
    assert len({NetworkSetup(document), NetworkSetup(document)}) == 1


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "the document of a network setup has no 'request'"),
        ({"request": None}, "the key 'request' holds None, which is no object"),
        ({"request": {"networks": []}}, r"the key 'networks' holds \[\], which is no object"),
        ({"request": {"networks": {"lan": None}}}, "the key 'lan' holds None, which is no object"),
    ],
)
def test_a_setup_that_vdsm_does_not_write(document: Any, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        assert NetworkSetup(document).networks


def test_a_setup_of_nothing() -> None:
    assert NetworkSetup({"request": {}}).bondings == {}


def test_flags_of_the_cpu_are_added_once() -> None:
    capabilities = Capabilities({"cpuFlags": "fpu,vme", "kvmEnabled": "true"})
    capabilities.add_cpu_flags(["vme", "model_Nehalem"])
    capabilities.add_cpu_flags(["vme", "model_Nehalem"])
    capabilities.kvm_enabled = False
    assert capabilities.cpu_flags == ["fpu", "vme", "model_Nehalem"]
    assert capabilities.data == {"cpuFlags": "fpu,vme,model_Nehalem", "kvmEnabled": "false"}
    assert Capabilities({}).cpu_flags == []


def test_statistics_of_the_host_and_its_vms() -> None:
    host = {"network": {"em1": {"state": "up", "speed": 1000}}, "memUsed": "5"}
    HostStatistics(host).interfaces["em1"].state = "down"
    assert host == {"network": {"em1": {"state": "down", "speed": 1000}}, "memUsed": "5"}
    document = sample("array.json")
    vms = vm_statistics(document)
    vms[document[0]["vmId"]].status = "Paused"
    assert document[0]["status"] == "Paused"
    with pytest.raises(DocumentError, match="statistics without a 'vmId'"):
        vm_statistics([{"status": "Up"}])


def test_a_prepared_disk_keeps_its_other_keys() -> None:
    disk = PreparedDisk(sample("after_disk_prepare.json"))
    before = dict(disk.data)
    disk.path, disk.disk_type = "/dev/vg/lv", "block"
    assert disk.data == {**before, "path": "/dev/vg/lv", "diskType": "block"}


leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
trees = st.recursive(
    st.dictionaries(st.sampled_from("abc"), leaves), lambda it: st.dictionaries(st.sampled_from("abc"), it | leaves)
)


@example({"a": 1, "b": {"c": 2}}, {"a": {"d": 3}, "b": {"e": 4}})
@given(trees, trees)
def test_merging_takes_all_in_twice_is_once_and_nothing_is_lost(data: Any, additions: Any) -> None:
    before, added = copy.deepcopy(data), copy.deepcopy(additions)
    view = JsonObject(data)
    view.merge(additions)
    once = copy.deepcopy(data)
    view.merge(additions)
    assert data == once
    assert additions == added
    assert_holds(data, additions)
    assert_kept(before, additions, data)


def assert_holds(whole: Any, part: Any) -> None:
    for key, value in part.items():
        if isinstance(value, dict):
            assert_holds(whole[key], value)
        else:
            assert whole[key] == value


def assert_kept(before: Any, additions: Any, after: Any) -> None:
    for key, value in before.items():
        if key not in additions:
            assert after[key] == value
        elif isinstance(value, dict) and isinstance(additions[key], dict):
            assert_kept(value, additions[key], after[key])


def test_null_is_absent_in_what_is_optional() -> None:
    assert hooking.RequestedBonding({"nics": None}).nics == []
    assert hooking.Capabilities({"cpuFlags": None}).cpu_flags == []


def test_what_is_no_list_is_an_error() -> None:
    with pytest.raises(hooking.DocumentError, match="the key 'nics' holds 'eth0', which is no list"):
        assert hooking.RequestedBonding({"nics": "eth0"}).nics


def test_a_truth_value_is_one() -> None:
    network = hooking.RequestedNetwork({})
    with pytest.raises(hooking.DocumentError, match="the key 'bridged' takes True or False, not 'yes'"):
        network.bridged = "yes"  # type: ignore[assignment] # pyright: ignore[reportAttributeAccessIssue]
