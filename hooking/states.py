"""What one call of a hook leaves for a later one about the same guest: values, and how its changes are undone."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import MutableMapping

from hooking import _process, host
from hooking.exceptions import HookError, InvalidValueError, PointError, TerminatedError
from hooking.run_folder import LOCK_TIMEOUT, RunFolder, quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from contextlib import AbstractContextManager
    from typing import Any

    from hooking.context import HookContext
    from hooking.domain import Domain

    Record = dict[str, Any]

_PREPARE = ("prepare", "before_vm_start")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-?[0-9A-Fa-f]{4}){3}-?[0-9A-Fa-f]{12}")


class State(MutableMapping[str, "Any"]):
    """What this hook keeps about one guest (or network, or the host) from call to call, until `undo` or a reboot.

    As a mapping it holds JSON values; each is stored when it is set. A value changed in place is not.

    Attributes:
        root: The folder that stands for the root of the host: ``/``, but in tests.
    """

    def __init__(self, context: HookContext, name: str) -> None:
        self.root = context.root
        self._context = context
        self._folder = RunFolder(_base(context, self.root))
        self._script = name
        self._name = f"{context.driver}/{_subject(context)}/{name}"
        self._file = f"{self._name}.json"

    @property
    def domain(self) -> Domain:
        """The guest: at ``prepare`` and ``before_vm_start`` that of this call, later as the host described it then.

        What comes at ``release`` lacks what only a running guest has, and ``before_vm_destroy`` hands over nothing.
        What a running guest has besides (``vnet0``) is in the document of the call.

        Raises:
            PointError: Neither described a guest.
        """
        from hooking.document import parse
        from hooking.domain import Domain

        kept = None if self._context.op in _PREPARE else self._read()["document"]
        described = Domain(parse(kept.encode())) if kept else self._described
        if not isinstance(described, Domain):
            raise PointError(f"{self._context.point.name} describes no guest, and none was described before")
        return described

    def remember(self, change: str, undo: Callable[..., object], *arguments: object) -> None:
        """Note how a change of the host is undone; to be called before the change is made.

        Guests may hold the same change: the first that remembers it says how it is undone, and with the last it is.
        What the undo needs to know of the host (the old value) is read, and the change made, under ``lock(change)``.

        Args:
            change: Names what is changed, for example the path of a file; the same for all guests that change it.
            undo: A function of a module or of the script; with one of the script, the change is this hook's own, and
                shared by guests alone. It may be called twice, and without the change having been made: the hook may
                be killed at any time.
            arguments: What ``undo`` is called with; JSON values.

        Raises:
            InvalidValueError: ``undo`` cannot be found again by its name, or an argument is no JSON value.
            HostError: It cannot be noted.
        """
        self._note(change, undo, arguments, None)

    def share(self, change: str, make: Callable[..., object], *arguments: object, share: object) -> None:
        """Make a change of the host to which each guest adds its share: huge pages, CPUs.

        It is made by ``make(*arguments, shares=[…])`` with the shares of all guests that hold it, and again whenever
        one of them leaves, the last time with no shares. So the arguments, of which the first guest's count, have to
        tell what was there before. If it cannot be made, this guest's share stays what it was.

        Args:
            change: Names what is changed.
            make: A function of a module or of the script, which may be called any number of times.
            arguments: JSON values.
            share: This guest's share, a JSON value; a new one takes the place of the old.

        Raises:
            InvalidValueError: ``make`` cannot be found again by its name, or a value is no JSON value.
            HostError: It cannot be noted.
        """
        if share is None:
            raise InvalidValueError("None is no share; use remember for a change that does not add up")
        with self.lock(change):
            noted, before = self._note(change, make, arguments, share)
            try:
                _call(noted)
            except Exception:
                self._take_back(noted, before)
                raise

    def undo(self) -> bool:
        """Undo all that was remembered, the last change first, and forget this guest.

        Where nothing is known, nothing happens. A step that fails is logged and kept for the next time, as is all
        that is known of this guest; the others are undone.

        Returns:
            Whether all is undone.

        Raises:
            HostError: What was remembered cannot be read.
        """
        for change in reversed(self._read()["changes"]):
            self._try_to_let_go(*change)
        with self._folder.lock(self._name):
            done = not self._read()["changes"]
            if done:
                self._folder.remove(self._file)
        self._folder.tidy()
        return done

    def lock(self, name: str, timeout: float = LOCK_TIMEOUT) -> AbstractContextManager[None]:
        """Return a lock, for a ``with`` statement, against the other hooks on this host that take ``name``.

        Hooks of different guests run at once: what they share is changed under a lock. It ends with the block, or
        with the process. In the block, this thread may take it again.

        Args:
            name: Any text that the hooks agree on.
            timeout: Seconds to wait for the hook that holds it; the host waits too.

        Raises:
            HostError: Another hook holds it too long.
        """
        return self._folder.lock(name, timeout)

    def path(self, path: str) -> str:
        """Return the absolute ``path`` below `root`."""
        return os.path.join(self.root, path.lstrip("/"))

    def __getitem__(self, name: str) -> Any:
        return self._read()["values"][name]

    def __setitem__(self, name: str, value: object) -> None:
        _check_json({name: value})
        with self._record() as record:
            record["values"][name] = value

    def __delitem__(self, name: str) -> None:
        with self._record() as record:
            del record["values"][name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read()["values"])

    def __len__(self) -> int:
        return len(self._read()["values"])

    def keep_document(self) -> None:
        """Keep the guest that this call describes, for `domain` in later ones."""
        with self._record() as record:
            record["document"] = self._document

    @contextlib.contextmanager
    def _record(self) -> Generator[Record, None, None]:
        """Give what is stored, and store what a block makes of it."""
        with self._folder.lock(self._name):
            record = self._read()
            record["document"] = record["document"] or self._document
            yield record
            self._folder.write(self._file, record)

    def _read(self) -> Record:
        record: Record | None = self._folder.read(self._file)
        return record or {"values": {}, "changes": [], "document": self._document}

    def _note(
        self, change: str, function: Callable[..., object], arguments: tuple[object, ...], share: object
    ) -> tuple[Record, object]:
        """Note that this guest holds ``change``; return what is noted of it, and this guest's share before."""
        reference = _reference(function)
        script = self._script if reference.startswith("__main__:") else ""
        new: Record = {
            "change": change,
            "script": script,
            "function": reference,
            "arguments": arguments,
            "adds_up": share is not None,
            "holders": {},
        }
        _check_json([new, share])
        with self.lock(change):
            with self._record() as record:
                if [change, script] not in record["changes"]:
                    record["changes"].append([change, script])
            noted: Record = self._folder.read(_file_of(change, script)) or new
            if not _is_there(noted["function"]):  # another version of this package or script noted it
                noted["function"] = reference
            before = noted["holders"].get(self._name)
            noted["holders"][self._name] = share
            self._folder.write(_file_of(change, script), noted)
            return noted, before

    def _take_back(self, noted: Record, before: object) -> None:
        """Let this guest have the share that it had before, if it had one, in a change that could not be made."""
        if before is None:
            self._let_go(noted["change"], noted["script"])
        else:
            noted["holders"][self._name] = before
            self._folder.write(_file_of(noted["change"], noted["script"]), noted)
            _undo(noted)

    def _try_to_let_go(self, change: str, script: str) -> None:
        try:
            self._let_go(change, script)
        except TerminatedError:
            raise
        except HookError as error:
            _log_kept(change, error)

    def _let_go(self, change: str, script: str) -> None:
        """Undo ``change``, unless other guests hold it still; where that fails, this guest keeps it."""
        file = _file_of(change, script)
        with self.lock(change):
            noted: Record = self._folder.read(file) or {"holders": {}}
            share = noted["holders"].pop(self._name, None)
            if "change" in noted and (share is not None or not noted["holders"]) and not _undo(noted):
                return
            if noted["holders"]:
                self._folder.write(file, noted)
            else:
                self._folder.remove(file)
            with self._record() as record:
                record["changes"] = [held for held in record["changes"] if held != [change, script]]

    @property
    def _described(self) -> Any:
        handed_over = self._context.handed_over
        return None if handed_over is None else handed_over.described

    @property
    def _document(self) -> str | None:
        handed_over = self._context.handed_over
        if handed_over is None or self._context.point.document != "domain":
            return None
        return handed_over.payload.decode("utf-8", "replace")


