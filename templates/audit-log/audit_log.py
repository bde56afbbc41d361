#!/usr/bin/python3 -I
"""Write every event of every driver to a log, as one line of JSON each.

root's hooks write to /var/log/libvirt/hooks.log, VDSM's to /var/log/vdsm/hooks.log; those of session daemons write
nothing. The log has names and IDs, but no documents and no properties, which may hold passwords. A log that cannot be
written stops nobody: that is said in the system log. Install this as the first of the scripts, with a name such as
00-audit-log, and let logrotate turn the file; it is opened for each event.

libvirt: all drivers. VDSM: the hook points that you want, but never after_vm_dehibernate.
"""

from __future__ import annotations

import json
import os
import time

import hooking
import hooking.points

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

hook = hooking.Hook(timeout=10)


def note(*arguments: Any) -> None:
    context: hooking.HookContext = arguments[-1]  # before it comes the document, if there is one
    if not context.privileged and context.host == "libvirt":
        return
    try:
        append(context, {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **event(context)})
    except (OSError, hooking.HostError, hooking.InvalidValueError) as error:
        hooking.log(f"the audit log lacks {context}: {error}")


def event(context: hooking.HookContext) -> dict[str, str | None]:
    return {name: getattr(context, name) for name in ("host", "driver", "op", "subop", "extra", "object", "uuid")}


def append(context: hooking.HookContext, entry: dict[str, str | None]) -> None:
    name = "var/log/libvirt/hooks.log" if context.privileged else "var/log/vdsm/hooks.log"
    path = os.path.join(context.root, name)
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(path, flags, 0o600), "a", encoding="ascii") as log:
        log.write(json.dumps(entry) + "\n")  # escaped to ASCII, so that no name ends the line or commands a terminal


for point in hooking.points.all_points():
    if not point.absent:
        getattr(hook, point.driver)(point.op)(note)


if __name__ == "__main__":
    hook.run()
