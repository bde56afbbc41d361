"""What libvirt's ``virHookCall`` does with a hooks folder, seen from scripts and from callers of `ScriptFolder`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hooking import points
from hooking.testing.executable import Ended
from hooking.testing.virhook import SCAN_ORDER, ScriptFolder
from support import canonical
from virhook_support import ARGUMENTS, DOMAIN, Hooks


@pytest.fixture
def hooks(tmp_path: Path) -> Hooks:
    return Hooks(tmp_path / "hooks")


def read_by(hooks: Hooks) -> list[bytes]:
    """What each script could read, if each says so on standard error."""
    return [ended.stderr for _, ended in hooks.call().scripts]


# Which files are run


def test_the_main_script_runs_first_then_the_folder_in_the_order_of_bytes(hooks: Hooks) -> None:
    names = ["é", "z~", "_x", "a", "B", "A", "9-b", "10-a", ".hidden", "\udc80", "README.txt", "x.bak", "x.rpmsave"]
    for name in names:
        hooks.add(f"qemu.d/{name}")
    hooks.add("qemu")
    order = [".hidden", "10-a", "9-b", "A", "B", "README.txt", "_x", "a", "x.bak", "x.rpmsave", "z~", "\udc80", "é"]
    assert hooks.ran() == ["qemu", *order]


@pytest.mark.parametrize("mode", [0o100, 0o010, 0o001, 0o755])
@pytest.mark.parametrize("name", ["qemu", "qemu.d/a"])
def test_any_x_bit_makes_a_script(hooks: Hooks, name: str, mode: int) -> None:
    hooks.add(name, mode=mode)
    assert hooks.call().scripts


@pytest.mark.parametrize("name", ["qemu", "qemu.d/a"])
def test_without_an_x_bit_it_is_none(hooks: Hooks, name: str) -> None:
    path = hooks.add(name, mode=0o666)
    assert (hooks.call().status, hooks.call().scripts) == (1, [])
    assert hooks.daemon.warnings == [f"Non-executable hook script {path}"]


def test_links_to_scripts_run_and_all_that_is_no_file_is_left_out(hooks: Hooks, tmp_path: Path) -> None:
    folder = hooks.add("qemu.d/a").parent
    (folder / "link").symlink_to(folder / "a")
    (folder / "dangling").symlink_to(tmp_path / "nothing")
    (folder / "to-folder").symlink_to(tmp_path)
    (folder / "loop").symlink_to("loop")
    (folder / "folder").mkdir()
    os.mkfifo(folder / "fifo", 0o777)
    assert hooks.ran() == ["a", "link"]


def test_folders_in_the_folder_are_not_entered(hooks: Hooks) -> None:
    (hooks.add("qemu.d/a").parent / "web01").mkdir()
    hooks.add("qemu.d/web01/migrate")
    assert hooks.ran() == ["a"]


def test_the_folder_may_be_a_link(hooks: Hooks, tmp_path: Path) -> None:
    hooks.add("elsewhere/a")
    (hooks.path / "qemu.d").symlink_to("elsewhere")
    assert hooks.ran() == ["a"]
    (hooks.path / "qemu.d").unlink()
    (hooks.path / "qemu.d").symlink_to(tmp_path / "nothing")
    assert (hooks.call().status, hooks.call().error) == (1, "")


@pytest.mark.parametrize("mode", [0o644, 0o755])
def test_a_file_in_the_place_of_the_folder_fails_each_call_after_the_main_script_ran(hooks: Hooks, mode: int) -> None:
    hooks.add("qemu", "cat")
    path = hooks.add("qemu.d", mode=mode)
    called = hooks.call()
    assert (called.status, called.output, len(called.scripts)) == (-1, DOMAIN, 1)
    assert called.error == f"cannot open directory '{path}': Not a directory"


def test_a_file_in_the_place_of_the_folder_alone_is_no_script(hooks: Hooks) -> None:
    hooks.add("qemu.d", mode=0o644)
    hooks.add("network")
    assert (hooks.call().status, hooks.daemon.warnings) == (1, [])
    assert hooks.daemon.call("network", ARGUMENTS, DOMAIN).status == 0


def test_an_executable_file_in_the_place_of_the_folder_hides_the_scripts_of_later_drivers(hooks: Hooks) -> None:
    for name in ("qemu", "lxc.d", "network", "libxl"):
        hooks.add(name)
    statuses = {driver: hooks.daemon.call(driver, ARGUMENTS, DOMAIN).status for driver in SCAN_ORDER}
    assert [driver for driver, status in statuses.items() if status == 0] == ["qemu"]
    assert hooks.daemon.warnings == [f"cannot open directory '{hooks.path}/lxc.d': Not a directory"]


def test_the_drivers_are_those_of_the_table() -> None:
    assert set(SCAN_ORDER) == points.DRIVERS


# When the daemon looks for them


def test_a_driver_without_scripts_stays_so_until_the_next_scan(hooks: Hooks) -> None:
    assert hooks.call().status == 1
    hooks.add("qemu")
    assert (hooks.call().status, hooks.call().scripts) == (1, [])
    hooks.daemon.scan()
    assert hooks.call().status == 0
    hooks.add("qemu.d/a")
    assert hooks.ran() == ["qemu", "a"]
    (hooks.path / "qemu").unlink()
    assert hooks.ran() == ["a"]
    (hooks.path / "qemu.d" / "a").unlink()
    assert hooks.call().status == 1
    hooks.daemon.scan()
    hooks.add("qemu")
    assert hooks.call().status == 1


@pytest.mark.parametrize(("op", "found"), [("start", False), ("reload", True), ("shutdown", True)])
def test_the_daemon_scans_before_it_reloads_and_ends(hooks: Hooks, op: str, *, found: bool) -> None:
    daemon = hooks.daemon
    hooks.add("daemon")
    hooks.add("qemu")
    assert (daemon.call("daemon", ("-", op, "-", op), None).status == 0) is found
    assert (hooks.call().status == 0) is found


def test_a_scan_warns_of_what_is_not_executable_until_it_finds_a_script(hooks: Hooks) -> None:
    hooks.add("lxc", mode=0o644)
    (hooks.path / "libxl").mkdir()
    (hooks.path / "bhyve").symlink_to("nothing")
    (hooks.path / "qemu.d").mkdir()
    (hooks.path / "qemu.d" / "folder").mkdir()
    (hooks.path / "qemu.d" / "dangling").symlink_to("nothing")
    warned = {"lxc", "libxl", "qemu.d/folder", "qemu.d/dangling"}
    assert set(hooks.daemon.warnings) == {f"Non-executable hook script {hooks.path / name}" for name in warned}
    hooks.daemon.warnings.clear()
    hooks.add("qemu")
    hooks.daemon.scan()
    assert {Path(warning.split()[-1]).name for warning in hooks.daemon.warnings} == {"lxc", "libxl"}


def test_all_scripts_are_listed_before_the_first_runs(hooks: Hooks) -> None:
    hooks.add("qemu.d/1", f"rm {hooks.path}/qemu.d/2; chmod 644 {hooks.path}/qemu.d/3; cp $0 {hooks.path}/qemu.d/4")
    hooks.add("qemu.d/2")
    hooks.add("qemu.d/3")
    statuses = {Path(path).name: ended.status for path, ended in hooks.call().scripts}
    assert statuses == {"1": 0, "2": 127, "3": 126}


def test_the_folder_is_listed_after_the_main_script_ran(hooks: Hooks) -> None:
    hooks.add("qemu", f"mkdir {hooks.path}/qemu.d; cp $0 {hooks.path}/qemu.d/a")
    assert hooks.ran()[:2] == ["qemu", "a"]


# Several scripts, and what they make of the document


def test_every_script_runs_and_the_last_failure_is_told(hooks: Hooks) -> None:
    hooks.add("qemu", "exit 1")
    hooks.add("qemu.d/1", "echo first >&2; exit 2")
    hooks.add("qemu.d/2")
    hooks.add("qemu.d/3", "echo last >&2; exit 3")
    hooks.add("qemu.d/4")
    called = hooks.call()
    assert [ended.status for _, ended in called.scripts] == [1, 2, 0, 3, 0]
    assert called.status == -1
    assert called.error.endswith("qemu.d/3 web01 migrate begin -) unexpected exit status 3: last\n")


def test_each_script_reads_what_the_one_before_wrote(hooks: Hooks) -> None:
    hooks.add("qemu", "sed s/web01/main0/")
    hooks.add("qemu.d/1", "sed s/main0/first/")
    hooks.add("qemu.d/2", "sed s/first/second/")
    assert canonical(hooks.call().output) == canonical(DOMAIN.replace(b"web01", b"second"))


def test_without_output_nothing_is_chained_and_nothing_returned(hooks: Hooks) -> None:
    hooks.add("qemu", "echo x")
    hooks.add("qemu.d/1", "cat >&2; echo y")
    called = hooks.call(with_output=False)
    assert (called.status, called.output) == (0, b"")
    assert called.scripts[1][1] == Ended(0, b"y\n", DOMAIN, called.scripts[1][1].seconds)


@pytest.mark.parametrize("blank", ["", " ", r"\t\n\f\r ", r"\000<x/>"])
def test_blank_output_changes_nothing(hooks: Hooks, blank: str) -> None:
    hooks.add("qemu.d/1", f"printf '{blank}'")
    hooks.add("qemu.d/2", "cat >&2; echo '<a/>'")
    hooks.add("qemu.d/3", f"printf '{blank}'")
    hooks.add("qemu.d/4", "cat >&2")
    assert read_by(hooks) == [b"", DOMAIN, b"", b"<a/>\n"]
    assert hooks.call().output == b"<a/>\n"


def test_a_vertical_tab_is_not_blank(hooks: Hooks) -> None:
    hooks.add("qemu.d/1", r"printf '\v'")
    hooks.add("qemu.d/2", "cat >&2")
    assert read_by(hooks) == [b"", b"\v"]


def test_the_output_of_the_main_script_counts_even_if_blank_or_failed(hooks: Hooks) -> None:
    hooks.add("qemu", "echo; exit 1")
    assert (hooks.call().status, hooks.call().output) == (-1, b"\n")


def test_output_ends_at_the_first_nul_and_needs_not_be_utf_8(hooks: Hooks) -> None:
    hooks.add("qemu", r"printf 'caf\351\000rest'")
    hooks.add("qemu.d/1", "cat >&2")
    assert read_by(hooks) == [b"", b"caf\xe9"]
    assert hooks.call().output == b"caf\xe9"


def test_after_a_failure_each_script_reads_the_original(hooks: Hooks) -> None:
    hooks.add("qemu", "echo '<main/>'")
    hooks.add("qemu.d/1", "cat >&2; echo '<first/>'; exit 1")
    hooks.add("qemu.d/2", "cat >&2; echo '<second/>'")
    hooks.add("qemu.d/3", "cat >&2")
    assert read_by(hooks) == [b"", b"<main/>\n", DOMAIN, DOMAIN]
    assert (hooks.call().status, hooks.call().output) == (-1, b"<second/>\n")


def test_the_output_of_a_script_that_failed_is_dropped(hooks: Hooks) -> None:
    hooks.add("qemu.d/1", "echo '<first/>'")
    hooks.add("qemu.d/2", "echo '<second/>'; exit 1")
    assert hooks.call().output == b"<first/>\n"


# Messages


def message(hooks: Hooks, *arguments: str, name: str = "qemu", environ: dict[str, str] | None = None) -> str:
    """The error of a call, less its constant beginning."""
    daemon = ScriptFolder(hooks.path, environ or {})
    called = daemon.call("qemu", arguments or ARGUMENTS, DOMAIN)
    beginning = "Hook script execution failed: internal error: Child process (LC_ALL=C "
    assert called.error.startswith(beginning)
    return called.error[len(beginning) :].replace(str(hooks.path), "/hooks")


@pytest.mark.parametrize(
    ("body", "end"),
    [
        ("exit 3", "unexpected exit status 3"),
        ("exit 255", "unexpected exit status 255"),
        ("echo one >&2; echo two >&2; exit 1", "unexpected exit status 1: one\ntwo\n"),
        ("printf end >&2; exit 126", "unexpected exit status 126: end"),
        (r"printf 'a\000b' >&2; exit 1", "unexpected exit status 1: a"),
        (r"printf '\000' >&2; exit 1", "unexpected exit status 1"),
        (r"printf 'caf\351' >&2; exit 1", "unexpected exit status 1: caf\ufffd"),
        ("kill -TERM $$", "unexpected fatal signal 15"),
        ("echo dying >&2; kill -KILL $$", "unexpected fatal signal 9: dying\n"),
    ],
)
def test_the_message_tells_how_a_script_ended_and_what_it_said(hooks: Hooks, body: str, end: str) -> None:
    hooks.add("qemu", body)
    assert message(hooks) == f"/hooks/qemu web01 migrate begin -) {end}"


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("web01", "web01"),
        ("g v", "'g v'"),
        ("", "''"),
        ("it's", r"'it'\''s'"),
        ("-n", "-n"),
        ("Zürich", "Zürich"),
        ("a=b,c/d@e%f+g:h", "a=b,c/d@e%f+g:h"),
        *[(f"a{character}b", f"'a{character}b'") for character in '\r\t\n !"#$&()*;<>?[\\]^`{|}~'],
    ],
)
def test_the_message_quotes_as_a_shell_would_need_it(hooks: Hooks, name: str, quoted: str) -> None:
    hooks.add("qemu", "exit 1")
    shown = message(hooks, name, "start", "begin", "-")
    assert shown == f"/hooks/qemu {quoted} start begin -) unexpected exit status 1"


def test_the_message_shows_the_environment(hooks: Hooks) -> None:
    hooks.add("qemu", "exit 1")
    shown = message(hooks, environ={"USER": "o'brien", "HOME": "/my home", "PATH": "", "LANG": "C"})
    assert shown.startswith(r"PATH='' HOME='/my home' USER='o'\''brien' /hooks/qemu web01")


def test_a_name_that_is_not_utf_8_can_be_printed(hooks: Hooks) -> None:
    hooks.add("qemu.d/\udcff", "exit 1")
    assert message(hooks) == "/hooks/qemu.d/\ufffd web01 migrate begin -) unexpected exit status 1"


@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        ("", 126, "Exec format error"),
        ("echo no first line\n", 126, "Exec format error"),
        ("#!/nonexistent/sh\n", 127, "No such file or directory"),
        ("#!/bin/sh\r\necho\r\n", 127, "No such file or directory"),
        ("#!/etc/passwd\n", 126, "Permission denied"),
        ("#!/bin/sh/x\n", 126, "Not a directory"),
    ],
)
def test_a_script_that_cannot_be_executed_fails_as_libvirts_child_says(
    hooks: Hooks, content: str, status: int, reason: str
) -> None:
    hooks.add_file("qemu", content)
    said = f"libvirt:  error : cannot execute binary /hooks/qemu: {reason}\n"
    assert message(hooks) == f"/hooks/qemu web01 migrate begin -) unexpected exit status {status}: {said}"


def test_a_script_that_is_being_written_cannot_be_executed(hooks: Hooks) -> None:
    path = hooks.add("qemu.d/1")
    hooks.add("qemu.d/2", "echo on")
    with path.open("ab"):
        called = hooks.call()
    assert called.error.endswith(f"cannot execute binary {path}: Text file busy\n")
    assert [ended.status for _, ended in called.scripts] == [126, 0]
