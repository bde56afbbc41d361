#!/usr/bin/python3 -I
"""Route networks that lie behind guests of a network: custom property routes.

``routes=203.0.113.0/24=192.168.122.2 2001:db8:7::/48=2001:db8:1::2`` are pairs of a network behind a guest and the
guest's address. They hold while libvirt's network is up, in whose ``<metadata>`` they stand (virsh net-edit):

    <properties xmlns='urn:libvirt-hooking:1'><routes>203.0.113.0/24=192.168.122.2</routes></properties>

A route that is there already and leads elsewhere is left, and the log says so. Ports that come are logged too.

libvirt: network.
"""

from __future__ import annotations

import hooking

ROUTES = hooking.list_of(hooking.pattern("[0-9A-Fa-f.:]+/[0-9]+=[0-9A-Fa-f.:]+"), " ")

hook = hooking.Hook(timeout=60)


@hook.network("started")
def add_routes(data: hooking.HookData, context: hooking.HookContext) -> None:
    routes = hooking.read_property(context, "routes", ROUTES)
    if not routes or not context.privileged:
        return
    state = hooking.state(context)
    for route in routes:
        destination, via = route.split("=")
        hooking.add_route(state, destination, via=via, device=data.network.bridge)


@hook.network("stopped")
def remove_routes(data: hooking.HookData, context: hooking.HookContext) -> None:
    if context.privileged:
        hooking.state(context).undo()


@hook.network("port-created")
def tell(data: hooking.PortData, context: hooking.HookContext) -> None:
    if "routes" in context.custom_properties:
        hooking.log(f"network {data.network.name}: {data.port.owner_name} has a card {data.port.mac}")


if __name__ == "__main__":
    hook.run()
