"""The first step and the last, in real processes: descriptors, the payload's file, signals and the time limit."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import stat
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

import hooking
from hooking import Domain, HookContext, _process, _supervision
from hooking._process import Process, replace_file
from hooking.exceptions import DocumentError
from support import DOMAIN, Forked, execute, in_fork

MIGRATE = ["/etc/libvirt/hooks/qemu", "web01", "migrate", "begin", "-"]
RECONNECT = ["/etc/libvirt/hooks/qemu", "web01", "reconnect", "begin", "-"]


def answer(
    tmp_path: Path,
    act: Callable[[Domain], Any],
    argv: list[str] = MIGRATE,
    stdin: bytes = DOMAIN.encode(),
    **options: Any,
) -> Forked:
    """Answer a call with one handler in a forked child that has the descriptors of a hook."""
    hook = hooking.Hook(**options)

    @hook.qemu("migrate", "reconnect")
    def handler(domain: Domain, context: HookContext) -> None:
        act(domain)

    def run() -> NoReturn:
        raise SystemExit(hook.answer(Process(argv, {})))

    return in_fork(run, tmp_path, stdin)


def title(domain: Domain) -> None:
    domain.title = "x"


TIMEOUTS = [{}, {"timeout": 10}]


@pytest.mark.parametrize("options", TIMEOUTS)
def test_the_answer_is_all_that_standard_output_gets(tmp_path: Path, options: dict[str, Any]) -> None:
    def noisy(domain: Domain) -> None:
        print("printed")
        os.write(1, b"written\n")
        subprocess.run(["echo", "from a child"], check=True)
        print("warned", file=sys.stderr)
        title(domain)

    ended = answer(tmp_path, noisy, **options)
    assert ended.status == 0
    assert ended.stdout.startswith(b'<domain type="kvm">')
    assert ended.stdout.endswith(b"</domain>")
    assert set(ended.stderr.split("\n")) == {"printed", "written", "from a child", "warned", ""}


@pytest.mark.parametrize("options", TIMEOUTS)
def test_our_line_comes_first_and_the_output_is_bounded(tmp_path: Path, options: dict[str, Any]) -> None:
    def chatty(domain: Domain) -> None:
        sys.stdout.write("x" * 100_000 + "the end\n")
        raise hooking.CommandError("lvs failed")

    ended = answer(tmp_path, chatty, **options)
    assert ended.status == 1
    first, second, third = ended.stderr.splitlines()
    assert first == "qemu: qemu/migrate web01: lvs failed"
    assert second == f"[{100_008 - _supervision.LARGEST_OUTPUT} bytes left out]"
    assert third.endswith("xthe end")
    assert not ended.stdout


@pytest.mark.parametrize("options", TIMEOUTS)
def test_what_is_printed_before_and_after_the_handlers_is_no_answer(tmp_path: Path, options: dict[str, Any]) -> None:
    hook = hooking.Hook(**options)

    def run() -> NoReturn:
        print("before")
        status = hook.answer(Process(MIGRATE, {}))
        print("after")
        sys.stdout.flush()
        raise SystemExit(status)

    ended = in_fork(run, tmp_path)
    assert (ended.status, ended.stdout, ended.stderr) == (0, b"", "before\nafter\n")


@pytest.mark.parametrize("options", TIMEOUTS)
def test_handlers_find_an_empty_standard_input(tmp_path: Path, options: dict[str, Any]) -> None:
    def read(domain: Domain) -> None:
        domain.title = f"{len(os.read(0, 10))} bytes"

    assert b"<title>0 bytes</title>" in answer(tmp_path, read, **options).stdout


def open_descriptors(domain: Domain) -> None:
    links = [f"/proc/self/fd/{number}" for number in range(64)]
    files = {Path(os.readlink(link)).name for link in links if os.path.islink(link)}
    domain.title = " ".join(sorted(name for name in files if name.startswith("fork-")))


def test_a_child_of_the_handlers_does_not_hold_the_hosts_descriptors(tmp_path: Path) -> None:
    def fork(domain: Domain) -> None:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            open_descriptors(domain)
            os.write(writer, (domain.title or "").encode())
            os._exit(0)
        os.waitpid(child, 0)
        os.close(writer)
        domain.title = f"held: {os.read(reader, 1000).decode()}"

    assert b"<title>held: </title>" in answer(tmp_path, fork).stdout
    assert b"<title></title>" in answer(tmp_path, open_descriptors, timeout=10).stdout
    assert b"<title>fork-err fork-out</title>" in answer(tmp_path, open_descriptors).stdout


def test_the_garbage_collector_of_a_child_leaves_alone_what_it_shares_with_its_parent(tmp_path: Path) -> None:
    def count(domain: Domain) -> None:
        domain.title = str(gc.get_freeze_count() > 0)

    assert b"<title>True</title>" in answer(tmp_path, count, timeout=10).stdout
    assert b"<title>False</title>" in answer(tmp_path, count).stdout


def test_a_timeout_kills_the_handlers_and_all_that_they_started(tmp_path: Path) -> None:
    def hang(domain: Domain) -> None:
        with subprocess.Popen(["sleep", "60"]) as child:
            (tmp_path / "pids").write_text(f"{os.getpid()} {child.pid}")
            print("so far", flush=True)
            child.wait()

    begin = time.monotonic()
    ended = answer(tmp_path, hang, timeout=0.5)
    assert time.monotonic() - begin < 10
    assert ended.status == 1
    assert ended.stderr == "qemu: qemu/migrate web01: the handlers took longer than 0.5 s and were killed\nso far\n"
    assert not ended.stdout
    time.sleep(0.2)
    for pid in (tmp_path / "pids").read_text().split():
        assert not Path(f"/proc/{pid}/cwd").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text()


def test_a_timeout_passes_where_failing_harms(tmp_path: Path) -> None:
    ended = answer(tmp_path, lambda domain: time.sleep(60), RECONNECT, timeout=0.2)
    assert ended.status == 0
    assert "took longer than 0.2 s" in ended.stderr


def test_a_timeout_too_short_to_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "setsid", lambda: time.sleep(60))
    assert answer(tmp_path, title, timeout=1e-9).status == 1
    assert answer(tmp_path, title, timeout=0.2).status == 1


@pytest.mark.parametrize("options", TIMEOUTS)
@pytest.mark.parametrize(("argv", "status"), [(MIGRATE, 1), (RECONNECT, 0)])
def test_sigterm_ends_the_handlers_by_the_rule_of_the_point(
    tmp_path: Path, options: dict[str, Any], argv: list[str], status: int
) -> None:
    test = os.getpid()

    def hang(domain: Domain) -> None:
        target = os.getppid() if os.getppid() != test else os.getpid()
        os.kill(target, signal.SIGTERM)
        time.sleep(60)

    ended = answer(tmp_path, hang, argv, **options)
    assert (ended.status, ended.stdout) == (status, b"")
    assert ended.stderr == f"qemu: qemu/{argv[2]} web01: ended by SIGTERM\n"


def test_sigterm_after_the_work_is_done_changes_nothing(tmp_path: Path) -> None:
    class Late(Process):
        def answer(self, carrier: str | None, data: bytes) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            super().answer(carrier, data)

    hook = hooking.Hook()
    hook.qemu("migrate")(lambda domain, context: setattr(domain, "title", "x"))

    def run() -> NoReturn:
        raise SystemExit(hook.answer(Late(MIGRATE, {})))

    ended = in_fork(run, tmp_path, DOMAIN.encode())
    assert (ended.status, ended.stderr) == (0, "")
    assert b"<title>x</title>" in ended.stdout


def test_handlers_that_end_their_process_are_an_error_with_a_timeout(tmp_path: Path) -> None:
    ended = answer(tmp_path, lambda domain: os.kill(os.getpid(), signal.SIGKILL), timeout=10)
    assert ended.status == 1
    assert "the handlers' process ended without an answer (wait status 9)" in ended.stderr


def test_a_thread_of_a_handler_does_not_hold_up_the_time_limit(tmp_path: Path) -> None:
    def thread(domain: Domain) -> None:
        threading.Thread(target=time.sleep, args=(60,)).start()
        title(domain)

    begin = time.monotonic()
    assert answer(tmp_path, thread, timeout=30).status == 0
    assert time.monotonic() - begin < 10


def test_a_script_ends_at_once_and_as_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "_getframe", lambda depth: SimpleNamespace(f_back=None))  # as if nobody called the script

    def run() -> NoReturn:
        atexit._clear()
        atexit.register(lambda: sys.stderr.write("at exit"))
        _process.end(2)

    ended = in_fork(run, tmp_path)
    assert (ended.status, ended.stderr) == (2, "at exit")


def test_a_thread_of_a_handler_does_not_hold_up_the_host(tmp_path: Path) -> None:
    path = tmp_path / "qemu"
    path.write_text("""
