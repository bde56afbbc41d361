"""`Libvirtd`: a simulated libvirt daemon that calls hook scripts in the real order, with the real consequences.

The sequences and what a failure leads to are those of libvirt's drivers; live daemons are the reference, see
``tests/live``. Guests do not run here: what they are is their document.
"""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from pathlib import Path
from typing import Literal

from hooking import points
from hooking.exceptions import InvocationError
from hooking.testing import documents, live_documents
from hooking.testing.fake_host import FakeHost
from hooking.testing.inventory import Guest, Port, SimulatedNetwork
from hooking.testing.outcome import Outcome, check_log
from hooking.testing.virhook import ScriptFolder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hooking.points import Point
    from hooking.testing.documents import DocumentSource

Trouble = Literal["early", "emulator", "resume", "transfer", "device"]
"""What of the host itself fails: something before ``prepare``, starting the emulator, going on after a restore, the
transfer of a migration, adding a device."""

_SHUTOFF_REASONS_SINCE = (10, 5, 0)
_PORTS_SINCE = (5, 5, 0)


class Libvirtd:
    """A simulated libvirt daemon with all drivers.

    Args:
        folder: A folder of its own; the hook scripts lie in its ``hooks``.
        version: Of which libvirt it behaves: ``release`` tells the reason since 10.5.0; ports came with 5.5.0.
        environ: The daemon's environment.
        timeout: Seconds until a script counts as hanging the daemon.
        this_python: Start Python scripts by this interpreter, so that they find the packages that are installed here.
        host: What `hooking.state` and actions find and change; by default a host with nothing on it.

    Attributes:
        host: What `hooking.state` and actions find and change.
        hooks: The folder of the hook scripts. The daemon looks there at its start, and when told by `reload`.
        log: Every call, in order.
        guests: The active guests, by driver and name.
        networks: The networks, by name.
    """

    def __init__(  # noqa: PLR0913 - options
        self,
        folder: str | Path,
        *,
        version: str = "10.5.0",
        environ: Mapping[str, str] = os.environ,
        timeout: float = 10,
        this_python: bool = False,
        host: FakeHost | None = None,
    ) -> None:
        self.hooks = Path(folder).absolute() / "hooks"
        self.hooks.mkdir(parents=True, exist_ok=True)
        self.log: list[Outcome] = []
        self.guests: dict[tuple[str, str], Guest] = {}
        self.networks: dict[str, SimulatedNetwork] = {}
        self._version = tuple(map(int, version.split(".")))
        self._scripts = ScriptFolder(self.hooks, environ, timeout=timeout, this_python=this_python)
        self._move(host or FakeHost(self.hooks.parent / "host"))
        self._last_id = 0

    def install(self, script: str | Path, name: str) -> Path:
        """Copy a script to ``hooks/<name>``, executable, and let the daemon see it.

        Args:
            script: The script.
            name: ``qemu``, or ``qemu.d/10-pin``; likewise for the other drivers.

        Raises:
            InvocationError: libvirt looks for no script there.
        """
        folder, slash, file = name.rpartition(".d/")
        if (folder or name) not in points.DRIVERS or (slash and not file) or "/" in file:
            raise InvocationError(f"libvirt looks for no script at {name}; give a driver, or as in qemu.d/50-pin")
        path = self.hooks / name
        path.parent.mkdir(exist_ok=True)
        shutil.copyfile(script, path)
        path.chmod(0o755)
        self._scripts.scan()
        return path

    def check(self) -> None:
        """Raise an `AssertionError` that tells of every call that failed or hung, and of every network left half up."""
        half = [f"network {name}: bridge and dnsmasq were left running" for name in self._half_started()]
        check_log(self.log, half)

    def call(
        self,
        point: str,
        *,
        document: DocumentSource = None,
        object: str | None = None,
        extra: str | None = None,
        custom_properties: Mapping[str, str] | None = None,
    ) -> Outcome:
        """Make one call, whatever the state of things. The arguments are those of `run_hook`."""
        request = documents.request(point, document, object, extra, custom_properties or {})
        return self._call(request.point, request.object, request.document, request.extra)

    def twin(self, host: FakeHost | None = None) -> Libvirtd:
        """Return the daemon of another host, with the same scripts and no guests. Its calls stand in this ``log``."""
        other = copy(self)
        other.guests, other.networks = {}, {}
        other._move(host or FakeHost(f"{self.host.root}-2"))  # noqa: SLF001 - another one of this class
        return other

    def _move(self, host: FakeHost) -> None:
        self.host = host
        self._scripts = copy(self._scripts)
        self._scripts.root = host.root

    # The daemon

    def boot(self) -> None:
        """Start the daemon: networks that were active come back, and it reconnects to guests that run, all at once."""
        self._scripts.scan()
        self.call("daemon/start")
        for guest in self.guests.values():
            for port in guest.ports:
                self._port_call(port, "port-created")
        with ThreadPoolExecutor() as pool:
            list(pool.map(self._reconnect, list(self.guests.values())))

    def shut_down(self) -> None:
        """Stop the daemon. The guests keep running."""
        self.call("daemon/shutdown")

    def restart(self) -> None:
        """Stop the daemon and start it again."""
        self.shut_down()
        self.boot()

    def reload(self) -> None:
        """Send SIGHUP: the daemon looks again which drivers have scripts."""
        self.call("daemon/reload")

    # Guests

    def start(self, document: DocumentSource = None, *, driver: str = "qemu", trouble: Trouble | None = None) -> Guest:
        """Start a guest; whether it came up is its ``active``.

        Args:
            document: Its ``<domain>``; a recorded sample by default.
            driver: ``qemu``, ``lxc``, ``libxl`` or ``bhyve``.
            trouble: ``early`` or ``emulator``, for a host that fails itself.
        """
        if not points.is_known(driver, "prepare"):
            raise InvocationError(f"there is no driver {driver} of guests; there are qemu, lxc, libxl and bhyve")
        _require_trouble(trouble, "early", "emulator")
        guest = Guest(driver, documents.load(points.find(driver, "prepare"), document))
        self._bring_up(guest, trouble)
        return guest

    def shutdown(self, guest: Guest) -> None:
        """Let the guest shut down."""
        self._end(guest, "shutdown")

    def destroy(self, guest: Guest) -> None:
        """Switch the guest off."""
        self._end(guest, "destroyed")

    def crash(self, guest: Guest) -> None:
        """Let the guest's emulator die."""
        self._end(guest, "crashed")

    def reboot(self, guest: Guest) -> None:
        """Reboot the guest from inside, which only the drivers that make it anew tell hooks of."""
        if guest.driver == "qemu":
            self._require_active(guest)
            return
        self._end(guest, "shutdown")
        self._bring_up(guest, skip_prepare=guest.driver == "bhyve")

    def save(self, guest: Guest) -> None:
        """Save the guest's memory to a file and stop it (``virsh save``, ``virsh managedsave``)."""
        self._require_driver(guest, "save", "qemu", "libxl")
        self._require_active(guest)
        guest.saved = guest.document
        self._end(guest, "saved")

    def restore(self, guest: Guest, *, trouble: Trouble | None = None) -> Outcome | None:
        """Start a saved guest from its file, and return the outcome of the ``restore`` hook, which libxl has not.

        Args:
            guest: The guest.
            trouble: ``resume``: it does not go on after it was restored.
        """
        if guest.saved is None:
            raise InvocationError(f"guest {guest.name} was not saved, so it cannot be restored; call save() first")
        _require_trouble(trouble, "resume")
        self._require_free(guest)
        outcome = None
        if points.is_known(guest.driver, "restore"):
            outcome = self._call(points.find(guest.driver, "restore"), guest.name, guest.saved)
            if outcome.failed:
                return outcome
            guest.document = outcome.after
        guest.saved = None
        self._bring_up(guest, trouble)
        return outcome

    def revert(self, guest: Guest) -> None:
        """Revert the running guest to a snapshot of a running state."""
        self._require_driver(guest, "revert", "qemu")
        self._end(guest, "from snapshot")
        self._bring_up(guest)

    def migrate(
        self, guest: Guest, destination: Libvirtd, *, offline: bool = False, trouble: Trouble | None = None
    ) -> Outcome:
        """Migrate the guest, and return the outcome of the ``migrate`` hook, which the destination calls.

        Args:
            guest: The guest; it is then one of ``destination`` if all went well.
            destination: The other daemon.
            offline: Move the definition of a guest that does not run.
            trouble: ``transfer``: it fails after the destination prepared itself.
        """
        _require_trouble(trouble, "transfer")
        self._require_driver(guest, "migrate", "qemu", "libxl")
        if not offline:
            self._require_active(guest)
            destination._require_free(guest)
        outcome = destination._call(points.find(guest.driver, "migrate"), guest.name, guest.document)
        if outcome.failed or offline:
            return outcome
        incoming = Guest(guest.driver, outcome.after)
        if destination._bring_up(incoming, "resume" if trouble else None):
            self._end(guest, "migrated")
        return outcome

    def attach_interface(self, guest: Guest, interface: str, *, trouble: Trouble | None = None) -> bool:
        """Plug a network card into the running guest, and tell whether that worked.

        Args:
            guest: The guest.
            interface: Its ``<interface>``.
            trouble: ``device``: the emulator refuses it.
        """
        _require_trouble(trouble, "device")
        self._require_active(guest)
        ports = self._plug(guest, live_documents.network_cards(interface))
        if ports is None:
            return False
        if trouble:
            self._unplug(guest, ports)
            return False
        guest.document = live_documents.with_device(guest.document, interface)
        return True

    def detach_interface(self, guest: Guest, mac: str) -> None:
        """Unplug the network card with a MAC address."""
        self._require_active(guest)
        self._unplug(guest, [port for port in guest.ports if port.mac == mac])
        guest.document = live_documents.without_card(guest.document, mac)

    def update_interface(self, guest: Guest, mac: str, *, trouble: Trouble | None = None) -> bool:
        """Change the network card with a MAC address, if only its link state: a new port comes before the old one goes.

        Args:
            guest: The guest.
            mac: Its card.
            trouble: ``device``: the change fails.
        """
        _require_trouble(trouble, "device")
        self._require_active(guest)
        old = [port for port in guest.ports if port.mac == mac]
        new = self._plug(guest, [(port.mac, port.network) for port in old])
        if new is None:
            return False
        self._unplug(guest, new if trouble else old)
        return trouble is None

    # Networks

    def start_network(self, document: DocumentSource = None) -> SimulatedNetwork:
        """Start a network; whether it came up is its ``active``."""
        network = SimulatedNetwork(live_documents.network(documents.load(points.find("network", "start"), document)))
        self.networks[network.name] = network
        if not self._network_call(network, "start").failed:
            network.left_behind = self._network_call(network, "started").failed
            network.active = not network.left_behind
        return network

    def stop_network(self, name: str) -> None:
        """Stop a network. Ports of guests on it are gone without a call, now and when the guests stop."""
        network = self._known_network(name)
        network.active = False
        for guest in self.guests.values():
            guest.ports = [port for port in guest.ports if port.network != name]
        self._network_call(network, "stopped")

    def update_network(self, name: str, document: DocumentSource = None) -> Outcome:
        """Change a network as ``virsh net-update`` does. A failing hook does not undo it."""
        network = self._known_network(name)
        if document is not None:
            network.document = live_documents.network(documents.load(points.find("network", "updated"), document))
        return self._network_call(network, "updated")

    # How the calls are made

    def _call(self, point: Point, name: str | None, document: bytes, extra: str = "-") -> Outcome:
        arguments = (name or "-", point.op, point.subop, extra)
        payload = None if point.document is None else document
        called = self._scripts.call(point.driver, arguments, payload, with_output=point.reply == "stdout")
        status = next(
            (ended.status for _, ended in reversed(called.scripts) if ended.status), 0 if called.status >= 0 else 1
        )
        after, refused = documents.taken(point, document, called.output or None, status)
        outcome = Outcome(
            point,
            name,
            document,
            after,
            status,
            called.scripts[-1][1].stdout if called.scripts else b"",
            "".join(ended.stderr.decode("utf-8", "replace") for _, ended in called.scripts),
            refused=refused,
            error=called.error,
            scripts=tuple(called.scripts),
            seconds=sum(ended.seconds for _, ended in called.scripts),
            arguments=arguments,
        )
        self.log.append(outcome)
        return outcome

    def _guest_call(self, guest: Guest, op: str, reason: str = "-") -> Outcome:
        point = points.find(guest.driver, op)
        extra = reason if point.extra == "REASON" and self._version >= _SHUTOFF_REASONS_SINCE else "-"
        return self._call(point, guest.name, live_documents.at(guest, op), extra)

    def _network_call(self, network: SimulatedNetwork, op: str) -> Outcome:
        data = live_documents.hook_data(network.document)
        return self._call(points.find("network", op), network.name, data)

    def _port_call(self, port: Port, op: str) -> Outcome:
        network = self._network(port.network)
        if self._version >= _PORTS_SINCE:
            data = live_documents.hook_data(network.document, port=port, connections=self._connections(port.network))
        else:
            op = {"port-created": "plugged", "port-deleted": "unplugged"}[op]
            data = live_documents.hook_data(network.document, port=port, with_guest=True)
        return self._call(points.find("network", op), port.network, data)

    def _network(self, name: str) -> SimulatedNetwork:
        """Return the network ``name``; one that nobody started is taken to be active all the time."""
        if name not in self.networks:
            self.networks[name] = SimulatedNetwork(live_documents.sample_network(name), active=True)
        return self.networks[name]

    def _connections(self, network: str) -> int:
        return sum(port.network == network for guest in self.guests.values() for port in guest.ports)

    def _half_started(self) -> list[str]:
        return [name for name, network in self.networks.items() if network.left_behind]

    # How guests come and go

    def _bring_up(self, guest: Guest, trouble: Trouble | None = None, *, skip_prepare: bool = False) -> bool:
        self._require_free(guest)
        self._last_id += 1
        guest.id = self._last_id
        self.guests[guest.driver, guest.name] = guest
        failed = self._first_failure(guest, trouble, skip_prepare=skip_prepare)
        if failed is None:
            return True
        if points.find(guest.driver, failed).then == "cleanup":
            self._end(guest, "failed")
        else:
            self._forget(guest)
        return False

    def _first_failure(self, guest: Guest, trouble: Trouble | None, *, skip_prepare: bool) -> str | None:
        """Take the steps of a start; return the operation whose rule for failures holds, if one fails."""
        if trouble == "early":
            return "prepare" if guest.driver == "lxc" else "early"
        steps: list[tuple[str, str, Callable[[], bool]]] = [
            ("prepare", "prepare", lambda: skip_prepare or not self._guest_call(guest, "prepare").failed),
            ("prepare", "ports", lambda: self._plug(guest, live_documents.network_cards(guest.document)) is not None),
            ("start", "start", lambda: not self._guest_call(guest, "start").failed),
            ("start", "emulator", lambda: trouble != "emulator"),
            ("started", "started", lambda: not self._guest_call(guest, "started").failed and trouble != "resume"),
        ]
        for op, guest.reached, step in steps:
            if not step():
                return op
        return None

    def _end(self, guest: Guest, reason: str) -> None:
        self._require_active(guest)
        self._guest_call(guest, "stopped")
        self._forget(guest)
        self._guest_call(guest, "release", reason)

    def _forget(self, guest: Guest) -> None:
        self._unplug(guest, list(guest.ports))
        guest.id = None
        del self.guests[guest.driver, guest.name]

    def _reconnect(self, guest: Guest) -> None:
        if points.is_known(guest.driver, "reconnect") and self._guest_call(guest, "reconnect").failed:
            self._end(guest, "failed" if guest.driver == "lxc" else "daemon")

    def _plug(self, guest: Guest, cards: list[tuple[str, str]]) -> list[Port] | None:
        """Make a port for each card (MAC address, network); return them, or `None` if a hook refuses one."""
        ports: list[Port] = []
        for mac, network in cards:
            port = Port(network, mac, guest.document)
            guest.ports.append(port)
            if self._port_call(port, "port-created").failed:
                guest.ports.remove(port)
                return None
            ports.append(port)
        return ports

    def _unplug(self, guest: Guest, ports: list[Port]) -> None:
        for port in ports:
            guest.ports.remove(port)
            self._port_call(port, "port-deleted")

    def _known_network(self, name: str) -> SimulatedNetwork:
        if name not in self.networks:
            raise InvocationError(f"there is no network {name}; start it first")
        return self.networks[name]

    def _require_free(self, guest: Guest) -> None:
        """Refuse a second active guest of the same name, as libvirt does before any hook."""
        if (guest.driver, guest.name) in self.guests:
            raise InvocationError(f"guest {guest.name} runs already")

    def _require_active(self, guest: Guest) -> None:
        if not guest.active:
            raise InvocationError(f"guest {guest.name} does not run; start it first")

    def _require_driver(self, guest: Guest, what: str, *drivers: str) -> None:
        if guest.driver not in drivers:
            raise InvocationError(f"the {guest.driver} driver cannot {what} a guest; {' and '.join(drivers)} can")


def _require_trouble(trouble: Trouble | None, *possible: Trouble) -> None:
    if trouble is not None and trouble not in possible:
        raise InvocationError(f"trouble={trouble!r} cannot be here; what can is {' or '.join(possible)}")
