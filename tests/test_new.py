"""``hooking new``: what it takes, what it refuses, and what it asks."""

from __future__ import annotations

import os
import shutil
import sys
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hooking.cli import baking, ready_made
from hooking.cli.answers import default_author
from hooking.cli.command import hooking
from hooking.cli.ready_made import AnswerError, find_template, shipped, templates

AUTHOR = "Example Author <author@example.org>"


def new(folder: Path, *arguments: str, author: str = AUTHOR) -> Result:
    return CliRunner().invoke(hooking, ["new", "--output", str(folder), "--author", author, *arguments])


def test_a_project_is_made_from_what_is_given(tmp_path: Path) -> None:
    points = ("--point", "qemu/prepare", "--point", "before_vm_start")
    result = new(tmp_path, "pin-guests", "--for", "Pin guests.", *points, "--licence", "MIT")
    assert result.exit_code == 0, result.output
    assert result.output.endswith(f"cd {tmp_path}/pin-guests && pytest\n")
    script = (tmp_path / "pin-guests" / "pin_guests.py").read_text()
    assert script.startswith('#!/usr/bin/python3 -I\n"""Pin guests."""\n')
    assert '@hook.qemu("prepare")\ndef qemu_prepare(domain: hooking.Domain, context: hooking.HookContext)' in script
    assert '@hook.vdsm("before_vm_start")\ndef before_vm_start(domain: hooking.Domain, ' in script


def test_a_project_is_made_from_a_ready_made_hook(tmp_path: Path) -> None:
    assert new(tmp_path, "my-pinning", "--template", "pincpu").exit_code == 0
    folder = tmp_path / "my-pinning"
    template = find_template("pincpu")
    assert template is not None
    assert (folder / "pincpu.py").read_bytes() == template.script.read_bytes()
    assert template.summary in (folder / "README.md").read_text()


def test_the_ready_made_hooks_are_listed_with_a_line_each() -> None:
    result = CliRunner().invoke(hooking, ["new", "--list"])
    assert result.exit_code == 0
    lines = [line.split("  ", 1) for line in result.output.splitlines()]
    assert [(name, text.strip()) for name, text in lines] == [(found.name, found.summary) for found in templates()]
    assert all(0 < len(found.summary) < 80 for found in templates())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Pin"], "name 'Pin': give 2 to 40 small letters and digits"),
        (["p"], "name 'p': give 2 to 40"),
        (["../evil"], "name '../evil': give 2 to 40"),
        (["p" * 41], "give 2 to 40"),
        (["json"], "name 'json': Python has another use for json; give another name, as in my-json"),
        (["class"], "Python has another use for class"),
        (["test-it"], "Python has another use for test_it"),
        (["conftest"], "Python has another use for conftest"),
        (["setup"], "Python has another use for setup"),
        (["typing-extensions"], "Python has another use for typing_extensions"),
        (["my-hook", "--for", "."], "purpose '.': say in 1 to 79 characters what the hook is for"),
        (["my-hook", "--for", "{{ 7 }}"], "purpose '{{ 7 }}': '{' cannot be in it"),
        (["{{ 7 }}"], "name '{{ 7 }}': '{' cannot be in it"),
        (["my-hook", "--point", "{{ 7 }}"], "points '{{ 7 }}': '{' cannot be in it"),
        (["my-hook", "--template", "{% raw %}"], "start '{% raw %}': '{' cannot be in it"),
        (["my-hook", "--licence", "{{ 7 }}"], "licence '{{ 7 }}': '{' cannot be in it"),
        (["my-hook", "--author", "{{ 7 }} <a@example.org>"], "author '{{ 7 }} <a@example.org>': '{' cannot be in it"),
        (["my-hook", "--point", "qemu/attach"], "points: qemu/attach: no host calls it since 5.5.0; leave it out"),
        (
            ["my-hook", "--point", "after_vm_dehibernate"],
            "points: after_vm_dehibernate: VDSM fails before it starts the script; leave it out",
        ),
        (["my-hook", "--for", " "], "purpose ' ': say in 1 to 79 characters what the hook is for"),
        (["my-hook", "--for", "x" * 80], "say in 1 to 79 characters"),
        (["my-hook", "--for", 'a "b"'], "'\"' cannot be in it; write it without"),
        (["my-hook", "--for", "a\nb"], "'\\n' cannot be in it"),
        (["my-hook", "--for", "100 %"], "'%' cannot be in it"),
        (["my-hook", "--point", "qemu/prepair"], "there is no hook point qemu/prepair; did you mean prepare"),
        (["my-hook", "--point", ","], "points: name at least one hook point, as in qemu/prepare; see: hooking points"),
        (["my-hook", "--template", "nope"], "there is no ready-made hook 'nope'; see: hooking new --list"),
        (
            ["my-hook", "--template", "pincpu", "--point", "qemu/prepare"],
            "the ready-made hook pincpu is for qemu/migrate qemu/restore before_vm_start; leave the points out",
        ),
        (["my-hook", "--licence", "BSD"], "licence 'BSD': give one of Apache-2.0, GPL-2.0-or-later, MIT"),
        (
            ["my-hook", "--template", "pincpu", "--licence", "MIT"],
            "licence 'MIT': the ready-made hooks are under Apache-2.0; leave the licence out",
        ),
        (["my-hook", "--author", "Somebody"], "author 'Somebody': give name and address, which packages need"),
        (["my-hook", "--author", 'A "B" C <a@example.org>'], "cannot be in it"),
        ([], "give the NAME of the new hook, as in: hooking new my-hook"),
    ],
)
def test_what_is_no_answer_is_refused_in_a_line_and_nothing_is_left(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    result = new(tmp_path, *arguments)
    assert result.exit_code == 2, result.output
    assert message in result.output.replace("\n       ", " ")
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "my-hook").mkdir()
    (tmp_path / "my-hook" / "mine").touch()
    result = new(tmp_path, "my-hook")
    assert result.exit_code == 2
    assert result.output.startswith(f"Error: {tmp_path}/my-hook is there already; give another name, or another")
    assert [path.name for path in tmp_path.rglob("*")] == ["my-hook", "mine"]


