"""Scripts in Python as trees, without running them."""

from __future__ import annotations

import ast
import warnings


def syntax_tree(data: bytes) -> ast.Module:
    """Parse a Python script without a word of what is old in it.

    Raises:
        SyntaxError: It is no Python.
        ValueError: It has bytes that no script has.
        RecursionError: It is too deeply nested.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(data)
        except MemoryError as error:  # Python's word for it before 3.13, where the parser gives up
            raise RecursionError("too deeply nested") from error
