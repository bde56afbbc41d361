"""Custom properties as values: `read_property`, and the kinds of values that administrators write into them.

A custom property is text. A kind says what that text has to be and what it stands for; an error names the property,
the text and the rule. Kinds of single values, such as CPU sets and MAC addresses, are in `hooking.values`.
"""

from __future__ import annotations

from hooking.exceptions import InvalidValueError
from hooking.values import TEXT, Kind, tobool, unit_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final, TypeVar, overload

    from hooking.context import HookContext

    T = TypeVar("T")
    D = TypeVar("D")

if TYPE_CHECKING:

    @overload
    def read_property(context: HookContext, name: str, kind: Kind[str] = ...) -> str | None: ...
    @overload
    def read_property(context: HookContext, name: str, kind: Kind[T]) -> T | None: ...
    @overload
    def read_property(context: HookContext, name: str, kind: Kind[T], default: D) -> T | D: ...


def read_property(context: HookContext, name: str, kind: Kind[Any] = TEXT, default: Any = None) -> Any:
    """Return the value of a custom property; ``default`` where it is not set. An empty text is set.

    Args:
        context: The call.
        name: The property.
        kind: What its text has to be; by default any text.
        default: What it is where it is not set.

    Raises:
        InvalidValueError: The text is not of this kind; the message has the property, the text and the rule.
    """
    text = context.custom_properties.get(name)
    if text is None:
        return default
    try:
        return kind.read(text)
    except InvalidValueError as error:
        raise InvalidValueError(f"custom property {name}: {error}") from error


def list_of(kind: Kind[T], separator: str = ",") -> Kind[list[T]]:
    """Return the kind of text that is a list such as ``a, b``, each item of ``kind``; an empty text is an empty list.

    Args:
        kind: What the items are; blanks around them do not count.
        separator: What stands between them; a blank stands for any number of them.
    """

    def read(text: str) -> list[T]:
        parts = text.split(None if separator == " " else separator)
        return [kind.read(part.strip()) for part in parts] if text.strip() else []

    return Kind(
        f"a list with {separator!r} between its items, each {kind.rule}",
        read,
        lambda values: separator.join(map(kind.write, values)),
    )


def array_of(kind: Kind[T]) -> Kind[list[T]]:
    """Return the kind of text that is a list such as ``["a", "b"]``, in JSON or Python, each item of ``kind``."""

    def read(text: str) -> list[T]:
        return [kind.read(_word(value)) for value in _literal(text, list)]

    return Kind(f'a list such as ["a", "b"], each item {kind.rule}', read, lambda values: _json(values, kind))


def mapping_of(kind: Kind[T]) -> Kind[dict[str, T]]:
    """Return the kind of text that is a mapping such as ``{"a": "b"}``, in JSON or Python, each value of ``kind``."""

    def read(text: str) -> dict[str, T]:
        return {_word(name): kind.read(_word(value)) for name, value in _literal(text, dict).items()}

    return Kind(f'a mapping such as {{"a": "b"}}, each value {kind.rule}', read, lambda values: _json(values, kind))


def pattern(expression: str) -> Kind[str]:
    """Return the kind of text that as a whole fits a regular expression, in the syntax of `re`."""

    def read(text: str) -> str:
        import re

        if re.fullmatch(expression, text) is None:
            raise ValueError(text)
        return text

    return Kind(f"of the form {expression}", read)


def _literal(text: str, expected: type) -> Any:
    """The value of JSON, or else of a Python literal."""
    import ast
    import json

    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError(text) from error
    except ValueError:
        try:
            value = ast.literal_eval(text.strip())
        except (SyntaxError, RecursionError, MemoryError) as error:
            raise ValueError(text) from error
    if not isinstance(value, expected):
        raise TypeError(text)
    return value


def _word(value: object) -> str:
    """The text in a list or a mapping; whole numbers need no quotes."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise TypeError(value)


def _json(values: list[T] | dict[str, T], kind: Kind[T]) -> str:
    import json

    if isinstance(values, list):
        return json.dumps([kind.write(value) for value in values])
    return json.dumps({name: kind.write(value) for name, value in values.items()})


def _size(text: str) -> int:
    unit = text.strip().lstrip("0123456789")
    number = text.strip()[: len(text.strip()) - len(unit)]
    return int(number) * unit_bytes(unit.strip() or "bytes")


BOOLEAN: Final = Kind("a truth value", tobool, lambda value: "true" if value else "false")
INTEGER: Final = Kind("a whole number", int)
SIZE: Final = Kind("a size in bytes, or with a unit such as 20G, 512 MiB or 10GB", _size)