def test_an_output_folder_that_cookiecutter_would_render_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "{{ 7 }}"
    folder.mkdir()
    result = new(folder, "my-hook")
    assert result.exit_code == 2
    assert "'{' cannot be in it" in result.output
    assert list(folder.iterdir()) == []


def test_names_are_refused_whatever_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hooking.cli.answers._is_module", lambda _: False)
    of_python = ("json", "winreg") if hasattr(sys, "stdlib_module_names") else ()
    for name in ("setup", "lxml", "click", *of_python):
        assert f"Python has another use for {name}" in new(tmp_path, name).output.replace("\n       ", " ")


def test_the_files_of_a_read_only_template_do_not_make_the_project_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(shipped("templates") / "pincpu", tmp_path / "templates" / "pincpu")
    for path in (tmp_path / "templates").rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    monkeypatch.setattr(ready_made, "shipped", lambda name: tmp_path / name if name == "templates" else shipped(name))
    assert new(tmp_path, "my-hook", "--template", "pincpu").exit_code == 0
    assert all(path.stat().st_mode & 0o200 for path in (tmp_path / "my-hook").rglob("*"))
    assert (tmp_path / "my-hook").stat().st_mode & 0o200
    for path in (tmp_path / "templates").rglob("*"):
        path.chmod(0o755)  # so that it can be removed


def test_a_project_that_cannot_be_completed_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "shipped"
    shutil.copytree(shipped("cookiecutter-hook"), broken)
    (broken / "hooks" / "post_gen_project.py").write_text("raise SystemExit(1)")
    monkeypatch.setattr(baking, "shipped", lambda _: broken)
    (tmp_path / "output").mkdir()
    result = new(tmp_path / "output", "my-hook")
    assert result.exit_code == 2
    assert list((tmp_path / "output").iterdir()) == []


def test_on_a_terminal_it_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hooking.cli.new._on_terminal", lambda: True)
    given = f"my-hook\nnone\nnetwork/start, daemon/start\nLog.\n{AUTHOR}\nMIT\n"
    result = CliRunner().invoke(hooking, ["new", "--output", str(tmp_path)], input=given)
    assert result.exit_code == 0, result.output
    assert "Hook points of libvirt (qemu/migrate) and VDSM (before_vm_start)" in result.output
    script = (tmp_path / "my-hook" / "my_hook.py").read_text()
    assert "def network_start(" in script
    assert "def daemon_start(" in script


def test_without_a_terminal_it_asks_nothing() -> None:
    result = CliRunner().invoke(hooking, ["new"])
    assert result.exit_code == 2
    assert "give the NAME of the new hook" in result.output


def test_the_author_is_who_debian_or_git_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DEBFULLNAME", "DEBEMAIL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("XDG_CONFIG_HOME", "HOME", "GIT_CEILING_DIRECTORIES"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.chdir(tmp_path)
    assert default_author() == ""
    (tmp_path / ".gitconfig").write_text("[user]\nname = Example Author\nemail = git@example.org\n")
    if shutil.which("git"):
        assert default_author() == "Example Author <git@example.org>"
    monkeypatch.setenv("DEBFULLNAME", "Debian Author")
    monkeypatch.setenv("DEBEMAIL", "debian@example.org")
    assert default_author() == "Debian Author <debian@example.org>"
    monkeypatch.delenv("DEBFULLNAME")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert default_author() == ""


def test_without_an_author_it_says_what_to_give(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        hooking, ["new", "my-hook", "--output", str(tmp_path)], env={"PATH": "", "DEBFULLNAME": "", "DEBEMAIL": ""}
    )
    assert result.exit_code == 2
    assert "author '': give name and address" in result.output.replace("\n", " ")


def test_what_is_shipped_beside_the_module_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready_made, "__file__", str(tmp_path / "hooking" / "cli" / "ready_made.py"))
    assert shipped("templates") == tmp_path / "templates"
    (tmp_path / "hooking" / "cli" / "templates").mkdir(parents=True)
    assert shipped("templates") == tmp_path / "hooking" / "cli" / "templates"
    assert templates() == []
    with pytest.raises(AnswerError):
        find_template("pincpu")


