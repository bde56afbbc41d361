"""``python -m hooking`` is the ``hooking`` command."""

from __future__ import annotations

from hooking.cli import main

main()
