"""The errors of this package. Each prints as one line that says what to do."""

from __future__ import annotations


def one_line(text: object) -> str:
    """Return ``text`` as one printable line.

    Names and values come from guests, so control characters and line breaks are written as escapes: they can
    forge neither a log line nor a terminal command.
    """
    return printable(str(text).strip(), keep="")


def printable(text: str, keep: str = "\n\t") -> str:
    """Return ``text`` with control characters, but those to ``keep``, written as escapes."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character in keep else character.encode("unicode_escape").decode()
        for character in text
    )


class HookError(Exception, SystemExit):
    """An error with a message for the administrator.

    It is a `SystemExit` too: uncaught in a script written by hand it prints its line and ends the script with
    status 1, without a traceback. In a handler, `Hook.run` decides by the rule of the hook point.

    Attributes:
        code: The one line that is printed.
        exit_status: The status of a script that ends by it.
    """

    exit_status = 1
    code: str | int | None = "an error without a message"  # for subclasses that do not say

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = one_line(message)

    def __str__(self) -> str:
        return str(self.code)


class Refusal(HookError):  # noqa: N818 - a decision of the author, not an error
    """The author of the hook refuses the operation. It counts at every hook point."""


class InvocationError(HookError):
    """The script was not started as libvirt or VDSM start a hook."""


class DocumentError(HookError):
    """The document of the host is missing, malformed or hostile, or an edit made it so."""


class InvalidValueError(DocumentError, ValueError):
    """A value does not follow the rule of its attribute or argument."""


class IdentityError(DocumentError):
    """An edit changed what has to stay: root element, name, UUID, or the type of a JSON document."""


class ReadOnlyError(HookError):
    """A document was changed at a hook point where the host ignores changes."""


class PointError(HookError):
    """There is no such hook point, or it cannot do what was asked of it."""


class CommandError(HookError):
    """A program failed, hung, is missing, or must not be called from a hook."""


class HostError(HookError):
    """The host cannot be changed as asked, or what was noted of it cannot be read or kept."""


class HookTimeoutError(HookError):
    """The handlers took longer than `Hook` allows."""


class TerminatedError(HookError):
    """The hook was told to end (SIGTERM, SIGHUP, SIGINT) while its handlers ran."""
