"""Actions on what the kernel shows: its files, PCI devices, consoles, CPUs and huge pages."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hooking import HookContext, State, _process, state
from hooking.actions import consoles, cpus, hugepages, kernel, pci
from hooking.document import parse
from hooking.domain import Domain
from hooking.exceptions import CommandError, HostError, InvalidValueError
from hooking.testing import FakeHost

ALMA = "4dea22b3-1d52-d8f3-2516-782e98ab3fa0"
BERT = "c7a5fdbd-edaf-9455-926a-d65c16db1809"
CARD = "0000:01:00.0"
SOUND = "0000:01:00.1"
IRQ = "/proc/irq/30/smp_affinity_list"
NODE = "/sys/devices/system/node/node{}/hugepages/hugepages-2048kB/nr_hugepages"
POOL = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
UNMOVABLE = "/proc/irq/31/smp_affinity_list"


@dataclass
class HandedOver:
    payload: bytes
    described: Any = field(init=False)

    def __post_init__(self) -> None:
        self.described = Domain(parse(self.payload))


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHost]:
    with FakeHost(tmp_path / "root") as host:
        process = _process.Process(["/etc/libvirt/hooks/qemu"], {"HOOKING_ROOT": str(host.root)})
        monkeypatch.setattr(_process, "_current", process)
        yield host


def guest(elements: str = "", uuid: str = ALMA) -> State:
    """What a hook keeps of a guest that is prepared."""
    context = HookContext("qemu", "prepare", object="guest", uuid=uuid)
    context.handed_over = HandedOver(f"<domain><name>guest</name><uuid>{uuid}</uuid>{elements}</domain>".encode())
    return state(context)


def released(uuid: str = ALMA) -> bool:
    """Undo what was done for a guest, as a later call does, twice; tell whether all is undone."""
    done = [state(HookContext("qemu", "release", object="guest", uuid=uuid)).undo() for _ in range(2)]
    assert done[0] == done[1]
    return done[0]


def children(process: int) -> list[int]:
    """The processes that ``process`` started."""
    found: list[int] = []
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = each.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == process:
            found.append(int(each.parent.name))
    return found


def eventually(condition: Callable[[], Any]) -> Any:
    patience = time.monotonic() + 30
    while not (found := condition()):
        assert time.monotonic() < patience
        time.sleep(0.005)
    return found


def killed_at_write(number: int, action: Callable[[], object]) -> bool:
    """Do ``action`` in a process that ends before it writes for the ``number``-th time; tell whether it ever does."""
    child = os.fork()
    if child == 0:
        written = 0
        put = kernel.put

        def count(*arguments: Any, **options: Any) -> None:
            nonlocal written
            written += 1
            if written == number:
                os._exit(7)
            put(*arguments, **options)

        status = 1
        try:
            kernel.put = count
            action()
            status = 0
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 7)
    return status == 7


# Files of the kernel


def test_a_written_file_is_what_it_was_when_the_last_guest_is_gone(host: FakeHost) -> None:
    host.write("/sys/power/control", "auto\n")
    before = host.snapshot()
    kernel.write_sysfs(guest(), "/sys/power/control", "on\n")
    kernel.write_sysfs(guest(uuid=BERT), "/sys/power/control", "off\n")
    assert released()
    assert host.read("/sys/power/control") == "off\n"
    assert released(BERT)
    assert host.snapshot() == before


def test_a_file_with_two_names_is_one_change(host: FakeHost) -> None:
    host.write("/sys/devices/a/control", "auto\n")
    host.path("/sys/bus").mkdir()
    host.path("/sys/bus/a").symlink_to("../devices/a")
    kernel.write_sysfs(guest(), "/sys/bus/a/control", "on\n")
    kernel.write_sysfs(guest(uuid=BERT), "/sys/devices/a/control", "on\n")
    assert released()
    assert host.read("/sys/devices/a/control") == "on\n"
    assert released(BERT)
    assert host.read("/sys/devices/a/control") == "auto\n"


def test_of_several_choices_that_in_brackets_is_restored(host: FakeHost) -> None:
    file = "/sys/kernel/mm/transparent_hugepage/enabled"
    host.write(file, "always [madvise] never\n")
    kernel.write_sysfs(guest(), file, "never")
    assert released()
    assert host.read(file) == "madvise"


def test_nothing_is_restored_by_a_line_break(host: FakeHost) -> None:
    host.write("/sys/a/driver_override", "(null)\n")
    assert kernel.read(str(host.path("/sys/a/driver_override"))) == "\n"


def test_a_file_that_is_gone_needs_no_restoring(host: FakeHost) -> None:
    host.write("/sys/a", "1\n")
    kernel.write_sysfs(guest(), "/sys/a", "2\n")
    host.path("/sys/a").unlink()
    assert released()


def test_a_file_that_holds_it_already_is_not_written_again(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    host.write("/sys/a", "1\n")
    monkeypatch.delattr(kernel, "put")
    kernel.restore(str(host.path("/sys/a")), "1\n")


@pytest.mark.parametrize("path", ["/etc/shadow", "/sys/../etc/shadow", "/sys/out", "/sys", "/system/a"])
def test_only_what_lies_in_sysfs_and_procfs_is_written(path: str, host: FakeHost) -> None:
    host.write("/etc/shadow", "secret")
    host.write("/system/a", "")
    host.path("/sys/out").symlink_to("../etc/shadow")
    with pytest.raises(HostError, match="not below /sys or /proc"):
        kernel.write_sysfs(guest(), path, "x")
    assert host.read("/etc/shadow") == "secret"


def test_the_root_of_a_host_may_be_a_link(host: FakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host.write("/sys/a", "1\n")
    (tmp_path / "link").symlink_to("root")
    linked = _process.Process(["/etc/libvirt/hooks/qemu"], {"HOOKING_ROOT": str(tmp_path / "link")})
    monkeypatch.setattr(_process, "_current", linked)
    assert kernel.name_of(guest(), kernel.locate(guest(), "/sys/a")) == "/sys/a"


def test_a_file_that_is_not_there_is_named(host: FakeHost) -> None:
    with pytest.raises(HostError, match="/sys/none does not exist on this host"):
        kernel.write_sysfs(guest(), "/sys/none", "x")


def test_a_file_that_cannot_be_read_is_named(host: FakeHost) -> None:
    with pytest.raises(HostError, match=r"cannot read .*/sys: Is a directory"):
        kernel.read(str(host.path("/sys")))


def test_what_the_real_kernel_refuses_is_an_error_with_its_reason() -> None:
    with pytest.raises(HostError, match=r"the kernel refused 'heavy' for /proc/self/oom_score_adj: Invalid argument"):
        kernel.put("/proc/self/oom_score_adj", "heavy\n")
    kernel.put("/proc/self/oom_score_adj", "heavy\n", tolerated=[errno.EINVAL])


def test_a_write_that_the_kernel_never_ends_is_given_up(host: FakeHost) -> None:
    pipe = str(host.path("/sys/pipe"))
    os.mkfifo(pipe)
    with pytest.raises(HostError, match=r"has not taken 'x' for .*/sys/pipe in 0.05 s; see dmesg"):
        kernel.put(pipe, "x\n", timeout=0.05)


def test_a_hung_write_holds_neither_locks_nor_descriptors(host: FakeHost) -> None:
    pipe = host.path("/sys/pipe")
    os.mkfifo(pipe)
    child = os.fork()
    if child == 0:
        with guest().lock("held"):
            kernel.put(str(pipe), "x\n", timeout=60)
        os._exit(0)
    try:
        (writer,) = eventually(lambda: children(child))
        assert os.readlink(f"/proc/{child}/fd/0")
        (held,) = eventually(lambda: len(found := list(Path(f"/proc/{writer}/fd").iterdir())) == 1 and found)
        assert os.readlink(held) in {os.readlink(each) for each in Path(f"/proc/{child}/fd").iterdir()}
        assert os.readlink(held).startswith("pipe:")
        os.kill(child, signal.SIGKILL)
        with guest().lock("held", timeout=5):
            assert Path(f"/proc/{writer}").exists()
    finally:
        os.waitpid(child, 0)
        assert not pipe.read_text(), "what a killed hook began must not be done after it"


def test_an_empty_text_is_restored_too(host: FakeHost) -> None:
    host.write("/sys/alias", "")
    kernel.write_sysfs(guest(), "/sys/alias", "x")
    assert not released(), "a fake file holds what is written, which is a line"
    host.write("/sys/alias", "")
    assert released()


def test_a_value_that_does_not_come_back_is_kept(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    host.write("/sys/value", "1\n")
    kernel.write_sysfs(guest(), "/sys/value", "2\n")
    monkeypatch.setattr(kernel, "put", lambda *_: None)
    assert not released()


def test_a_write_that_somebody_ends_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "_write_and_exit", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(HostError, match="the kernel refused 'x' for /proc/none"):
        kernel.put("/proc/none", "x")


# PCI devices


def card(host: FakeHost, *, group: int | None = 1, driver: str | None = "nvidia") -> None:
    host.add_pci_device(CARD, driver=driver, group=group)
    host.add_pci_device(SOUND, driver="snd_hda_intel", group=group, class_="0x040300")
    host.add_pci_device("0000:00:01.0", driver="pcieport", group=group, class_="0x060400")


def driver(host: FakeHost, device: str) -> str | None:
    return kernel.driver_of(str(host.path("/sys/bus/pci")), device)


def hostdev(bus: int, *, managed: str | None = "no", tag: str = "hostdev mode='subsystem' type='pci'") -> str:
    attribute = f" managed='{managed}'" if managed else ""
    address = f"<address domain='0x0000' bus='0x{bus:02x}' slot='0x00' function='0x0'/>"
    return f"<{tag}{attribute}><source>{address}</source></{tag.partition(' ')[0]}>"


def test_devices_go_to_vfio_and_back_to_their_drivers(host: FakeHost) -> None:
    card(host)
    before = host.snapshot()
    for _ in range(2):
        pci.bind_to_vfio(guest(), [CARD, SOUND.upper()])
        assert [driver(host, device) for device in (CARD, SOUND)] == ["vfio-pci"] * 2
        assert host.read(f"/sys/bus/pci/devices/{CARD}/driver_override") == "vfio-pci\n"
    assert driver(host, "0000:00:01.0") == "pcieport"
    assert released()
    assert host.snapshot() == before


def test_a_device_that_two_guests_use_in_turn_goes_back_with_the_last(host: FakeHost) -> None:
    card(host)
    before = host.snapshot()
    for uuid in (ALMA, BERT):
        pci.bind_to_vfio(guest(uuid=uuid), [CARD, "01:00.1"])
    assert released()
    assert driver(host, CARD) == "vfio-pci"
    assert released(BERT)
    assert host.snapshot() == before


def test_a_device_without_driver_and_with_an_override_gets_them_back(host: FakeHost) -> None:
    card(host, driver=None)
    host.write(f"/sys/bus/pci/devices/{CARD}/driver_override", "pci-stub\n")
    before = host.snapshot()
    pci.bind_to_vfio(guest(), [CARD, SOUND])
    assert released()
    assert host.snapshot() == before


def test_a_device_that_was_with_vfio_stays_there(host: FakeHost) -> None:
    card(host, driver="vfio-pci")
    before = host.snapshot()
    pci.bind_to_vfio(guest(), [CARD, SOUND])
    assert released()
    assert driver(host, CARD) == "vfio-pci"
    assert host.snapshot() == before


@pytest.mark.parametrize("number", range(1, 8))
def test_a_hook_killed_while_it_gives_devices_to_vfio_leaves_what_can_be_undone(number: int, host: FakeHost) -> None:
    card(host)
    before = host.snapshot()
    assert killed_at_write(number, lambda: pci.bind_to_vfio(guest(), [CARD, SOUND])) == (number < 7)
    assert released()
    assert host.snapshot() == before


@pytest.mark.parametrize("number", range(1, 8))
def test_a_hook_killed_while_it_gives_devices_back_leaves_what_can_be_undone(number: int, host: FakeHost) -> None:
    card(host)
    before = host.snapshot()
    pci.bind_to_vfio(guest(), [CARD, SOUND])
    assert killed_at_write(number, released) == (number < 7)
    assert released()
    assert host.snapshot() == before


def test_a_device_that_was_unplugged_needs_no_giving_back(host: FakeHost) -> None:
    card(host)
    pci.bind_to_vfio(guest(), [CARD, SOUND])
    host.path(f"/sys/bus/pci/devices/{CARD}").unlink()
    assert released()
    assert driver(host, SOUND) == "snd_hda_intel"


def test_by_default_devices_that_libvirt_does_not_manage_are_bound(host: FakeHost) -> None:
    for bus in range(1, 6):
        host.add_pci_device(f"0000:0{bus}:00.0", driver="ixgbe", group=bus)
    network = "interface type='hostdev'"
    devices = [hostdev(1), hostdev(2, managed="yes"), hostdev(3, tag=network), hostdev(4, managed=None)]
    devices += [hostdev(5, managed="yes", tag=network), hostdev(5, tag="hostdev mode='subsystem' type='usb'")]
    pci.bind_to_vfio(guest(f"<devices>{''.join(devices)}</devices>"))
    bound = [bus for bus in range(1, 6) if driver(host, f"0000:0{bus}:00.0") == "vfio-pci"]
    assert bound == [1, 3, 4]


def test_without_devices_nothing_happens(host: FakeHost) -> None:
    before = host.snapshot()
    pci.bind_to_vfio(guest())
    assert released()
    assert host.snapshot() == before


@pytest.mark.parametrize("address", ["../../x", "01:00", f"{CARD}\n", "pci_0000_01_00_0", "0000:01:00.8"])
def test_only_addresses_are_addresses(address: str, host: FakeHost) -> None:
    with pytest.raises(InvalidValueError, match="is not the address of a PCI device, such as 0000:01:00.0"):
        pci.bind_to_vfio(guest(), [address])


@pytest.mark.parametrize("text", ["bus='../..'", "bus='0x100'", "bus='-1'"])
def test_only_addresses_are_addresses_in_documents(text: str, host: FakeHost) -> None:
    devices = f"<hostdev mode='subsystem' type='pci'><source><address {text}/></source></hostdev>"
    with pytest.raises(InvalidValueError, match="is not the address of a PCI device"):
        pci.bind_to_vfio(guest(f"<devices>{devices}</devices>"))


def test_one_text_is_no_list_of_addresses(host: FakeHost) -> None:
    with pytest.raises(InvalidValueError, match="the addresses are a list"):
        pci.bind_to_vfio(guest(), CARD)


REFUSED: list[tuple[str, list[str], int | None, str]] = [
    ("no device", [CARD, SOUND, "0000:09:00.0"], 1, "there is no PCI device 0000:09:00.0 on this host; see lspci -D"),
    ("a bridge", [CARD, SOUND, "0000:00:01.0"], 1, "0000:00:01.0 is a bridge"),
    ("no IOMMU", [CARD], None, "no IOMMU isolates 0000:01:00.0; .* intel_iommu=on"),
    ("a group in use", [CARD], 1, "0000:01:00.0 shares its IOMMU group with 0000:01:00.1: bind all of them"),
]


@pytest.mark.parametrize(("addresses", "group", "message"), [row[1:] for row in REFUSED], ids=[r[0] for r in REFUSED])
def test_a_device_that_vfio_cannot_have_is_refused_before_anything_changes(
    addresses: list[str], group: int | None, message: str, host: FakeHost
) -> None:
    card(host, group=group)
    host.add_program("modprobe", "exit 1")
    state = guest()
    before = host.snapshot()
    with pytest.raises(HostError, match=message):
        pci.bind_to_vfio(state, addresses)
    assert host.snapshot() == before
    assert host.commands == []


@pytest.mark.parametrize("harmless", [None, "vfio-pci", "mlx5_vfio_pci", "pci-stub"])
def test_a_group_may_have_devices_that_the_host_does_not_use(harmless: str | None, host: FakeHost) -> None:
    host.add_pci_device(CARD, driver="nvidia", group=1)
    host.add_pci_device(SOUND, driver=harmless, group=1)
    pci.bind_to_vfio(guest(), [CARD])
    assert [driver(host, device) for device in (CARD, SOUND)] == ["vfio-pci", harmless]


def test_missing_drivers_are_loaded(host: FakeHost) -> None:
    card(host)
    drivers = host.path("/sys/bus/pci/drivers")
    host.path("/lib/modules").mkdir(parents=True)
    host.add_program("modprobe", f"mv {host.root}/lib/modules/$1 {drivers}/$1")
    (drivers / "vfio-pci").rename(host.path("/lib/modules/vfio-pci"))
    pci.bind_to_vfio(guest(), [CARD, SOUND])
    (drivers / "nvidia").rename(host.path("/lib/modules/nvidia"))
    assert released()
    assert driver(host, CARD) == "nvidia"
    assert host.commands == [["modprobe", "vfio-pci"], ["modprobe", "nvidia"]]
    assert ".commands" not in host.snapshot()


def test_a_kernel_without_vfio_is_an_error(host: FakeHost) -> None:
    card(host)
    host.path("/sys/bus/pci/drivers/vfio-pci").rename(host.path("/run/vfio-pci"))
    with pytest.raises(CommandError, match="modprobe is not installed"):
        pci.bind_to_vfio(guest(), [CARD, SOUND])
    host.add_program("modprobe", "exit 0")
    with pytest.raises(HostError, match="the kernel has no driver vfio-pci, also after modprobe vfio-pci"):
        pci.bind_to_vfio(guest(), [CARD, SOUND])
    assert driver(host, CARD) == "nvidia"


@pytest.mark.parametrize(
    ("control", "message"),
    [
        ("nvidia/unbind", f"{CARD} has the driver nvidia, not None, 0.05 s after it was told; see dmesg"),
        ("vfio-pci/bind", f"{CARD} has the driver None, not vfio-pci, 0.05 s after it was told; see dmesg"),
    ],
)
def test_a_driver_that_does_not_do_what_it_is_told_is_an_error_and_the_device_is_given_back(
    control: str, message: str, host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(host)
    before = host.snapshot()
    deaf = host.path(f"/sys/bus/pci/drivers/{control}")
    deaf.rename(host.path("/run/pipe"))
    deaf.write_text("")
    monkeypatch.setattr(kernel, "TIMEOUT", 0.05)
    with pytest.raises(HostError, match=message):
        pci.bind_to_vfio(guest(), [CARD, SOUND])
    monkeypatch.undo()
    host.path("/run/pipe").rename(deaf)
    monkeypatch.setattr(_process, "_current", _process.Process(["qemu"], {"HOOKING_ROOT": str(host.root)}))
    assert released()
    assert host.snapshot() == before


def test_a_device_whose_driver_hangs_is_an_error_that_says_so(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    card(host)
    hung = host.path("/sys/bus/pci/drivers/nvidia/unbind")
    hung.unlink()
    os.mkfifo(hung)
    put = kernel.put
    monkeypatch.setattr(kernel, "put", lambda file, text: put(file, text, 0.05 if file == str(hung) else 10))
    with pytest.raises(
        HostError, match=rf"the kernel has not taken '{CARD}' for .*/nvidia/unbind in 0.05 s; see dmesg"
    ):
        pci.bind_to_vfio(guest(), [CARD, SOUND])
    assert driver(host, CARD) == "nvidia"


# Consoles


@pytest.mark.parametrize("framebuffer", ["efi-framebuffer", "simple-framebuffer", "vesa-framebuffer"])
def test_consoles_leave_the_card_and_come_back(framebuffer: str, host: FakeHost) -> None:
    host.add_consoles(framebuffer)
    before = host.snapshot()
    for uuid in (ALMA, BERT, BERT):
        consoles.unbind_consoles(guest(uuid=uuid))
    changed = {path for path, content in host.snapshot().items() if before.get(path) != content}
    assert {path for path in changed if path.startswith("sys")} == {"sys/class/vtconsole/vtcon1/bind"}
    assert not host.path(f"/sys/bus/platform/devices/{framebuffer}.0/driver").exists()
    assert released()
    assert host.read("/sys/class/vtconsole/vtcon1/bind") == "0\n"
    assert released(BERT)
    assert host.snapshot() == before


def test_consoles_that_were_unbound_stay_so(host: FakeHost) -> None:
    host.add_consoles()
    consoles.unbind_consoles(guest(uuid=BERT))
    host.write("/sys/class/vtconsole/vtcon1/bind", "0\n")
    host.path("/run/libvirt-hooking").rename(host.path("/run/forgotten"))
    before = host.snapshot()
    consoles.unbind_consoles(guest())
    assert released()
    assert host.snapshot() == before


def test_other_platform_devices_and_consoles_keep_their_drivers(host: FakeHost) -> None:
    host.add_consoles("serial8250")
    host.write("/sys/class/vtconsole/vtcon1/name", "(M) system driver VGA+\n")
    state = guest()
    before = host.snapshot()
    consoles.unbind_consoles(state)
    assert host.snapshot() == before


def test_a_host_without_consoles_is_left_as_it_is(host: FakeHost) -> None:
    state = guest()
    before = host.snapshot()
    consoles.unbind_consoles(state)
    assert host.snapshot() == before


def test_a_frame_buffer_that_a_graphics_driver_replaced_needs_no_restoring(host: FakeHost) -> None:
    host.add_consoles()
    consoles.unbind_consoles(guest())
    host.path("/sys/bus/platform/devices/efi-framebuffer.0").unlink()
    assert released()


def test_a_console_that_stays_bound_is_an_error(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    host.add_consoles()
    monkeypatch.setattr(kernel, "put", lambda *_: None)
    with pytest.raises(HostError, match="did not unbind the console /sys/class/vtconsole/vtcon1/bind; see dmesg"):
        consoles.unbind_consoles(guest())


# CPUs (a fake tree only: virtual machines, on which tests run, show no cpufreq)

PINS = """<vcpu cpuset='0-1'>2</vcpu><cputune>
<vcpupin vcpu='0' cpuset='2'/><vcpupin vcpu='1' cpuset='3-4,^4'/><emulatorpin cpuset='5'/><iothreadpin cpuset='6'/>
</cputune>"""


@pytest.mark.parametrize(
    ("elements", "pinned"),
    [
        ("", set[int]()),
        ("<vcpu>2</vcpu>", set[int]()),
        ("<vcpu cpuset='2-3'>2</vcpu>", {2, 3}),
        ("<vcpu placement='auto' cpuset='2-3'>2</vcpu>", set[int]()),
        (PINS, {0, 1, 2, 3, 5, 6}),
    ],
)
def test_a_guest_is_pinned_to_all_cpus_that_its_threads_are(elements: str, pinned: set[int], host: FakeHost) -> None:
    assert cpus.pinned_cpus(guest(elements).domain) == pinned


def governors(host: FakeHost) -> list[str]:
    policies = host.path("/sys/devices/system/cpu/cpufreq").iterdir()
    return [(policy / "scaling_governor").read_text().strip() for policy in sorted(policies)]


def test_the_governor_of_pinned_cpus_is_chosen_and_restored(host: FakeHost) -> None:
    host.add_cpus(4)
    before = host.snapshot()
    for _ in range(2):
        cpus.set_governor(guest("<vcpu cpuset='1-2'>2</vcpu>"))
    assert governors(host) == ["schedutil", "performance", "performance", "schedutil"]
    cpus.set_governor(guest(uuid=BERT), "powersave", "2-3")
    assert released()
    assert governors(host) == ["schedutil", "schedutil", "powersave", "powersave"]
    assert released(BERT)
    assert host.snapshot() == before


def test_cpus_that_share_a_policy_are_restored_with_the_last_guest_on_any_of_them(host: FakeHost) -> None:
    host.add_cpus(2)
    link = host.path("/sys/devices/system/cpu/cpu1/cpufreq")
    link.unlink()
    link.symlink_to("../cpufreq/policy0")
    cpus.set_governor(guest(), cpuset="0")
    cpus.set_governor(guest(uuid=BERT), cpuset="1")
    assert released()
    assert governors(host)[0] == "performance"
    assert released(BERT)
    assert governors(host)[0] == "schedutil"


@pytest.mark.parametrize(
    ("governor", "cpuset", "message"),
    [
        ("performance", "1,9", "CPU 9 has no cpufreq: it is offline"),
        ("turbo", "1", "CPU 1 has no governor 'turbo'; it has performance, powersave, schedutil"),
        ("performance", "x", "'x' is not a set of CPUs"),
        ("performance", None, "the guest is pinned to no CPUs"),
    ],
)
def test_a_governor_that_cannot_be_had_is_an_error_and_none_is_changed(
    governor: str, cpuset: str | None, message: str, host: FakeHost
) -> None:
    host.add_cpus(4)
    state = guest()
    before = host.snapshot()
    with pytest.raises((HostError, InvalidValueError), match=message):
        cpus.set_governor(state, governor, cpuset)
    assert host.snapshot() == before


def test_interrupts_move_away_from_pinned_cpus_and_back(host: FakeHost) -> None:
    host.add_cpus(4)
    host.add_interrupts({30: "0-3", 31: "2", 32: "0-1", 33: ""})
    host.path("/proc/irq/34").mkdir()
    before = host.snapshot()
    for _ in range(2):
        cpus.move_interrupts(guest("<vcpu cpuset='2-3'>2</vcpu>"))
    found = [host.read(f"/proc/irq/{number}/smp_affinity_list") for number in (30, 31, 32)]
    assert found == ["0,1\n", "0,1\n", "0-1\n"]
    assert host.read("/proc/irq/default_smp_affinity") == "00000003\n"
    cpus.move_interrupts(guest(uuid=BERT), "1")
    assert host.read(IRQ) == "0\n"
    assert released()
    assert host.read(IRQ) == "0,2,3\n"
    assert released(BERT)
    assert host.snapshot() == before


@pytest.mark.parametrize("number", range(1, 4))
def test_a_hook_killed_while_it_moves_interrupts_leaves_what_can_be_undone(number: int, host: FakeHost) -> None:
    host.add_cpus(4)
    host.add_interrupts({30: "0-3", 31: "3"})
    before = host.snapshot()
    assert killed_at_write(number, lambda: cpus.move_interrupts(guest(), "3"))
    cpus.move_interrupts(guest(uuid=BERT), "2")
    assert killed_at_write(1, lambda: released(BERT))
    assert released(BERT)
    assert released()
    assert host.snapshot() == before


def test_masks_of_many_cpus_come_in_groups(host: FakeHost) -> None:
    host.add_cpus(40)
    host.add_interrupts({}, default="ff,ffffffff")
    cpus.move_interrupts(guest(), "0-3,38")
    assert host.read("/proc/irq/default_smp_affinity") == "000000bf,fffffff0\n"


def test_interrupts_come_and_go(host: FakeHost) -> None:
    host.add_cpus(4)
    host.add_interrupts({30: "0-3"})
    cpus.move_interrupts(guest(), "3")
    host.path(IRQ).unlink()
    host.add_interrupts({31: "1-2"}, default=host.read("/proc/irq/default_smp_affinity").strip())
    cpus.move_interrupts(guest(uuid=BERT), "2")
    assert host.read(UNMOVABLE) == "1\n"
    assert released()
    assert released(BERT)
    assert host.read(UNMOVABLE) == "1\n"
    assert host.read("/proc/irq/default_smp_affinity") == "f\n"


@pytest.mark.parametrize("reason", [errno.EIO, errno.EPERM, errno.ENOENT])
def test_interrupts_that_the_kernel_places_stay(reason: int, host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    host.add_cpus(4)
    host.add_interrupts({30: "0-3", 31: "0-3"})
    before = host.snapshot()
    put = kernel.put

    def refuse(file: str, text: str, *, tolerated: tuple[int, ...]) -> None:
        assert reason in tolerated
        if file != str(host.path(UNMOVABLE)):
            put(file, text)

    monkeypatch.setattr(kernel, "put", refuse)
    cpus.move_interrupts(guest(), "3")
    assert (host.read(IRQ), host.read(UNMOVABLE)) == ("0,1,2\n", "0-3\n")
    host.write(UNMOVABLE, "1\n")  # the kernel itself
    assert released()
    host.write(UNMOVABLE, "0-3\n")
    assert host.snapshot() == before


def test_other_refusals_to_move_an_interrupt_are_errors(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    host.add_cpus(4)
    host.add_interrupts({30: "0-3"})
    monkeypatch.setattr(kernel, "_wait", lambda *_: errno.ENOSPC)
    with pytest.raises(HostError, match="No space left"):
        cpus.move_interrupts(guest(), "3")


def test_some_cpu_is_left_for_the_interrupts(host: FakeHost) -> None:
    host.add_cpus(2)
    host.add_interrupts({30: "0-1"})
    state = guest()
    before = host.snapshot()
    with pytest.raises(HostError, match="no CPU is left for the interrupts: 0,1 is all there is online"):
        cpus.move_interrupts(state, "0-7")
    assert host.snapshot() == before


# Huge pages


def backed(memory: int = 1 << 20, pages: str = "", more: str = "") -> str:
    hugepages = f"<memoryBacking><hugepages>{pages}</hugepages></memoryBacking>"
    return f"<memory unit='KiB'>{memory}</memory>{hugepages}{more}"


CELLS = "<cpu><numa><cell id='0' memory='4097'/><cell id='1' memory='2' unit='MiB'/><cell memory='1024'/></numa></cpu>"
MEMNODES = (
    "<numatune><memory mode='strict' nodeset='0-1'/><memnode cellid='1' mode='strict' nodeset='1'/></numatune>" + CELLS
)
SIZES = "<page size='2048'/><page size='1' unit='G' nodeset='1'/>"
NAMED = "<page size='1048576' nodeset='0'/><page size='2048' unit='KiB' nodeset='1-2'/>"

RESERVED: list[tuple[str, str, dict[str, Any], dict[str, int]]] = [
    ("the guest's memory", backed(), {}, {"node0": 256, "node1": 256}),
    ("rounded up", backed(2049), {}, {"node0": 1, "node1": 1}),
    ("of the guest's size", backed(pages="<page size='1048576'/>"), {}, {"node1-1G": 1}),
    ("of another size", backed(pages="<page size='1048576'/>"), {"size": 2048}, {"node0": 256, "node1": 256}),
    ("on a node", backed(), {"node": 1}, {"node1": 512}),
    ("on the guest's nodes", backed(3 * 2048, more="<numatune><memory nodeset='0-1'/></numatune>"), {},
     {"node0": 1, "node1": 2}),
    ("of cells", backed(more=CELLS), {}, {"node0": 1, "node1": 2 + 1 + 1}),
    ("of cells on nodes", backed(more=MEMNODES), {}, {"node0": 1, "node1": 2 + 1 + 1}),
    ("of cells in several sizes", backed(pages=SIZES, more=MEMNODES), {}, {"node0": 1, "node1": 2 + 1, "node1-1G": 1}),
    ("of cells in their sizes", backed(pages=NAMED, more=CELLS), {}, {"node1-1G": 1, "node1": 2}),
    ("a number", "", {"pages": 7}, {"node0": 3, "node1": 4}),
    ("a number of a size on a node", "", {"pages": 7, "size": 1048576, "node": 0}, {"node0-1G": 7}),
    ("no memory", backed(0), {}, {}),
]  # fmt: skip


def pools(host: FakeHost) -> dict[str, int]:
    """The pools with pages in them."""
    found: dict[str, int] = {}
    for file in host.path("/sys").rglob("nr_hugepages"):
        size = "-1G" if file.parent.name == "hugepages-1048576kB" else ""
        top = "kernel" if file.parts[-4] == "mm" else file.parts[-4]
        found[top + size] = int(file.read_text())
    return {pool: pages for pool, pages in found.items() if pages}


@pytest.mark.parametrize(
    ("elements", "options", "expected"), [row[1:] for row in RESERVED], ids=[row[0] for row in RESERVED]
)
def test_pages_are_added_for_a_guest_and_given_back(
    elements: str, options: dict[str, Any], expected: dict[str, int], host: FakeHost
) -> None:
    host.add_nodes(2)
    before = host.snapshot()
    for _ in range(2):
        hugepages.reserve_hugepages(guest(elements), **options)
        assert pools(host) == expected
    assert released()
    assert host.snapshot() == before


def test_the_pages_of_guests_add_up_and_each_gives_back_its_own(host: FakeHost) -> None:
    host.add_nodes()
    host.write(POOL, "10\n")
    before = host.snapshot()
    hugepages.reserve_hugepages(guest(), 100)
    hugepages.reserve_hugepages(guest(uuid=BERT), 50)
    assert host.read(POOL) == "160\n"
    assert released()
    assert host.read(POOL) == "60\n"
    hugepages.reserve_hugepages(guest(), 20)
    hugepages.reserve_hugepages(guest(), 30)
    assert host.read(POOL) == "90\n"
    assert released(BERT)
    assert host.read(POOL) == "40\n"
    assert released()
    assert host.snapshot() == before


def test_pages_that_are_lent_are_not_counted(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    put = kernel.put

    def keep(file: str, text: str, timeout: float) -> None:
        put(file.replace("nr_", "surplus_"), "0\n")
        put(file, text, timeout)

    monkeypatch.setattr(kernel, "put", keep)
    host.add_nodes()
    host.write(POOL, "7\n")
    host.write(POOL.replace("nr_", "surplus_"), "5\n")
    hugepages.reserve_hugepages(guest(), 10)
    assert host.read(POOL) == "12\n"


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("then", [ALMA, BERT])
def test_hooks_killed_at_any_write_leave_sums_that_are_right_in_the_end(number: int, then: str, host: FakeHost) -> None:
    host.add_nodes()
    host.write(POOL, "10\n")
    before = host.snapshot()
    assert killed_at_write(number, lambda: hugepages.reserve_hugepages(guest(), 100)) == (number == 1)
    if number == 1:
        host.write(POOL, "40\n")  # the kernel found so many until then
    hugepages.reserve_hugepages(guest(uuid=BERT), 50)
    assert host.read(POOL) == "160\n"
    assert killed_at_write(1, lambda: released(then))
    assert released(ALMA)
    assert host.read(POOL) == "60\n" if then == ALMA else "10\n"
    assert released(BERT)
    assert host.snapshot() == before


def capped(monkeypatch: pytest.MonkeyPatch, *most: int) -> list[str]:
    """Let the kernel find so many pages, then others once memory is compacted or files forgotten; return all writes."""
    put = kernel.put
    left = list(most)
    written: list[str] = []

    def cap(file: str, text: str, *_: Any) -> None:
        name = os.path.basename(file)
        written.append(f"{name} {text.strip()}")
        found = min(int(text), left[0]) if name == "nr_hugepages" else int(text)
        put(file, f"{found}\n")
        if name in ("compact_memory", "drop_caches"):
            del left[0]

    monkeypatch.setattr(kernel, "put", cap)
    return written


def test_where_there_are_too_few_pages_memory_is_compacted(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    host.add_nodes()
    written = capped(monkeypatch, 40, 100)
    hugepages.reserve_hugepages(guest(), 100)
    assert written == ["nr_hugepages 100", "compact_memory 1", "nr_hugepages 100"]
    assert host.read(POOL) == "100\n"


def test_a_kernel_without_nodes_has_one_pool(host: FakeHost) -> None:
    host.add_nodes(2)
    shutil.rmtree(host.path("/sys/devices/system/node"))
    before = host.snapshot()
    hugepages.reserve_hugepages(guest(), 7)
    assert pools(host) == {"kernel": 7}
    assert released()
    assert host.snapshot() == before


def test_guests_on_a_node_and_on_any_share_its_pool(host: FakeHost) -> None:
    host.add_nodes(1)
    before = host.snapshot()
    hugepages.reserve_hugepages(guest(), 100)
    hugepages.reserve_hugepages(guest(uuid=BERT), 50, node=0)
    assert pools(host) == {"node0": 150}
    assert released()
    assert pools(host) == {"node0": 50}
    assert released(BERT)
    assert host.snapshot() == before


def test_where_there_are_too_few_pages_still_they_are_given_back(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.add_nodes()
    host.write(POOL, "10\n")
    written = capped(monkeypatch, 40, 60, 60)
    with pytest.raises(HostError, match="nr_hugepages got 60 of 110 huge pages: the free memory is too little"):
        hugepages.reserve_hugepages(guest(), 100)
    assert host.read(POOL) == "10\n"
    assert written == ["nr_hugepages 110", "compact_memory 1", "nr_hugepages 110", "nr_hugepages 10"]
    assert released()


def test_where_it_is_asked_for_the_kernel_forgets_files_before_it_gives_up(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.add_nodes()
    written = capped(monkeypatch, 40, 60, 100)
    hugepages.reserve_hugepages(guest(), 100, drop_caches=True)
    tries = ["nr_hugepages 100", "compact_memory 1", "nr_hugepages 100"]
    assert written == [*tries, "nr_hugepages 0", "drop_caches 3", *tries[:1]]
    assert host.read(POOL) == "100\n"


def test_a_pool_that_is_gone_needs_no_giving_back(host: FakeHost) -> None:
    host.add_nodes()
    hugepages.reserve_hugepages(guest(), 1, node=0)
    host.path(NODE.format(0)).unlink()
    assert released()


@pytest.mark.parametrize(
    ("elements", "options", "message"),
    [
        ("", {}, "the guest's memory is not of huge pages"),
        ("", {"pages": 0}, "0' is not a whole number from 1"),
        ("", {"pages": 1, "size": "2M"}, "'2M' is not a whole number"),
        ("", {"pages": 1, "node": "../x"}, "'../x' is not a whole number"),
        ("", {"pages": 1, "size": 4}, "node1 has no huge pages of 4 KiB; it has hugepages-1048576kB, huge"),
        (backed(), {"node": 9}, "/sys/devices/system/node/node9 has no huge pages of 2048 KiB; it has none"),
    ],
)
def test_pages_that_cannot_be_had_are_refused_before_anything_changes(
    elements: str, options: dict[str, Any], message: str, host: FakeHost
) -> None:
    host.add_nodes(2)
    state = guest(elements)
    before = host.snapshot()
    with pytest.raises((HostError, InvalidValueError), match=message):
        hugepages.reserve_hugepages(state, **options)
    assert host.snapshot() == before


def test_a_kernel_without_huge_pages_is_an_error(host: FakeHost) -> None:
    host.write("/proc/meminfo", "MemTotal: 1 kB\n")
    with pytest.raises(HostError, match="this kernel has no huge pages"):
        hugepages.reserve_hugepages(guest(), 1)


def test_a_guest_that_leaves_does_not_fail_for_a_pool_that_others_made_smaller(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.add_nodes()
    host.write(POOL, "10\n")
    hugepages.reserve_hugepages(guest(), 5)
    host.write(POOL, "0\n")
    capped(monkeypatch, 3)
    assert released()
    assert host.read(POOL) == "3\n"


# The fake kernel


def test_a_fake_kernel_does_what_it_is_asked_only_where_the_real_one_would(host: FakeHost) -> None:
    card(host)
    bus = host.path("/sys/bus/pci")
    before = host.snapshot()
    for control in "vfio-pci/unbind", "vfio-pci/bind", "nvidia/bind":
        kernel.put(str(bus / "drivers" / control), f"{CARD}\n0000:09:00.0\n")
    host.write(f"/sys/bus/pci/devices/{CARD}/driver_override", "\n")
    host.close()
    host.close()
    assert host.snapshot() == before


def test_a_fake_kernel_ends_with_the_process_that_made_it(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        host = FakeHost(tmp_path / "root")
        card(host)
        os.write(writing, str(host._kernel._process).encode())
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    process = Path("/proc", os.read(reading, 100).decode())
    os.close(reading)
    os.close(writing)
    eventually(
        lambda: not process.exists() or process.joinpath("stat").read_text().rpartition(")")[2].split()[0] == "Z"
    )
