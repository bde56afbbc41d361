"""What one call of a hook leaves for a later one, and how changes are undone."""

from __future__ import annotations

import fcntl
import inspect
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import hooking
from hooking import HookContext, _process, points
from hooking.run_folder import RunFolder, quote
from hooking.states import _find
from hooking.testing import FakeHost, run_hook
from hooking.testing.documents import sample

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

ALMA = "4dea22b3-1d52-d8f3-2516-782e98ab3fa0"
BERT = "c7a5fdbd-edaf-9455-926a-d65c16db1809"
undone: list[object] = []


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    undone.clear()
    host = FakeHost(tmp_path / "root")
    process = _process.Process(["/etc/libvirt/hooks/qemu"], {"HOOKING_ROOT": str(host.root)})
    monkeypatch.setattr(_process, "_current", process)
    return host


def state_of(uuid: str, op: str = "started", name: str | None = None) -> hooking.State:
    return hooking.state(HookContext("qemu", op, object="guest", uuid=uuid), name)


def undo(what: object) -> None:
    undone.append(what)


def fail(what: object) -> None:
    undone.append(what)
    raise hooking.HostError(f"{what} is stuck")


def give(what: str, *, shares: list[int]) -> None:
    undone.append((what, shares))
    if sum(shares) > 9:
        raise hooking.HostError("there are not so many")


# The record


def test_a_later_call_reads_what_an_earlier_one_stored(host: FakeHost) -> None:
    state_of(ALMA)["port"] = 2222
    state_of(ALMA)["names"] = ["vnet0", {"a": None}]
    assert dict(state_of(ALMA)) == {"port": 2222, "names": ["vnet0", {"a": None}]}
    assert len(state_of(ALMA)) == 2
    del state_of(ALMA)["port"]
    assert "port" not in state_of(ALMA)


def test_what_is_no_json_is_refused(host: FakeHost) -> None:
    with pytest.raises(hooking.InvalidValueError, match="cannot be kept"):
        state_of(ALMA)["x"] = {1, 2}
    assert host.snapshot() == FakeHost(host.root.parent / "other").snapshot()


def test_guests_hooks_and_hosts_do_not_see_each_other(host: FakeHost) -> None:
    state_of(ALMA)["x"] = 1
    assert not state_of(BERT)
    assert not state_of(ALMA, name="other")
    assert not hooking.state(HookContext("lxc", "started", object="guest", uuid=ALMA))
    assert not hooking.state(HookContext("daemon", "start"))


def test_a_uuid_is_the_same_in_capitals(host: FakeHost) -> None:
    state_of(ALMA.upper())["x"] = 1
    assert state_of(ALMA)["x"] == 1
    assert state_of(ALMA.replace("-", ""))["x"] == 1


@pytest.mark.parametrize("uuid", ["../../etc", "", "x" * 36, ALMA + "/.."])
def test_what_is_no_uuid_is_refused(host: FakeHost, uuid: str) -> None:
    with pytest.raises(hooking.InvalidValueError, match="is not the UUID"):
        state_of(uuid)


@pytest.mark.parametrize(
    ("script", "name"),
    [
        ("/etc/libvirt/hooks/qemu", "qemu"),
        ("/etc/libvirt/hooks/qemu.d/10-ports.py", "10-ports"),
        ("/etc/libvirt/hooks/qemu.d/10", "10"),
        ("/etc/libvirt/hooks/qemu.d/a hook", "a%20hook"),
    ],
)
def test_a_hook_is_told_by_its_file_name(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch, script: str, name: str
) -> None:
    monkeypatch.setattr(_process.current(), "argv", [script])
    state_of(ALMA)["x"] = 1
    assert [path.name for path in host.path(f"/run/libvirt-hooking/qemu/{ALMA}").iterdir()] == [f"{name}.json"]


