"""Hooks folders, scripts and sequences of calls that hypothesis generates."""

from __future__ import annotations

import os
from typing import TypeVar

from hypothesis import strategies as st
from virhook_oracle import (
    HOOKS,
    OPERATIONS,
    PROBE,
    SCRIPT_LOG,
    SUBOPERATIONS,
    Action,
    Add,
    Call,
    File,
    Remove,
    Request,
    Scan,
)

T = TypeVar("T")

DOMAIN = "<domain type='kvm'><name>web01</name></domain>"


def mostly(usual: st.SearchStrategy[T], *others: st.SearchStrategy[T]) -> st.SearchStrategy[T]:
    """The usual in twenty cases of twenty-one or twenty-two."""
    return st.sampled_from([*20 * [usual], *others]).flatmap(lambda chosen: chosen)


def text_of(value: str) -> str:
    """A text as the characters of its bytes, as a request holds it."""
    return os.fsencode(value).decode("latin-1")


def a_file(path: str, content: str, mode: int = 0o755) -> File:
    return File(path=path, kind="file", content=text_of(content), mode=mode)


def a_script(path: str, *lines: str) -> File:
    return a_file(path, "\n".join(["#!/bin/sh", f". {PROBE}", *lines, ""]))


def a_call(
    op: str = "migrate", payload: str | None = DOMAIN, *, driver: str = "qemu", with_output: bool = True
) -> Call:
    return Call(
        do="call",
        driver=driver,
        object="web01",
        op=op,
        subop="begin",
        extra="-",
        payload=payload,
        with_output=with_output,
    )


NAMES = [*"Aa*^=!é", " with blank", "z\tz", "10-a", "9-b", ".hidden", "x.bak", "z~", "README.txt", "it's", "-dash"]
NAMES.extend(['a"b', "$HOME", "#x", "_x", "\udc80", "a{b}", "%s", "a\\b", "ä;&|<>"])
OBJECTS = ["web01", "g v", "it's", "-", "--help", "Zürich", "日本", "", "$(reboot)", '"', "%s%n", "a\tb", "saved"]
BLANK = ["", "\n", " \t\n\f\r", "\v", "\0", "\0<x/>", "\u00a0"]
OUTPUT = [DOMAIN, "<a/>\n", "  <b/>  ", "caf\udce9", "<c/>\0<d/>", "text\n\n", *BLANK]
SAID = ["oops\n", "no end of line", "line 1\nline 2\n", "é\n", "\udcff\udcfe", "a\0b", "\n", "%s %n", "'quoted'"]
FIRST_LINES = ["", "#!\n", "\n#!/bin/sh\n", "#!/bin/sh\r\n"]
FIRST_LINES.extend(f"#!{path}\n" for path in ("/nonexistent/sh", "/etc/passwd", "/etc", "/bin/sh/x"))
MODES = [*40 * [0o755], 0o700, 0o711, 0o001, 0o010, 0o100, 0o4755, 0o644, 0o000, 0o666]

paths = st.sampled_from(NAMES)


def printed(text: str) -> str:
    """The command of a shell that prints ``text``."""
    octal = "".join(f"\\{byte:03o}" for byte in os.fsencode(text))
    return f"printf '{octal}'"


changes = st.tuples(st.sampled_from(["rm -rf", "chmod -x", "chmod +x", "touch"]), paths).map(
    lambda change: f'{change[0]} -- "{HOOKS}/qemu.d/"{shell_word(change[1])} 2>&-'
)


