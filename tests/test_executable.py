"""How the daemons start a script, and what they wait for."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hooking.testing import executable
from hooking.testing.executable import Ended, interpreter_of, spawn
from hooking.testing.virhook import ScriptFolder
from support import in_fork
from virhook_support import ARGUMENTS, DOMAIN, PATH, Hooks


@pytest.fixture
def hooks(tmp_path: Path) -> Hooks:
    return Hooks(tmp_path / "hooks")


# How a script is started


def test_arguments_come_as_they_are(hooks: Hooks) -> None:
    path = hooks.add("qemu", """printf '%s\\n' $# $0 "$@" """)
    link = hooks.path / "qemu.d" / "1"
    link.parent.mkdir()
    link.symlink_to(path)
    called = hooks.call(DOMAIN, "-g v'\"ü", "release", "end", "from snapshot")
    shown = [ended.stdout.decode().splitlines() for _, ended in called.scripts]
    assert shown == [["4", str(name), "-g v'\"ü", "release", "end", "from snapshot"] for name in (path, link)]


def test_the_environment_is_the_listed_part_of_the_daemons(hooks: Hooks) -> None:
    hooks.add("qemu", "cat /proc/$$/environ")
    passed = ["LD_LIBRARY_PATH", "PATH", "HOME", "USER", "LOGNAME", "TMPDIR"]
    dropped = dict.fromkeys(["LANG", "LC_ALL", "LC_CTYPE", "XDG_RUNTIME_DIR", "INVOCATION_ID", "SHELL"], "dropped")
    environ = {**dropped, **{name: f"/{name}" for name in reversed(passed)}, "PATH": PATH}
    daemon = ScriptFolder(hooks.path, environ)
    ((_, ended),) = daemon.call("qemu", ARGUMENTS, DOMAIN).scripts
    values = [f"{name}={environ[name]}" for name in passed]
    assert ended.stdout.decode().split("\0") == ["LC_ALL=C", *values, ""]


def test_what_the_daemon_has_not_the_script_has_not(hooks: Hooks) -> None:
    hooks.add("qemu", "cat /proc/$$/environ")
    ((_, ended),) = ScriptFolder(hooks.path, {}).call("qemu", ARGUMENTS, DOMAIN).scripts
    assert ended.stdout == b"LC_ALL=C\0"


PROBE = """
( for number in 0 1 2; do readlink /proc/$$/fd/$number; grep flags /proc/$$/fdinfo/$number; done
  readlink /proc/$$/cwd; ls /proc/$$/fd; umask; grep -E '^(NSsid|NSpgid|PPid)' /proc/$$/status ) >%s
"""


def probed(hooks: Hooks, log: Path, payload: bytes | None) -> list[str]:
    hooks.add("qemu", PROBE % log)
    assert hooks.call(payload).status == 0
    return log.read_text().splitlines()


def test_a_script_has_pipes_and_no_other_descriptor(hooks: Hooks, tmp_path: Path) -> None:
    inherited = os.open("/", os.O_RDONLY)
    try:
        os.set_inheritable(inherited, True)
        seen = probed(hooks, tmp_path / "log", DOMAIN)
    finally:
        os.close(inherited)
    assert [pipe[:5] for pipe in seen[0:6:2]] == ["pipe:"] * 3
    assert len(set(seen[0:6:2])) == 3
    assert [flags.split()[1] for flags in seen[1:6:2]] == ["00", "01", "01"]
    assert seen[6] == "/"
    assert seen[7:-4] == ["0", "1", "10", "2"]  # the shell reads the script by its 10


def test_without_a_document_a_script_reads_the_null_device(hooks: Hooks, tmp_path: Path) -> None:
    seen = probed(hooks, tmp_path / "log", None)
    assert seen[0] == "/dev/null"
    assert int(seen[1].split()[1], 8) & os.O_ACCMODE == os.O_RDWR
    assert probed(hooks, tmp_path / "log", b"")[0].startswith("pipe:")


def test_umask_session_and_group_are_the_daemons(hooks: Hooks, tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        seen = probed(hooks, tmp_path / "log", DOMAIN)
    finally:
        os.umask(mask)
    relations = dict(line.split() for line in seen[-3:])
    assert seen[-4] == "0027"
    assert relations == {"PPid:": str(os.getpid()), "NSpgid:": str(os.getpgid(0)), "NSsid:": str(os.getsid(0))}


SIGNALS = """import os, signal, sys
own = signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT  # which Python sets itself
ignored = [number for number in signal.valid_signals() if signal.getsignal(number) == signal.SIG_IGN]
print(sorted(set(ignored) - {*own}), sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())))
print([line.split()[1] for line in open("/proc/self/status") if line.startswith("SigBlk")])
"""


def test_signals_are_neither_ignored_nor_blocked(tmp_path: Path) -> None:
    def in_a_daemon() -> None:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2, signal.SIGTERM})
        ended = spawn([sys.executable, "-c", SIGNALS], {}, b"", timeout=30)
        print(ended.stdout.decode(), end="", flush=True)

    assert in_fork(in_a_daemon, tmp_path).stdout.decode().splitlines() == ["[] []", "['0000000000000000']"]