def test_under_vdsm_the_number_before_the_name_does_not_count(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    for script in "before_vm_start/50_ports", "after_vm_destroy/10_ports.py":
        point = script.partition("/")[0]
        monkeypatch.setattr(_process.current(), "argv", [f"/usr/libexec/vdsm/hooks/{script}"])
        state = hooking.state(HookContext("vdsm", point, object=ALMA))
        state["calls"] = state.get("calls", 0) + 1
    assert state["calls"] == 2


def test_a_guest_without_uuid_has_no_record(host: FakeHost) -> None:
    with pytest.raises(hooking.InvalidValueError, match="None is not the UUID"):
        hooking.state(HookContext("qemu", "restore", object="guest"))


def test_only_this_user_can_reach_it(host: FakeHost) -> None:
    os.umask(os.umask(0))
    state_of(ALMA)["x"] = 1
    modes = {path.name: path.stat().st_mode & 0o777 for path in host.path("/run").rglob("*")}
    assert modes == {"libvirt-hooking": 0o700, "qemu": 0o700, ALMA: 0o700, "qemu.json": 0o600}


@pytest.mark.parametrize("plant", ["link", "open", "file"])
def test_a_folder_that_others_planted_is_refused(host: FakeHost, tmp_path: Path, plant: str) -> None:
    folder = host.path("/run/libvirt-hooking")
    if plant == "link":
        (tmp_path / "theirs").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "theirs")
    elif plant == "open":
        folder.mkdir(mode=0o755)
    else:
        folder.touch(mode=0o700)
    with pytest.raises(hooking.HostError, match="is not a folder of mode 0700 that belongs to this user; remove it"):
        state_of(ALMA)["x"] = 1
    assert not (tmp_path / "theirs").is_dir() or not list((tmp_path / "theirs").iterdir())


def test_links_inside_are_not_followed(host: FakeHost, tmp_path: Path) -> None:
    state_of(ALMA)["x"] = 1
    record = host.path(f"/run/libvirt-hooking/qemu/{ALMA}/qemu.json")
    record.rename(tmp_path / "elsewhere")
    record.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(hooking.HostError, match="symbolic links"):
        dict(state_of(ALMA))


def test_a_damaged_record_is_told_and_left(host: FakeHost) -> None:
    state_of(ALMA)["x"] = 1
    record = host.path(f"/run/libvirt-hooking/qemu/{ALMA}/qemu.json")
    record.write_text("{")
    with pytest.raises(hooking.HostError, match="is damaged .* look at it, then remove it"):
        state_of(ALMA).undo()
    assert record.read_text() == "{"


def test_a_host_without_run_folder_is_told(host: FakeHost) -> None:
    host.path("/run").rmdir()
    with pytest.raises(hooking.HostError, match="cannot use .*: No such file or directory"):
        state_of(ALMA)["x"] = 1


def test_a_session_daemon_and_vdsm_have_folders_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def folder(context: HookContext) -> str:
        return hooking.state(context)._folder.path

    monkeypatch.setattr(_process, "_current", _process.Process(["/etc/libvirt/hooks/qemu"], {}))
    guest, vm = HookContext("qemu", "started", uuid=ALMA), HookContext("vdsm", "after_vm_start", object=ALMA)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert (folder(guest), folder(vm)) == ("/run/libvirt-hooking",) * 2
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert folder(guest) == "/run/user/1000/libvirt-hooking"
    assert folder(vm) == "/run/vdsm/libvirt-hooking"


@pytest.mark.parametrize("plant", ["nothing", "no mark", "others can write", "the mark is another's"])
def test_a_root_that_no_test_made_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plant: str) -> None:
    root = tmp_path / "root"
    if plant == "no mark":
        root.mkdir()
    elif plant != "nothing":
        FakeHost(root)
    if plant == "others can write":
        root.chmod(0o777)
    if plant == "the mark is another's":
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    process = _process.Process(["/etc/libvirt/hooks/qemu"], {"HOOKING_ROOT": str(root)})
    with pytest.raises(hooking.HostError, match="is not this user's alone|is no FakeHost"):
        _ = process.root


# The document


def see(seen: list[str | None]) -> hooking.Hook:
    hook = hooking.Hook()

    @hook.qemu("prepare", "release")
    @hook.vdsm("before_vm_start", "after_vm_destroy")
    def note(domain: hooking.Domain, context: HookContext) -> None:
        seen.append(hooking.state(context).domain.description)

    @hook.vdsm("before_vm_destroy")
    def note_without(context: HookContext) -> None:
        seen.append(hooking.state(context).domain.description)

    return hook


def described(text: str) -> bytes:
    return sample(points.find("qemu", "prepare")).replace(
        b"<vcpu", f"<description>{text}</description><vcpu".encode(), 1
    )


def test_the_guest_stays_as_it_was_at_prepare(host: FakeHost) -> None:
    seen: list[str | None] = []
    hook = see(seen)
    for op, text in ("prepare", "first"), ("release", "later"), ("prepare", "again"), ("release", "late"):
        run_hook(hook, f"qemu/{op}", document=described(text), host=host)
    assert seen == ["first", "first", "again", "again"]


def test_a_guest_that_was_not_seen_before_is_that_of_the_call(host: FakeHost) -> None:
    seen: list[str | None] = []
    run_hook(see(seen), "qemu/release", document=described("late"), host=host)
    assert seen == ["late"]


