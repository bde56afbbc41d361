"""All that ``hooking check`` can find, as one table: what, how bad, why, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Rule(NamedTuple):
    """One thing that can be wrong with a hook.

    Attributes:
        severity: ``error``: the hook fails, or harms its host; ``warning``: sooner or later it will.
        title: What is looked for.
        why: What would go wrong.
        fix: What to do.
    """

    severity: str
    title: str
    why: str
    fix: str


RULES = {
    "H101": Rule("error", "Not executable", "the host skips it without a word", "chmod 0755"),
    "H102": Rule(
        "error",
        "No first line with an interpreter",
        "the kernel cannot start it",
        "begin it with #!/usr/bin/python3 -I",
    ),
    "H103": Rule(
        "error", "Lines end with CR LF", "the kernel looks for an interpreter with CR in its name", "sed -i 's/\\r$//'"
    ),
    "H104": Rule(
        "error",
        "The interpreter is missing",
        "the host fails with status 127",
        "name one that is installed in /usr/bin",
    ),
    "H105": Rule("error", "Python 2, or python", "hosts of today have python3 alone", "call /usr/bin/python3"),
    "H106": Rule(
        "warning",
        "An interpreter outside /usr/bin",
        "AppArmor lets libvirt start none elsewhere",
        "use /usr/bin/python3, and install packages for that",
    ),
    "H107": Rule(
        "error",
        "A VDSM hook without -I or -E",
        "VDSM's PYTHONPATH has a module hooking of its own, which wins",
        "begin it with #!/usr/bin/python3 -I",
    ),
    "H108": Rule(
        "error",
        "env with options",
        "the kernel hands env one argument, a program with a space in its name",
        "name the interpreter itself, or use env -S",
    ),
    "H109": Rule("error", "Everybody may write it", "what stands there runs as root", "chmod 0755"),
    "H110": Rule(
        "warning",
        "No host looks there",
        "a host goes by the names of scripts and folders",
        "see: hooking points",
    ),
    "H111": Rule("error", "A syntax error", "the script fails at every event", "correct it"),
    "H112": Rule("error", "Left over from Python 2", "Python 3 fails here", "write it as Python 3"),
    "H113": Rule(
        "warning", "A copy among the scripts", "libvirt runs every executable in the folder, copies too", "move it away"
    ),
    "H201": Rule(
        "error",
        "Calling libvirt back",
        "libvirt waits for the hook, and cannot answer it",
        "read standard input, or do it later, outside the hook",
    ),
    "H202": Rule(
        "warning", "A network call without a time limit", "libvirt waits as long as the hook does", "give it a timeout"
    ),
    "H203": Rule(
        "error",
        "Words on standard output where it is the answer",
        "at migrate and restore the host reads it as the guest's document",
        "write to standard error, or use hooking.Hook",
    ),
    "H204": Rule(
        "error",
        "A background process that keeps the host's pipes",
        "the host waits until it ends",
        "give it >/dev/null 2>&1, or let systemd run it",
    ),
    "H205": Rule(
        "warning",
        "Reading libvirt's own files",
        "they are not what is being started, and need not be there",
        "read the document from standard input",
    ),
    "H301": Rule(
        "warning",
        "except: that swallows",
        "it also catches SystemExit, and so the script's own exit, a refusal, and the end of time",
        "write except Exception",
    ),
    "H302": Rule("error", "No such hook point", "it is never called", "see: hooking points"),
    "H303": Rule(
        "error",
        "Nothing that this hook point can do",
        "the host ignores it there, or the hook fails",
        "do it at another one; see: hooking points",
    ),
    "H304": Rule(
        "warning",
        "A guest's name in the code",
        "the next guest needs another script",
        "use a custom property, or hooking.Hook with object=",
    ),
    "H305": Rule(
        "error",
        "Failing for guests and operations that it is not about",
        "none of them can start, and at reconnect they are killed",
        "exit 0 there",
    ),
    "H306": Rule(
        "warning",
        "Secrets in a log",
        "the documents of migrate and restore, and the environment, have passwords",
        "log names and IDs only",
    ),
    "H307": Rule(
        "error",
        "A text of the host in a shell command",
        "guests control it, and the hook is root",
        "give a list of arguments, without shell",
    ),
    "H401": Rule("error", "Hangs in a trial", "the host waits for ever", "end, and let nothing keep the pipes"),
    "H402": Rule(
        "error",
        "Fails in a trial for an unrelated guest",
        "guests it is not about cannot start, and at reconnect they are killed",
        "exit 0 for them",
    ),
    "H403": Rule(
        "error",
        "Answers in a trial what the host cannot use",
        "the guest does not come up",
        "write the document, or nothing",
    ),
}
"""Every finding by its code. 1xx: the file; 2xx: the host; 3xx: the logic; 4xx: what a trial showed."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a script.

    Attributes:
        code: Of `RULES`.
        line: Where, from 1.
        what: What was found there.
    """

    code: str
    line: int
    what: str

    @property
    def severity(self) -> str:
        """``error`` or ``warning``."""
        return RULES[self.code].severity

    @property
    def title(self) -> str:
        """What was looked for."""
        return RULES[self.code].title

    @property
    def why(self) -> str:
        """What would go wrong."""
        return RULES[self.code].why

    @property
    def fix(self) -> str:
        """What to do."""
        return RULES[self.code].fix