def state(context: HookContext, name: str | None = None) -> State:
    """Return what this hook keeps about the guest of a call: see `State`.

    It lies in ``/run/libvirt-hooking/<driver>/<uuid>`` (``/run/vdsm/libvirt-hooking`` for VDSM's hooks, which run as
    user vdsm; ``/run/user/<uid>/libvirt-hooking`` for session daemons), where only this user can read it.

    Args:
        context: The call.
        name: Tells hooks apart that keep something about the same guest: by default the script's file name without
            its ending, and under VDSM without priority: ``50_ports`` of one hook point is ``10_ports`` of another.

    Raises:
        InvalidValueError: The guest has no UUID.
        DocumentError: The document, in which libvirt tells the UUID, cannot be read.
        HostError: The folder is not safe, or cannot be used.
    """
    process = _process.current()
    found = State(context, quote(name or _hook_name(process.argv[0], context)))
    if context.op in _PREPARE:
        found.keep_document()
    return found


def _base(context: HookContext, root: str) -> str:
    if os.geteuid() == 0 or root != "/":
        run = "run"
    elif context.host == "vdsm":
        run = "run/vdsm"
    else:
        run = f"run/user/{os.geteuid()}"
    return os.path.join(root, run, "libvirt-hooking")


def _subject(context: HookContext) -> str:
    uuid = context.uuid
    if uuid is None and context.object is None:
        return "host"
    if uuid is None or not _UUID.fullmatch(uuid):
        raise InvalidValueError(f"{uuid!r} is not the UUID of a guest or network, of which something could be kept")
    digits = uuid.replace("-", "").lower()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _hook_name(script: str, context: HookContext) -> str:
    stem = os.path.splitext(os.path.basename(script))[0]
    return stem if context.host == "libvirt" else re.sub(r"^[0-9]+[-_.]*", "", stem) or stem