def shell_word(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


steps = st.one_of(
    st.sampled_from(OUTPUT).map(printed),
    st.sampled_from(SAID).map(lambda text: printed(text) + " >&2"),
    st.just(f"cat >>{SCRIPT_LOG}"),
    st.just(f"tee -a {SCRIPT_LOG}"),
    st.just("sed s/web/app/"),
    st.sampled_from(["exec <&-", "exec >&-", "exec 2>&-", "cd /tmp", "umask 0", "trap '' PIPE USR1", "sleep 0.01 &"]),
    changes,
)
ends = st.sampled_from(
    [*120 * [""], "exit 0", "exit 1", "exit 2", "exit 3", "exit 126", "exit 127", "exit 255"]
    + [f"kill -{signal} $$" for signal in ("TERM", "KILL", "HUP", "PIPE", "USR1", "USR2", "SEGV")]
)
working_scripts = st.builds(
    lambda steps, end: "\n".join(["#!/bin/sh", f". {PROBE}", *steps, end, ""]), st.lists(steps, max_size=4), ends
)
broken_scripts = st.sampled_from(FIRST_LINES).map(lambda line: f"{line}echo ran\n")
scripts = mostly(working_scripts, broken_scripts, st.just(""))


def entries(path: str) -> st.SearchStrategy[File]:
    """What may lie at ``path``."""

    def of(kind: str, content: str = "") -> File:
        return File(path=path, kind=kind, content=text_of(content), mode=0)

    targets = [
        "/bin/true",
        "/bin/false",
        "/nonexistent",
        "/etc",
        "/etc/passwd",
        "qemu.d",
        "../qemu",
        path.rpartition("/")[-1],
    ]
    return mostly(
        st.builds(lambda content, mode: a_file(path, content, mode), scripts, st.sampled_from(MODES)),
        st.sampled_from(targets).map(lambda target: of("link", target)),
        st.sampled_from(["folder", "fifo"]).map(of),
    )


@st.composite
def folders_of(draw: st.DrawFn, driver: str) -> list[File]:
    """The scripts of one driver."""
    files = [draw(entries(driver))] if draw(st.booleans()) else []
    path = f"{driver}.d"
    kind = draw(st.sampled_from([*10 * ["folder"], "none", "other", "other"]))
    if kind == "other":
        files.append(draw(entries(path)))
    if kind == "folder":
        files.append(File(path=path, kind="folder", content="", mode=0))
        names = draw(st.lists(paths, min_size=1, max_size=5, unique=True))
        files += [draw(entries(f"{path}/{name}")) for name in names]
    return files


@st.composite
def calls(draw: st.DrawFn, drivers: list[str]) -> Call:
    driver = draw(st.sampled_from(drivers))
    return Call(
        do="call",
        driver=driver,
        object=draw(st.sampled_from(OBJECTS)),
        op=draw(st.sampled_from(OPERATIONS[driver])),
        subop=draw(st.sampled_from(SUBOPERATIONS)),
        extra=draw(st.sampled_from(["-", "shutdown", "from snapshot", "", "SIGHUP"])),
        payload=draw(st.sampled_from([DOMAIN, DOMAIN, "", "<x/>", "Z\xc3\xbcrich", None])),
        with_output=draw(st.booleans()),
    )


@st.composite
def changed(draw: st.DrawFn, present: dict[str, File], drivers: list[str]) -> Action:
    """A call, a scan, or a change of the folder as it then is."""
    kind = draw(st.sampled_from(["call"] * 7 + ["scan", "add", "remove"]))
    if kind == "call":
        return draw(calls(drivers))
    if kind == "remove" and present:
        path = draw(st.sampled_from(sorted(present)))
        for gone in [other for other in present if other == path or other.startswith(f"{path}/")]:
            del present[gone]
        return Remove(do="remove", path=path)
    folders = [path for path, file in present.items() if file["kind"] == "folder" and "/" not in path]
    if kind == "add" and folders:
        path = f"{draw(st.sampled_from(folders))}/{draw(paths)}"
        if path not in present:
            present[path] = draw(entries(path))
            return Add(do="add", file=present[path])
    return Scan(do="scan")


environs = st.fixed_dictionaries(
    {},
    optional={
        "PATH": st.sampled_from(["/usr/bin:/bin", "/bin:/odd $path;'s"]),
        "HOME": st.sampled_from(["/root", "/", ""]),
        "USER": st.sampled_from(["root", "o'brien"]),
        "LOGNAME": st.sampled_from(["root", "Zoë"]),
        "TMPDIR": st.sampled_from(["/tmp", '/var/a "b"']),
        "LD_LIBRARY_PATH": st.just("/nonexistent"),
        "LD_PRELOAD": st.just(""),
    },
)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    drivers = draw(st.lists(st.sampled_from(sorted(OPERATIONS)), min_size=1, max_size=2, unique=True))
    files = [file for driver in {"qemu": 1, **dict.fromkeys(drivers)} for file in draw(folders_of(driver))]
    present = {file["path"]: file for file in files}
    actions = [draw(changed(present, ["qemu", "qemu", *drivers])) for _ in range(draw(st.integers(1, 5)))]
    return Request(files=files, environ=draw(environs), actions=actions)
