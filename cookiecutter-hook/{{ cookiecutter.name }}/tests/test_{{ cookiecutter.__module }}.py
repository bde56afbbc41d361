from pathlib import Path

from hooking import points
from hooking.testing.executable import start

HOOK = Path(__file__).parent.parent / "{{ cookiecutter.__module }}.py"


def test_the_guest_is_pinned_where_it_asks_for_it() -> None:
    ended = start(HOOK, points.find("qemu", "restore"), custom_properties={"pincpu": "1-2"}, own_interpreter=True)
    assert ended.status == 0
    assert b'cpuset="1-2"' in ended.after


def test_another_operation_does_nothing() -> None:
    ended = start(HOOK, points.find("qemu", "prepare"), own_interpreter=True)
    assert (ended.status, ended.stderr) == (0, "")
