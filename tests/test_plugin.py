"""The pytest plugin, in pytest runs of its own."""

from __future__ import annotations

import pytest

from hooking.testing.recording import find_recordings
from support import DOMAIN
from test_recording import write

pytest_plugins = "pytester"

HOOK = """
import hooking
hook = hooking.Hook()
@hook.qemu("migrate")
def pin(domain, context):
    hooking.set_cpuset(domain, "0-1")
"""
THREE_LINES = """
import pin
def test_recorded_calls(recording):
    recording.check(recording.run(pin.hook))
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project with a hook, a test of it on all recordings, and three of those in two folders."""
    pytester.makepyfile(pin=HOOK, test_pin=THREE_LINES)
    for name in "calls/a", "calls/b", "more/a":
        folder = pytester.path / name
        folder.parent.mkdir(exist_ok=True)
        write(folder, stdin_xml=DOMAIN)
    pytester.makeini("[pytest]\nhooking_recordings = calls more\n")
    return pytester


def test_a_test_runs_once_for_each_recording(project: pytest.Pytester) -> None:
    result = project.runpytest_inprocess("-v")
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(
        [
            "test_pin.py::test_recorded_calls?a0? FAILED*",
            "test_pin.py::test_recorded_calls?b? FAILED*",
            "test_pin.py::test_recorded_calls?a1? FAILED*",
            "E*AssertionError: *calls/a has no golden outcome yet; accept one with: *, or pytest --update-recordings",
        ]
    )


def test_update_recordings_accepts_what_then_is_compared(project: pytest.Pytester) -> None:
    project.runpytest_inprocess("--update-recordings").assert_outcomes(passed=3)
    assert all(call.golden and call.golden.document for call in find_recordings(project.path))
    project.runpytest_inprocess().assert_outcomes(passed=3)
    (project.path / "calls" / "b" / "result.xml").unlink()
    result = project.runpytest_inprocess()
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["E*AssertionError: *calls/b: the outcome is another than the golden one:"])


def test_a_malformed_recording_fails_its_own_test(project: pytest.Pytester) -> None:
    write(project.path / "calls" / "b", "{")
    project.runpytest_inprocess("--update-recordings").assert_outcomes(passed=2, errors=1)


@pytest.mark.parametrize(
    "mark",
    [
        'parametrize("recording", ["more/a"], indirect=True)',
        'parametrize("x, recording", [(1, "more/a")], indirect=["recording"])',
        'parametrize(["recording", "x"], [("more/a", 1)], indirect=["recording"])',
        'parametrize(argnames="recording", argvalues=["more/a"], indirect=True)',
    ],
)
def test_a_test_may_choose_its_recordings(project: pytest.Pytester, mark: str) -> None:
    head = "x, recording" if "x" in mark.replace("indirect", "") else "recording"
    project.makepyfile(
        test_pin=f"import pytest\n@pytest.mark.parametrize('y', [1])\n@pytest.mark.{mark}\n"
        f"def test_one({head}, y):\n    assert recording.path.as_posix() == 'more/a'\n"
    )
    project.runpytest_inprocess().assert_outcomes(passed=1)


def test_a_folder_that_is_not_there_is_wrong_use(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\nhooking_recordings = none\n")
    result = project.runpytest_inprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*hooking_recordings: there is no folder */none; make recordings*"])


def test_folders_without_a_recording_are_wrong_use(project: pytest.Pytester) -> None:
    project.mkdir("empty")
    project.makeini("[pytest]\nhooking_recordings = empty\n")
    result = project.runpytest_inprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*hooking_recordings: no recording in */empty; make some with: hooking record"])
    project.makeini("[pytest]\nhooking_recordings = empty more\n")
    project.runpytest_inprocess("--update-recordings").assert_outcomes(passed=1)


def test_without_recordings_pytest_says_what_to_set(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\n")
    result = project.runpytest_inprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*the fixture 'recording' needs hooking_recordings = FOLDER in pytest's ini file"])


def test_a_fixture_of_the_same_name_stays_the_projects_own(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\n")
    project.makeconftest("import pytest\n@pytest.fixture\ndef recording():\n    return 'mine'\n")
    project.makepyfile(test_pin="def test_own(recording):\n    assert recording == 'mine'\n")
    project.runpytest_inprocess().assert_outcomes(passed=1)


def test_the_fixtures_are_the_tools(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import hooking.testing
        from hooking.testing.libvirtd import Libvirtd
        from hooking.testing.vdsmd import Vdsmd

        def test_fixtures(run_hook, libvirtd, vdsmd, tmp_path):
            assert run_hook is hooking.testing.run_hook
            assert type(libvirtd) is Libvirtd
            assert type(vdsmd) is Vdsmd
            libvirtd.check()
            vdsmd.check()
        """
    )
    pytester.runpytest_inprocess().assert_outcomes(passed=1)