def test_each_signal_gets_its_default_before_the_program_starts(tmp_path: Path) -> None:
    def reset() -> None:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
        executable._reset_signals()
        others = {signal.getsignal(number) for number in signal.valid_signals()}
        print(others == {signal.SIG_DFL}, signal.pthread_sigmask(signal.SIG_BLOCK, ()), flush=True)

    assert in_fork(reset, tmp_path).stdout == b"True set()\n"


def test_a_broken_pipe_ends_a_script(hooks: Hooks) -> None:
    hooks.add("qemu", "yes | head -n 1; kill -PIPE $$; echo survived")
    called = hooks.call()
    assert called.scripts[0][1].status == -signal.SIGPIPE
    assert called.output == b"y\n"


# Input and output


@pytest.mark.parametrize("body", ["true", "exec <&-", "head -c 10 >/dev/null"])
def test_a_script_needs_not_read_its_input(hooks: Hooks, body: str) -> None:
    hooks.add("qemu", body)
    assert (hooks.call(b"x" * (1 << 20)).status, hooks.daemon.warnings) == (0, [])


def test_two_megabytes_go_each_way_even_if_a_script_writes_first(hooks: Hooks) -> None:
    hooks.add("qemu", "head -c 2000000 /dev/zero | tr '\\0' y; wc -c >&2; head -c 2000000 /dev/zero | tr '\\0' z >&2")
    ((_, ended),) = hooks.call(b"x" * 2_000_000).scripts
    assert ended.stdout == b"y" * 2_000_000
    assert ended.stderr == b"2000000\n" + b"z" * 2_000_000


def waited_for(hooks: Hooks, body: str, payload: bytes = DOMAIN) -> bool:
    """Whether the daemon waits for the half second that ``body`` takes."""
    hooks.add("qemu", body)
    begin = time.monotonic()
    assert hooks.call(payload).status == 0
    return time.monotonic() - begin >= 0.5


def test_a_script_that_closes_all_and_runs_on_is_waited_for(hooks: Hooks) -> None:
    assert waited_for(hooks, "exec <&- >&- 2>&-; sleep 0.5")


@pytest.mark.parametrize("held", ["", "2>/dev/null", ">/dev/null"])
def test_a_child_that_holds_the_output_is_waited_for(hooks: Hooks, held: str) -> None:
    assert waited_for(hooks, f"sleep 0.5 {held} &")


def test_a_child_that_holds_only_input_is_waited_for_if_that_did_not_fit(hooks: Hooks) -> None:
    assert waited_for(hooks, "exec 3<&0; sleep 0.5 <&3 >/dev/null 2>&1 &", b"x" * 300_000)


@pytest.mark.parametrize("own_input", ["", "<&3"])
def test_a_child_that_holds_nothing_unfinished_is_not_waited_for(hooks: Hooks, own_input: str) -> None:
    hooks.add("qemu", f"exec 3<&0; sleep 60 {own_input} >/dev/null 2>&1 & echo $!")
    ((_, ended),) = hooks.call().scripts
    os.kill(int(ended.stdout), signal.SIGKILL)  # it still runs
    assert (ended.status, ended.hang) == (0, "")


# Hangs, which a daemon waits for without end


