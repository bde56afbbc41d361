"""What a hook changed, for a person to read."""

from __future__ import annotations

import difflib
import json

from hooking.document import indented
from hooking.exceptions import DocumentError


def unified_diff(before: bytes, after: bytes) -> list[str]:
    """Return the lines of a unified diff of two XML or JSON documents, without what only looks different."""
    return list(difflib.unified_diff(_lines(before), _lines(after), "before", "after", n=2, lineterm=""))


def _lines(document: bytes) -> list[str]:
    """One element or key a line; a document that cannot be read stands as it is."""
    try:
        if document.lstrip()[:1] in (b"{", b"["):
            return json.dumps(json.loads(document), indent=2).splitlines()
        return indented(document).splitlines()
    except (DocumentError, ValueError, RecursionError):
        return document.decode("utf-8", "replace").splitlines()
