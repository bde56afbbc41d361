"""The code blocks of the documents, executed page by page as a reader does, from top to bottom in one folder.

What a block is follows from the line that opens it:

* ``python FILE``, or ``sh``, ``bash``, ``xml``, ``json``, ``yaml``, ``toml``, ``ini`` with a FILE: it becomes that
  file, and something on the page has to use it: a command that names it, or a test.
* ``python``: a test if it has one, which has to pass; else a script, which VDSM starts at ``before_vm_start``.
* ``console``: each ``$ command`` runs in bash, with what earlier ones exported, in the folder that they went to, and
  has to say what stands below it. A line ``...`` there stands for any lines, ``/home/ada`` for the folder, and times
  may be others. ``[1]`` at the end is an exit status other than 0. Where nothing stands, nothing is compared. A block
  that begins with ``# command`` is for root on a host: the live tests run it, and all others of the page, beside a real
  libvirtd with the guest ``web01``.
* ``text`` is no code: output, drawings, templates. ``{…}`` are directives of the site, which `make docs` runs.

Anything else fails, and so does an indented block. In the folder are ``pin.py`` and ``recordings``.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

from hooking.testing import FakeHost
from hooking.testing.documents import SAMPLE_VM_ID, SAMPLES
from support import HERE, TEMPLATES

FILES = ("python", "sh", "bash", "xml", "json", "yaml", "toml", "ini")
COUNTS: Counter[str] = Counter()
"""How many blocks were executed, were left to the live tests, or were not reached."""

Run = Callable[[Sequence[str], Path, "dict[str, str]"], "tuple[int, str]"]
"""Runs a program in a folder with an environment, and returns status and output."""


@dataclass(frozen=True)
class Command:
    """A command of a console block, and what has to come of it."""

    text: str
    output: str
    status: int


@dataclass(frozen=True)
class Block:
    """A code block: the language, the file that it becomes if any, its text, and the line that it begins in."""

    language: str
    file: str
    text: str
    line: int

    @property
    def commands(self) -> list[Command]:
        """The commands of a console block."""
        prompts = "[$#]" if self.live else "[$]"  # a line of output may begin with #, too
        parts = re.split(rf"^{prompts} ((?:.*\\\n)*.*)\n?", self.text, flags=re.MULTILINE)
        assert not parts[0].strip(), f"line {self.line}: a console block begins with a command: $ …"
        return [_command(*parts[start : start + 2]) for start in range(1, len(parts), 2)]

    @property
    def live(self) -> bool:
        """Whether it is for root on a host."""
        return self.language == "console" and self.text.startswith("# ")


def _command(text: str, output: str) -> Command:
    ended = re.search(r"^\[(\d+)\]\s*\Z", output, re.MULTILINE)
    return Command(text, output[: ended.start()] if ended else output, int(ended[1]) if ended else 0)


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page that are code.

    Raises:
        AssertionError: One of them cannot be executed.
    """
    found: list[Block] = []
    for token in MarkdownIt().parse(page.read_text()):
        line = token.map[0] + 1 if token.map else 0
        assert token.type != "code_block", f"{page}:{line}: an indented block; fence it, and say what it is"
        language, _, file = token.info.partition(" ")
        if token.type != "fence" or language == "text" or language.startswith("{"):
            continue
        known = language in ("python", "console") or (language in FILES and file)
        assert known, (
            f"{page}:{line}: a block of {token.info or 'nothing'!r}, which cannot be executed; see tests/blocks.py"
        )
        found.append(Block(language, file, token.content, line))
    return found


