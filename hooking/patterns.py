"""Shell patterns for the names of guests and networks."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def matches_glob(text: str, pattern: str) -> bool:
    """Tell whether ``text`` matches a shell pattern: ``*``, ``?``, ``[a-z]``, ``[!a-z]``.

    It is `fnmatch.fnmatchcase` without `re`, which takes 4 ms to import, for a question that is asked at every event.
    """
    pieces = list(_glob_pieces(pattern))
    at = star = position = retry = 0
    while position < len(text):
        piece = pieces[at] if at < len(pieces) else ""
        if piece == "*":
            star, retry = at + 1, position
            at = star
        elif piece and _fits(text[position], piece):
            at, position = at + 1, position + 1
        elif star:
            retry += 1
            at, position = star, retry
        else:
            return False
    return all(piece == "*" for piece in pieces[at:])


def _glob_pieces(pattern: str) -> Iterator[str]:
    at = 0
    while at < len(pattern):
        end = at + 1
        if pattern[at] == "[":
            first = at + 2 if pattern[at + 1 : at + 2] == "!" else at + 1
            end = pattern.find("]", first + 1) + 1 or end
        yield pattern[at:end]
        at = end


def _fits(character: str, piece: str) -> bool:
    if piece in ("?", character):
        return True
    if len(piece) == 1:
        return False
    members = piece[1:-1]
    negated = members.startswith("!")
    members = members[negated:]
    at, found = 0, False
    while at < len(members):
        is_range = members[at + 1 : at + 2] == "-" and at + 2 < len(members)
        last = members[at + 2] if is_range else members[at]
        found = found or members[at] <= character <= last
        at += 3 if is_range else 1
    return found is not negated
