"""What was changed in hooks that were installed from here."""

from __future__ import annotations

from hooking.cli import listing
from hooking.cli.diagnosis.findings import at
from hooking.cli.manifests import Manifests
from hooking.exceptions import HookError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.cli.diagnosis.host import Findings, Host


def check(host: Host) -> Findings:
    """Check installed files."""
    try:
        known = Manifests(host.tree).load()
    except (HookError, OSError):  # root's, or damaged, which the next installation tells
        return
    for row in listing.listed(host.tree, known):
        if row.changed:
            yield at(host.tree.at(row.path), "D212", f"it is part of the hook {row.hook}")
