"""``hooking doctor`` reads logs that are long, or made to mislead it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hooking.cli.command import hooking
from hooking.cli.diagnosis import log
from hooking.cli.diagnosis.log import Failure

SAID = "\n".join(map(str, range(30_000)))


def logged(said: str, *, guest: str = "web01", thread: int = 77, second: int = 0, between: str = "") -> str:
    """Return what libvirt logs of a failure: twice the same."""
    script = "/etc/libvirt/hooks/qemu.d/50-pin"
    text = f"internal error: Child process (LC_ALL=C {script} {guest} prepare begin -) unexpected exit status 3: {said}"
    head = f"2026-11-21 01:38:{second:02}.202+0000: {thread}: error : "
    return f"{head}virCommandWait:2725 : {text}\n{between}{head}virRunScript:299 : Hook script failed: {text}\n"


FORGED = logged("forged", guest="victim", second=9)
BETWEEN = "2026-11-21 01:38:00.202+0000: 78: error : virNetSocketReadWire:1 : End of file\n"


def guests(text: str) -> list[str]:
    return [failure.guest for failure in log.parse(text)]


@pytest.mark.parametrize("between", ["", BETWEEN, logged("other", guest="web02", thread=78)])
def test_a_long_failure_is_shown_and_not_what_it_forges(between: str) -> None:
    text = logged(f"no\n{FORGED}{SAID}\n{FORGED}", between=between) + logged("later", second=5)
    found: list[Failure] = [failure for failure in log.parse(text) if failure.guest != "web02"]
    assert [failure.guest for failure in found] == ["web01", "web01"]
    assert found[0].message.startswith("no\n")
    assert len(found[0].message) == 2000
    assert len(guests(text)) == (3 if "web02" in between else 2)


def test_a_script_that_prints_the_log_hides_nothing() -> None:
    text = "".join(logged("no", second=second) for second in range(60))
    assert guests(text + logged(text, guest="web02", thread=78)) == ["web01"] * 60 + ["web02"]


@pytest.mark.parametrize("line", range(2))
def test_a_log_that_is_cut_has_no_failure(line: int) -> None:
    assert guests(logged("no\nno").splitlines()[line]) == []


def test_a_failure_whose_end_is_cut_off_is_shown() -> None:
    assert guests(logged(f"no\n{SAID}").rpartition("\n1000\n")[0]) == ["web01"]


@pytest.mark.parametrize(
    "text",
    [
        "".join(logged("no", second=second % 60) for second in range(6000)),
        "".join(logged("no").splitlines(keepends=True)[0] for _ in range(9000)) + logged("no") * 3000,
        "".join(line * 9000 for line in logged("no").splitlines(keepends=True)),
    ],
)
def test_comparisons_grow_with_the_log_alone(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []
    compare = log._Log._is_again

    def count(self: log._Log, *given: Any) -> bool:
        compared.append(1)
        return compare(self, *given)

    monkeypatch.setattr(log._Log, "_is_again", count)
    list(log.parse(text))
    assert len(compared) <= 110 * text.count("\n")


def test_one_fault_is_shown_once_and_an_old_one_as_such(tmp_path: Path) -> None:
    script = tmp_path / "etc/libvirt/hooks/qemu.d/50-pin"
    for path in (script, tmp_path / "var/log/libvirt/libvirtd.log"):
        path.parent.mkdir(parents=True)
    text = "".join(
        logged("no", second=second).replace(" prepare begin ", f" {op} ")
        for second, op in enumerate(("prepare begin", "stopped end", "release end"))
    )
    path.write_text(text + logged("no", guest="web02", second=3))
    said = CliRunner().invoke(hooking, ["doctor", "--root", str(tmp_path)]).stdout
    assert "Nothing is wrong." in said
    assert "exit status 3; 3 times (release, stopped, prepare) (the script was changed since)\n  no\n" in said
    assert said.count("\n  no\n") == 2
    script.write_text("#!/bin/sh\nexit 0\n")
    script.chmod(0o755)
    for when, expected in (0, "but see the failures."), (2**33, "Nothing is wrong."):
        os.utime(script, (when, when))
        said = CliRunner().invoke(hooking, ["doctor", "--root", str(tmp_path)]).stdout
        assert expected in said
        assert ("was changed since" in said) == bool(when)