def runs(pid: str) -> bool:
    """Whether a process runs; one that ended may wait for somebody to ask how."""
    try:
        return ") Z " not in Path("/proc", pid, "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def ends(pid: str) -> bool:
    """Whether a process ends in ten seconds."""
    deadline = time.monotonic() + 10
    while runs(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not runs(pid)


def hanging(hooks: Hooks, body: str, payload: bytes = DOMAIN) -> Ended:
    path = hooks.add("qemu", body)
    return spawn([str(path), *ARGUMENTS], {"PATH": PATH}, payload, timeout=0.3)


@pytest.mark.parametrize("body", ["exec sleep 60", "sleep 60; true", "exec <&- >&- 2>&-; exec sleep 60"])
def test_a_script_that_does_not_end_is_killed_and_reported(hooks: Hooks, body: str) -> None:
    ended = hanging(hooks, f"echo before; {body}")
    assert (ended.status, ended.stdout, ended.hang) == (-signal.SIGKILL, b"before\n", "the script still runs")


@pytest.mark.parametrize(
    ("child", "held"),
    [
        ("sleep 60 &", "output and error"),
        ("sleep 60 2>/dev/null &", "output"),
        ("sleep 60 >/dev/null &", "error"),
        ("exec 3<&0; sleep 60 <&3 >/dev/null 2>&1 &", "input"),
    ],
)
def test_a_process_left_behind_is_named_and_killed(hooks: Hooks, child: str, held: str) -> None:
    ended = hanging(hooks, f"{child} echo $! >{hooks.path}/pid", b"x" * 300_000)
    pid = (hooks.path / "pid").read_text().strip()
    assert ended.status == 0
    assert ended.hang == f"sleep (process {pid}), which the script left behind, holds its standard {held}"
    assert ends(pid)


def test_a_process_left_behind_that_cannot_be_killed_is_not_waited_for(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executable, "_holders", lambda process: [])
    ended = hanging(hooks, f"echo before; echo why >&2; sleep 60 & echo $! >{hooks.path}/pid")
    os.kill(int((hooks.path / "pid").read_text()), signal.SIGKILL)  # it still runs
    assert (ended.stdout, ended.stderr) == (b"before\n", b"why\n")
    assert ended.hang == "a process that the script left behind holds its output"


def test_what_ends_by_itself_meanwhile_is_no_error(hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(pid: int, number: int) -> None:
        kill(pid, number)
        raise ProcessLookupError

    kill: Callable[[int, int], None] = os.kill
    monkeypatch.setattr(os, "kill", gone)
    assert "sleep" in hanging(hooks, "sleep 60 &").hang


def test_the_timeout_of_the_folder_is_that_of_each_script(hooks: Hooks) -> None:
    hooks.add("qemu", "exec sleep 60")
    hooks.add("qemu.d/1", "cat")
    called = ScriptFolder(hooks.path, {"PATH": PATH}, timeout=0.3).call("qemu", ARGUMENTS, DOMAIN, with_output=True)
    assert [ended.hang for _, ended in called.scripts] == ["the script still runs", ""]


# Scripts in Python


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("#!/usr/bin/python3", []),
        ("#! /usr/bin/python3.9 -I ", ["-I"]),
        ("#!/usr/bin/python3 -I -s", ["-I -s"]),
        ("#!/usr/bin/env python3", []),
        ("#!/usr/bin/env -S python3 -I -s", ["-I", "-s"]),
        ("#!/usr/bin/env -Spython3 -I", ["-I"]),
    ],
)
def test_a_python_script_may_be_started_by_this_python(tmp_path: Path, line: str, options: list[str]) -> None:
    script = tmp_path / "script"
    script.write_text(f"{line}\nprint()\n")
    assert interpreter_of(script) == [sys.executable, *options]


@pytest.mark.parametrize(
    "line",
    [
        *("", "python3", "#!", "#!/bin/sh", "#!/usr/bin/env", "#!/usr/bin/env sh python", "#!/usr/bin/env -S"),
        *("#!/usr/bin/env python3 -I", "#!/usr/bin/python3\r", "#!/usr/bin/python3-config", "#!/bin/sh python3"),
    ],
)
def test_any_other_script_is_started_by_its_first_line(tmp_path: Path, line: str) -> None:
    script = tmp_path / "script"
    script.write_bytes(f"{line}\n".encode())
    assert interpreter_of(script) == []


def test_this_python_runs_the_python_scripts_of_a_folder(hooks: Hooks) -> None:
    hooks.add_file("qemu", "#!/opt/python3 -I\nimport sys; print(sys.executable, sys.flags.isolated, sys.argv[1:])\n")
    hooks.add("qemu.d/1", "cat >&2")
    daemon = ScriptFolder(hooks.path, {}, this_python=True)
    called = daemon.call("qemu", ARGUMENTS, DOMAIN, with_output=True)
    assert called.scripts[1][1].stderr.decode() == f"{sys.executable} 1 {list(ARGUMENTS)}\n"


def test_a_script_that_vanishes_under_this_python_is_not_found(hooks: Hooks) -> None:
    hooks.add("qemu.d/1", f"rm {hooks.path}/qemu.d/2")
    hooks.add("qemu.d/2")
    daemon = ScriptFolder(hooks.path, {"PATH": PATH}, this_python=True)
    assert [ended.status for _, ended in daemon.call("qemu", ARGUMENTS, DOMAIN).scripts] == [0, 127]


def test_spawn_raises_where_there_is_no_program(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        spawn([str(tmp_path / "nothing")], {}, None, timeout=1)
