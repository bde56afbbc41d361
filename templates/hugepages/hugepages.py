#!/usr/bin/python3 -I
r"""Reserve the huge pages of a guest before it starts: custom property hugepages.

``hugepages=2048`` is the size of the pages in KiB, ``yes`` the size that the guest's document names, else the host's.
The host's pools grow by the guest's memory, and shrink when it is gone. Without enough memory the guest does not start.

    virsh metadata web01 --config --uri urn:libvirt-hooking:1 --key hooking \
        --set '<properties><hugepages>yes</hugepages></properties>'

The document has to ask for huge pages (``<memoryBacking><hugepages/>``). For oVirt install the hook twice: VDSM's copy
lets it ask, libvirt's reserves the pages, which takes root. Where the Engine has no such property of its own yet:

    engine-config -s UserDefinedVMProperties='hugepages=^(yes|[1-9][0-9]{0,9})$' --cver=4.7

VDSM: before_vm_start. libvirt: qemu.
"""

from __future__ import annotations

import hooking

PAGES = hooking.pattern("yes|[1-9][0-9]{0,9}")

hook = hooking.Hook(timeout=120)


def size_of(pages: str) -> int | None:
    return None if pages == "yes" else int(pages)


@hook.vdsm("before_vm_start")
def use(domain: hooking.Domain, context: hooking.HookContext) -> None:
    pages = hooking.read_property(context, "hugepages", PAGES)
    if pages and not domain.memory_backing.hugepages:
        hooking.set_hugepages(domain, size_of(pages))


@hook.qemu("prepare")
def reserve(domain: hooking.Domain, context: hooking.HookContext) -> None:
    pages = hooking.read_property(context, "hugepages", PAGES)
    if pages and context.privileged:
        hooking.reserve_hugepages(hooking.state(context), size=size_of(pages))


@hook.qemu("release")
def give_back(domain: hooking.Domain, context: hooking.HookContext) -> None:
    if context.privileged:
        hooking.state(context).undo()


if __name__ == "__main__":
    hook.run()
