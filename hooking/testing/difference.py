"""What differs between two documents, for a person to read."""

from __future__ import annotations

import difflib
import json

from hooking.document import indented
from hooking.exceptions import DocumentError


def unified_diff(before: bytes, after: bytes) -> list[str]:
    """Return the lines of a unified diff of two XML or JSON documents, without what only looks different."""
    return list(difflib.unified_diff(_lines(before), _lines(after), "before", "after", n=2, lineterm=""))


def assert_same_document(actual: bytes | str, expected: bytes | str) -> None:
    """Compare two XML or JSON documents by what they mean.

    Raises:
        AssertionError: They differ; it shows where.
    """
    lines = list(
        difflib.unified_diff(_lines(_bytes(expected)), _lines(_bytes(actual)), "expected", "actual", n=2, lineterm="")
    )
    if lines:
        raise AssertionError("\n".join(["the documents differ:", *lines]))


def _bytes(document: bytes | str) -> bytes:
    return document.encode() if isinstance(document, str) else document


def _lines(document: bytes) -> list[str]:
    """One element or key a line; a document that cannot be read stands as it is."""
    try:
        if document.lstrip()[:1] in (b"{", b"["):
            return json.dumps(json.loads(document), indent=2, sort_keys=True).splitlines()
        return indented(document).splitlines()
    except (DocumentError, ValueError, RecursionError):
        return document.decode("utf-8", "replace").splitlines()
