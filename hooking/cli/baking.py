"""Baking a project: what cookiecutter asks of this package, and what it cannot do itself."""

from __future__ import annotations

import shutil
from importlib import import_module
from pathlib import Path

from jinja2.ext import Extension

from hooking.cli.answers import default_author, project_of
from hooking.cli.ready_made import find_template, load_hook, shipped
from hooking.testing import documents
from hooking.testing.golden import as_json
from hooking.testing.recording import INVOCATION, Recording, payload_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from jinja2 import Environment

    from hooking.cli.project import Handler, Project

_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


class ProjectExtension(Extension):
    """What the files of the cookiecutter call: `project_of`, and what to propose as answers."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        names: dict[str, Any] = environment.globals
        for function in (project_of, default_author, default_purpose, default_points):
            names[function.__name__] = function


def default_purpose(start: str) -> str:
    """Return what a hook is for that starts from the ready-made hook ``start``, or from none."""
    template = find_template(start)
    return template.summary if template else "Log what happens to guests that have its custom property."


def default_points(start: str) -> str:
    """Return the hook points of the ready-made hook ``start``, or what most hooks are for."""
    template = find_template(start)
    return " ".join(point.name for point in template.points) if template else "qemu/prepare"


def bake(answers: Mapping[str, str], output: Path, *, ask: bool = False) -> Path:
    """Make a project by the cookiecutter of this package, and return its folder.

    The user's own settings of cookiecutter stay out of it, and nothing is kept for a replay.

    Args:
        answers: Those that were given; for the others there are defaults.
        output: Where the folder is made.
        ask: Ask for all answers on the terminal.

    Raises:
        AnswerError: An answer is none; nothing was made.
        CookiecutterException: The folder is there already, or the project could not be completed and was removed.
    """
    # cookiecutter has no types
    generate, prompt = (import_module(f"cookiecutter.{name}") for name in ("generate", "prompt"))
    folder = shipped("cookiecutter-hook")
    context: dict[str, Any] = generate.generate_context(folder / "cookiecutter.json", extra_context=dict(answers))
    context["cookiecutter"] = prompt.prompt_for_config(context, no_input=not ask)
    return Path(generate.generate_files(str(folder), context, str(output)))


def complete(folder: Path, answers: Mapping[str, str]) -> None:
    """Add to a baked project what one answer brings many of: recordings, or the files of a ready-made hook."""
    project = project_of(answers)
    script = folder / f"{project.module}.py"
    if project.template:
        caches = shutil.ignore_patterns("__pycache__", ".*")
        shutil.copytree(project.template.folder, folder, ignore=caches, dirs_exist_ok=True)
    for executable in (script, folder / "debian" / "rules"):
        executable.chmod(0o755)
    if not project.template:
        for number, handler in enumerate(project.handlers, 1):
            _record(folder / "recordings" / f"{number:03}-{handler.label}", handler, project, script)


def _record(folder: Path, handler: Handler, project: Project, script: Path) -> None:
    """Make the recording of a call at one hook point, with its outcome."""
    point = handler.point
    request = documents.request(point.name, None, None, None, handler.custom_properties)
    payload = payload_name(point)
    folder.mkdir(parents=True)
    if request.document:
        (folder / payload).write_bytes(request.document)
    environ: dict[str, str]
    if point.host == "libvirt":
        place = f"/etc/libvirt/hooks/{point.driver}.d/50-{project.name}"
        argv = [place, request.object or "-", point.op, point.subop or "-", request.extra or "-"]
        environ = {"LC_ALL": "C", "PATH": _PATH}
    else:
        argv = [f"/usr/libexec/vdsm/hooks/{point.op}/50_{project.module}"]
        carrier = {"_hook_json" if point.is_json else "_hook_domxml": "/tmp/hook"} if point.document else {}  # noqa: S108 - as VDSM's
        vm = {"vmId": request.object} if request.object else {}
        environ = {"LC_ALL": "C.UTF8", "PATH": _PATH, **handler.custom_properties, **vm, **carrier}
    (folder / INVOCATION).write_bytes(as_json({"argv": argv, "environ": environ}))
    recording = Recording(folder)
    recording.accept(recording.run(load_hook(script)))
