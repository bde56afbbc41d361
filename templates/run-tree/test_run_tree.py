from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import run_tree

from hooking import points
from hooking.testing import FakeHost, Libvirtd, Outcome, Recording, documents, run_hook

RECORDINGS = sorted((Path(__file__).parent / "recordings").iterdir())
POINTS = [point.name for point in points.all_points() if point.host == "libvirt" and not point.absent]
NOTE = "cat > '{root}/stdin'; printf '%s|' \"${{0##*/}}\" \"$@\" >> '{root}/noted'; echo >> '{root}/noted'"
TITLE = "sed 's,<uuid>,<title>{}</title>&,'"


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path / "host")


def plant(host: FakeHost, path: str, text: str = NOTE, *, first_line: str = "#!/bin/sh", mode: int = 0o755) -> Path:
    """Put a script below the host's folder of hooks."""
    script = host.path(f"/etc/libvirt/hooks/{path}")
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(f"{first_line}\n{text.format(root=host.root)}\n")
    script.chmod(mode)
    for folder in list(script.parents)[: len(script.relative_to(host.root).parts) - 1]:
        folder.chmod(0o755)
    return script


def noted(host: FakeHost) -> list[str]:
    """The scripts that ran, each with its arguments."""
    path = host.path("/noted")
    return path.read_text().splitlines() if path.exists() else []


def call(
    host: FakeHost, point: str = "qemu/prepare", *, object: str | None = None, extra: str | None = None
) -> Outcome:
    return run_hook(run_tree.hook, point, object=object, extra=extra, host=host)


@pytest.mark.parametrize("point", [name for name in POINTS if not name.startswith("daemon/")])
def test_a_script_gets_what_the_host_gave(point: str, host: FakeHost) -> None:
    row = points.parse(point)
    plant(host, f"{row.driver}.d/web 'n' \"ö\" $(id)/{row.op}/{row.subop}/do it.sh")
    outcome = call(host, point, object="web 'n' \"ö\" $(id)", extra="-")
    assert (outcome.status, outcome.stderr, outcome.changed) == (0, "", False)
    assert noted(host) == [f"do it.sh|web 'n' \"ö\" $(id)|{row.op}|{row.subop}|-|"]
    assert host.path("/stdin").read_bytes() == outcome.before


def test_the_scripts_of_this_guest_and_this_operation_run_in_the_order_of_bytes(host: FakeHost) -> None:
    for name in "b", "B", "9", "10", ".a", "é":
        plant(host, f"qemu.d/web01/prepare/begin/{name}")
    plant(host, "qemu.d/web01/prepare/begin/folder/deep")
    for other in "web02/prepare/begin", "web01/prepare/end", "web01/start/begin":
        plant(host, f"qemu.d/{other}/other")
    plant(host, "lxc.d/web01/prepare/begin/other")
    outcome = call(host)
    assert (outcome.status, outcome.log) == (0, "")
    assert [line.partition("|")[0] for line in noted(host)] == [".a", "10", "9", "B", "b", "é"]


def test_a_file_in_the_place_of_the_folder_runs(host: FakeHost) -> None:
    plant(host, "qemu.d/web01/release/end")
    assert not call(host, "qemu/release", extra="from snapshot").failed
    assert noted(host) == ["end|web01|release|end|from snapshot|"]


def test_the_first_that_fails_ends_the_call(host: FakeHost, capfd: pytest.CaptureFixture[str]) -> None:
    first = plant(host, "qemu.d/web01/prepare/begin/1", "echo why >&2; echo out; exit 77")
    plant(host, "qemu.d/web01/prepare/begin/2")
    outcome = call(host)
    assert (outcome.status, outcome.stdout, noted(host)) == (1, b"", [])
    assert outcome.stderr == f"qemu: qemu/prepare web01: {first} ended with status 77\n"
    assert capfd.readouterr() == ("", "why\n")


@pytest.mark.parametrize("point", ["qemu/reconnect", "network/started", "qemu/release"])
@pytest.mark.parametrize(("text", "how"), [("exit 255", "status 255"), ("kill -9 $$", "signal 9")])
def test_a_script_that_fails_fails_the_call_everywhere(point: str, text: str, how: str, host: FakeHost) -> None:
    row = points.parse(point)
    plant(host, f"{row.driver}.d/web01/{row.op}/{row.subop}/fail", text)
    outcome = call(host, point, object="web01")
    assert outcome.status == 1
    assert outcome.stderr.endswith(f"/fail ended with {how}\n")


@pytest.mark.parametrize("point", ["qemu/migrate", "qemu/restore", "libxl/migrate"])
def test_what_a_script_writes_is_read_by_the_next_and_goes_back(point: str, host: FakeHost) -> None:
    driver, op = point.split("/")
    for number, text in enumerate([TITLE.format("one"), "true", "echo", "sed 's,>one<,>two<,'", NOTE]):
        plant(host, f"{driver}.d/web01/{op}/begin/{number}", text)
    outcome = call(host, point, object="web01")
    assert outcome.domain.element.findtext("title") == "two"
    assert (outcome.stderr, outcome.refused) == ("", "")
    assert b"<title>two</title>" in host.path("/stdin").read_bytes()


