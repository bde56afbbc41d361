"""The code blocks of the documents run, and their tests pass."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import drawing
import pytest
import reference_pages
from life_cycles import LIFE_CYCLES, rows
from markdown_it import MarkdownIt

import hooking
from blocks import Reader, run_here
from hooking import context, points
from support import HERE

ROOT = HERE.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.projects
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_code_block_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    Reader(page, tmp_path, run_here).read()


def test_every_test_that_the_documents_name_is_there() -> None:
    tests = {
        name
        for path in HERE.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    named = {name for page in PAGES for name in re.findall(r"`(test_\w+)`", page.read_text())}
    assert len(named) > 40
    assert named <= tests


@pytest.mark.parametrize("package", ["edits", "actions", "check", "doctor"])
def test_a_table_is_that_of_the_docstrings(package: str) -> None:
    made = runpy.run_path(str(ROOT / "docs" / "generate.py"))["render"](package)
    assert (ROOT / "docs" / "reference" / f"{package}.md").read_text() == made, "do: make docs"
    for module, names in hooking._MODULES.items():
        for name in names.split() if module.startswith(f"{package}.") else []:
            assert f"`{name}(" in made or name.isupper()


@pytest.mark.projects  # the words of the command's help are wrapped by another version of click in another way
@pytest.mark.parametrize("page", reference_pages.PAGES)
def test_a_page_of_the_reference_is_that_of_the_code(page: str) -> None:
    assert (ROOT / "docs" / "reference" / f"{page}.md").read_text() == reference_pages.PAGES[page](), "do: make docs"


@pytest.mark.parametrize("name", LIFE_CYCLES)
def test_a_drawing_is_what_the_simulated_hosts_do(name: str) -> None:
    assert (ROOT / "docs" / "life-cycles" / f"{name}.svg").read_text() == drawing.draw(name), "do: make docs"


def test_every_hook_point_of_today_is_drawn() -> None:
    drawn = {row.point.name for name in LIFE_CYCLES for row in rows(name)}
    assert drawn == {point.name for point in points.all_points() if not point.until}


def test_every_public_name_is_in_the_reference() -> None:
    page = reference_pages.render_api()
    assert [name for name in hooking._HOMES if not re.search(rf"^\.\. auto\w+:: {name}$", page, re.MULTILINE)] == []


def test_every_variable_is_in_the_reference() -> None:
    page = (ROOT / "docs" / "reference" / "environment.md").read_text()
    sources = [path for room in ("hooking", "tests", "benchmarks") for path in (ROOT / room).rglob("*.py")]
    ours = {name for path in sources for name in re.findall(r"\bHOOKING_[A-Z_]+\b", path.read_text())}
    names = {*ours, *context._NOT_PROPERTIES, *context._NOT_PROPERTY_PREFIXES}
    assert sorted(name for name in names if f"`{name}`" not in page) == []


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")), ids=lambda page: page.name)
def test_links_of_pages_outside_the_site_lead_somewhere(page: Path) -> None:
    tokens = [child for token in MarkdownIt().parse(page.read_text()) for child in token.children or []]
    links = {
        str(token.attrGet("href") or token.attrGet("src")) for token in tokens if token.type in ("link_open", "image")
    }
    files = {link.partition("#")[0] for link in links if "://" not in link and not link.startswith("#")}
    assert sorted(file for file in files if not (ROOT / file).exists()) == []
