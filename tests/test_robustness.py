"""What goes wrong at 3 a.m.: kills, full disks, read-only folders, children left behind, input of any kind."""

from __future__ import annotations

import ctypes
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from lxml import etree

from support import DOMAIN, TEMPLATES, execute

LOOP = """import hooking
while True:
    for cpuset in ("0", "0-" + "1" * 4):
        domain = hooking.read_domain()
        hooking.set_cpuset(domain, cpuset)
        hooking.write_domain(domain)
"""


def place(folder: Path, text: str, point: str = "before_vm_start") -> Path:
    script = folder / point / "50-x"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(text)
    return script


def test_kills_at_random_moments_leave_the_payload_whole_and_no_litter(tmp_path: Path) -> None:
    """Half of the kills hit the script alone, as an administrator's would, half its process group too."""
    script = place(tmp_path, LOOP)
    folder = tmp_path / "payloads"
    folder.mkdir()
    payload = folder / "payload"
    chance = random.Random(619783)
    seen: set[str | None] = set()
    kills = int(os.environ.get("HOOKING_KILLS", "60"))
    environ = {"LC_ALL": "C", "PATH": os.environ["PATH"], "vmId": "x", "_hook_domxml": str(payload)}
    for number in range(kills):
        payload.write_text(DOMAIN)
        with subprocess.Popen(
            [sys.executable, "-I", str(script)],
            env=environ,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            deadline = time.monotonic() + 30
            while payload.read_bytes() == DOMAIN.encode() and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(chance.random() * 0.02)
            if number % 2:
                process.kill()
            else:
                os.killpg(process.pid, 9)
            process.communicate(timeout=30)  # as the host: until nobody holds the pipe
        vcpu = etree.fromstring(payload.read_bytes()).find("vcpu")
        assert vcpu is not None
        seen.add(vcpu.get("cpuset"))
        assert os.listdir(folder) == ["payload"]
    assert seen == {"0", "0-1111"}


WRITE = """import hooking
domain = hooking.read_domain()
domain.description = "x" * 100000
hooking.write_domain(domain)
"""
DROP_IN = """import hooking
domxml = hooking.read_domxml()
domxml.documentElement.setAttribute("x", "x" * 100000)
hooking.write_domxml(domxml)
"""
HANDLER = """import hooking
hook = hooking.Hook()
@hook.vdsm("before_vm_start")
def handler(domain, context):
    domain.description = "x" * 100000
hook.run()
"""


@pytest.mark.parametrize(
    ("text", "status"), [(WRITE, 1), (DROP_IN, 1), (HANDLER, 2)], ids=["by hand", "minidom", "handler"]
)
@pytest.mark.parametrize("trouble", ["full disk", "read-only folder"])
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_payload_that_cannot_be_written_stays_as_it_was(tmp_path: Path, text: str, status: int, trouble: str) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    mount, unmount = (getattr(ctypes.CDLL(None, use_errno=True), name) for name in ("mount", "umount"))
    assert mount(b"none", bytes(folder), b"tmpfs", 0, b"size=64k") == 0, os.strerror(ctypes.get_errno())
    try:
        payload = folder / "payload"
        payload.write_text(DOMAIN)
        if trouble == "read-only folder":
            assert mount(b"none", bytes(folder), b"", 32 | 1, b"") == 0, os.strerror(ctypes.get_errno())
        ended = execute(place(tmp_path, text), environ={"_hook_domxml": str(payload), "vmId": "x"})
        assert ended.returncode == status
        reason = {"full disk": b"No space left on device", "read-only folder": b"Read-only file system"}[trouble]
        assert ended.stderr.endswith(b"cannot write the document to %s: %s\n" % (bytes(payload), reason))
        assert ended.stderr.count(b"\n") == 1
        assert (payload.read_text(), os.listdir(folder)) == (DOMAIN, ["payload"])
    finally:
        assert unmount(bytes(folder)) == 0


LEAVERS = {
    "a shell's background child": "os.system('sleep 30 &')",
    "Popen": "subprocess.Popen(['sleep', '30'])",
    "Popen with inherited descriptors": "subprocess.Popen(['sleep', '30'], close_fds=False)",
    "a fork": "os.fork() or (time.sleep(30), os._exit(0))",
}


@pytest.mark.parametrize("timeout", ["None", "20"])
@pytest.mark.parametrize("leave", LEAVERS.values(), ids=LEAVERS)
def test_a_child_left_behind_does_not_hold_up_the_host(tmp_path: Path, leave: str, timeout: str) -> None:
    script = tmp_path / "qemu"
    script.write_text(f"""import os, subprocess, time
import hooking
hook = hooking.Hook(timeout={timeout})
@hook.qemu("migrate")
def handler(domain, context):
    {leave}
    domain.title = "x"
hook.run()
""")
    begin = time.monotonic()
    ended = execute(script, ["web01", "migrate", "begin", "-"], stdin=DOMAIN.encode())
    waited = time.monotonic() - begin
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert b"<title>x</title>" in ended.stdout
    assert waited < 5  # the children sleep for 30 s


words = st.one_of(
    st.sampled_from(["web01", "migrate", "begin", "-"]),
    st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=9),
)
payloads = st.one_of(st.binary(max_size=200), st.sampled_from([DOMAIN.encode(), b"<domain/>", b"\xff\xfe<\0"]))


@settings(
    max_examples=settings().max_examples // 4,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(words, max_size=5),
    st.dictionaries(st.sampled_from(["vmId", "LANG", "PYTHONPATH", "_hook_json"]), words),
    payloads,
)
def test_real_calls_of_any_kind_end_in_a_documented_status(
    tmp_path: Path, arguments: list[str], environ: dict[str, str], payload: bytes
) -> None:
    script = tmp_path / "qemu"
    script.write_text((TEMPLATES / "pincpu" / "pincpu.py").read_text())
    ended = execute(script, arguments, stdin=payload, environ=environ)
    assert ended.returncode in (0, 1, 2)
    assert b"Traceback" not in ended.stderr
    assert ended.stderr.count(b"\n") <= 1
