"""Putting a hook on a host, and taking it away again.

The order makes every kill harmless: the manifest comes first and goes last, and each file takes its place by rename.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from hooking.cli.host_files import NO_FILE, checksum
from hooking.cli.manifests import Manifest, Manifests, folders_for
from hooking.cli.scripts import FOLDERS
from hooking.cli.trial import try_script
from hooking.exceptions import HookError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hooking.cli.host_files import Tree
    from hooking.cli.scripts import Place, Script

_MODE = 0o755
_SELINUX = "/sys/fs/selinux/enforce"
_RESTORECON = "/usr/sbin/restorecon"


@dataclass(frozen=True)
class Plan:
    """What an installation will do.

    Attributes:
        files: The files to write, and where each lies.
        obsolete: Files of an older installation that go.
        before: The older installation.
        after: What will be installed.
    """

    files: dict[str, Place]
    obsolete: list[str]
    before: Manifest | None
    after: Manifest


def plan(  # noqa: PLR0913 - options
    tree: Tree, script: Script, priority: int, known: dict[str, Manifest], made: list[str], *, force: bool
) -> Plan:
    """Return what installing ``script`` will do.

    Args:
        tree: The host.
        script: The script.
        priority: Its number among the others.
        known: What is installed.
        made: The folders that were made for manifests just now.
        force: Whether files that were changed since they were installed may be replaced.

    Raises:
        HookError: A folder is not safe, or a file is not ours.
    """
    files = {place.path(script.name, priority): place for place in script.places}
    before = known.get(script.name)
    old = before.files if before else {}
    for path in {**files, **old}:
        tree.missing(os.path.dirname(path))
        if path not in old and os.path.lexists(tree.at(path)):
            raise HookError(f"{tree.at(path)} is not from here; move it away, or give another --name or --priority")
    _refuse_changed(tree, old, force=force)
    for folder in {} if before else dict.fromkeys(_stagings(script.name)):
        if os.path.lexists(tree.at(folder)):
            raise HookError(f"{tree.at(folder)} is not from here; see what it is, and move it away")
    folders = folders_for(tree, list(files), known, made)
    after = Manifest(script.name, {path: [checksum(script.data)] for path in files}, sorted(folders))
    return Plan(files, [path for path in old if path not in files], before, after)


def install(tree: Tree, script: Script, planned: Plan) -> None:
    """Carry out a plan: all of it, or nothing.

    Raises:
        HookError: The script does not work on this host.
        OSError: Something cannot be written.
    """
    manifests = Manifests(tree)
    old = planned.before.files if planned.before else {}
    sums = {path: [*old.get(path, []), *planned.after.files.get(path, [])] for path in {**old, **planned.files}}
    was = {path: _content(tree, path) for path in planned.files}
    folders = {*planned.after.folders, *(planned.before.folders if planned.before else [])}
    manifests.store(Manifest(script.name, sums, sorted(folders)))
    try:
        _clear(tree, script.name)
        for folder in sorted({folder for path in planned.files for folder in tree.missing(os.path.dirname(path))}):
            tree.make_folder(folder)
            _restore_context(tree, folder)
        for place in planned.files.values():
            try_script(tree, script, place, _staging(tree, place, script.name))
        for path, place in planned.files.items():
            _put(tree, path, script.data, _staging(tree, place, script.name))
    except BaseException:
        _take_back(tree, planned, was)
        raise
    for path in planned.obsolete:
        tree.remove(path)
    _clear(tree, script.name)
    tree.remove_empty(sorted(folders - {*planned.after.folders}))
    manifests.store(planned.after)


def uninstall(tree: Tree, manifest: Manifest, *, force: bool) -> None:
    """Remove what ``manifest`` names, and nothing else.

    Raises:
        HookError: A file was changed since it was installed.
        OSError: Something cannot be removed.
    """
    refuse_removal(tree, manifest, force=force)
    _remove(tree, manifest)


def refuse_removal(tree: Tree, manifest: Manifest, *, force: bool) -> None:
    """Refuse what `uninstall` would not remove.

    Raises:
        HookError: A file was changed since it was installed, or its folder is not safe.
    """
    for path in manifest.files:
        tree.missing(os.path.dirname(path))
    _refuse_changed(tree, manifest.files, force=force)


def _refuse_changed(tree: Tree, files: dict[str, list[str]], *, force: bool) -> None:
    for path, sums in files.items():
        found = tree.checksum(path)
        if found == NO_FILE:
            raise HookError(f"{tree.at(path)} is no file any more; see what it is, and move it away")
        if found is not None and found not in sums and not force:
            raise HookError(f"{tree.at(path)} was changed since it was installed, and is kept; --force gives it up")


def _stagings(name: str) -> list[str]:
    """Return the folders beside those that the hosts read where scripts are made ready."""
    return [f"{folder}/.hooking-{name}" for folder in FOLDERS.values()]


def _staging(tree: Tree, place: Place, name: str) -> str:
    folder = f"{FOLDERS[place.host]}/.hooking-{name}"
    tree.make_folder(folder, 0o700)
    return folder


def _clear(tree: Tree, name: str) -> None:
    for folder in _stagings(name):
        if os.path.lexists(tree.at(folder)):
            shutil.rmtree(tree.at(folder))


def _content(tree: Tree, path: str) -> bytes | None:
    return None if tree.checksum(path) is None else Path(tree.at(path)).read_bytes()


def _put(tree: Tree, path: str, data: bytes, staging: str) -> None:
    draft = f"{staging}/{os.path.basename(path)}"
    tree.remove(draft)
    tree.write(draft, data, _MODE)
    _restore_context(tree, draft)
    os.rename(tree.at(draft), tree.at(path))


def _take_back(tree: Tree, planned: Plan, was: dict[str, bytes | None]) -> None:
    """Leave what was there before."""
    if planned.before is None:
        _remove(tree, planned.after)
        return
    for path, place in planned.files.items():
        data = was[path]
        if data is None:
            tree.remove(path)
        elif tree.checksum(path) != checksum(data):
            _put(tree, path, data, _staging(tree, place, planned.after.name))
    _clear(tree, planned.after.name)
    Manifests(tree).store(planned.before)
    tree.remove_empty([folder for folder in planned.after.folders if folder not in planned.before.folders])


def _remove(tree: Tree, manifest: Manifest) -> None:
    for path in manifest.files:
        tree.remove(path)
    _clear(tree, manifest.name)
    tree.remove_empty(manifest.folders)
    Manifests(tree).remove(manifest.name)
    tree.remove_empty(manifest.folders)


def _restore_context(tree: Tree, path: str) -> None:
    """Give a new file the SELinux context that the host's policy has for it, if there is one."""
    if tree.is_live and os.path.exists(_SELINUX):
        subprocess.run([_RESTORECON, "-F", path], check=True, capture_output=True)
