from pathlib import Path

from hooking.testing import Libvirtd, run_hook

HOOK = Path(__file__).parent.parent / "{{ cookiecutter.__module }}.py"


def test_the_guest_is_pinned_where_it_asks_for_it() -> None:
    outcome = run_hook(HOOK, "qemu/restore", custom_properties={"pincpu": "1-2"}, twice=True)
    assert outcome.domain.vcpu.cpuset == "1-2"


def test_a_guest_lives_and_dies_undisturbed(libvirtd: Libvirtd) -> None:
    libvirtd.install(HOOK, "qemu")
    libvirtd.shutdown(libvirtd.start())
    libvirtd.check()
