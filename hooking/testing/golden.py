"""`Golden`: what of an outcome is kept as the accepted one, and how another differs from it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import cast
from xml.etree.ElementTree import canonicalize

from hooking.call import read_document
from hooking.document import parse, serialise
from hooking.exceptions import DocumentError, HookError
from hooking.testing.difference import unified_diff
from hooking.testing.private_folder import read_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from hooking.points import Point
    from hooking.testing.outcome import Outcome

GOLDEN = "outcome.json"


@dataclass(frozen=True)
class Golden:
    """What of an outcome is kept and compared.

    Attributes:
        status: The exit status; negative for a signal.
        stderr: The first line of standard error; `None`: it is not compared.
        refused: Why the host could not use the document of the script.
        document: The document that the host goes on with, if that is another than its own.
    """

    status: int
    stderr: str | None = None
    refused: str = ""
    document: bytes | None = None

    @classmethod
    def of(cls, outcome: Outcome) -> Golden:
        """Return what is kept of ``outcome``."""
        first_line = outcome.stderr.strip().partition("\n")[0]
        return cls(outcome.status, first_line, outcome.refused, outcome.after if outcome.changed else None)

    @classmethod
    def read(cls, folder: Path, point: Point) -> Golden | None:
        """Return what is kept in the folder of a recording, if anything.

        Raises:
            DocumentError: It is malformed, or has a document although the host takes none at ``point``.
        """
        result = folder / result_name(point)
        if result.exists() and point.reply is None:
            raise DocumentError(f"{result}: {point.host_title} takes no document at {point.name}; remove the file")
        if not (folder / GOLDEN).exists():
            return None
        kept = read_object(folder / GOLDEN)
        status, stderr, refused = kept.get("status"), kept.get("stderr"), kept.get("refused", "")
        if not isinstance(status, int) or not isinstance(stderr, (str, type(None))) or not isinstance(refused, str):
            raise DocumentError(f'{folder / GOLDEN} needs a number "status"; "stderr" and "refused" are texts')
        return cls(status, stderr, refused, _read_document(result, point) if result.exists() else None)

    def files(self, point: Point) -> Iterator[tuple[str, bytes]]:
        """Yield name and content of the files that keep this."""
        if self.document is not None:
            yield result_name(point), self.document
        kept = {"status": self.status, "stderr": self.stderr, "refused": self.refused}
        yield GOLDEN, as_json({name: value for name, value in kept.items() if value or name != "refused"})

    def difference(self, outcome: Outcome) -> list[str]:
        """Return how ``outcome`` differs from this, as lines of a diff. Documents are compared in canonical form."""
        pairs = [
            ("exit status", self.status, outcome.status),
            ("standard error", self.stderr, None if self.stderr is None else Golden.of(outcome).stderr),
            ("refused by the host", self.refused, outcome.refused),
            ("hang", "", outcome.hang),
        ]
        changes = [
            f"{sign}{what}: {text}" for what, old, new in pairs if old != new for sign, text in (("-", old), ("+", new))
        ]
        document = outcome.before if self.document is None else self.document
        return changes + unified_diff(_canonical(document), _canonical(outcome.after))[2:]


def result_name(point: Point) -> str:
    """Return the name of the file with the golden document of ``point``."""
    return "result.json" if point.is_json else "result.xml"


def as_json(value: object) -> bytes:
    """Return ``value`` as the text of a file of a recording."""
    return json.dumps(value, indent=1, ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\n"


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file of a recording.

    Raises:
        DocumentError: The file cannot be read, or holds none.
    """
    try:
        value: object = json.loads(read_bytes(path).decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"{path} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise DocumentError(f"{path} holds no JSON object")
    return cast("dict[str, Any]", value)


def read_bytes(path: Path) -> bytes:
    """Return the content of a file of a recording.

    Raises:
        DocumentError: It cannot be read, or is no regular file, which could have no end.
    """
    try:
        return read_regular(path, "file of a recording")
    except HookError as error:
        raise DocumentError(str(error)) from error
    except OSError as error:
        raise DocumentError(f"cannot read {path}: {error.strerror}") from error


def _read_document(path: Path, point: Point) -> bytes:
    data = read_bytes(path)
    try:
        read_document(point, data)
    except DocumentError as error:
        raise DocumentError(f"{path}: {error}") from error
    return data


def _canonical(document: bytes) -> bytes:
    """Return the canonical form of an XML document (C14N 2.0); anything else stands as it is."""
    try:
        return canonicalize(serialise(parse(document), declaration=False).decode(), with_comments=True).encode()
    except DocumentError:
        return document
