"""Refusing what the host is about to do."""

from __future__ import annotations

from hooking.exceptions import PointError, Refusal
from hooking.points import all_points

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from hooking.context import HookContext


def refuse(context: HookContext, reason: str) -> NoReturn:
    """Refuse the operation: the script fails with ``reason`` as its message.

    Where the host aborts on failure the operation does not happen; where it kills (``context.point.failure``), what
    already runs is ended: refusing at ``reconnect`` kills the guest.

    Args:
        context: The call.
        reason: One line for the administrator.

    Raises:
        Refusal: Always, but
        PointError: the host ignores failures at this hook point.
    """
    if context.point.failure == "ignored":
        raise PointError(f"{context.point.name} cannot refuse anything: the host ignores a failure there")
    raise Refusal(reason)


def block_migration(context: HookContext, reason: str) -> NoReturn:
    """Refuse a live migration.

    Args:
        context: The call.
        reason: One line for the administrator.

    Raises:
        Refusal: Always, but
        PointError: a migration cannot be blocked at this hook point; the message names those where it can.
    """
    _block("migration", context, reason)


def block_start(context: HookContext, reason: str) -> NoReturn:
    """Refuse the start of a guest.

    Args:
        context: The call.
        reason: One line for the administrator.

    Raises:
        Refusal: Always, but
        PointError: a start cannot be blocked at this hook point; the message names those where it can.
    """
    _block("start", context, reason)


def _block(action: str, context: HookContext, reason: str) -> NoReturn:
    point = context.point
    if (point.action, point.failure) != (action, "aborts"):
        wanted = (action, "aborts", point.host)
        able = [row.name for row in all_points() if (row.action, row.failure, row.host) == wanted]
        raise PointError(f"{point.name} cannot block a {action}; these can: {', '.join(able)}")
    raise Refusal(reason)
