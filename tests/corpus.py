"""The corpus of hooks by which ``hooking check`` is measured, and the measuring.

In ``bad`` each script has one fault, told in ``fault.txt``: in words, its line (0 if it has none), and its class; in
``good`` none has. ``unseen`` is the half that no rule was written for. As a program: python tests/corpus.py bad NAME …
prints the names of the scripts whose fault shows in a trial. A trial is for a sandbox, since a script may do anything.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hooking import points
from hooking.cli.check import findings
from hooking.cli.checks.findings import Finding
from hooking.cli.checks.script import load

HERE = Path(__file__).parent / "check_corpus"
IN_TRIAL = {"bad": 8, "unseen/bad": 7}
"""How many faults only a trial shows."""

CODES = {
    "background-keeps-pipes": "H204 H401",
    "bad-interpreter": "H104 H108",
    "bashism-in-sh": "H114 H111",
    "change-without-undo": "",
    "changes-identity": "H313 H403",
    "code-from-guest": "H307",
    "crlf": "H103",
    "domxml-unsafe-write": "H312",
    "duplicate-rules": "H311",
    "edit-not-read": "H303",
    "edit-without-effect": "",
    "fails-for-others": "H305 H402",
    "gone-at-release": "H402",
    "hard-coded-guest": "H304",
    "ignores-operation": "H309",
    "infinite-wait": "H206 H401",
    "kills-at-reconnect": "H305 H402",
    "kills-daemon": "H210",
    "kills-others": "H210",
    "last-status": "H402",
    "leftover-file": "H113",
    "libvirt-callback": "H201",
    "missing-environment": "H207 H402",
    "misspelt-point": "H302 H110",
    "network-without-timeout": "H202",
    "never-called": "H110",
    "never-runs": "H310",
    "no-document-there": "H303 H402",
    "no-shebang": "H102",
    "not-executable": "H101",
    "obsolete-operation": "H302",
    "predictable-tmp": "H308",
    "python2": "H105 H111 H112",
    "reads-libvirt-files": "H205",
    "refusal-at-wrong-point": "H303",
    "relative-path": "H208",
    "secret-in-log": "H306",
    "set-e-trap": "H402",
    "shell-injection": "H307",
    "stdout-at-migrate": "H203 H403",
    "sudo-in-libvirt": "H209",
    "swallowed-error": "H301",
    "undo-without-setup": "",
    "untrusted-code": "H308",
    "vdsm-exit-status": "H303 H402",
    "vdsm-without-isolation": "H107",
}
"""The findings that name a fault of each class."""


@dataclass(frozen=True)
class Case:
    """A script of the corpus.

    Attributes:
        folder: Its own.
        script: Where it lies.
        mode: Its mode on a host.
        line: Where its fault is, if it is at a line.
        slug: The class of its fault; empty if it is good.
    """

    folder: Path
    script: Path
    mode: int
    line: int = 0
    slug: str = ""

    @property
    def name(self) -> str:
        """What it is called."""
        return self.folder.name

    def findings(self, root: Path, *, no_run: bool = True) -> list[Finding]:
        """Put the script where it would lie on a host, and check it; what this machine lacks is no finding."""
        inner = self.script.relative_to(self.folder)
        is_libvirts = inner.parts[0].partition(".")[0] in points.DRIVERS
        path = root / self.name / ("etc/libvirt/hooks" if is_libvirts else "usr/libexec/vdsm/hooks") / inner
        path.parent.mkdir(parents=True)
        shutil.copyfile(self.script, path)
        path.chmod(self.mode)
        found = findings(load(path), no_run=no_run)
        return [finding for finding in found if finding.code != "H104" or self.slug == "bad-interpreter"]

    def about(self, found: list[Finding]) -> list[Finding]:
        """Return the findings that name the fault."""
        return [finding for finding in found if finding.code in CODES.get(self.slug, "").split()]

    def is_at(self, finding: Finding) -> bool:
        """Tell whether a finding is where the fault is; a trial knows no lines."""
        return not self.line or abs(finding.line - self.line) <= 1 or finding.code.startswith("H4")


@dataclass
class Result:
    """The names of scripts: their fault was found, elsewhere, or missed; or there was something else, a false alarm."""

    hits: list[str] = field(default_factory=list[str])
    elsewhere: list[str] = field(default_factory=list[str])
    misses: list[str] = field(default_factory=list[str])
    alarms: list[str] = field(default_factory=list[str])


def cases(half: str) -> list[Case]:
    """Return the scripts of ``bad``, ``good``, ``unseen/bad`` or ``unseen/good``."""
    return [_case(folder) for folder in sorted((HERE / half).iterdir())]


def _case(folder: Path) -> Case:
    notes = {"mode", "fault.txt"}
    (script,) = (path for path in folder.rglob("*") if path.is_file() and path.name not in notes)
    mode = int((folder / "mode").read_text(), 8) if (folder / "mode").exists() else 0o755
    if not (folder / "fault.txt").exists():
        return Case(folder, script, mode)
    _, line, slug = (folder / "fault.txt").read_text().splitlines()
    return Case(folder, script, mode, int(line), slug)


def measure(half: str) -> Result:
    """Read all scripts, and compare what is found with what is there."""
    result = Result()
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(half):
            found = case.findings(Path(folder))
            about = case.about(found)
            if len(about) < len(found):
                result.alarms.append(case.name)
            where = result.hits if any(map(case.is_at, about)) else result.elsewhere if about else result.misses
            where.append(case.name)
    return result


def shown(half: str, names: list[str]) -> list[str]:
    """Start scripts, and return the names of those whose fault showed."""
    with tempfile.TemporaryDirectory() as folder:
        chosen = [case for case in cases(half) if case.name in names]
        return [case.name for case in chosen if case.about(case.findings(Path(folder), no_run=False))]


def table() -> str:
    """Return what was measured, as a table in Markdown."""
    rows = [
        "scripts",
        "bad",
        "found",
        "at another line",
        "in the trial only",
        "missed",
        "besides",
        "good",
        "false alarms",
    ]
    lines = [rows, ["---"] * len(rows)]
    for title, half in (("seen", ""), ("unseen", "unseen/")):
        bad, good = measure(f"{half}bad"), measure(f"{half}good")
        tried = IN_TRIAL[f"{half}bad"]
        found = [len(bad.hits), len(bad.elsewhere), tried, len(bad.misses) - tried]
        lines.append([title, *map(str, [sum(found), *found, len(bad.alarms), len(good.misses), len(good.alarms)])])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    print("\n".join(shown(sys.argv[1], sys.argv[2:])))
