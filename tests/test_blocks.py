"""Documents whose code blocks cannot be executed, or do not do what the page says, fail."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

import blocks
from blocks import Reader, run_here

BAD = {
    "an indented block": "text\n\n    hooking points\n",
    "a block of nothing": "```\nhooking points\n```\n",
    "a language that nothing runs": "```perl\nprint 1\n```\n",
    "a document without a name": "```xml\n<domain/>\n```\n",
    "a file that nothing uses": "```xml guest.xml\n<domain/>\n```\n",
    "a console block without a command": "```console\nhooking points\n```\n",
    "a command that fails": "```console\n$ false\n```\n",
    "a command that should fail": "```console\n$ true\n[1]\n```\n",
    "another output": "```console\n$ echo one\ntwo\n```\n",
    "more output": "```console\n$ printf 'one\\ntwo\\n'\none\n```\n",
    "a script that fails": "```python\nraise SystemExit(1)\n```\n",
    "a script that does not do what it speaks of": "```python\n# cpuset\n```\n",
    "a test that fails": "```python\ndef test_it():\n    assert False\n```\n",
}
GOOD = {
    "the same output": "```console\n$ echo one\none\n```\n",
    "output that is left out": "```console\n$ printf 'one\\ntwo\\nthree\\n'\none\n...\nthree\n```\n",
    "no output shown": "```console\n$ echo one\n```\n",
    "another time": "```console\n$ echo '  12 ms  after 0.3s'\n  7 ms  after 12.10s\n```\n",
    "an exit status": "```console\n$ echo no; exit 3\nno\n[3]\n```\n",
    "a command of two lines": "```console\n$ echo \\\n  one\none\n```\n",
    "a folder and a variable": "```console\n$ mkdir a && cd a && export B=1\n$ echo $PWD $B\n/home/ada/a 1\n```\n",
    "a file that is used": "```xml a/guest.xml\n<domain/>\n```\n\n```console\n$ cat a/guest.xml\n<domain/>\n```\n",
    "a test": "```python\ndef test_it():\n    assert True\n```\n",
    "a script": "```python\nimport hooking\ndomain = hooking.read_domain()\n```\n",
    "what is no code": "```text\n→\n```\n\n```{toctree}\n```\n",
}


@pytest.fixture(autouse=True)
def counts(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """What these tests count is not the documents'."""
    counted: Counter[str] = Counter()
    monkeypatch.setattr(blocks, "COUNTS", counted)
    return counted


def read(text: str, folder: Path) -> None:
    page = folder / "page.md"
    page.write_text(text)
    Reader(page, folder, run_here).read()


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_what_is_wrong_on_a_page_fails(text: str, tmp_path: Path, counts: Counter[str]) -> None:
    with pytest.raises(AssertionError, match=r"page\.md:\d+|line \d+"):
        read(text, tmp_path)
    assert not counts["executed"]


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_what_is_right_on_a_page_passes(text: str, tmp_path: Path, counts: Counter[str]) -> None:
    read(text, tmp_path)
    assert counts["unreached"] == 0


def test_blocks_for_a_host_are_left_to_the_live_tests(tmp_path: Path, counts: Counter[str]) -> None:
    read("```console\n# reboot\n```\n\n```console\n$ true\n```\n", tmp_path)
    assert counts == {"live": 1, "executed": 1, "unreached": 0}


def test_what_is_not_reached_is_counted(tmp_path: Path, counts: Counter[str]) -> None:
    with pytest.raises(AssertionError):
        read("```console\n$ true\n```\n\n```console\n$ false\n```\n\n```console\n$ true\n```\n", tmp_path)
    assert counts == {"executed": 1, "unreached": 2}