def test_a_template_without_docstring_has_no_summary(tmp_path: Path) -> None:
    folder = tmp_path / "mute-hook"
    folder.mkdir()
    (folder / "mute_hook.py").write_text("import hooking\nhook = hooking.Hook()\n")
    template = ready_made.Template(folder)
    assert (template.summary, template.commands, template.points) == ("", [], ())


def test_the_script_of_a_template_runs_once_for_its_hook_points(tmp_path: Path) -> None:
    folder = tmp_path / "deny"
    folder.mkdir()
    script = folder / "deny.py"
    script.write_text("import hooking\nhook = hooking.Hook()\nhook.qemu('start')(print)\n")
    template = ready_made.Template(folder)
    assert [point.name for point in template.points] == ["qemu/start"]
    script.unlink()
    assert [point.name for point in template.points] == ["qemu/start"]


def test_a_command_of_several_lines_is_one(tmp_path: Path) -> None:
    (tmp_path / "long.py").write_text(
        'r"""Do.\n\n    virsh metadata web01 \\\n        --set x\n\n    engine-config -s y\n"""\n'
    )
    template = ready_made.Template(tmp_path)
    (tmp_path / "long.py").rename(template.script)
    assert template.commands == ["virsh metadata web01 --set x", "engine-config -s y"]


@pytest.mark.parametrize(
    ("points", "purpose"),
    [
        ("qemu/prepare before_vm_start", "Log what happens to guests that have its custom property."),
        ("network/start", "Log what happens to networks that have its custom property."),
        ("network/start qemu/start", "Log what happens to guests and networks that have its custom property."),
        ("daemon/start before_network_setup", "Log what happens on the host."),
        ("daemon/start qemu/start", "Log what happens on the host, and to what has its custom property."),
    ],
)
def test_without_a_purpose_it_follows_from_the_hook_points(points: str, purpose: str, tmp_path: Path) -> None:
    assert new(tmp_path, "my-hook", "--point", points).exit_code == 0
    assert f'"""{purpose}"""' in (tmp_path / "my-hook" / "my_hook.py").read_text()


@pytest.mark.parametrize(("installed", "here"), [("1.7.3", "here is 1.7.3"), ("", "here is none")])
def test_a_cookiecutter_that_cannot_do_it_is_told(
    installed: str, here: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        if not installed:
            raise metadata.PackageNotFoundError(name)
        return installed

    monkeypatch.setattr(metadata, "version", version)
    result = new(tmp_path, "my-hook", "--point", "qemu/start")
    assert (result.exit_code, len(result.output.splitlines())) == (2, 1)
    assert f"needs cookiecutter 2.1 or newer, and {here}: pip install" in result.output


def test_the_listing_fits_the_script_of_each_template() -> None:
    for template in templates():
        assert os.access(template.script, os.X_OK), template.name
        assert template.points, template.name


@pytest.mark.parametrize(
    "given",
    [
        {"points": "qemu/prepare daemon/start network/port-created", "licence": "MIT"},
        {"points": "before_vm_start after_get_caps before_network_setup before_vdsm_start after_device_create"},
        {"start": "pincpu"},
    ],
)
def test_what_completes_a_project_depends_on_its_answers_alone(given: dict[str, str], tmp_path: Path) -> None:
    answers = {
        "name": "my-hook",
        "author": AUTHOR,
        "licence": "Apache-2.0",
        "purpose": "Log.",
        "start": "none",
        **given,
    }
    points = baking.default_points(answers["start"])
    folder = baking.bake(answers, tmp_path)
    made = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    shutil.rmtree(folder / "recordings")
    if answers["licence"] != "MIT":
        (folder / "LICENSE").unlink()
    baking.complete(folder, {"points": points, **answers})
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == made


def test_a_new_hook_can_be_tried(tmp_path: Path) -> None:
    assert new(tmp_path, "my-hook").exit_code == 0
    arguments = ["run", str(tmp_path / "my-hook" / "my_hook.py"), "qemu/prepare", "--property", "my_hook=1"]
    result = CliRunner().invoke(hooking, arguments)
    assert result.exit_code == 0, result.output
    assert "web01: my_hook=1" in result.output
