"""Stand-ins for programs of a `FakeHost`: they print what the real ones do, and keep their state in its files."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hooking.testing.fake_host import FakeHost

_UNITS = "/run/systemd/units"
_VOLUMES = "/run/lvm/volumes"

_SYSTEMCTL = """
cd '{units}'
verb=$1 option=$2
case $verb in
show)
    unit=$3
    for property in $(echo "${{option#--property=}}" | tr , ' '); do
        if [ -f "$unit/$property" ]; then
            echo "$property=$(cat "$unit/$property")"
        elif [ ! -d "$unit" ]; then
            case $property in
            Id) echo "Id=$unit" ;;
            LoadState) echo LoadState=not-found ;;
            ActiveState) echo ActiveState=inactive ;;
            esac
        fi
    done ;;
set-property)
    unit=$3
    printf %s "${{4#*=}}" > "$unit/${{4%%=*}}" ;;
start | stop)
    unit=$2
    if [ ! -d "$unit" ]; then
        echo "Failed to $verb $unit: Unit $unit not loaded." >&2
        exit 5
    elif [ $verb = start ]; then
        printf active > "$unit/ActiveState"
    elif [ -e "$unit/Transient" ]; then
        rm -r "$unit"
    else
        printf inactive > "$unit/ActiveState"
    fi ;;
*)
    echo "Unknown command verb $verb." >&2
    exit 1 ;;
esac
"""

_SYSTEMD_RUN = """
cd '{units}'
for argument; do
    case $argument in
    --unit=*) unit=${{argument#--unit=}} ;;
    esac
done
if ! mkdir "$unit"; then
    echo "Failed to start transient service unit: Unit $unit was already loaded or has a fragment file." >&2
    exit 1
fi
printf %s "$unit" > "$unit/Id"
printf loaded > "$unit/LoadState"
printf active > "$unit/ActiveState"
printf yes > "$unit/Transient"
"""

_LVS = """
cd '{volumes}'
for argument; do volume=${{argument#lv_full_name=}}; done
if [ -f "$volume" ]; then
    echo "  $volume $(cat "$volume")"
fi
"""

_LVCHANGE = """
cd '{volumes}'
for argument; do volume=$argument; done
case $2 in
y) printf 'active locally' > "$volume" ;;
n) printf '' > "$volume" ;;
esac
"""


def add_systemd(host: FakeHost, units: Mapping[str, str] | None = None) -> None:
    """Put ``systemctl``, ``systemd-run`` and ``systemd-inhibit`` on a host, as far as actions use them, and cgroup v2.

    A unit is a folder below ``/run/systemd/units``, its properties are files in that. Nothing is ever started.

    Args:
        host: The host.
        units: Its units, each with its ``ActiveState``: ``{"display-manager.service": "active"}``. The slices
            ``system.slice`` and ``user.slice`` and the scope ``init.scope`` are there anyway.
    """
    always = dict.fromkeys(("system.slice", "user.slice", "init.scope"), "active")
    for unit, active in {**always, **(units or {})}.items():
        properties = {"Id": unit, "LoadState": "loaded", "ActiveState": active, "AllowedCPUs": ""}
        for name, value in properties.items():
            host.write(f"{_UNITS}/{unit}/{name}", value)
    host.write("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory\n")
    folder = host.path(_UNITS)
    host.add_program("systemctl", _SYSTEMCTL.format(units=folder))
    host.add_program("systemd-run", _SYSTEMD_RUN.format(units=folder))
    host.add_program("systemd-inhibit", "")


def add_lvm(host: FakeHost, volumes: Mapping[str, bool]) -> None:
    """Put ``lvs`` and ``lvchange`` on a host, as far as actions use them.

    A volume is a file below ``/run/lvm/volumes``, which holds what ``lvs`` says of its activation.

    Args:
        host: The host.
        volumes: Its logical volumes, each with whether it is active: ``{"vg0/guest": False}``.
    """
    for volume, active in volumes.items():
        host.write(f"{_VOLUMES}/{volume}", "active locally" if active else "")
    folder = host.path(_VOLUMES)
    host.add_program("lvs", _LVS.format(volumes=folder))
    host.add_program("lvchange", _LVCHANGE.format(volumes=folder))