def test_what_a_script_writes_elsewhere_is_dropped(host: FakeHost, capfd: pytest.CaptureFixture[str]) -> None:
    plant(host, "qemu.d/web01/prepare/begin/1", TITLE.format("one"))
    plant(host, "qemu.d/web01/prepare/begin/2")
    outcome = call(host)
    assert (outcome.status, outcome.changed, capfd.readouterr().out) == (0, False, "")
    assert host.path("/stdin").read_bytes() == outcome.before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sed s,web01,web02,", "the name must stay 'web01'"),
        ("sed s,3573e29e,00000000,", "the UUID must stay "),
        ("echo starting", "/do: the document is not XML that a host writes"),
    ],
)
def test_no_other_guest_and_no_rubbish_goes_back(text: str, message: str, host: FakeHost) -> None:
    plant(host, "qemu.d/web01/migrate/begin/do", text)
    outcome = call(host, "qemu/migrate")
    assert (outcome.status, outcome.changed) == (1, False)
    assert message in outcome.stderr


def test_what_is_not_executable_is_left_out_and_told(host: FakeHost) -> None:
    plant(host, "qemu.d/web01/prepare/begin/README", mode=0o644)
    folder = plant(host, "qemu.d/web01/prepare/begin/do").parent
    (folder / "gone").symlink_to("/nowhere")
    plant(host, "qemu.d/web01/release/end", mode=0o644)
    assert not call(host).failed
    outcome = call(host, "qemu/release")
    assert not outcome.failed
    assert outcome.log.endswith("/end is not an executable file, so it was not run; do: chmod +x, or remove it\n")
    outcome = call(host)
    assert outcome.log.splitlines() == [
        f"{folder / name} is not an executable file, so it was not run; do: chmod +x, or remove it"
        for name in ("README", "gone")
    ]
    assert len(noted(host)) == 2


