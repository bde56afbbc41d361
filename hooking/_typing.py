"""`typing.Generic` without `typing`, whose import takes as long as a small hook."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Generic, TypeVar

    T = TypeVar("T")
else:
    T = None

    class Generic:
        """A base class that may be subscripted."""

        __slots__ = ()

        def __class_getitem__(cls, _):
            return cls


__all__ = ["Generic", "T"]
