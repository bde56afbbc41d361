"""The cases of the edits of network cards."""

from __future__ import annotations

from hypothesis import strategies as st

from edit_cases import MAC, Case, calls, card, guest, of_first
from hooking.domain import Domain
from hooking.edits import interfaces, virtualports

UUID = "c2177883-f1bb-47f0-914d-32a22e3a8804"

names = st.text("abcXYZ019_-.", min_size=1, max_size=8)
variables = st.text("ABC_019", min_size=1, max_size=4)
rates: st.SearchStrategy[dict[str, int]] = st.fixed_dictionaries(
    {"average": st.integers(1, 9999)}, optional={"peak": st.integers(1, 9)}
) | st.just({})


def limit(domain: Domain, inbound: dict[str, int], outbound: dict[str, int]) -> None:
    interfaces.set_bandwidth(domain.interfaces[0], inbound=inbound, outbound=outbound)


INTERFACES = [
    Case(
        "add_interface",
        lambda domain: interfaces.add_interface(domain, "network", "lan", mac=MAC, model="virtio"),
        {
            "absent": guest(card(mac="52:54:00:4a:23:02")),
            "equal": guest(card("<model type='virtio'/>", type="network", source="<source network='lan'/>")),
            "different": guest(
                card(
                    "<model type='e1000e'/><virtualport type='openvswitch'/><boot order='1'/>",
                    source="<source bridge='br0'/>",
                    mac=MAC.upper(),
                )
            ),
            "doubled": guest(card("<source bridge='b'/><model type='e1000'/><model type='e1000e'/>")),
        },
        {
            f"count(devices/interface[mac/@address='{MAC}' or mac/@address='{MAC.upper()}'])": 1,
            "string(devices/interface[source/@network='lan']/mac/@address) != ''": True,
            "string(devices/interface[source/@network='lan']/model/@type)": "virtio",
            "count(devices/interface[source/@network='lan']/virtualport)": 0,
        },
        ["devices/interface[mac/@address='52:54:00:4A:23:01' or mac/@address='52:54:00:4a:23:01']"],
        names.map(lambda source: lambda domain: interfaces.add_interface(domain, "bridge", source, mac=MAC)),
    ),
    Case(
        "remove_interface",
        lambda domain: interfaces.remove_interface(domain, MAC.upper()),
        {
            "absent": guest(card(mac="52:54:00:4a:23:02")),
            "different": guest(card() + card(mac="52:54:00:4a:23:02")),
            "doubled": guest(card() + card(mac="52:54:00:4a:23:02") + card(mac=MAC.upper())),
        },
        {"count(devices/interface)": 1, f"count(devices/interface[mac/@address='{MAC}'])": 0},
        ["devices/interface[mac/@address='52:54:00:4A:23:01' or mac/@address='52:54:00:4a:23:01']"],
        impossible={"equal": "absent is what it makes"},
    ),
    Case(
        "remove_filter",
        lambda domain: interfaces.remove_filter(domain.interfaces[0], "no-mac-spoofing"),
        {
            "absent": guest(card()),
            "different": guest(card("<filterref filter='no-mac-spoofing'/>")),
            "doubled": guest(card("<filterref filter='no-mac-spoofing'/><filterref filter='no-mac-spoofing'/>")),
        },
        {"count(devices/interface[1]/filterref)": 0},
        ["devices/interface[1]/filterref"],
        calls(
            of_first("interfaces", interfaces.remove_filter),
            names | st.sampled_from(["no-mac-spoofing", "clean-traffic"]),
        ),
        impossible={"equal": "absent is what it makes"},
    ),
    Case(
        "set_source",
        lambda domain: interfaces.set_source(domain.interfaces[0], "network", "lan", portgroup="gold"),
        {
            "absent": guest(card(type="user", source="")),
            "equal": guest(card(type="network", source="<source network='lan' portgroup='gold'/>")),
            "different": guest(
                card("<virtualport type='openvswitch'/>", type="direct", source="<source dev='eth0' mode='vepa'/>")
            ),
            "doubled": guest(card("<source bridge='br1'/>")),
        },
        {
            "string(devices/interface[1]/@type)": "network",
            "string(devices/interface[1]/source/@network)": "lan",
            "string(devices/interface[1]/source/@portgroup)": "gold",
            "count(devices/interface[1]/source/@bridge | devices/interface[1]/source/@dev)": 0,
            "count(devices/interface[1]/virtualport)": 0,
        },
        ["devices/interface[1]/@type", "devices/interface[1]/source", "devices/interface[1]/virtualport"],
        calls(of_first("interfaces", interfaces.set_source), st.sampled_from(["network", "bridge"]), names),
    ),
    Case(
        "set_virtualport",
        lambda domain: virtualports.set_virtualport(
            domain.interfaces[0], "openvswitch", interfaceid=UUID, profileid="gold"
        ),
        {
            "absent": guest(card()),
            "equal": guest(
                card(
                    f"<virtualport type='openvswitch'><parameters interfaceid='{UUID}' profileid='gold'/></virtualport>"
                )
            ),
            "different": guest(card("<virtualport type='802.1Qbh'><parameters profileid='x'/></virtualport>")),
            "doubled": guest(
                card(
                    f"<virtualport type='openvswitch'><parameters interfaceid='{UUID}'/></virtualport>"
                    "<virtualport type='802.1Qbh'><parameters profileid='x'/></virtualport>"
                )
            ),
        },
        {
            "string(devices/interface[1]/virtualport/@type)": "openvswitch",
            "string(devices/interface[1]/virtualport/parameters/@interfaceid)": UUID,
            "string(devices/interface[1]/virtualport/parameters/@profileid)": "gold",
            "count(devices/interface[1]/virtualport)": 1,
        },
        ["devices/interface[1]/virtualport"],
        st.tuples(st.sampled_from(["openvswitch", "802.1Qbh"]), names).map(
            lambda chosen: (
                lambda domain: virtualports.set_virtualport(domain.interfaces[0], chosen[0], profileid=chosen[1])
            )
        ),
    ),
    Case(
        "set_virtualport: what libvirt made up stays",
        lambda domain: virtualports.set_virtualport(domain.interfaces[0], "openvswitch", profileid="gold"),
        {
            "different": guest(
                card(f"<virtualport type='openvswitch'><parameters interfaceid='{UUID}' profileid='x'/></virtualport>")
            ),
        },
        {
            "string(devices/interface[1]/virtualport/parameters/@interfaceid)": UUID,
            "string(devices/interface[1]/virtualport/parameters/@profileid)": "gold",
        },
        ["devices/interface[1]/virtualport"],
    ),
    Case(
        "set_bandwidth",
        lambda domain: interfaces.set_bandwidth(
            domain.interfaces[0], inbound={"average": 1000, "peak": "5000", "burst": 1024}
        ),
        {
            "absent": guest(card()),
            "equal": guest(card("<bandwidth><inbound average='1000' peak='5000' burst='1024'/></bandwidth>")),
            "empty": guest(card("<bandwidth/>")),
            "different": guest(
                card(
                    "<bandwidth><inbound average='9' floor='7'/></bandwidth>",
                    type="network",
                    source="<source network='lan'/>",
                )
            ),
            "doubled": guest(card("<bandwidth/><bandwidth><inbound average='1'/><inbound average='2'/></bandwidth>")),
        },
        {
            "string(devices/interface[1]/bandwidth/inbound/@average)": "1000",
            "string(devices/interface[1]/bandwidth/inbound/@peak)": "5000",
            "string(devices/interface[1]/bandwidth/inbound/@burst)": "1024",
            "count(devices/interface[1]/bandwidth/inbound/@floor)": 0,
            "count(devices/interface[1]/bandwidth)": 1,
        },
        ["devices/interface[1]/bandwidth"],
        calls(limit, rates, rates),
    ),
    Case(
        "set_bandwidth: of what it sends",
        lambda domain: interfaces.set_bandwidth(domain.interfaces[0], outbound={}),
        {
            "absent": guest(card("<bandwidth><inbound average='9'/></bandwidth>")),
            "different": guest(card("<bandwidth><inbound average='9'/><outbound average='1'/></bandwidth>")),
        },
        {
            "string(devices/interface[1]/bandwidth/inbound/@average)": "9",
            "count(devices/interface[1]/bandwidth/outbound)": 0,
        },
        ["devices/interface[1]/bandwidth/outbound"],
    ),
    Case(
        "set_filter",
        lambda domain: interfaces.set_filter(
            domain.interfaces[0], "clean-traffic", [("IP", "192.0.2.7"), ("IP", "2001:db8::7")]
        ),
        {
            "absent": guest(card()),
            "equal": guest(
                card(
                    "<filterref filter='clean-traffic'><parameter name='IP' value='192.0.2.7'/>"
                    "<parameter name='IP' value='2001:db8::7'/></filterref>"
                )
            ),
            "different": guest(
                card("<filterref filter='clean-traffic'><parameter name='IP' value='1.1.1.1'/></filterref>")
            ),
            "doubled": guest(card("<filterref filter='a'/><filterref filter='clean-traffic'/>")),
        },
        {
            "string(devices/interface[1]/filterref/@filter)": "clean-traffic",
            "string(devices/interface[1]/filterref/parameter[1]/@value)": "192.0.2.7",
            "string(devices/interface[1]/filterref/parameter[2]/@value)": "2001:db8::7",
            "count(devices/interface[1]/filterref/parameter)": 2,
            "count(devices/interface[1]/filterref)": 1,
        },
        ["devices/interface[1]/filterref"],
        calls(
            of_first("interfaces", interfaces.set_filter), names, st.lists(st.tuples(variables, variables), max_size=3)
        ),
    ),
]