@pytest.mark.parametrize("part", ["do", "begin", "prepare", "web01", "qemu.d", "hooks", "etc"])
@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("mode", [0o775, 0o757, None])
def test_nothing_runs_of_a_tree_that_others_can_change(
    part: str, linked: bool, mode: int | None, host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = plant(host, "elsewhere/qemu.d/web01/prepare/begin/do" if linked else "qemu.d/web01/prepare/begin/do")
    first = plant(host, "qemu.d/web01/prepare/begin/0")
    if linked:
        first.with_name("do").symlink_to(target)
    culprit = next(path for path in (target, *target.parents) if path.name == part)
    if mode is not None:
        culprit.chmod(mode)
    elif os.geteuid() == 0:
        os.chown(culprit, 1, 1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 1)
        culprit = host.path("/etc")
    outcome = call(host)
    assert (outcome.status, noted(host)) == (1, [])
    assert f"others than root can change {culprit}; do: chown root, chmod go-w" in outcome.stderr


def test_no_link_runs_that_others_made(host: FakeHost) -> None:
    target = plant(host, "scripts/safe")
    folder = plant(host, "qemu.d/web01/prepare/begin/0").parent
    (folder / "0").unlink()
    (folder / "link").symlink_to(target)
    folder.chmod(0o777)
    assert (call(host).status, noted(host)) == (1, [])


@pytest.mark.parametrize("through", ["link", "folder"])
def test_no_link_runs_that_leads_through_one_that_others_can_change(through: str, host: FakeHost) -> None:
    target = plant(host, "scripts/safe")
    shared = plant(host, "shared/x").parent
    (shared / "link").symlink_to(target)
    (shared / "folder").symlink_to("../scripts")
    step = {"link": "../shared/link", "folder": "../shared/./folder/safe"}[through]
    plant(host, "qemu.d/web01/prepare/begin/0", ":").with_name("1").symlink_to(f"../../../../{step[3:]}")
    assert not call(host).failed
    assert noted(host) == ["1|web01|prepare|begin|-|"]
    shared.chmod(0o777)
    outcome = call(host)
    assert (outcome.status, len(noted(host))) == (1, 1)
    assert f"others than root can change {shared}; do: chown root, chmod go-w" in outcome.stderr


def test_what_others_can_change_kills_no_guest(host: FakeHost) -> None:
    script = plant(host, "qemu.d/web01/reconnect/begin/do", mode=0o777)
    outcome = call(host, "qemu/reconnect")
    assert (outcome.status, noted(host)) == (0, [])
    assert f"{script} was not run: others than root can change {script}" in outcome.log


def test_a_link_is_its_target_and_keeps_its_name(host: FakeHost) -> None:
    target = plant(host, "scripts/anything")
    plant(host, "qemu.d/web01/prepare/begin/1").with_name("2").symlink_to(target)
    host.path("/etc/libvirt/hooks/qemu.d/db").symlink_to("web01")
    assert not call(host, object="db").failed
    assert noted(host) == ["1|db|prepare|begin|-|", "2|db|prepare|begin|-|"]


@pytest.mark.parametrize("name", [".", "..", "../hooks", "a/b"])
def test_no_name_leads_out_of_the_tree(name: str, host: FakeHost) -> None:
    plant(host, "prepare/begin/do")
    plant(host, "qemu.d/prepare/begin/do")
    plant(host, "qemu.d/a/b/prepare/begin/do")
    outcome = call(host, object=name)
    assert (outcome.status, noted(host)) == (1, [])
    assert f"{name!r} is the name of no folder" in outcome.stderr


@pytest.mark.parametrize("first_line", ["", "#!/no/such/interpreter", "#!/bin/sh\r"])
def test_a_script_that_cannot_be_started_is_named(first_line: str, host: FakeHost) -> None:
    script = plant(host, "qemu.d/web01/prepare/begin/do", first_line=first_line)
    outcome = call(host)
    assert outcome.status == 1
    assert f"{script} cannot be started (" in outcome.stderr


@pytest.mark.parametrize("text", ["true", "exec <&-", "head -c 10 > /dev/null", NOTE])
def test_a_big_document_may_be_read_or_not(text: str, host: FakeHost) -> None:
    plant(host, "qemu.d/web01/prepare/begin/do", text)
    guest = documents.sample(points.find("qemu", "prepare")).replace(b"</name>", b"</name><!--%s-->" % (b"x" * 300_000))
    outcome = run_hook(run_tree.hook, "qemu/prepare", document=guest, host=host)
    assert (outcome.status, outcome.stderr) == (0, "")
    assert text != NOTE or host.path("/stdin").read_bytes() == guest


@pytest.mark.parametrize(
    ("text", "mode", "told"),
    [('exec "$0.d/$1/$2/$3"', 0o755, True), ('exec "/etc/libvirt/hooks/qemu.d/$1"', 0o644, False), (":", 0o755, False)],
)
def test_another_dispatcher_is_told_of(text: str, mode: int, told: bool, host: FakeHost) -> None:
    plant(host, "qemu.d/web01/prepare/begin/do")
    plant(host, "qemu", text.replace("$0.d", "/etc/libvirt/hooks/qemu.d"), mode=mode)
    assert ("seems to run this tree too" in call(host).log) == told
    assert call(host, "qemu/start").log == ""


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file_is_no_dispatcher(make: Callable[[Path, int], None], host: FakeHost) -> None:
    folder = plant(host, "qemu.d/web01/prepare/begin/do").parents[4]
    make(folder / "qemu", 0o755)
    assert call(host).log == ""


def test_a_background_process_holds_nobody_up(libvirtd: Libvirtd) -> None:
    for op in "prepare", "restore":
        plant(libvirtd.host, f"qemu.d/web01/{op}/begin/do", "sleep 30 & echo $! >> '{root}/pids'")
    libvirtd.install(run_tree.__file__, "qemu.d/50-run-tree")
    try:
        libvirtd.call("qemu/prepare")
        libvirtd.call("qemu/restore")
        libvirtd.check()
    finally:
        for pid in libvirtd.host.read("/pids").split():
            os.kill(int(pid), 9)


def test_the_life_of_a_guest_with_a_tree(libvirtd: Libvirtd) -> None:
    libvirtd.install(run_tree.__file__, "qemu.d/50-run-tree")
    for path in "prepare/begin", "started/begin", "stopped/end", "release/end":
        plant(libvirtd.host, f"qemu.d/web01/{path}/do")
    guest = libvirtd.start()
    libvirtd.destroy(guest)
    libvirtd.check()
    assert noted(libvirtd.host) == [
        f"do|web01|{call}|" for call in ("prepare|begin|-", "started|begin|-", "stopped|end|-", "release|end|destroyed")
    ]


def test_a_start_that_a_script_refuses_says_why(libvirtd: Libvirtd) -> None:
    libvirtd.install(run_tree.__file__, "qemu.d/50-run-tree")
    plant(libvirtd.host, "qemu.d/web01/prepare/begin/no", "echo no card >&2; exit 3")
    plant(libvirtd.host, "qemu.d/web01/release/end/back")
    libvirtd.start()
    assert libvirtd.guests == {}
    assert "/no ended with status 3\nno card\n" in libvirtd.log[0].stderr
    assert noted(libvirtd.host) == ["back|web01|release|end|failed|"]


@pytest.mark.parametrize("recording", RECORDINGS, ids=[path.name for path in RECORDINGS], indirect=True)
def test_recorded_calls_lead_to_what_they_led_to(recording: Recording) -> None:
    recording.check(recording.run(run_tree.hook))
