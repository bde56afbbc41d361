"""The table of hook points: when the hosts call a script, with what, and what its answer does.

This is the one place for these facts; types, the `Hook` pipeline, the commands and the reference come from it.
A new hook point is one new row (and, for type checkers, its name in `_signatures`).

Columns:

* ``subop``, ``extra``: the third and fourth argument. ``REASON``: a shutoff reason since libvirt 10.5.0, before it ``-``.
* ``environ``: what VDSM adds to the environment: ``vm`` (VM custom properties and ``vmId``), ``device`` (those of the device).
* ``document``: ``domain``, ``device``, ``network`` (`HookData`), ``port`` (`PortData`), ``object`` and ``array`` (JSON);
  with ``?`` it may be empty.
* ``reply``: how a changed document goes back: ``stdout``, ``file``, ``merged`` (into VDSM's own), or not at all.
* ``failure``: what a failing script does: it ``aborts`` the ``action``, ``kills`` what already runs, or is ``ignored``.
* ``then``: ``cleanup`` where the host runs the guest's ``stopped`` and ``release`` after a failure.
* ``on_error``: what an error that is not a `Refusal` does: ``fail``, or ``pass`` where failing would do harm.
* ``since``, ``until``: the first version of the host that has the point, and the first that no longer has it
  (a month where the version is not known).

Sources: libvirt's hooks.rst, virhook.c and the drivers' call sites; VDSM's vdsm_hooks and lib/vdsm/common/hooks.py.
"""

from __future__ import annotations

from hooking.exceptions import PointError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final, Literal

    HostName = Literal["libvirt", "vdsm"]

_LIBVIRT = """
# driver op            subop  extra     document  reply   failure  then     action           on_error  since   until  remark
daemon  start         -      start     -         -       ignored  -        daemon-start     fail      0.8.0   -      before networks and guests come up
daemon  reload        begin  SIGHUP    -         -       ignored  -        daemon-reload    fail      0.8.0   -      -
daemon  shutdown      -      shutdown  -         -       ignored  -        daemon-shutdown  fail      0.8.0   -      guests keep running
qemu    prepare       begin  -         domain    -       aborts   cleanup  start            fail      0.9.0   -      -
qemu    start         begin  -         domain    -       aborts   cleanup  start            fail      0.8.0   -      -
qemu    started       begin  -         domain    -       kills    cleanup  start            fail      0.9.13  -      the guest already runs
qemu    stopped       end    -         domain    -       ignored  -        stop             fail      0.8.0   -      -
qemu    release       end    REASON    domain    -       ignored  -        stop             fail      0.9.0   -      -
qemu    migrate       begin  -         domain    stdout  aborts   -        migration        fail      0.9.11  -      on the destination
qemu    restore       begin  -         domain    stdout  aborts   -        restore          fail      1.2.9   -      11.x may drop a managed save on failure
qemu    reconnect     begin  -         domain    -       kills    cleanup  reconnect        pass      0.9.13  -      the daemon was restarted
qemu    attach        begin  -         domain    -       aborts   -        attach           fail      0.9.13  5.5.0  -
lxc     prepare       begin  -         domain    -       aborts   cleanup  start            fail      0.9.13  -      -
lxc     start         begin  -         domain    -       aborts   cleanup  start            fail      0.8.0   -      -
lxc     started       begin  -         domain    -       kills    cleanup  start            fail      0.9.13  -      the container already runs
lxc     stopped       end    -         domain    -       ignored  -        stop             fail      0.8.0   -      may come without prepare
lxc     release       end    REASON    domain    -       ignored  -        stop             fail      0.9.13  -      may come without prepare
lxc     reconnect     begin  -         domain    -       kills    cleanup  reconnect        pass      0.9.13  -      the daemon was restarted
libxl   prepare       begin  -         domain    -       aborts   -        start            fail      2.1.0   -      -
libxl   start         begin  -         domain    -       aborts   cleanup  start            fail      2.1.0   -      -
libxl   started       begin  -         domain    -       kills    cleanup  start            fail      2.1.0   -      the guest already runs
libxl   stopped       end    -         domain    -       ignored  -        stop             fail      2.1.0   -      -
libxl   release       end    -         domain    -       ignored  -        stop             fail      2.1.0   -      -
libxl   migrate       begin  -         domain    stdout  aborts   -        migration        fail      2.1.0   -      on the destination
libxl   reconnect     begin  -         domain    -       kills    cleanup  reconnect        pass      2.1.0   -      the daemon was restarted
bhyve   prepare       begin  -         domain    -       aborts   -        start            fail      6.1.0   -      -
bhyve   start         begin  -         domain    -       aborts   -        start            fail      6.1.0   -      -
bhyve   started       begin  -         domain    -       kills    -        start            fail      6.1.0   -      -
bhyve   stopped       end    -         domain    -       ignored  -        stop             fail      6.1.0   -      -
bhyve   release       end    -         domain    -       ignored  -        stop             fail      6.1.0   -      -
network start         begin  -         network   -       aborts   -        network-start    fail      1.2.2   -      stopped does not follow
network started       begin  -         network   -       aborts   -        network-start    pass      1.2.2   -      failing leaves bridge and dnsmasq behind
network stopped       end    -         network   -       ignored  -        network-stop     fail      1.2.2   -      -
network updated       begin  -         network   -       ignored  -        network-update   fail      2.1.0   -      nothing is rolled back
network port-created  begin  -         port      -       aborts   -        port-creation    fail      5.5.0   -      the guest's start or hotplug fails
network port-deleted  begin  -         port      -       ignored  -        port-deletion    fail      5.5.0   -      -
network plugged       begin  -         network   -       aborts   -        port-creation    fail      1.2.2   5.5.0  with the guest's domain or interface
network unplugged     begin  -         network   -       ignored  -        port-deletion    fail      1.2.2   5.5.0  with the guest's domain or interface
"""

