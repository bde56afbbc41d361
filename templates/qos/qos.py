#!/usr/bin/python3 -I
"""Limit the bandwidth of network cards: custom property qos.

``qos=MAC=in{'average': '1000', 'peak': '2000', 'burst': '500'}^out{'average': '500'}&MAC=…``: what a card receives and
sends, in KiB per second (``burst`` in KiB). What was the limit gives way.

    engine-config -s UserDefinedVMProperties='qos=^.*$' --cver=4.7

VDSM: before_vm_start.
"""

from __future__ import annotations

import hooking

CARDS = hooking.list_of(hooking.pattern(r"[^=]+=(in|out)\{[^}]*\}(\^(in|out)\{[^}]*\})*"), "&")
RATES = hooking.mapping_of(hooking.TEXT)

hook = hooking.Hook(timeout=10)


@hook.vdsm("before_vm_start")
def limit(domain: hooking.Domain, context: hooking.HookContext) -> None:
    for card in hooking.read_property(context, "qos", CARDS) or []:
        mac, limits = card.split("=", 1)
        interface = hooking.find_interface(domain, mac)
        if interface is None:
            hooking.refuse(context, f"custom property qos: the VM has no network card {mac}")
        for way in limits.split("^"):
            direction, brace, rates = way.partition("{")
            hooking.set_bandwidth(interface, **{f"{direction}bound": RATES.read(brace + rates)})


if __name__ == "__main__":
    hook.run()
