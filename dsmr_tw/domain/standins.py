"""Responsible for made-up ids: for each real one a stand-in of the same length and form.

A real id has the same one wherever it is printed.
A digit stands for a digit, a letter for a letter, hex octets for hex octets, and what looks like an id still does.
No stand-in is a real id, or has one in it; they are numbered as they are asked for, so that nothing of a real id can be
computed back.

Tests: ``tests/domain/test_mask.py``
"""

from __future__ import annotations

import math
import re
import string
from collections.abc import Sequence
from typing import Final

from attrs import define, field, frozen

from dsmr_tw.domain.line import equipment_id

_LONG: Final = 8
"""Characters of an id that is looked for everywhere; a shorter one may be there by chance."""

_LEAST: Final = 3
"""Digits and letters of what can be an id at all."""

_LETTERS: Final = "XYZABCDEFGHIJKLMNOPQRSTUVW"
"""Begins with none that is a hex digit: a stand-in shall not look like octets where the id does not."""

_ENOUGH: Final = 100
"""More than the numbers whose text would be one filler throughout."""


@frozen
class _Spelling:
    """How an id is printed."""

    text: str
    """What it says."""

    is_hex: bool
    """Whether it is printed as the hex octets of what it says."""

    is_upper: bool
    """Whether these are in capitals."""

    @classmethod
    def of(cls, printed: bytes) -> _Spelling:
        text = printed.decode("latin-1")
        try:
            spelled = bytes.fromhex(text).decode("ascii")
        except ValueError:
            spelled = ""
        if len(spelled) * 2 == len(text) and spelled and spelled.isprintable():
            return cls(spelled, True, text == text.upper())
        return cls(text, False, True)

    def printed(self, text: str) -> bytes:
        """Another text, printed like this one."""
        if not self.is_hex:
            return text.encode("latin-1")
        octets = text.encode("latin-1").hex()
        return (octets.upper() if self.is_upper else octets).encode()


def can_be_id(printed: bytes) -> bool:
    """Whether what is printed can be an id at all; what is masked already, or one filler throughout, can't."""
    text = _Spelling.of(printed).text
    if set(text) <= set(string.hexdigits) and equipment_id(text) is None:
        return False
    return len(set(text)) > 1 and sum(character.isalnum() for character in text) >= _LEAST


@define
class StandIns:
    """Made-up ids for real ones."""

    ids: Sequence[bytes]
    """The real ones, as they are printed."""

    _of: dict[str, str] = field(factory=dict, init=False)
    """By what the id says."""
    _everywhere: dict[bytes, bytes] = field(factory=dict, init=False)
    """Long ids in all spellings."""
    _any: re.Pattern[bytes] = field(init=False)
    """Finds them, the longest first."""

    def __attrs_post_init__(self) -> None:
        spellings = list(dict.fromkeys(_Spelling.of(printed) for printed in self.ids))
        real = {spelling.text for spelling in spellings}
        for spelling in spellings:
            text = spelling.text
            if text in self._of:
                continue
            made = self._of[text] = _made_up(spelling, len(self._of) + 1, real | set(self._of.values()))
            octets = text.encode("latin-1").hex(), made.encode("latin-1").hex()
            for old, new in ((text, made), octets, (octets[0].upper(), octets[1].upper())):
                if len(old) >= _LONG:
                    self._everywhere[old.encode("latin-1")] = new.encode("latin-1")
        longest = sorted(self._everywhere, key=len, reverse=True)
        self._any = re.compile(b"|".join(map(re.escape, longest)) or b"(?!)")

    def instead_of(self, printed: bytes) -> bytes:
        """The stand-in of what is printed as an id, if it is one."""
        spelling = _Spelling.of(printed)
        made = self._of.get(spelling.text)
        return printed if made is None else spelling.printed(made)

    def in_place(self, line: bytes) -> bytes:
        """A line of anything, with stand-ins for the ids that happen to stand in it."""
        return self._any.sub(lambda found: self._everywhere[found[0]], line)


def _made_up(spelling: _Spelling, number: int, taken: set[str]) -> str:
    """The first text from ``number`` on that has the form of the id, and is an id where that is one.

    Where all that have its form are taken, it is so many X.
    """
    text = spelling.text
    alphabets = [_alphabet(character, set(text) <= set(string.hexdigits)) for character in text]
    is_none = equipment_id(spelling.printed(text).decode("latin-1")) is None
    for tried in range(number, number + min(math.prod(map(len, alphabets)), len(taken) + _ENOUGH)):
        made = _numbered(alphabets, tried)
        is_free = made not in taken and not any(one in made for one in taken if len(one) >= _LONG)
        if is_free and (equipment_id(spelling.printed(made).decode("latin-1")) is None) == is_none:
            return made
    return "X" * len(text)


def _alphabet(character: str, is_hex: bool) -> str:
    """What may stand in the place of a character."""
    if character in string.digits:
        return string.digits
    if character in string.ascii_uppercase:
        return "ABCDEF" if is_hex else _LETTERS
    if character in string.ascii_lowercase:
        return "abcdef" if is_hex else _LETTERS.lower()
    return "X" if character.isalnum() else character


def _numbered(alphabets: Sequence[str], number: int) -> str:
    """The number, written with an alphabet for each place."""
    made = []
    for alphabet in reversed(alphabets):
        number, place = divmod(number, len(alphabet))
        made.append(alphabet[place])
    return "".join(reversed(made))
