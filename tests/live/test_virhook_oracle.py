"""`ScriptFolder` held against libvirt's own ``virHookCall``: generated hooks folders, and sequences of calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from virhook_folders import DOMAIN, a_call, a_file, a_script, printed, requests, text_of
from virhook_oracle import HOOKS, OPERATIONS, SCRIPT_LOG, Action, Add, File, Oracle, Reply, Request, Seen, missing

from hooking import points
from hooking.testing.virhook import SCAN_ORDER

pytestmark = pytest.mark.live

CASES = int(os.environ.get("HOOKING_ORACLE_CASES", "150"))
ENVIRON = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


@pytest.fixture(scope="module")
def oracle(require_live: Callable[[str], None]) -> Iterator[Oracle]:
    require_live(missing())
    oracle = Oracle()
    yield oracle
    oracle.close()


def compare(oracle: Oracle, request: Request) -> Reply:
    """Hold the replies of both sides against each other, but for the time that they took."""
    reply = oracle.ask(request)
    assert len(reply["libvirt"]) == len(reply["hooking"]) == len(request["actions"]) + 1
    differences = [
        f"\naction {number}, {field}:\nlibvirt {theirs!r}\nhooking {ours!r}"
        for number, both in enumerate(zip(reply["libvirt"], reply["hooking"]))
        for (field, theirs), ours in zip(both[0].items(), both[1].values())
        if theirs != ours and field != "seconds"
    ]
    assert not differences, "".join(differences)
    return reply


def ask(oracle: Oracle, files: list[File], *actions: Action) -> list[Seen]:
    """What both saw."""
    return compare(oracle, Request(files=files, environ=ENVIRON, actions=list(actions)))["libvirt"]


def test_drivers_and_operations_are_those_of_libvirt() -> None:
    assert tuple(OPERATIONS) == SCAN_ORDER
    assert all(points.is_known(driver, op) for driver, ops in OPERATIONS.items() for op in ops)


@settings(max_examples=CASES, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(request=requests())
def test_generated_folders_and_calls(oracle: Oracle, request: Request) -> None:
    compare(oracle, request)


# What is not left to chance


def folder(path: str) -> File:
    return File(path=path, kind="folder", content="", mode=0)


LIBC_OWN = 0b11 << 31
"""Signals 32 and 33, which no program can set, and which each inherits."""

AWK = f"""#!/usr/bin/awk -f
BEGIN {{
    while ((getline line < "/proc/self/status") > 0)
        if (line ~ /^(SigIgn|SigBlk|SigCgt)/) print line >> "{SCRIPT_LOG}"
    exit 0
}}
"""


@pytest.mark.parametrize("payload", [DOMAIN, "", None])
def test_no_signal_is_blocked_or_ignored(oracle: Oracle, payload: str | None) -> None:
    """A shell changes its own signals, so this is seen from another interpreter."""
    seen = ask(oracle, [a_file("qemu", AWK)], a_call(payload=payload))
    masks = [int(line.split()[1], 16) for line in seen[1]["scripts"].splitlines()]
    assert len(masks) == 3
    assert not any(mask & ~LIBC_OWN for mask in masks)


@pytest.mark.parametrize(
    ("child", "payload", "waits"),
    [
        ("sleep 1 &", DOMAIN, True),
        ("sleep 1 2>/dev/null &", DOMAIN, True),
        ("sleep 1 >/dev/null &", DOMAIN, True),
        ("sleep 1 >/dev/null 2>&1 &", DOMAIN, False),
        ("sleep 1 <&3 >/dev/null 2>&1 &", "x" * 300_000, True),
        ("sleep 1 <&3 >/dev/null 2>&1 &", DOMAIN, False),
        ("exec <&- >&- 2>&-; sleep 1", "x" * 300_000, True),
    ],
)
def test_both_wait_for_the_same(oracle: Oracle, child: str, payload: str, *, waits: bool) -> None:
    script = a_file("qemu", f"#!/bin/sh\nexec 3<&0\n{child}\n")
    reply = compare(oracle, Request(files=[script], environ=ENVIRON, actions=[a_call(payload=payload)]))
    assert [seen[1]["seconds"] > 0.9 for seen in (reply["libvirt"], reply["hooking"])] == [waits, waits]


@pytest.mark.parametrize(
    "body", ["cat", "true", "head -c 10", "head -c 2000000 /dev/zero | tr '\\0' y; cat >&2; exit 3"]
)
def test_any_size_goes_through(oracle: Oracle, body: str) -> None:
    files = [
        folder("qemu.d"),
        a_file("qemu.d/1", f"#!/bin/sh\n{body}\n"),
        a_file("qemu.d/2", "#!/bin/sh\nwc -c >&2; exit 1"),
    ]
    seen = ask(oracle, files, a_call(payload="x" * 2_000_000))
    assert seen[1]["status"] == -1


def test_a_script_that_somebody_writes_cannot_be_executed(oracle: Oracle) -> None:
    busy = f"( exec sleep 0.5 ) >>{HOOKS}/qemu.d/2 2>/dev/null &"
    files = [folder("qemu.d"), a_script("qemu.d/1", busy, "sleep 0.1"), a_script("qemu.d/2", "")]
    seen = ask(oracle, files, a_call(payload=None))
    assert seen[1]["error"].endswith(f"cannot execute binary {HOOKS}/qemu.d/2: Text file busy\n")


def test_a_vertical_tab_is_not_blank(oracle: Oracle) -> None:
    files = [folder("qemu.d"), a_script("qemu.d/1", printed("\v")), a_script("qemu.d/2", f"cat >>{SCRIPT_LOG}")]
    seen = ask(oracle, files, a_call())
    assert seen[1]["scripts"].endswith("\v")


@pytest.mark.parametrize("op", ["reload", "shutdown", "start"])
def test_the_daemon_scans_before_two_of_its_hooks(oracle: Oracle, op: str) -> None:
    added = Add(do="add", file=a_script("qemu", ""))
    seen = ask(oracle, [], added, a_call(), a_call(op, None, driver="daemon"), a_call())
    assert [action["status"] for action in seen[2:]] == [1, 1, 1 if op == "start" else 0]


@pytest.mark.parametrize(("mode", "drivers"), [(0o755, ["qemu"]), (0o644, ["qemu", "network"])])
def test_a_folder_that_is_an_executable_file_ends_the_scan(oracle: Oracle, mode: int, drivers: list[str]) -> None:
    files = [a_script("qemu", ""), a_file("lxc.d", "", mode), a_script("network", "")]
    seen = ask(oracle, files, a_call(), a_call("start", driver="network"))
    assert seen[0]["drivers"] == drivers


@pytest.mark.parametrize("mode", [0o755, 0o644])
def test_a_folder_that_is_a_file_fails_each_call_after_the_main_script_ran(oracle: Oracle, mode: int) -> None:
    seen = ask(oracle, [a_script("qemu", "cat"), a_file("qemu.d", "", mode)], a_call())
    assert (seen[1]["status"], seen[1]["output"]) == (-1, DOMAIN)
    assert seen[1]["error"] == f"cannot open directory '{HOOKS}/qemu.d': Not a directory"


def test_the_folder_is_listed_after_the_main_script_ran(oracle: Oracle) -> None:
    add = f"cp $0 {HOOKS}/qemu.d/1"
    seen = ask(oracle, [a_script("qemu", add), folder("qemu.d")], a_call())
    assert seen[1]["scripts"].count("CALL") == 2


def test_later_scripts_are_listed_before_the_first_one_runs(oracle: Oracle) -> None:
    remove = f"rm {HOOKS}/qemu.d/2; chmod 644 {HOOKS}/qemu.d/3; cp $0 {HOOKS}/qemu.d/4"
    files = [folder("qemu.d"), a_script("qemu.d/1", remove), a_script("qemu.d/2", ""), a_script("qemu.d/3", "")]
    seen = ask(oracle, files, a_call())
    assert seen[1]["scripts"].count("CALL") == 1
    assert seen[1]["error"].endswith("qemu.d/3: Permission denied\n")


def test_the_order_is_that_of_bytes(oracle: Oracle) -> None:
    names = ["é", "a", "B", "\udc80", "z", "10", "9", ".a", "\U00010000", "\uffee"]
    seen = ask(oracle, [folder("qemu.d"), *(a_script(f"qemu.d/{name}") for name in names)], a_call())
    ran = [script.split("\0")[0] for script in seen[1]["scripts"].split(f"CALL\0{HOOKS}/qemu.d/")[1:]]
    assert ran == sorted(text_of(name) for name in names)


def test_a_missing_interpreter_is_not_found(oracle: Oracle) -> None:
    seen = ask(oracle, [a_file("qemu", "#!/nonexistent\n")], a_call())
    assert "unexpected exit status 127: libvirt:  error : cannot execute binary" in seen[1]["error"]


def test_a_main_script_that_is_a_dangling_link_is_none(oracle: Oracle) -> None:
    seen = ask(oracle, [File(path="qemu", kind="link", content="/nonexistent", mode=0), a_file("lxc", "", 0o644)])
    assert seen[0]["logged"] == [f"Non-executable hook script {HOOKS}/lxc"]


def test_what_a_script_gets(oracle: Oracle) -> None:
    seen = ask(oracle, [a_script("qemu", f"cat >>{SCRIPT_LOG}")], a_call())
    log = seen[1]["scripts"]
    assert log.startswith(f"CALL\0{HOOKS}/qemu\0web01\0migrate\0begin\0-\0LC_ALL=C\0PATH={ENVIRON['PATH']}\0flags:")
    assert "Umask:\t0027\n" in log
    assert f"\n/\npipe 0\npipe 1\n{HOOKS}/qemu\n" in log
    assert log.endswith(f"pipe 2\n{DOMAIN}")
