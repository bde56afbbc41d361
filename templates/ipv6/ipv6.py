#!/usr/bin/python3 -I
"""Configure IPv6 on the host's networks: network properties ipv6addr and others.

``ipv6addr=2001:db8::10/64``, ``ipv6gateway``, ``ipv6autoconf`` and ``dhcpv6`` are custom properties of a network. VDSM
knows these keys of a request to set up networks, and this hook puts them there.

    engine-config -s UserDefinedNetworkCustomProperties='ipv6addr=.+;ipv6gateway=.+;ipv6autoconf=.;dhcpv6=.' --cver=4.7

VDSM: before_network_setup, which runs as root.
"""

from __future__ import annotations

import hooking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KEYS = ("ipv6addr", "ipv6gateway", "ipv6autoconf", "dhcpv6")

hook = hooking.Hook(timeout=10)


@hook.vdsm("before_network_setup")
def configure(document: dict[str, Any], context: hooking.HookContext) -> None:
    for network in hooking.NetworkSetup(document).networks.values():
        custom = network.custom_properties
        network.merge({key: custom[key] for key in KEYS if key in custom})


if __name__ == "__main__":
    hook.run()