def _file_of(change: str, script: str) -> str:
    return f"changes/{quote(change)}@{script}.json"


def _check_json(value: object) -> None:
    try:
        json.dumps(value)
    except (TypeError, ValueError) as error:
        raise InvalidValueError(f"{value!r} cannot be kept: {error}; use texts, numbers, lists and dicts") from error


def _reference(function: Callable[..., object]) -> str:
    reference = f"{getattr(function, '__module__', '')}:{getattr(function, '__qualname__', '')}"
    if not _is_there(reference) or _find(reference) is not function:
        raise InvalidValueError(f"{function!r} cannot be found again by a later call; give a function of a module")
    return reference


def _is_there(reference: str) -> bool:
    try:
        _find(reference)
    except (ImportError, AttributeError, ValueError):
        return False
    return True


def _find(reference: str) -> Callable[..., object]:
    module, _, name = reference.partition(":")
    __import__(module)
    found: Callable[..., object] = getattr(sys.modules[module], name)
    return found


def _call(noted: Record) -> None:
    """Call the noted function."""
    shares = noted["holders"].values()
    _find(noted["function"])(*noted["arguments"], **({"shares": list(shares)} if noted["adds_up"] else {}))


def _undo(noted: Record) -> bool:
    try:
        _call(noted)
    except TerminatedError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the other steps are undone
        _log_kept(noted["change"], error)
        return False
    return True


def _log_kept(change: str, error: Exception) -> None:
    host.log(f"{change} is not undone, and kept for the next time: {error}")