import atexit, threading, time
import hooking

hook = hooking.Hook()

@hook.qemu("migrate")
def leave(domain, context):
    atexit.register(print, "at exit")
    threading.Thread(target=time.sleep, args=(60,)).start()
    domain.title = "x"

hook.run()
""")
    begin = time.monotonic()
    ended = execute(path, MIGRATE[1:], stdin=DOMAIN.encode())
    assert time.monotonic() - begin < 30
    assert (ended.returncode, ended.stderr) == (0, b"at exit\n")
    assert b"<title>x</title>" in ended.stdout


def test_a_closed_descriptor_is_one_line(tmp_path: Path) -> None:
    def closed(number: int) -> Callable[[], NoReturn]:
        def run() -> NoReturn:
            os.close(number)
            raise SystemExit(hooking.Hook().answer(Process(MIGRATE, {})))

        return run

    for number in (0, 1):
        ended = in_fork(closed(number), tmp_path)
        assert ended.status == 1
        assert ended.stderr == "qemu: a standard descriptor is closed; start this script with input, output and error\n"
    ended = in_fork(closed(2), tmp_path)
    assert (ended.status, ended.stdout) == (1, b"")


def test_a_host_that_does_not_listen_is_no_reason_to_fail(tmp_path: Path) -> None:
    def run() -> NoReturn:
        reader, writer = os.pipe()
        os.close(reader)
        os.dup2(writer, 2)
        hook = hooking.Hook()
        hook.qemu("migrate")(lambda domain, context: print("x", file=sys.stderr))
        raise SystemExit(hook.answer(Process(MIGRATE, {})))

    assert in_fork(run, tmp_path, DOMAIN.encode()).status == 0


def test_a_spool_without_memfd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create")
    monkeypatch.delattr("fcntl.F_ADD_SEALS")
    ended = answer(tmp_path, lambda domain: print("printed"))
    assert (ended.status, ended.stderr) == (0, "printed\n")


@pytest.mark.parametrize("options", TIMEOUTS)
def test_python_streams_that_handlers_close_or_remove_are_no_harm(tmp_path: Path, options: dict[str, Any]) -> None:
    def without(domain: Domain) -> None:
        sys.stdout.close()
        sys.stderr = None
        title(domain)

    ended = answer(tmp_path, without, **options)
    assert (ended.status, ended.stderr) == (0, "")
    assert b"<title>x</title>" in ended.stdout


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize("options", TIMEOUTS)
@pytest.mark.parametrize(("argv", "status"), [(MIGRATE, 1), (RECONNECT, 0)])
@pytest.mark.parametrize(
    ("error", "message"),
    [
        (UnspeakableError(), "support.UnspeakableError: <exception str() failed>"),
        (ValueError("one\ntwo\x1b[31m"), "ValueError: one\\ntwo\\x1b[31m"),
        (SystemExit(type("Text", (str,), {})("said so")), "said so"),
        (GeneratorExit(), "GeneratorExit"),
    ],
)
def test_any_error_gets_an_answer_by_the_rule_of_the_point(
    tmp_path: Path, options: dict[str, Any], argv: list[str], status: int, error: BaseException, message: str
) -> None:
    def fail(domain: Domain) -> None:
        raise error

    ended = answer(tmp_path, fail, argv, **options)
    assert (ended.status, ended.stdout) == (status, b"")
    first, *rest = ended.stderr.splitlines()
    assert first == f"qemu: qemu/{argv[2]} web01: {message.replace('support.', __name__ + '.')}"
    assert rest or isinstance(error, SystemExit)
    assert "\x1b" not in ended.stderr


def test_an_error_of_the_machine_follows_the_rule_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> NoReturn:
        raise OSError("no more processes")

    monkeypatch.setattr(os, "pipe", fail)
    assert answer(tmp_path, title, RECONNECT, timeout=1).status == 0
    ended = answer(tmp_path, title, timeout=1)
    assert ended.status == 1
    assert ended.stderr.startswith("qemu: qemu/migrate web01: OSError: no more processes\n")


@pytest.mark.parametrize("options", TIMEOUTS)
def test_a_forked_child_that_returns_from_the_handler_gives_no_answer(tmp_path: Path, options: dict[str, Any]) -> None:
    def fork(domain: Domain) -> None:
        child = os.fork()
        domain.title = "parent" if child else "child"
        if child:
            os.waitpid(child, 0)

    ended = answer(tmp_path, fork, **options)
    assert (ended.status, ended.stderr) == (0, "")
    assert b"<title>parent</title>" in ended.stdout
    assert ended.stdout.count(b"<domain") == 1


def test_forks_of_forks_keep_their_own_descriptors(tmp_path: Path) -> None:
    def fork(domain: Domain) -> None:
        first = os.fork()
        if first:
            domain.title = str(os.waitpid(first, 0)[1])
            return
        opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(8)]
        second = os.fork()
        if second:
            os._exit(os.WEXITSTATUS(os.waitpid(second, 0)[1]))
        try:
            for number in opened:
                os.fstat(number)
        except OSError:
            os._exit(7)
        os._exit(0)

    assert b"<title>0</title>" in answer(tmp_path, fork, timeout=10).stdout


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_other_ways_to_end_a_hook_end_its_handlers_too(tmp_path: Path, number: signal.Signals) -> None:
    def hang(domain: Domain) -> None:
        (tmp_path / "pid").write_text(str(os.getpid()))
        os.kill(os.getppid(), number)
        time.sleep(60)

    ended = answer(tmp_path, hang, RECONNECT, timeout=30)
    assert (ended.status, ended.stderr) == (0, f"qemu: qemu/reconnect web01: ended by {number.name}\n")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_signal_that_does_not_wake_the_waiting_process_ends_it_all_the_same(tmp_path: Path) -> None:
    hook = hooking.Hook(timeout=30)

    @hook.qemu("reconnect")
    def hang(domain: Domain, context: HookContext) -> None:
        os.kill(os.getppid(), signal.SIGINT)
        time.sleep(60)

    def run() -> NoReturn:
        threading.Thread(
            target=time.sleep, args=(60,), daemon=True
        ).start()  # gets the signal, while the other reads on
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside a thread
        raise SystemExit(hook.answer(Process(RECONNECT, {})))

    ended = in_fork(run, tmp_path, DOMAIN.encode())
    assert (ended.status, ended.stderr) == (0, "qemu: qemu/reconnect web01: ended by SIGINT\n")


def test_a_handler_that_swallows_a_signal_gets_the_next(tmp_path: Path) -> None:
    def stubborn(domain: Domain) -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except Exception as error:  # noqa: BLE001 - as people write it
            domain.title = str(error)
        os.kill(os.getpid(), signal.SIGTERM)

    ended = answer(tmp_path, stubborn)
    assert (ended.status, ended.stdout) == (1, b"")


def test_what_was_printed_is_printed_once(tmp_path: Path) -> None:
    def run() -> NoReturn:
        sys.stdout.write("before\n")
        hook = hooking.Hook(timeout=10)
        hook.qemu("migrate")(lambda domain, context: None)
        raise SystemExit(hook.answer(Process(MIGRATE, {})))

    assert in_fork(run, tmp_path, DOMAIN.encode()).stderr == "before\n"


def test_what_handlers_leave_behind_cannot_fill_the_memory(tmp_path: Path) -> None:
    def leave(domain: Domain) -> None:
        subprocess.Popen(
            ["sh", "-c", f"sleep 0.3; echo x || echo refused > {tmp_path}/late"], stderr=subprocess.DEVNULL
        )

    assert answer(tmp_path, leave).status == 0
    for _ in range(50):
        if (tmp_path / "late").exists():
            break
        time.sleep(0.1)
    assert (tmp_path / "late").read_text() == "refused\n"


def read(tmp_path: Path, carrier: str | None, stdin: bytes = b"") -> Forked:
    def run() -> None:
        try:
            sys.stdout.write(f"{len(Process(['x'], {}).payload(carrier))} bytes")
        except hooking.HookError as error:
            sys.stdout.write(str(error))
        sys.stdout.flush()

    return in_fork(run, tmp_path, stdin)


def test_the_payload_comes_from_standard_input_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert read(tmp_path, None, b"12345").stdout == b"5 bytes"
    assert read(tmp_path, str(tmp_path / "file")).stdout == b"3 bytes"


def test_no_payload_is_followed_through_a_link_or_awaited_from_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "fifo")
    assert b"cannot read the document from" in read(tmp_path, str(tmp_path / "link")).stdout
    assert b"fifo is not a regular file" in read(tmp_path, str(tmp_path / "fifo")).stdout
    assert b"No such file or directory" in read(tmp_path, str(tmp_path / "none")).stdout


def test_a_payload_that_is_gone_is_one_line(tmp_path: Path) -> None:
    hook = hooking.Hook()
    hook.vdsm("before_vm_start")(lambda domain, context: None)
    process = Process(["/x/before_vm_start/50-y"], {"_hook_domxml": "/no/such"})

    def run() -> NoReturn:
        raise SystemExit(hook.answer(process))

    ended = in_fork(run, tmp_path)
    assert ended.status == 2
    message = "cannot read the document from /no/such: No such file or directory"
    assert ended.stderr == f"50-y: before_vm_start: {message}\n"


def test_no_payload_of_100_mb(tmp_path: Path) -> None:
    with (tmp_path / "big").open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    begin = time.process_time()
    assert b"big holds more than 16 MiB" in read(tmp_path, str(tmp_path / "big")).stdout
    assert time.process_time() - begin < 1


def test_a_terminal_is_asked_for_a_file(tmp_path: Path) -> None:
    def run() -> None:
        os.dup2(os.openpty()[1], 0)
        Process(["x"], {}).payload(None)

    assert in_fork(run, tmp_path).status == 1


def test_one_answer_only_on_standard_output(tmp_path: Path) -> None:
    def run() -> None:
        process = Process(["x"], {})
        process.answer(None, b"first")
        process.answer(None, b"second")

    ended = in_fork(run, tmp_path)
    assert (ended.status, ended.stdout) == (1, b"first")


def test_the_payload_is_what_the_host_gave_first(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"first")
    process = Process(["x"], {})
    process.payload(str(file))
    file.write_bytes(b"second")
    assert process.payload(str(file)) == b"first"


def test_a_file_is_replaced_with_its_mode_and_owner(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, 36, 36)
    before = file.stat()
    replace_file(str(file), b"new" * 10_000)
    after = file.stat()
    assert file.read_bytes() == b"new" * 10_000
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert stat.S_IMODE(after.st_mode) == 0o640
    assert os.listdir(tmp_path) == ["file"]


def test_a_file_that_is_gone_stays_gone(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="cannot write the document to .*/none: No such file or directory"):
        Process(["x"], {}).answer(str(tmp_path / "none"), b"new")
    assert os.listdir(tmp_path) == []


def test_a_failure_at_the_last_step_leaves_the_old_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"old")

    def full(*_: object) -> NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(OSError, match="No space left on device"):
        replace_file(str(tmp_path / "file"), b"new")
    assert (os.listdir(tmp_path), (tmp_path / "file").read_bytes()) == (["file"], b"old")


def test_any_other_failure_of_the_writing_process_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"old")
    monkeypatch.setattr(_process, "_replace", lambda path, data: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(OSError, match="Interrupted system call"):
        replace_file(str(tmp_path / "file"), b"new")


def test_the_system_log_gets_the_scripts_name(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr("syslog.openlog", lambda *arguments: calls.append(arguments))
    monkeypatch.setattr("syslog.syslog", lambda *arguments: calls.append(arguments))
    Process(["/etc/libvirt/hooks/qemu.d/10-x"], {}).syslog("line\0\udcff")
    assert calls[0][0] == "10-x"
    assert calls[1] == ("line\\0\\udcff",)


def test_the_current_process_is_this_one() -> None:
    assert _process.current().argv is sys.argv
    assert _process.current() is _process.current()


def test_the_log_is_said_with_what_handlers_print(tmp_path: Path) -> None:
    def act(domain: Domain) -> None:
        print("printed", flush=True)
        hooking.log("logged")

    assert answer(tmp_path, act).stderr == "printed\nlogged\n"
