"""The Debian package of this tree: built by Debian's tools, put on this machine, taken off again."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sources import copy_sources

PACKAGE = "python3-hooking"
PROGRAMS = ("dpkg-buildpackage", "dh", "pybuild")
DEBIAN = {**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
"""Debian's tools take the first Python that they find for Debian's."""


def missing() -> str:
    """Return why no package can be built here; nothing if one can."""
    absent = [program for program in PROGRAMS if shutil.which(program, path=DEBIAN["PATH"]) is None]
    if absent:
        return f"not installed: {', '.join(absent)}"
    known = subprocess.run(["dpkg-query", "--status", PACKAGE], capture_output=True, check=False)
    return "" if known.returncode else f"a machine without {PACKAGE}: do dpkg --purge {PACKAGE}"


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a command that has to succeed, and return what it prints."""
    ended = subprocess.run(command, cwd=cwd, env=DEBIAN, capture_output=True, text=True, check=False, timeout=300)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def build(folder: Path) -> Path:
    """Build source and package below a folder, where the tree is copied to."""
    run("dpkg-buildpackage", "--build=full", "--no-sign", cwd=copy_sources(folder / "libvirt-hooking"))
    (package,) = folder.glob(f"{PACKAGE}_*_all.deb")
    return package


@contextmanager
def installed(*packages: Path, dpkg: Sequence[str] = ("dpkg",)) -> Generator[None]:
    """Install packages, and purge them at the end, the last one first."""
    try:
        run(*dpkg, "--install", *packages)
        yield
    finally:
        run(*dpkg, "--purge", *(package.name.partition("_")[0] for package in reversed(packages)))
