#!/usr/bin/python3 -I
r"""Forward ports of the host to a guest: custom properties forward, address.

``forward=8080:80 5300-5301:53/udp`` are pairs of a port of the host (or a range) and one of the guest (of its range the
first), TCP unless said otherwise. ``address=192.168.122.5`` is the guest's, which its network always has to give it
(``<host mac='…' ip='…'/>``). What a firewall flushed comes back when the daemon restarts.

    virsh metadata web01 --config --uri urn:libvirt-hooking:1 --key hooking \
        --set '<properties><forward>8080:80</forward><address>192.168.122.5</address></properties>'

libvirt: qemu.
"""

from __future__ import annotations

import hooking

FORWARDS = hooking.list_of(hooking.pattern("[0-9]+(-[0-9]+)?:[0-9]+(/(tcp|udp))?"), " ")

hook = hooking.Hook(timeout=60)


@hook.qemu("prepare", "started", "reconnect")
def forward(domain: hooking.Domain, context: hooking.HookContext) -> None:
    forwards = hooking.read_property(context, "forward", FORWARDS)
    if not forwards or not context.privileged:
        return
    address = hooking.read_property(context, "address")
    if address is None:
        raise hooking.InvalidValueError("custom property address: say which address of the guest the ports lead to")
    state = hooking.state(context)
    for pair in forwards:
        ports, _, protocol = pair.partition("/")
        port, to_port = ports.split(":")
        hooking.forward_port(state, port, address, to_port=int(to_port), protocol="udp" if protocol == "udp" else "tcp")


@hook.qemu("release")
def close(domain: hooking.Domain, context: hooking.HookContext) -> None:
    if context.privileged:
        hooking.state(context).undo()


if __name__ == "__main__":
    hook.run()
