"""What an edit must leave as it was, compared between the host's own bytes and those that go back."""

from __future__ import annotations

from hooking.exceptions import IdentityError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Tuple

    XmlIdentity = Tuple[str, Tuple[str, ...], Tuple[str, ...]]
    """The root element's name, and for a domain the texts of its ``name`` and ``uuid`` elements."""


def check_xml(old: XmlIdentity, new: XmlIdentity) -> None:
    """Compare two XML documents.

    Raises:
        IdentityError: It names the old and the new value.
    """
    if old[0] != new[0]:
        _complain("the root element", old[0], new[0])
    for what, before, after in ("the name", old[1], new[1]), ("the UUID", old[2], new[2]):
        if before != after:
            _complain(what, ", ".join(before) or "absent", ", ".join(after) or "absent")


def check_json(old: bytes, new: bytes, *, merged: bool) -> None:
    """Compare two JSON documents.

    Args:
        old: What the host handed over.
        new: What goes back.
        merged: Whether the host merges it into its own, so that removing a key has no effect.

    Raises:
        IdentityError: The top-level type is another, or a key was removed from a document that is merged.
    """
    import json

    before, after = json.loads(old), json.loads(new)
    if type(before) is not type(after):
        _complain("the type of the document", type(before).__name__, type(after).__name__)
    gone = sorted(set(before) - set(after)) if merged else []
    if gone:
        raise IdentityError(
            f"VDSM merges this document into its own, so {', '.join(gone)} cannot be removed: set a value instead"
        )


def _complain(what: str, old: str, new: str) -> None:
    raise IdentityError(f"{what} must stay {old!r}, but the hook made it {new!r}, so nothing was written")
