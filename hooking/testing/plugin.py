"""The pytest plugin: fixtures for tests of hooks.

With ``hooking_recordings = tests/recordings`` in pytest's ini file, this is a test of a hook on all recorded calls::

    def test_recorded_calls(recording):
        outcome = recording.run(pin.hook)
        recording.check(outcome)
"""

from __future__ import annotations

import pytest

from hooking.exceptions import HookError
from hooking.testing import in_process, recording as recordings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hooking.testing.fake_host import FakeHost
    from hooking.testing.libvirtd import Libvirtd
    from hooking.testing.outcome import Outcome
    from hooking.testing.recording import Recording
    from hooking.testing.vdsmd import Vdsmd


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option ``--update-recordings`` and the ini option ``hooking_recordings``."""
    parser.getgroup("hooking").addoption(
        "--update-recordings",
        action="store_true",
        help="Let recording.check() accept each outcome as the new golden one.",
    )
    parser.addini(
        "hooking_recordings",
        "Folders of recordings for the fixture 'recording', relative to this file",
        type="paths",
        default=[],
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes ``recording`` once for each, unless the test says itself for which."""
    folders: list[Path] = metafunc.config.getini("hooking_recordings")
    if not folders or "recording" not in metafunc.fixturenames or _is_parametrized(metafunc):
        return
    found = [named for folder in folders for named in _found(folder)]
    if not found:
        named = ", ".join(map(str, folders))
        raise pytest.UsageError(f"hooking_recordings: no recording in {named}; make some with: hooking record")
    metafunc.parametrize("recording", [path for _, path in found], ids=[name for name, _ in found], indirect=True)


@pytest.fixture
def run_hook() -> Callable[..., Outcome]:
    """`hooking.testing.run_hook`."""
    return in_process.run_hook


@pytest.fixture
def recording(request: pytest.FixtureRequest) -> Recording:
    """A recorded call: each of those in the ini option ``hooking_recordings``.

    A test of its own choice has ``@pytest.mark.parametrize("recording", [FOLDER, …], indirect=True)``.
    """
    if not hasattr(request, "param"):
        pytest.fail("the fixture 'recording' needs hooking_recordings = FOLDER in pytest's ini file", pytrace=False)
    return recordings.Recording(request.param, update=bool(request.config.getoption("--update-recordings")))


@pytest.fixture
def fake_host(tmp_path: Path) -> Iterator[FakeHost]:
    """A host with nothing on it yet, for ``run_hook(…, host=fake_host)``."""
    from hooking.testing.fake_host import FakeHost

    with FakeHost(tmp_path / "host") as host:
        yield host


@pytest.fixture
def libvirtd(tmp_path: Path) -> Libvirtd:
    """A simulated libvirt daemon, which starts Python scripts by this Python. Its ``check()`` is the test's to call."""
    from hooking.testing.libvirtd import Libvirtd

    return Libvirtd(tmp_path / "libvirtd", this_python=True)


@pytest.fixture
def vdsmd(tmp_path: Path) -> Vdsmd:
    """A simulated VDSM, which starts Python scripts by this Python. Its ``check()`` is the test's to call."""
    from hooking.testing.vdsmd import Vdsmd

    return Vdsmd(tmp_path / "vdsmd", this_python=True)


def _is_parametrized(metafunc: pytest.Metafunc) -> bool:
    marks = metafunc.definition.iter_markers("parametrize")
    names = [mark.args[0] if mark.args else mark.kwargs["argnames"] for mark in marks]
    return any("recording" in (name.replace(" ", "").split(",") if isinstance(name, str) else name) for name in names)


def _found(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield name and folder of every recording in ``folder``."""
    try:
        paths = recordings.recording_folders(folder)
    except HookError as error:  # it is a SystemExit too, which would end pytest
        raise pytest.UsageError(f"hooking_recordings: {error}") from error
    yield from ((path.relative_to(folder).as_posix(), path) for path in paths)
