"""Running programs from a hook."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

import hooking
from hooking import _process
from hooking.testing import FakeHost, run_hook
from support import libvirt, vdsm


def test_a_program_gets_its_input_and_gives_its_output() -> None:
    ended = hooking.run_command(["sh", "-c", "cat; echo warned >&2"], stdin="in")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "in", "warned\n")


def test_nothing_goes_through_a_shell() -> None:
    assert hooking.run_command(["echo", "$(id)", "; reboot"]).stdout == "$(id) ; reboot\n"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["sh", "-c", "echo first; echo last >&2; exit 3"], "^sh failed with status 3: last$"),
        (["sh", "-c", "echo said; exit 1"], "^sh failed with status 1: said$"),
        (["false"], r"^false failed with status 1: \(it said nothing\)$"),
        (["/no/such/program"], "^program cannot be run: No such file or directory$"),
        (["/etc/passwd"], "^passwd cannot be run: Permission denied$"),
        ([], r"^\[\] is not a list of a program and its arguments$"),
        ("ls -l", "^'ls -l' is not a list of a program and its arguments$"),
    ],
)
def test_a_failure_is_one_line(command: Any, message: str) -> None:
    with pytest.raises(hooking.CommandError, match=message):
        hooking.run_command(command)


def test_a_failure_may_be_no_error() -> None:
    assert hooking.run_command(["sh", "-c", "exit 3"], check=False).returncode == 3


def test_a_program_that_hangs_is_killed() -> None:
    with pytest.raises(hooking.CommandError, match=r"sleep took longer than 0.1 s and was killed"):
        hooking.run_command(["sleep", "60"], timeout=0.1)


def test_a_program_is_over_when_it_ends_whatever_it_left_behind() -> None:
    begin = time.monotonic()
    assert hooking.run_command(["sh", "-c", "sleep 30 & echo done"], timeout=20).stdout == "done\n"
    assert time.monotonic() - begin < 10


def test_output_of_any_bytes_is_text() -> None:
    assert hooking.run_command(["printf", r"\377x"]).stdout == r"\xffx"


@pytest.mark.parametrize("program", ["virsh", "/usr/bin/virsh", "virt-xml"])
def test_libvirt_cannot_be_called_back(program: str) -> None:
    _process.replace_current(libvirt("qemu", "start"))
    with pytest.raises(hooking.CommandError, match="must not be called from a hook: libvirt waits for the hook"):
        hooking.run_command([program, "list"])


def test_vdsm_may_call_what_it_wants() -> None:
    _process.replace_current(vdsm("before_vm_start"))
    with pytest.raises(hooking.CommandError, match="virt-none cannot be run: No such file"):
        hooking.run_command(["virt-none"])
    _process.replace_current(None)
    with pytest.raises(hooking.CommandError, match="virt-none cannot be run: No such file"):
        hooking.run_command(["virt-none"])


def test_a_simulated_host_has_programs_of_its_own(tmp_path: Path) -> None:
    hook = hooking.Hook()
    ended: list[subprocess.CompletedProcess[str]] = []

    @hook.vdsm("before_vm_start")
    def call(_domain: hooking.Domain, _context: hooking.HookContext) -> None:
        ended.extend(map(hooking.run_command, [["mount", "/dev/vg/web"], ["printf", "ours"], ["/bin/echo", "by path"]]))

    with FakeHost(tmp_path) as simulated:
        simulated.add_program("mount", 'echo "mounted $1"')
        assert run_hook(hook, "before_vm_start", host=simulated).status == 0
    assert [each.stdout for each in ended] == ["mounted /dev/vg/web\n", "ours", "by path\n"]
    assert ended[0].args == ["mount", "/dev/vg/web"]