def test_vdsm_tells_nothing_at_destroy_but_the_record_does(host: FakeHost) -> None:
    seen: list[str | None] = []
    hook = see(seen)
    run_hook(hook, "before_vm_start", document=described("first"), object=ALMA, host=host)
    run_hook(hook, "before_vm_destroy", object=ALMA, host=host)
    assert seen == ["first", "first"]
    outcome = run_hook(hook, "before_vm_destroy", object=BERT, host=host)
    assert "before_vm_destroy describes no guest, and none was described before" in outcome.stderr


def test_a_network_has_a_record_too(host: FakeHost) -> None:
    hook = hooking.Hook()

    @hook.network("started", "port-created")
    def note(data: hooking.HookData, context: HookContext) -> None:
        hooking.state(context)[context.op] = context.uuid == data.network.uuid

    run_hook(hook, "network/started", host=host)
    run_hook(hook, "network/port-created", host=host)
    files = list(host.path("/run/libvirt-hooking/network").rglob("*.json"))
    assert json.loads(files[0].read_bytes())["values"]["started"] is True


def test_a_run_without_a_host_leaves_none_behind() -> None:
    roots: list[Path] = []
    hook = hooking.Hook()

    @hook.qemu("prepare")
    def note(domain: hooking.Domain, context: HookContext) -> None:
        roots.append(Path(hooking.state(context).root))

    assert run_hook(hook, "qemu/prepare").status == 0
    assert roots
    assert not roots[0].exists()


# Undoing


def test_changes_are_undone_once_in_reverse_order_and_then_forgotten(host: FakeHost) -> None:
    before = host.snapshot()
    state_of(ALMA)["x"] = 1
    for change in "one", "two", "one", "three":
        state_of(ALMA).remember(change, undo, change)
    assert state_of(ALMA).undo()
    assert undone == ["three", "two", "one"]
    assert host.snapshot() == before
    assert state_of(ALMA).undo()
    assert len(undone) == 3


def test_the_first_note_of_a_change_counts(host: FakeHost) -> None:
    state_of(ALMA).remember("governor", undo, "powersave")
    state_of(ALMA).remember("governor", undo, "performance")
    state_of(BERT).remember("governor", undo, "performance")
    assert state_of(ALMA).undo()
    assert undone == []
    assert state_of(BERT).undo()
    assert undone == ["powersave"]


def test_guests_that_add_up_are_made_up_for_whenever_one_leaves(host: FakeHost) -> None:
    state_of(ALMA).share("pages", give, "old", share=2)
    state_of(BERT).share("pages", give, "new", share=3)
    state_of(ALMA).share("pages", give, "new", share=4)
    state_of(ALMA).undo()
    state_of(BERT).undo()
    assert undone == [("old", shares) for shares in ([2], [2, 3], [4, 3], [3], [])]


def test_a_share_that_cannot_grow_stays_what_it_was(host: FakeHost) -> None:
    state_of(ALMA).share("pages", give, "old", share=2)
    with pytest.raises(hooking.HostError, match="not so many"):
        state_of(ALMA).share("pages", give, "old", share=20)
    state_of(ALMA).undo()
    assert undone == [("old", shares) for shares in ([2], [20], [2], [])]


def test_nothing_is_no_share(host: FakeHost) -> None:
    with pytest.raises(hooking.InvalidValueError, match="None is no share; use remember"):
        state_of(ALMA).share("pages", give, "old", share=None)


def test_a_share_that_cannot_be_had_is_taken_back(host: FakeHost) -> None:
    state_of(ALMA).share("pages", give, "old", share=2)
    with pytest.raises(hooking.HostError, match="not so many"):
        state_of(BERT).share("pages", give, "new", share=8)
    state_of(BERT).undo()
    state_of(ALMA).undo()
    assert undone == [("old", shares) for shares in ([2], [2, 8], [2], [])]


def test_a_step_that_fails_is_logged_and_kept_and_the_others_are_undone(
    host: FakeHost, capsys: pytest.CaptureFixture[str]
) -> None:
    state = state_of(ALMA)
    state["x"] = 1
    for change, function in ("one", undo), ("two", fail), ("three", undo):
        state.remember(change, function, change)
    assert not state.undo()
    assert undone == ["three", "two", "one"]
    assert "two is not undone, and kept for the next time: two is stuck" in capsys.readouterr().err
    assert state["x"] == 1
    assert not state.undo()
    assert undone == ["three", "two", "one", "two"]


