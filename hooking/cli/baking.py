"""Baking a project: what cookiecutter asks of this package, and what it cannot do itself."""

from __future__ import annotations

import json
import re
import shutil
from importlib import import_module
from pathlib import Path

from jinja2.ext import Extension

from hooking.cli.answers import check_characters, default_author, named_points, project_of
from hooking.cli.project import purpose_of
from hooking.cli.ready_made import AnswerError, find_template, load_hook, shipped
from hooking.testing import documents
from hooking.testing.golden import as_json
from hooking.testing.recording import INVOCATION, Recording, payload_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from jinja2 import Environment

    from hooking.cli.project import Handler, Project

_COOKIECUTTER = "cookiecutter-hook"
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_FIELD = re.compile(r"\{\{ cookiecutter(\.\w+| \| tojson) \}\}")
_JINJA = re.compile(r"\{[{%#]")


class ProjectExtension(Extension):
    """What the files of the cookiecutter call: `project_of`, and what to propose as answers.

    cookiecutter renders the answers of its command line and of its user's settings before anything can check them, so
    that they could run anything: what is neither our own nor a plain field is refused here.
    """

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        names: dict[str, Any] = environment.globals
        for function in (project_of, default_author, default_purpose, default_points):
            names[function.__name__] = function
        self._own: list[object] = list(json.loads((shipped(_COOKIECUTTER) / "cookiecutter.json").read_text()).values())

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Return what is to be rendered; what has a name is a file of the cookiecutter.

        Raises:
            AnswerError: It is an answer with Jinja in it.
        """
        del filename
        if name is None and source not in self._own:
            _check_no_jinja(_FIELD.sub("", source))
        return source


def _check_no_jinja(text: str) -> None:
    if _JINJA.search(text):
        raise AnswerError(f"{text!r}: '{{' cannot be in it; write it without")


def default_purpose(start: str, points: str) -> str:
    """Return what a hook is for that starts from the ready-made hook ``start``, or else does what new ones do."""
    template = find_template(start)
    return template.summary if template else purpose_of(named_points(points))


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
        AnswerError: An answer is none, or the folder is there already; nothing was made.
        CookiecutterException: The project could not be completed and was removed.
    """
    for question, answer in answers.items():
        check_characters(question, answer)
    _check_no_jinja(str(output.absolute()))  # cookiecutter renders it too
    # cookiecutter has no types
    generate, prompt = (import_module(f"cookiecutter.{name}") for name in ("generate", "prompt"))
    folder = shipped(_COOKIECUTTER)
    context: dict[str, Any] = generate.generate_context(folder / "cookiecutter.json", extra_context=dict(answers))
    context["cookiecutter"] = prompt.prompt_for_config(context, no_input=not ask)
    made = output / context["cookiecutter"]["name"]
    if made.exists():
        raise AnswerError(f"{made} is there already; give another name, or another --output")
    return Path(generate.generate_files(str(folder), context, str(output)))


def complete(folder: Path, answers: Mapping[str, str]) -> None:
    """Add to a baked project what one answer brings many of: recordings, or a ready-made hook, and a licence."""
    project = project_of(answers)
    script = folder / f"{project.module}.py"
    if project.template:
        _copy(project.template.folder, folder)
    if project.licence != "MIT":  # whose text names the author
        shutil.copyfile(shipped(_COOKIECUTTER) / "licences" / project.licence, folder / "LICENSE")
    for executable in (script, folder / "debian" / "rules"):
        executable.chmod(0o755)
    if not project.template:
        for number, handler in enumerate(project.handlers, 1):
            _record(folder / "recordings" / f"{number:03}-{handler.label}", handler, project, script)


def _copy(source: Path, target: Path) -> None:
    """Copy the files below a folder, but caches; where a package manager keeps them, they may be read-only."""
    for path in source.rglob("*"):
        below = path.relative_to(source)
        if path.is_file() and not any(part == "__pycache__" or part.startswith(".") for part in below.parts):
            (target / below).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / below)


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
