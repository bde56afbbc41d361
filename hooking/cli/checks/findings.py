"""All that ``hooking check`` can find, as one table: what, how bad, why, and what to do."""

from __future__ import annotations

from hooking.cli.rules import Found, Rule

RULES = {
    "H101": Rule("error", "Not executable", "the host skips it without a word", "chmod 0755 {path}"),
    "H102": Rule(
        "error",
        "No first line with an interpreter",
        "the kernel cannot start it",
        "begin it with #!/usr/bin/python3 -I",
    ),
    "H103": Rule(
        "error",
        "Lines end with CR LF",
        "the interpreter, or its options, get a CR",
        "sed -i 's/\\r$//' {path}",
    ),
    "H104": Rule(
        "error",
        "The interpreter is missing",
        "the host fails with status 127",
        "name one that is installed in /usr/bin",
    ),
    "H105": Rule("error", "Python 2, or python", "hosts of today have python3 alone", "call /usr/bin/python3"),
    "H106": Rule(
        "warning",
        "An interpreter outside /usr/bin",
        "AppArmor lets libvirt start none elsewhere",
        "use /usr/bin/python3, and install packages for that",
    ),
    "H107": Rule(
        "error",
        "A VDSM hook without -I or -E",
        "VDSM's PYTHONPATH has a module hooking of its own, which wins",
        "begin it with #!/usr/bin/python3 -I",
    ),
    "H108": Rule(
        "error",
        "env with options",
        "the kernel hands env one argument, a program with a space in its name",
        "name the interpreter itself, or use env -S",
    ),
    "H109": Rule("error", "Everybody may write it", "what stands there runs as root", "chmod 0755 {path}"),
    "H110": Rule(
        "warning",
        "No host looks there",
        "a host goes by the names of scripts and folders",
        "see: hooking points",
    ),
    "H111": Rule("error", "A syntax error", "the script fails at every event", "correct it"),
    "H112": Rule("error", "Left over from Python 2", "Python 3 fails here", "write it as Python 3"),
    "H113": Rule(
        "warning",
        "A copy among the scripts",
        "the host runs every executable in the folder, copies too",
        "move it away",
    ),
    "H114": Rule(
        "warning",
        "Only bash knows this",
        "where sh is dash, as on Debian, it fails or does something else",
        "begin the script with #!/bin/bash",
    ),
    "H115": Rule(
        "note", "Too deeply nested to be read", "what is wrong with it is not told", "write it in smaller parts"
    ),
    "H201": Rule(
        "error",
        "Calling libvirt back",
        "libvirt waits for the hook, and cannot answer it",
        "read standard input, or do it later, outside the hook",
    ),
    "H202": Rule(
        "warning", "A network call without a time limit", "the host waits as long as the hook does", "give it a timeout"
    ),
    "H203": Rule(
        "error",
        "Words on standard output where it is the answer",
        "at migrate and restore the host reads it as the guest's document",
        "write to standard error, or use hooking.Hook",
    ),
    "H204": Rule(
        "error",
        "A background process that keeps the host's pipes",
        "the host waits until it ends",
        "give it >/dev/null 2>&1, or let systemd run it",
    ),
    "H205": Rule(
        "warning",
        "Reading libvirt's own files",
        "they are not what is being started, and need not be there",
        "read the document from standard input",
    ),
    "H206": Rule(
        "warning",
        "Waiting without end",
        "the host waits as long as the hook does",
        "give up after a while, or use hooking.Hook with timeout=",
    ),
    "H207": Rule(
        "error",
        "A variable that daemons lack",
        "libvirt hands on PATH and LC_ALL, and little else",
        "write the value into the script, or give a default",
    ),
    "H208": Rule("error", "A relative path", "hooks run in the folder /", "write the whole path"),
    "H209": Rule(
        "warning",
        "sudo under libvirt",
        "the hook is root already, and sudo may want a password or a terminal",
        "leave sudo out",
    ),
    "H210": Rule(
        "error",
        "Killing more than its own",
        "the hook is of the daemon's process group, and other command lines have the same words",
        "kill the process ID that was noted when it began",
    ),
    "H301": Rule(
        "warning",
        "except: that swallows",
        "it also catches SystemExit, and so the script's own exit, a refusal, and the end of time",
        "write except Exception",
    ),
    "H302": Rule("error", "No such hook point", "it is never called", "see: hooking points"),
    "H303": Rule(
        "error",
        "Nothing that this hook point can do",
        "the host ignores it there, or the hook fails",
        "do it at another one; see: hooking points",
    ),
    "H304": Rule(
        "warning",
        "A guest's name in the code",
        "the next guest needs another script",
        "use a custom property, or hooking.Hook with object=",
    ),
    "H305": Rule(
        "error",
        "Failing for guests and operations that it is not about",
        "none of them can start, and at reconnect they are killed",
        "exit 0 there",
    ),
    "H306": Rule(
        "warning",
        "Secrets in a log",
        "the documents of migrate and restore, and the environment, have passwords",
        "log names and IDs only",
    ),
    "H307": Rule(
        "error",
        "A text of the host that is taken for code",
        "guests control it, and the hook is root",
        "give a list of arguments, without shell and eval; in a shell, quote it",
    ),
    "H308": Rule(
        "error",
        "A fixed name where anybody may write",
        "another user can put a file or a link there first",
        "use /run, or mktemp",
    ),
    "H309": Rule(
        "warning",
        "The same at every operation",
        "hosts call it when guests start, stop, and at reconnect alike",
        "look at the operation, the second argument",
    ),
    "H310": Rule("error", "Nothing is run", "the script defines what it would do, and ends", "call it at the end"),
    "H311": Rule(
        "error",
        "A rule of the firewall once more at each reconnect",
        "one is removed when the guest stops, and the others stay",
        "ask with -C first",
    ),
    "H312": Rule(
        "error",
        "The document is emptied before the new one is there",
        "when the hook fails or is killed between, the guest has none",
        "write another file in the same folder and rename it, or use hooking.write_domain",
    ),
    "H313": Rule(
        "error",
        "Another name or UUID",
        "the host knows the object by them: it refuses the document, or loses the object",
        "leave them as they are",
    ),
    "H314": Rule(
        "error",
        "Deleting all below a folder whose name may be empty",
        "without it that is all below /",
        "write ${DIR:?} for it, and the shell ends there",
    ),
    "H315": Rule(
        "error",
        "Code of somebody else",
        "it runs as root, whatever it says by then",
        "install it where only root may write",
    ),
    "H401": Rule("error", "Hangs in a trial", "the host waits for ever", "end, and let nothing keep the pipes"),
    "H402": Rule(
        "error",
        "Fails in a trial for an unrelated guest",
        "guests it is not about cannot start, and at reconnect they are killed",
        "exit 0 for them",
    ),
    "H403": Rule(
        "error",
        "Answers in a trial what the host cannot use",
        "the guest does not come up",
        "write the document, or nothing",
    ),
}
"""Every finding by its code. 1xx: the file; 2xx: the host; 3xx: the logic; 4xx: what a trial showed."""


class Finding(Found):
    """One thing that is wrong with a script."""

    rules = RULES