def test_a_change_whose_note_is_damaged_keeps_no_other_from_being_undone(
    host: FakeHost, capsys: pytest.CaptureFixture[str]
) -> None:
    for change in "one", "two", "three":
        state_of(ALMA).remember(change, undo, change)
    host.write("/run/libvirt-hooking/changes/two@.json", "{")
    assert not state_of(ALMA).undo()
    assert undone == ["three", "one"]
    assert "two@.json is damaged" in capsys.readouterr().err


def test_an_undo_whose_function_has_a_new_name_is_healed_when_it_is_remembered_again(host: FakeHost) -> None:
    state_of(ALMA).remember("x", undo, "old")
    note = host.path("/run/libvirt-hooking/changes/x@.json")
    note.write_text(note.read_text().replace(":undo", ":undo_of_an_earlier_version"))
    state_of(ALMA).remember("x", undo, "new")
    assert state_of(ALMA).undo()
    assert undone == ["old"]


def test_a_hook_that_is_told_to_end_stops_undoing(host: FakeHost) -> None:
    state_of(ALMA).remember("one", undo, "one")
    state_of(ALMA).remember("two", terminate)
    with pytest.raises(hooking.TerminatedError):
        state_of(ALMA).undo()
    assert undone == []


def terminate() -> None:
    raise hooking.TerminatedError("ended by SIGTERM")


@pytest.mark.parametrize("function", [lambda: None, [1].append, Path("/").is_dir])
def test_a_function_that_no_later_call_finds_is_refused(host: FakeHost, function: Callable[..., object]) -> None:
    with pytest.raises(hooking.InvalidValueError, match="give a function of a module"):
        state_of(ALMA).remember("x", function)


def test_an_undo_of_an_unknown_module_is_kept(host: FakeHost, capsys: pytest.CaptureFixture[str]) -> None:
    state_of(ALMA).remember("x", undo, 1)
    note = host.path("/run/libvirt-hooking/changes/x@.json")
    note.write_text(note.read_text().replace(f"{__name__}:", "no_such_module:"))
    assert not state_of(ALMA).undo()
    assert "No module named 'no_such_module'" in capsys.readouterr().err


def test_a_script_remembers_functions_of_its_own(host: FakeHost, tmp_path: Path) -> None:
    script = tmp_path / "mount.py"
    script.write_text(
        "import hooking\n"
        "hook = hooking.Hook()\n"
        "def unmount(folder): hooking.log(f'{folder} unmounted')\n"
        "@hook.qemu('prepare', 'release')\n"
        "def set_up(domain, context):\n"
        "    state = hooking.state(context)\n"
        "    state.remember('x', unmount, '/mnt') if context.op == 'prepare' else state.undo()\n"
        "if __name__ == '__main__': hook.run()\n"
    )
    assert run_hook(script, "qemu/prepare", host=host).status == 0
    assert "/mnt unmounted" in run_hook(script, "qemu/release", host=host).stderr


def test_a_change_that_was_not_yet_noted_when_the_hook_was_killed_is_no_more(host: FakeHost) -> None:
    state_of(ALMA).remember("x", undo, 1)
    host.path("/run/libvirt-hooking/changes/x@.json").unlink()
    assert state_of(ALMA).undo()
    assert undone == []
    assert not host.path("/run/libvirt-hooking").exists()


def test_a_folder_that_a_killed_hook_had_begun_to_make_goes_too(host: FakeHost) -> None:
    before = host.snapshot()
    host.path("/run/libvirt-hooking").mkdir(mode=0o700)
    host.path("/run/libvirt-hooking/qemu").mkdir(mode=0o700)
    assert state_of(ALMA).undo()
    assert host.snapshot() == before


# Locks