_VDSM = """
# op                            environ   document reply  failure action         on_error since until remark
before_vm_start                 vm        domain   file   aborts  start          fail     4.9   -     on restore too, where changes are dropped
before_device_create            vm+device device   file   aborts  start          fail     -     -     devices with custom properties only
after_vm_start                  vm        domain   -      ignored start          fail     4.9   -     -
after_device_create             vm+device device?  -      ignored start          fail     -     -     empty for devices of a cold start
after_disk_prepare              vm        object   merged aborts  start          fail     -     -     resume and incoming migration too
before_vm_cont                  vm        domain   -      aborts  resume         fail     4.9   -     -
after_vm_cont                   vm        domain   -      ignored resume         fail     4.9   -     -
before_vm_pause                 vm        domain   -      aborts  pause          fail     4.9   -     -
after_vm_pause                  vm        domain   -      ignored pause          fail     4.9   -     also when an I/O error pauses the VM
before_vm_hibernate             vm        domain   -      aborts  suspend        fail     4.9   -     -
after_vm_hibernate              vm        domain   -      ignored suspend        fail     4.9   -     -
before_vm_dehibernate           vm        domain   -      aborts  restore        fail     4.9   -     FROM_SNAPSHOT is True or False
after_vm_dehibernate            vm        domain   -      ignored restore        fail     4.9   -     VDSM fails before it starts the script
before_device_migrate_source    vm+device device?  -      aborts  migration      fail     -     -     -
before_vm_migrate_source        vm        domain   -      aborts  migration      fail     4.9   -     -
after_vm_migrate_source         vm        domain   -      ignored migration      fail     4.9   -     -
after_device_migrate_source     vm+device device?  -      ignored migration      fail     -     -     -
before_device_migrate_destination vm+device device -      aborts  migration      fail     -     -     -
before_vm_migrate_destination   vm        domain   -      aborts  migration      fail     4.9   -     the domain of the source
after_vm_migrate_destination    vm        domain   -      ignored migration      fail     4.9   -     -
after_device_migrate_destination vm+device device  -      ignored migration      fail     -     -     -
before_device_destroy           vm+device device?  -      aborts  destroy        pass     -     -     failing leaves a VM that cannot be destroyed
before_vm_destroy               vm        -        -      ignored destroy        fail     -     -     -
after_vm_destroy                vm        domain   -      ignored destroy        fail     4.9   -     the last known domain, after a failed start too
after_device_destroy            vm+device device?  -      ignored destroy        fail     -     -     -
before_vm_set_ticket            vm        domain   -      ignored set-ticket     fail     -     -     the call's parameters are in the environment
after_vm_set_ticket             vm        domain   -      ignored set-ticket     fail     -     -     the call's parameters are in the environment
before_nic_hotplug              vm+device device   file   aborts  hotplug        fail     -     -     -
after_nic_hotplug               vm+device device   -      ignored hotplug        fail     -     -     -
after_nic_hotplug_fail          vm+device device   -      ignored hotplug        fail     -     -     errors of libvirt only
before_nic_hotunplug            vm+device device   -      aborts  hotunplug      fail     -     -     -
after_nic_hotunplug             vm+device device   -      ignored hotunplug      fail     -     -     -
after_nic_hotunplug_fail        vm+device device   -      ignored hotunplug      fail     -     -     -
before_update_device            vm+device device   file   aborts  device-update  fail     -     -     -
after_update_device             vm+device device   -      ignored device-update  fail     -     -     -
after_update_device_fail        vm+device device   -      ignored device-update  fail     -     -     -
before_disk_hotplug             vm+device device   file   aborts  hotplug        fail     -     -     -
after_disk_hotplug              vm+device device   -      ignored hotplug        fail     -     -     -
before_disk_hotunplug           vm+device device   -      aborts  hotunplug      fail     -     -     -
after_disk_hotunplug            vm+device device   -      ignored hotunplug      fail     -     -     -
before_memory_hotplug           vm        device   file   aborts  hotplug        fail     -     -     -
after_memory_hotplug            vm        device   -      ignored hotplug        fail     -     -     -
before_set_num_of_cpus          -         -        -      aborts  cpu-hotplug    fail     -     -     no vmId
after_set_num_of_cpus           -         -        -      ignored cpu-hotplug    fail     -     -     no vmId
before_network_setup            -         object   file   aborts  network-setup  fail     -     -     as root, again for the rollback
after_network_setup             -         object   -      ignored network-setup  fail     -     -     the request without the changes of before_
after_network_setup_fail        -         object   -      ignored network-setup  fail     -     -     -
before_get_vm_stats             -         object   -      aborts  get-vm-stats   fail     -     -     -
after_get_vm_stats              -         array    file   ignored get-vm-stats   fail     -     -     -
before_get_all_vm_stats         -         object   -      aborts  get-vm-stats   fail     -     -     -
after_get_all_vm_stats          -         array    file   ignored get-vm-stats   fail     -     -     -
before_get_caps                 -         object   -      aborts  get-caps       fail     -     -     -
after_get_caps                  -         object   file   ignored get-caps       fail     -     -     -
before_get_stats                -         object   -      aborts  get-stats      fail     -     -     -
after_get_stats                 -         object   file   ignored get-stats      fail     -     -     -
after_hostdev_list_by_caps      -         object   file   ignored hostdev-list   fail     -     -     -
before_vdsm_start               -         -        -      ignored vdsm-start     fail     4.9   -     as root
after_vdsm_stop                 -         -        -      ignored vdsm-stop      fail     4.9   -     as vdsm
before_ifcfg_write              -         object   file   aborts  network-setup  fail     2015-08 2020-10 -
after_ifcfg_write               -         object   -      ignored network-setup  fail     2015-08 2020-10 -
"""


