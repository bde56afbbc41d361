"""`Redaction`: passwords, tickets and tokens taken out of what a host handed over, before it is stored."""

from __future__ import annotations

import json
import re
from typing import cast

from hooking.document import parse, serialise
from hooking.exceptions import DocumentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

REDACTED = "REDACTED"

_WORDS = r"passwd(?!ValidTo)|password|passphrase|ticket|secret|token|cookie|credential|private_?key|api_?key"
_SECRET_NAME = re.compile(_WORDS, re.IGNORECASE)
_ASSIGNMENT = re.compile(
    rf"""((?:{_WORDS})[\w.-]{{0,40}}["']?\s{{0,8}}[=:]\s{{0,8}})(?:(["'])(.*?)\2|([^\s,;&"'}}]+))""",
    re.IGNORECASE | re.DOTALL,
)
_LONG_ENOUGH = 6  # what is shorter ("true") stands for other things too


class Redaction:
    """Takes out what is secret in one call, by the name of its variable, JSON key, element or attribute.

    Longer secrets are also taken out of texts that come later, such as what a script says.
    """

    def __init__(self) -> None:
        self._secrets: set[str] = set()

    def environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return ``environ`` with `REDACTED` in the place of secrets."""
        return {name: self._shown(text, hidden=_is_secret(name)) for name, text in environ.items()}

    def document(self, data: bytes, *, is_json: bool) -> bytes:
        """Return the document ``data`` with `REDACTED` in the place of secrets; without any it stays as it is.

        Raises:
            DocumentError: It is not XML or JSON that a host writes, so what is secret in it cannot be told.
        """
        if not data.strip():
            return data
        return self._json(data) if is_json else self._xml(data)

    def text(self, text: str) -> str:
        """Return ``text`` with `REDACTED` in the place of secrets."""
        text = self._shown(text, hidden=False)
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, REDACTED)
        return text

    def _shown(self, text: str, *, hidden: bool) -> str:
        if not hidden:
            return _ASSIGNMENT.sub(self._assigned, text)
        if not text.strip():
            return text
        if len(text.strip()) >= _LONG_ENOUGH:
            self._secrets.add(text.strip())
        return REDACTED

    def _assigned(self, match: re.Match[str]) -> str:
        quote = match[2] or ""
        return f"{match[1]}{quote}{self._shown(match[3] or match[4] or '', hidden=True)}{quote}"

    def _json(self, data: bytes) -> bytes:
        try:
            value = json.loads(data)
            shown = self._value(value, hidden=False)
        except (ValueError, RecursionError) as error:
            raise DocumentError("the document is not JSON that VDSM writes") from error
        return data if shown == value else json.dumps(shown).encode()

    def _value(self, value: Any, *, hidden: bool) -> Any:
        if isinstance(value, dict):
            items = cast("dict[str, Any]", value).items()
            return {name: self._value(inner, hidden=hidden or _is_secret(name)) for name, inner in items}
        if isinstance(value, list):
            return [self._value(inner, hidden=hidden) for inner in cast("list[object]", value)]
        if isinstance(value, (bool, type(None))):
            return value
        return self._shown(str(value), hidden=hidden) if hidden or isinstance(value, str) else value

    def _xml(self, data: bytes) -> bytes:
        root = parse(data)
        before = serialise(root, declaration=False)
        self._element(root, hidden=False)
        shown = serialise(root, declaration=False)
        return data if shown == before else serialise(root, declaration=data.startswith(b"<?xml"))

    def _element(self, element: Any, *, hidden: bool) -> None:
        """Redact ``element``; its ``name`` counts as one too: ``<qemu:env name='TOKEN' value='…'/>``."""
        if isinstance(element.tag, str):  # else a comment or a processing instruction
            hidden = hidden or _is_secret(_local_name(element.tag)) or _is_secret(element.get("name") or "")
            for name, text in element.attrib.items():
                secret = _is_secret(_local_name(name)) or (hidden and name == "value")
                element.set(name, self._shown(text, hidden=secret))
        element.text = self._shown(element.text or "", hidden=hidden) or None
        for child in element:
            self._element(child, hidden=hidden)
            child.tail = self._shown(child.tail or "", hidden=hidden) or None


def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def _local_name(name: str) -> str:
    return name.rpartition("}")[2]
