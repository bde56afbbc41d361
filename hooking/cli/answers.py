"""The answers of the author of a new hook: checked, and by default."""

from __future__ import annotations

import keyword
import os
import re
import subprocess
import sys
from importlib.util import find_spec

from hooking import points
from hooking.cli.project import Project
from hooking.cli.ready_made import AnswerError, find_template

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hooking.cli.ready_made import Template
    from hooking.points import Point

LICENCES = ("Apache-2.0", "GPL-2.0-or-later", "MIT")
OWN_LICENCE = "Apache-2.0"
"""That of the ready-made hooks."""

_TAKEN = {
    *("conftest", "setup", "setuptools"),
    *("click", "cookiecutter", "defusedxml", "hooking", "jinja2", "lxml", "pytest", "rich", "typing_extensions"),
    *getattr(sys, "stdlib_module_names", ()),  # since 3.10
}

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_AUTHOR = re.compile(r"(?P<name>[^<>,]*[^<>,\s]) <(?P<mail>[^<>@\s]+@[^<>@\s]+)>")
_LONGEST_NAME = 40
_LONGEST_PURPOSE = 79  # of a Debian package's synopsis


def project_of(answers: Mapping[str, str]) -> Project:
    """Return the project that ``answers`` describe.

    Args:
        answers: ``name``, ``start`` (a ready-made hook, or ``none``), ``purpose``, ``points``, ``author``, ``licence``.

    Raises:
        AnswerError: One of them is no answer.
        PointError: There is no such hook point.
    """
    template = find_template(answers["start"])
    name = _checked_name(answers["name"])
    author, mail = _checked_author(answers["author"])
    return Project(
        name,
        _checked_purpose(answers["purpose"]),
        template,
        _checked_points(answers["points"], template),
        author,
        mail,
        _checked_licence(answers["licence"], template),
    )


def named_points(text: str) -> tuple[Point, ...]:
    """Return the hook points that ``text`` names, with spaces or commas between them.

    Raises:
        PointError: There is no such hook point.
    """
    return tuple(points.parse(name) for name in dict.fromkeys(text.replace(",", " ").split()))


def default_author() -> str:
    """Return who is at work here, as Debian's tools and git are told; empty if neither is."""
    name = os.environ.get("DEBFULLNAME") or _from_git("user.name")
    mail = os.environ.get("DEBEMAIL") or _from_git("user.email")
    return f"{name} <{mail}>" if name and mail else ""


def _from_git(key: str) -> str:
    try:
        return subprocess.run(
            ["git", "config", "--get", key],  # noqa: S607 - the author's own
            capture_output=True,
            text=True,
            check=False,
        ).stdout.strip()
    except OSError:
        return ""


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name) or not 1 < len(name) <= _LONGEST_NAME:
        raise AnswerError(
            f"name {name!r}: give 2 to {_LONGEST_NAME} small letters and digits, dashes between words, as in pin-guests"
        )
    module = name.replace("-", "_")
    if keyword.iskeyword(module) or module in _TAKEN or module.startswith("test_") or _is_module(module):
        raise AnswerError(f"name {name!r}: Python has another use for {module}; give another name, as in my-{name}")
    return name


def _is_module(name: str) -> bool:
    """Tell whether Python finds a module of this name; a folder without ``__init__.py`` is none."""
    spec = find_spec(name)
    return spec is not None and spec.origin is not None


def _checked_purpose(text: str) -> str:
    if not text.strip(" .") or len(text) > _LONGEST_PURPOSE:
        raise AnswerError(f"purpose {text!r}: say in 1 to {_LONGEST_PURPOSE} characters what the hook is for")
    check_characters("purpose", text)
    return text.strip()


def check_characters(what: str, text: str) -> None:
    """Refuse what would have to be escaped in Python, TOML or a spec file, or what Jinja would run.

    Raises:
        AnswerError: The answer ``text`` to ``what`` has such a character.
    """
    wrong = next((character for character in text if not character.isprintable() or character in '"\\%{}'), None)
    if wrong is not None:
        raise AnswerError(f"{what} {text!r}: {wrong!r} cannot be in it; write it without")


def _checked_points(text: str, template: Template | None) -> tuple[Point, ...]:
    named = named_points(text)
    if not named:
        raise AnswerError("points: name at least one hook point, as in qemu/prepare; see: hooking points")
    if not template:
        _check_callable(named)
    if template and set(named) != set(template.points):
        are = " ".join(point.name for point in template.points)
        raise AnswerError(f"points {text!r}: the ready-made hook {template.name} is for {are}; leave the points out")
    return named


def _check_callable(named: tuple[Point, ...]) -> None:
    """Refuse points at which no script can be called: a ready-made hook may have them for the sake of old hosts."""
    for point in named:
        if point.absent:
            raise AnswerError(f"points: {point.name}: {point.absent}; leave it out")


def _checked_author(text: str) -> tuple[str, str]:
    matched = _AUTHOR.fullmatch(text)
    if matched is None:
        raise AnswerError(
            f"author {text!r}: give name and address, which packages need, as in --author 'NAME <NAME@example.org>',"
            " or tell git by user.name and user.email"
        )
    check_characters("author", text)
    return matched["name"], matched["mail"]


def _checked_licence(name: str, template: Template | None) -> str:
    if template and name != OWN_LICENCE:
        raise AnswerError(f"licence {name!r}: the ready-made hooks are under {OWN_LICENCE}; leave the licence out")
    if name not in LICENCES:
        raise AnswerError(f"licence {name!r}: give one of {', '.join(LICENCES)}")
    return name