def test_what_another_hook_has_locked_is_waited_for(host: FakeHost) -> None:
    folder = state_of(ALMA).path("/run/libvirt-hooking")
    code = (
        "import sys, hooking.run_folder as f\n"
        f"with f.RunFolder({folder!r}).lock('firewall'):\n"
        "    print('locked', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdin
        other.stdout.readline()
        held = pytest.raises(hooking.HostError, match=r"another hook has held 'firewall' for more than 0.05 s")
        with held, state_of(ALMA).lock("firewall", timeout=0.05):
            pass
        threading.Timer(0.05, other.stdin.close).start()
        with state_of(ALMA).lock("firewall"):
            other.wait()
    assert not host.path("/run/libvirt-hooking").exists()


def test_another_thread_waits_for_a_lock(host: FakeHost) -> None:
    errors: list[str] = []

    def take() -> None:
        try:
            with state_of(ALMA).lock("x", timeout=0.05):
                errors.append("taken")
        except hooking.HostError as error:
            errors.append(str(error))

    with state_of(ALMA).lock("x"):
        thread = threading.Thread(target=take)
        thread.start()
        thread.join()
    assert errors == ["another hook has held 'x' for more than 0.05 s"]


def test_a_child_that_leaves_the_block_takes_no_lock_away(host: FakeHost) -> None:
    path = host.path("/run/libvirt-hooking/locks/x")
    lock = state_of(ALMA).lock("x")
    with lock:
        child = os.fork()
        if child == 0:
            lock.__exit__(None, None, None)
            os._exit(0)
        os.waitpid(child, 0)
        assert path.exists()
    assert not path.exists()


def test_a_lock_may_be_taken_again_in_its_block(host: FakeHost) -> None:
    with state_of(ALMA).lock("x"), state_of(BERT).lock("x"):
        state_of(ALMA).remember("x", undo, 1)
    state_of(ALMA).undo()
    assert not host.path("/run/libvirt-hooking").exists()


def test_locks_that_killed_hooks_left_behind_are_tidied_up(host: FakeHost) -> None:
    state_of(ALMA)["x"] = 1
    locks = host.path("/run/libvirt-hooking/locks")
    locks.mkdir(mode=0o700)
    (locks / "left").touch()
    with state_of(ALMA).lock("held"):
        state_of(ALMA).undo()
        assert [path.name for path in locks.iterdir()] == ["held"]
    assert not locks.exists()


def test_a_lock_whose_file_another_hook_replaced_meanwhile_is_taken_again(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = host.path("/run/libvirt-hooking/locks/x")
    flock = fcntl.flock

    def replace_first(descriptor: int, flags: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        path.rename(path.parent / "old")
        path.touch(mode=0o600)
        flock(descriptor, flags)

    monkeypatch.setattr(fcntl, "flock", replace_first)
    with state_of(ALMA).lock("x"), pytest.raises(BlockingIOError), path.open("rb") as file:
        flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_hooks_that_come_and_go_at_once_all_get_the_lock(tmp_path: Path) -> None:
    (tmp_path / "count").write_text("0")
    code = (
        "import hooking.run_folder as f, pathlib\n"
        f"count = pathlib.Path({str(tmp_path / 'count')!r})\n"
        "for _ in range(50):\n"
        f"    with f.RunFolder({str(tmp_path / 'run')!r}).lock('x'):\n"
        "        count.write_text(str(int(count.read_text()) + 1))\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    assert (tmp_path / "count").read_text() == "200"
    assert not (tmp_path / "run").exists()


# Names


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("/sys/class/x", "%2Fsys%2Fclass%2Fx"),
        ("..", "%2E."),
        (".", "%2E"),
        ("ä b", "%C3%A4%20b"),
        ("a%b", "a%25b"),
    ],
)
def test_any_text_can_name_a_file(text: str, name: str) -> None:
    assert quote(text) == name


def test_long_texts_name_files_too() -> None:
    names = {quote("/sys" + "/x" * length) for length in range(1000)}
    assert len(names) == 1000
    assert max(map(len, names)) < 240


def test_a_long_change_by_a_hook_with_a_long_name_is_undone(host: FakeHost) -> None:
    kept = state_of(ALMA, name="n" * 300)
    kept.remember("/sys" + "/x" * 300, undo, "before")
    kept.undo()
    assert undone == ["before"]


def test_an_empty_text_names_no_file() -> None:
    with pytest.raises(hooking.InvalidValueError, match="an empty text names nothing"):
        quote("")


def test_a_folder_that_vanishes_all_the_time_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def vanish(path: str, mode: int) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(os, "mkdir", vanish)
    with pytest.raises(hooking.HostError, match="No such file"):
        RunFolder(str(tmp_path / "run")).write("x", 1)


NOTED = {
    "bridges:restore_bridge": "root, device, index, bridge, vlans",
    "bridges:restore_vlans": "root, device, index, vlans",
    "consoles:rebind": "bus, device, driver",
    "cpus:place_interrupts": "folder, online, before, shares",
    "files:restore_owner": "root, path, identity, uid, gid",
    "hugepages:set_pages": "file, before, compact, shares",
    "isolation:divide_cpus": "root, settings, shares",
    "kernel:restore": "file, text",
    "pci:give_back": "root, bus, device, driver, override",
    "ports:close_port": "root, family, name",
    "routes:remove_route": "root, route, target",
    "units:restore_unit": "root, unit, verb, timeout",
    "volumes:restore_volume": "root, volume, active",
}


def test_notes_of_an_older_version_are_understood() -> None:
    """A guest may outlive an upgrade: its notes name these functions, with these arguments."""
    for reference, arguments in NOTED.items():
        function = _find(f"hooking.actions.{reference}")
        assert ", ".join(inspect.signature(function).parameters) == arguments
