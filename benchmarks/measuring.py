"""What all measurements share: an environment of its own, taking turns, and promises that a run can break."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

Key = TypeVar("Key", bound=Hashable)

ROOT = Path(__file__).parent.parent
DOMAIN = (ROOT / "hooking" / "testing" / "samples" / "domain.xml").read_bytes()
ROUNDS = int(os.environ.get("ROUNDS", "100"))
WARM_UP = 3
"""Rounds that only fill the caches."""


class Promise(NamedTuple):
    """A figure of this run, and the bound that the project promises: the most, or the least where so said."""

    what: str
    measured: float
    bound: float
    at_least: bool = False

    @property
    def kept(self) -> bool:
        return self.measured >= self.bound if self.at_least else self.measured <= self.bound

    @property
    def rule(self) -> str:
        return f"{'at least' if self.at_least else 'at most'} {self.bound:g}"


def report(promises: Iterable[Promise]) -> int:
    """Print the promises, and return the status to exit with."""
    broken = 0
    for promise in promises:
        broken += not promise.kept
        print(f"{promise.what:64}{promise.measured:8.2f}  {promise.rule:14}{'ok' if promise.kept else 'BROKEN'}")
    return int(broken > 0)


def take_turns(works: Mapping[Key, Callable[[], float]], rounds: int = ROUNDS) -> dict[Key, float]:
    """Return the first decile of the seconds that each work says it took, one of each in turn.

    What else the machine does then disturbs all alike; and it only ever makes a work longer, hence no median.
    """
    times: dict[Key, list[float]] = {key: [] for key in works}
    for number in range(WARM_UP + rounds):
        for key, work in works.items():
            seconds = work()
            if number >= WARM_UP:
                times[key].append(seconds)
    return {key: statistics.quantiles(values, n=10, method="inclusive")[0] for key, values in times.items()}


def seconds(work: Callable[[], object]) -> float:
    """Return how long ``work`` takes in this process."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def environment(folder: Path) -> Path:
    """Make an environment with this package and what it needs alone, and return its Python.

    Not even setuptools is in it, whose ``.pth`` file would make each start of Python, also the bare one, 1 ms longer.
    """
    venv.create(folder / "venv")
    python = folder / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", ROOT], check=True)
    return python


def write(path: Path, text: str, interpreter: str) -> str:
    """Write an executable script, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{interpreter}\n{text}")
    path.chmod(0o755)
    return str(path)


def starter(folder: Path, *commands: list[str]) -> Callable[[], float]:
    """Return the work of starting ``commands`` one after the other, each with the document that came before it.

    They find it on standard input, and in the file that VDSM would name.
    """
    payload = folder / "payload"
    environ = {"LC_ALL": "C", "PATH": os.defpath, "_hook_domxml": str(payload), "pincpu": "0-1"}

    def start() -> float:
        payload.write_bytes(DOMAIN)
        document = DOMAIN
        begin = time.perf_counter()
        for command in commands:
            document = subprocess.run(command, input=document, stdout=subprocess.PIPE, check=True, env=environ).stdout
        return time.perf_counter() - begin

    return start