_UNKNOWN = {
    **dict.fromkeys(("document", "reply", "then", "since", "until", "remark"), "-"),
    "failure": "ignored",
    "on_error": "pass",
}


class Point:
    """One row of the table: a hook point of one host.

    Attributes:
        driver: ``daemon``, ``qemu``, ``lxc``, ``libxl``, ``bhyve``, ``network``, or ``vdsm``.
        op: libvirt's operation, or the name of VDSM's hook point.
        may_be_empty: Whether the host may hand over an empty document (the ``?`` in the table).

    The other attributes are the table's columns; `None` stands where a row has ``-``.
    """

    __slots__ = (
        "action",
        "document",
        "driver",
        "environ",
        "extra",
        "failure",
        "may_be_empty",
        "on_error",
        "op",
        "remark",
        "reply",
        "since",
        "subop",
        "then",
        "until",
    )

    def __init__(self, row: dict[str, str]) -> None:
        def cell(column: str) -> str | None:
            return None if row[column] == "-" else row[column]

        self.driver, self.op = row.get("driver", "vdsm"), row["op"]
        self.subop, self.extra, self.environ = row.get("subop", "-"), row.get("extra", "-"), row.get("environ", "-")
        document = cell("document") or ""
        self.document, self.may_be_empty = document.rstrip("?") or None, document.endswith("?")
        self.reply, self.failure, self.on_error = cell("reply"), row["failure"], row["on_error"]
        self.then = None if row.get("then", "-") == "-" else row["then"]
        self.action = row["action"].replace("-", " ")
        self.since, self.until, self.remark = cell("since"), cell("until"), cell("remark")

    @property
    def known(self) -> bool:
        """Whether the table has this point; one of a newer host it does not have."""
        return is_known(self.driver, self.op)

    def __repr__(self) -> str:
        return f"<Point {self.name}>"

    @property
    def absent(self) -> str:
        """Why no host of today starts a script there; empty where one does."""
        if self.until:
            return f"no host calls it since {self.until}"
        return "VDSM fails before it starts the script" if self.op == "after_vm_dehibernate" else ""

    @property
    def host(self) -> HostName:
        """``libvirt`` or ``vdsm``."""
        return "vdsm" if self.driver == "vdsm" else "libvirt"

    @property
    def host_title(self) -> str:
        """``libvirt`` or ``VDSM``, as their own people write them."""
        return "VDSM" if self.host == "vdsm" else "libvirt"

    @property
    def is_json(self) -> bool:
        """Whether the document is JSON; else it is XML."""
        return self.document in ("object", "array")

    @property
    def name(self) -> str:
        """``qemu/prepare`` for libvirt, ``before_vm_start`` for VDSM."""
        return _name(self.driver, self.op)