class Reader:
    """Somebody who does in a folder what a page says."""

    def __init__(self, page: Path, folder: Path, run: Run) -> None:
        self.page, self.folder, self._run_program = page, folder / "reader", run
        self.folder.mkdir()
        self._blocks = blocks(page)
        self._state = folder / "state"
        self._host = FakeHost(folder / "host")
        shutil.copy(TEMPLATES / "pincpu" / "pincpu.py", self.folder / "pin.py")
        shutil.copytree(HERE / "recordings" / "vdsm", self.folder / "recordings")

    def read(self, *, live: bool = False) -> None:
        """Execute every block; those for root on a host only if this is one."""
        counts = Counter(unreached=len(self._blocks))
        try:
            for number, block in enumerate(self._blocks):
                kind = "live" if block.live and not live else "executed"
                if kind == "executed":
                    self._execute(block, number)
                counts.update({kind: 1, "unreached": -1})
        finally:
            COUNTS.update(counts)

    def _execute(self, block: Block, number: int) -> None:
        where = f"{self.page}:{block.line}"
        if block.file:
            path = self.folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
            path.chmod(0o755)
            assert self._is_used(block, number), f"{where}: nothing uses {block.file}; let a command do so"
        elif block.language == "console":
            for command in block.commands:
                self._enter(command, where)
        elif "def test_" in block.text:
            (self.folder / f"test_block_{number}.py").write_text(block.text)
            options = ["-q", "--update-recordings", "-o", "hooking_recordings=recordings"]
            self._program([sys.executable, "-m", "pytest", *options, f"test_block_{number}.py"], where)
        else:
            self._start_script(block.text, where)

    def _is_used(self, block: Block, number: int) -> bool:
        """Tell whether something later on the page names the file, or runs all tests of which it is one."""
        later = "".join(other.text for other in self._blocks[number + 1 :])
        name = Path(block.file).name
        return name in later or (name.startswith("test_") and "pytest" in later)

    def _start_script(self, text: str, where: str) -> None:
        """Start a script as VDSM does at ``before_vm_start``; one that speaks of a CPU set has to set it."""
        script = self.folder / "before_vm_start" / "hook.py"
        script.parent.mkdir(exist_ok=True)
        script.write_text(text)
        payload = self.folder / "payload"
        shutil.copy(SAMPLES / "domain.xml", payload)
        self._program([sys.executable, str(script)], where, _hook_domxml=str(payload), vmId=SAMPLE_VM_ID, pincpu="1")
        assert (b"cpuset=" in payload.read_bytes()) == ("cpuset" in text), where

    def _program(self, command: Sequence[str], where: str, **environ: str) -> None:
        status, output = self._run_program(command, self.folder, {**self._environ, **environ})
        assert status == 0, f"{where}: {output}"

    def _enter(self, command: Command, where: str) -> None:
        """Enter a command, and compare what it says."""
        keep = f"trap '{{ export -p; echo cd \"$PWD\"; }} >{self._state}' EXIT"
        script = f"if [ -e {self._state} ]; then . {self._state}; fi\n{keep}\n{command.text}\n"
        status, output = self._run_program(["bash", "-c", script], self.folder, self._environ)
        output = output.replace(str(self.folder), "/home/ada")
        assert status == command.status, f"{where}: $ {command.text}\n{output}[{status}]"
        if command.output.strip():
            assert _fits(output, command.output), (
                f"{where}: $ {command.text}\n{output}\n--- and not ---\n{command.output}"
            )

    @property
    def _environ(self) -> dict[str, str]:
        return {
            "PATH": f"{Path(sys.executable).parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.folder),
            "LC_ALL": "C.UTF-8",
            "TERM": "dumb",
            "DEBFULLNAME": "Ada Example",
            "DEBEMAIL": "ada@example.org",
            "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
            "HOOKING_ROOT": str(self._host.root),
        }


def run_here(command: Sequence[str], folder: Path, environ: dict[str, str]) -> tuple[int, str]:
    """Run a program on this machine."""
    ended = subprocess.run(
        command,
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=300,
    )
    return ended.returncode, ended.stdout.decode()


def _fits(output: str, expected: str) -> bool:
    """Tell whether a command said what the page shows."""
    pattern = "".join(r"(?:.*\n)*?" if line == "..." else re.escape(line) + r"\n" for line in _lines(expected))
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in _lines(output))) is not None


def _lines(text: str) -> Iterator[str]:
    """Yield the lines of a text, without what differs from run to run."""
    for line in text.strip("\n").splitlines():
        timeless = re.sub(r"\b\d+(\.\d+)? ?(ms|s)\b", "0 s", line.rstrip())
        yield re.sub(r"^ +(?=0 s\b)", "", timeless)
