#!/usr/bin/python3 -I
"""{{ cookiecutter.purpose }}"""

from __future__ import annotations

import hooking

hook = hooking.Hook(timeout=10)


@hook.vdsm("before_vm_start")
@hook.qemu("migrate", "restore")
def pin(domain: hooking.Domain, context: hooking.HookContext) -> None:
    if cpuset := context.custom_properties.get("pincpu"):
        hooking.set_cpuset(domain, cpuset)


if __name__ == "__main__":
    hook.run()