def _name(driver: str, op: str) -> str:
    return op if driver == "vdsm" else f"{driver}/{op}"


def _rows(table: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the line of each row, but split none: a hook needs one of them."""
    for line in table.strip().splitlines()[1:]:
        first, second, _ = line.split(None, 2)
        yield (f"{first}/{second}" if table is _LIBVIRT else first), line


_LINES = {**dict(_rows(_LIBVIRT)), **dict(_rows(_VDSM))}
_points: dict[str, Point] = {}

DRIVERS: Final = frozenset(name.partition("/")[0] for name in _LINES if "/" in name)
"""The libvirt drivers, which are also the file names of their hook scripts."""


def find(driver: str, op: str) -> Point:
    """Return the hook point of a call; for one that the table does not know (a newer host) ``known`` is false."""
    name = _name(driver, op)
    if not is_known(driver, op):
        return Point({**_UNKNOWN, "driver": driver, "op": op, "action": op})
    if name not in _points:
        columns = (_VDSM if driver == "vdsm" else _LIBVIRT).split("\n", 2)[1].split()[1:]
        _points[name] = Point(dict(zip(columns, _LINES[name].split(None, len(columns) - 1))))
    return _points[name]


def is_known(driver: str, op: str) -> bool:
    """Tell whether the table has a hook point."""
    return "/" not in op and _name(driver, op) in _LINES


def all_points() -> list[Point]:
    """Return every hook point, in the order of the hosts' own lists."""
    return [find(*name.split("/")) if "/" in name else find("vdsm", name) for name in _LINES]


def parse(name: str) -> Point:
    """Return the hook point ``qemu/migrate`` or ``before_vm_start``.

    Raises:
        PointError: There is none; the message has the nearest names.
    """
    driver, _, op = name.rpartition("/")
    if not is_known(driver or "vdsm", op):
        raise PointError(misspelt(driver or "vdsm", op))
    return find(driver or "vdsm", op)


def misspelt(driver: str, op: str) -> str:
    """Return what to say of a hook point that does not exist."""
    import difflib

    near = difflib.get_close_matches(op, [row.op for row in all_points() if row.driver == driver])
    hint = f"did you mean {' or '.join(near)}?" if near else "see: hooking points"
    return f"there is no hook point {_name(driver, op)}; {hint}"
