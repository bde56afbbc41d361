"""`Redaction`: passwords, tickets and tokens taken out of what a host handed over, before it is stored."""

from __future__ import annotations

import json
import re
from typing import cast

from hooking.document import parse, serialise
from hooking.exceptions import DocumentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

REDACTED = "REDACTED"

_WORDS = (
    r"pass(?!t|wdValidTo)|psk|auth(?!or(?!i[sz]))|bearer|"
    r"ticket|secret|token|cookie|credential|(?:private|api|access|encryption|luks|master|ssh)[_-]?key|"
    r"pw\b|(?-i:[Pp]wd|(?<=[_-])PWD)"  # and not PWD and OLDPWD, which are folders
)
_SECRET_NAME = re.compile(_WORDS, re.IGNORECASE)
_OPTION = re.compile(rf"--?[\w-]{{0,40}}(?:{_WORDS})[\w-]{{0,40}}", re.IGNORECASE)
_ASSIGNED_NAME = rf"""(?:{_WORDS})[\w.-]{{0,40}}\\{{0,4}}["']?\s{{0,8}}[=:>]\s{{0,8}}"""
_QUOTED = r"""(["'])((?:\\.|(?!\2)[^\\])*)(?:\2|\\?\Z)"""
_USER_IN_URL = re.compile(r"""://([^\s/?#"'<>]+)(?=@)""")
_IN_TEXTS = [
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        r"(\bsecret,(?:[^\s=]{1,40}=[^\s,]*,){0,9}data=)()(\S+)",  # QEMU's -object
        rf"({_ASSIGNED_NAME}(?:(?:bearer|basic)\s{{1,8}})?)(?:{_QUOTED}|([\[{{].*|[^\n]+))",
        rf"((?:(?<!\S)--?[\w-]{{0,40}}(?:{_WORDS})[\w-]{{0,40}}|\bbearer)\s{{1,8}})(?:{_QUOTED}|(\S+))",
    )
]
_LABELS = "name", "key", "qom-type"
_LABELLED = "value", "data"
_NO_SECRETS = frozenset(["name", "key", "type", "uuid", "usage", "username"])
"""Attributes that only say which secret it is."""
_LONG_ENOUGH = 6  # what is shorter ("true") stands for other things too
_MANY = 1000


class Redaction:
    """Takes out what is secret in one call, by the name of its variable, JSON key, element, attribute or option.

    Longer secrets are also taken out of whatever comes later, such as what a script says.
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

    def texts(self, texts: Sequence[str]) -> list[str]:
        """Return arguments with `REDACTED` in the place of secrets."""
        return cast("list[str]", self._value(list(texts), hidden=False))

    def text(self, text: str) -> str:
        """Return ``text`` with `REDACTED` in the place of secrets."""
        return self._shown(text, hidden=False)

    def _shown(self, text: str, *, hidden: bool) -> str:
        if not text.strip():
            return text
        if hidden:
            self._learn(text)
            return REDACTED
        try:
            return self._json_in_text(text)
        except (ValueError, RecursionError):
            return self._plain(text)

    def _plain(self, text: str) -> str:
        text = _USER_IN_URL.sub(self._user, text)
        for pattern in _IN_TEXTS:
            text = pattern.sub(self._assigned, text)
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, REDACTED)
        return text

    def _learn(self, secret: str) -> None:
        """Remember a secret, and its first word: where none is quoted, other things may follow it."""
        for part in secret.strip(), re.split(r"[\s,;&]", secret.strip(), maxsplit=1)[0]:
            if len(part) >= _LONG_ENOUGH and part not in REDACTED:
                self._secrets.add(part)
        if len(self._secrets) > _MANY:
            raise DocumentError(f"there are more than {_MANY} secrets in the call, too many to look for")

    def _user(self, match: re.Match[str]) -> str:
        self._shown(match[1].partition(":")[2], hidden=True)
        return f"://{REDACTED}"

    def _assigned(self, match: re.Match[str]) -> str:
        prefix, quote, *values = match.groups(default="")
        return f"{prefix}{quote}{self._shown(''.join(values), hidden=True)}{quote}"

    def _json_in_text(self, text: str) -> str:
        if not text.lstrip().startswith(("{", "[")):
            raise ValueError("no JSON object or array")
        value = _read_json(text)
        shown = self._value(value, hidden=False)
        return text if shown == value else json.dumps(shown)

    def _json(self, data: bytes) -> bytes:
        try:
            value = _read_json(data)
            shown = self._value(value, hidden=False)
        except (ValueError, RecursionError) as error:
            raise DocumentError("the document is not JSON that VDSM writes") from error
        return data if shown == value else json.dumps(shown).encode()

    def _value(self, value: Any, *, hidden: bool) -> Any:
        if isinstance(value, dict):
            return self._object(cast("dict[str, Any]", value), hidden=hidden)
        if isinstance(value, list):
            values = cast("list[object]", value)
            after_option = [False, *map(_is_option, values)]
            return [self._value(inner, hidden=hidden or after) for inner, after in zip(values, after_option)]
        if isinstance(value, (bool, type(None))):
            return value
        return self._shown(str(value), hidden=hidden) if hidden or isinstance(value, str) else value

    def _object(self, value: Mapping[str, Any], *, hidden: bool) -> dict[str, Any]:
        """Return a JSON object less its secrets; ``{"name": "password", "value": "…"}`` has one too."""
        secret = {name for name in value if hidden or _is_secret(name)}
        if any(_is_secret(str(value.get(label))) for label in _LABELS):
            secret.update(_LABELLED)
        return {self._plain(name): self._value(inner, hidden=name in secret) for name, inner in value.items()}

    def _xml(self, data: bytes) -> bytes:
        root = parse(data)
        before = serialise(root, declaration=False)
        for node in [*root.itersiblings(preceding=True), root, *root.itersiblings()]:
            self._element(node, hidden=False)
        shown = serialise(root, declaration=False)
        return data if shown == before else serialise(root, declaration=data.startswith(b"<?xml"))

    def _element(self, element: Any, *, hidden: bool) -> None:
        """Redact ``element``; its ``name`` counts as one too: ``<qemu:env name='TOKEN' value='…'/>``."""
        if isinstance(element.tag, str):  # else a comment or a processing instruction
            names = [_local_name(element.tag), *(element.get(label) or "" for label in _LABELS)]
            hidden = hidden or any(map(_is_secret, names))
            for name, text in element.attrib.items():
                local_name = _local_name(name)
                secret = _is_secret(local_name) or (hidden and local_name not in _NO_SECRETS)
                element.set(name, self._shown(text, hidden=secret))
        element.text = self._shown(element.text or "", hidden=hidden) or None
        after_option = False
        for child in element:
            value = child.get("value")
            self._element(child, hidden=hidden or after_option)
            child.tail = self._shown(child.tail or "", hidden=hidden) or None
            after_option = after_option if value is None else _is_option(value)


def _read_json(text: str | bytes) -> Any:
    return json.loads(text, object_pairs_hook=_without_repetition)


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):  # what Python does not show would be stored unseen
        raise ValueError("a key comes twice")
    return value


def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def _is_option(value: object) -> bool:
    """Tell whether ``value`` is an option such as ``--password``, whose argument comes next."""
    return isinstance(value, str) and _OPTION.fullmatch(value) is not None


def _local_name(name: str) -> str:
    return name.rpartition("}")[2]
