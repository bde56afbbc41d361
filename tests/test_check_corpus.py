"""How much ``hooking check`` finds of what is wrong with hooks of others, and what it finds that is not wrong."""

from __future__ import annotations

import subprocess
import sys

import pytest

import corpus
from corpus import HERE, IN_TRIAL
from hooking.cli.checks.findings import RULES

ELSEWHERE = ["037-parse-run-libvirt", "086-edit-after-start"]
"""Found where the file is named, and where the edit is made; the faults are where they are used, and registered."""

BY_TRIAL = [
    "038-reconnect-keyerror",
    "040-property-required",
    "057-exit-hook-nothing-to-do",
    "072-set-e-grep",
    "073-pipefail-count",
    "074-and-list-last",
    "075-function-last-status",
    "091-release-wants-id",
]
MISSED = [
    "029-or-true-policy",
    "031-exit-1-after-vm-start",
    "042-hardcoded-chown",
    "067-hugepages-to-zero",
    "068-start-desktop-at-release",
    "069-governor-stays",
    "070-sdk-stops-unit",
    "071-losetup-stays",
    "087-append-second-bandwidth",
]

SANDBOX = ["unshare", "--map-root-user", "--mount", "--net", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"]
ALONE = """set -e
mount --make-rprivate /
mount --bind /proc/sys /proc/sys
for folder in /proc/sys /sys /; do mount -o remount,bind,ro $folder; done
exec 3<"$1" # this tree, wherever it lies
for folder in /run /var /tmp /srv /mnt /etc/libvirt; do
    [ ! -d $folder ] || mount -t tmpfs tmpfs $folder
done
mkdir -p /run/lock /var/lib /var/log /var/tmp
[ -e "$1/tests" ] || {
    mkdir -p "$1" && mount --no-canonicalize --bind /proc/self/fd/3 "$1" && mount -o remount,bind,ro "$1"
}
shift
exec "$@" 3<&-
"""

ROOT = HERE.parents[1]


def sandboxed(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a program where it can change nothing of this machine."""
    return subprocess.run(
        [*SANDBOX, "sh", "-c", ALONE, "sh", str(ROOT), *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_each_fault_that_is_missed_by_reading_is_a_known_one() -> None:
    result = corpus.measure("bad")
    assert result.misses == sorted([*BY_TRIAL, *MISSED])
    assert result.elsewhere == ELSEWHERE
    assert len(result.hits) == 72


@pytest.mark.parametrize("half", ["good", "unseen/good", "bad"])
def test_nothing_else_is_found(half: str) -> None:
    assert corpus.measure(half).alarms == []


def test_what_is_found_of_hooks_that_no_rule_was_written_for() -> None:
    result = corpus.measure("unseen/bad")
    counts = [len(names) for names in (result.hits, result.elsewhere, result.misses, result.alarms)]
    assert counts == [37, 3, 25, 4]


@pytest.mark.parametrize("half", IN_TRIAL)
def test_what_a_trial_shows_besides(half: str) -> None:
    if sandboxed(sys.executable, "-c", "import hooking.cli.check").returncode:
        pytest.skip("no sandbox on this machine")
    missed = corpus.measure(half).misses
    ended = sandboxed(sys.executable, corpus.__file__, half, *missed)
    found = ended.stdout.split()
    assert len(found) == IN_TRIAL[half], ended.stderr
    assert half != "bad" or found == BY_TRIAL


def test_every_class_of_faults_is_judged_by_findings_that_exist() -> None:
    slugs = {case.slug for half in IN_TRIAL for case in corpus.cases(half)}
    assert slugs == set(corpus.CODES)
    assert {code for codes in corpus.CODES.values() for code in codes.split()} <= set(RULES)
    assert len(list(HERE.rglob("fault.txt"))) == 156
