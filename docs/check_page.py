"""The page about ``hooking check``, with how much of a corpus of bad hooks it finds."""

from __future__ import annotations

import runpy
from pathlib import Path

PAGE = """# hooking check

```console
$ hooking check ./pin.py --point before_vm_start
```

It tells what would go wrong with hook scripts, before it does; it exits with 0 if it found nothing, and with 1 if it
did. Python and shell scripts are read: what stands in comments, texts and here-documents is no finding, and for which
operations a line runs is followed through `if`, `case` and functions.

Then each script is started on a simulated host, at each of its hook points, for a guest that it knows nothing of.
Programs that change hosts (`systemctl`, `modprobe`, `ip`, …) do nothing there when they are found by `PATH`; whatever
else a script does happens to this machine, so check a script that you do not trust with `--no-run`.

Where a script is called is told by `--point`, by its place as on a host (`qemu`, `qemu.d/…`, `before_vm_start/…`), by
its handlers, or by what it reads; else it is taken for a libvirt hook of QEMU guests. `--json` is for programs.

## What each finding means

This table is made from the code by `make docs`.

{table}
## How much it finds

Hooks with one fault each, and hooks without any, were written by somebody who had not seen these rules. Rules were then
made better by what they missed of the first part. Of the second part nobody who made them read a script; only how many
faults of each class were missed was looked at. `test_each_fault_that_is_missed_by_reading_is_a_known_one` names each
fault of the first part that is missed.

{measured}
- *found*: by reading, with `--no-run`, at its line or the next.
- *in the trial only*: by starting the script, in a sandbox.
- *besides*: bad hooks of which something else was found too; nobody looked whether it is there.
- *false alarms*: good hooks of which something was found, by reading or in the trial.

No rule looks for {unfound}: only who wrote the hook knows what it should undo, or what else is in the document.
Neither can be seen whether `|| true` throws away a policy or an annoyance, nor whether a name in a path is that of a
guest. What only some guests bring about, as a status under `set -e`, shows in the trial at best.
"""


def render(table: str) -> str:
    """Return the page.

    Args:
        table: All that can be found.
    """
    corpus = runpy.run_path(str(Path(__file__).parent.parent / "tests" / "corpus.py"))
    unfound = ", ".join(slug.replace("-", " ") for slug, codes in corpus["CODES"].items() if not codes)
    return PAGE.format(table=table, measured=corpus["table"](), unfound=unfound)
