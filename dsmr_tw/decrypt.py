"""Responsible for decrypting telegrams, and for trusting only frames that come from the meter, each once.

A frame is genuine when its tag fits: then who printed it has the key, and no byte of it was changed or lost.
A genuine frame whose counter did not rise was here before, and is refused.
If ``FRAMES_ANEW`` such frames come in a row, each with a higher counter than the one before, the meter counts anew, as
after a power failure, and the next one is taken: better than to read nothing until its counter is where it was.
Counters are known from the start of the program on. A frame from before that, printed again, holds a reading that is
stored already.

The only module that uses the ``cryptography`` package, and so imported only where a key is given.

Source: Luxembourg's E-Meter P1 specification 1.1.3, §3.2; NIST SP 800-38D.

Tests: ``tests/test_decrypt.py``, ``tests/live/test_encrypted.py``
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from pathlib import Path
from typing import Any, Final

from attrs import define, field, frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from dsmr_tw.domain.frame import AUTHENTICATED_ENCRYPTED, Frame, FrameCutter, Opened
from dsmr_tw.errors import FrameCounterError, FrameError, FrameTagError, SettingsError, TelegramError
from dsmr_tw.serialproto import TelegramReceiver

PUBLIC_AUTHENTICATION_KEY: Final = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
"""The same for all meters of Luxembourg, and printed in their specification."""

REASONS: Final = ("tag", "counter", "length")

FRAMES_ANEW: Final = 10
"""So many frames that count from a lower number are refused before that is believed."""

_OPTION: Final = "--decryption-key-file"
_KEY_FILE_BYTES: Final = 1024
_KEY: Final = re.compile(r"[0-9A-Fa-f]{32}")
_AUTHENTICATION_KEY: Final = re.compile(r"(?:30)?([0-9A-Fa-f]{32})")


@frozen
class Keys:
    """What a meter's owner got from the grid operator; never shown."""

    key: bytes = field(repr=False)
    """16 bytes, of one meter."""

    authentication_key: bytes = field(default=PUBLIC_AUTHENTICATION_KEY, repr=False)
    """16 bytes that take part in the tag."""


def read_keys(path: Path) -> Keys:
    """The keys in a file: 32 hex digits, and perhaps a second line with the authentication key.

    Raises: ``SettingsError``, which never shows what the file holds.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_KEY_FILE_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"{_OPTION} {path} can't be read: {error.strerror}.") from error
    if stat.S_IMODE(mode) & stat.S_IRWXO:
        raise SettingsError(f"{_OPTION} {path} is open to every user of this machine; close it with: chmod o= {path}")
    lines = ["".join(line.split()) for line in content.decode("latin-1").splitlines() if line.strip()]
    matches = [form.fullmatch(line) for form, line in zip((_KEY, _AUTHENTICATION_KEY), lines, strict=False)]
    if len(content) > _KEY_FILE_BYTES or not 1 <= len(lines) <= 2 or None in matches:
        raise SettingsError(
            f"{_OPTION} {path} must hold a key of 32 hexadecimal digits on its first line, and, where the grid "
            "operator gave one, the authentication key on its second."
        )
    return Keys(*(bytes.fromhex(match[match.re.groups]) for match in matches if match))


@define(eq=False)
class Decryption:
    """The frames of one line: found, checked, decrypted, counted."""

    keys: Keys

    refused: Counter[str] = field(factory=lambda: Counter(dict.fromkeys(REASONS, 0)), init=False)
    """How many frames were refused for each of ``REASONS``."""

    _cutter: FrameCutter = field(init=False, repr=False)
    _cipher: algorithms.AES = field(init=False, repr=False)

    _last: tuple[bytes, int] = field(default=(b"", -1), init=False, repr=False)
    """Whose frame was the last genuine one, and its counter.

    Of one meter only: a meter that takes the place of another begins anew, and a line has one at a time.
    """

    _behind: tuple[int, int] = field(default=(-1, 0), init=False, repr=False)
    """The counter of the last genuine frame that was refused, and how many were in a row, each above the one before."""

    def __attrs_post_init__(self) -> None:
        self._cutter = FrameCutter(self._open)
        self._cipher = algorithms.AES(self.keys.key)

    @property
    def skipped(self) -> int:
        """Bytes that belonged to no genuine frame."""
        return self._cutter.skipped

    def take(self, data: bytes) -> list[Opened]:
        """Take bytes, cut anywhere: the telegrams that they complete, and why others are none."""
        return self._counted(self._cutter.take(data))

    def flush(self) -> list[Opened]:
        """Forget the frame under way, since the connection is at its end."""
        return self._counted(self._cutter.flush())

    def receiver(self, *arguments: Any) -> TelegramReceiver:
        """What receives a connection to a meter that encrypts; it is made as a ``TelegramReceiver`` is."""
        return EncryptedReceiver(*arguments, decryption=self)

    def _counted(self, outcomes: list[Opened]) -> list[Opened]:
        self.refused.update(outcome.reason for outcome in outcomes if isinstance(outcome, FrameError))
        return outcomes

    def _open(self, frame: Frame) -> bytes:
        """What the frame holds.

        Raises: ``FrameTagError``, ``FrameCounterError``
        """
        decryptor = Cipher(self._cipher, modes.GCM(frame.nonce, frame.tag, len(frame.tag))).decryptor()
        decryptor.authenticate_additional_data(AUTHENTICATED_ENCRYPTED + self.keys.authentication_key)
        opened = decryptor.update(frame.ciphertext)
        try:
            decryptor.finalize()
        except InvalidTag:
            # What is not genuine tells nobody anything, but for this: a telegram's beginning needs the right key.
            which = "authentication key" if opened.startswith(b"/") else "key"
            raise FrameTagError(f"Frame not genuine: damaged on its way, or the {which} is not this meter's") from None
        self._check_counter(frame)
        return opened

    def _check_counter(self, frame: Frame) -> None:
        """Remember a genuine frame.

        Raises: ``FrameCounterError`` when it was here before.
        """
        title, counter = self._last
        if frame.title == title and frame.counter <= counter:
            before, frames = self._behind
            self._behind = frame.counter, frames + 1 if frame.counter > before else 1
            if self._behind[1] <= FRAMES_ANEW:
                raise FrameCounterError(f"Frame {frame.counter} came after frame {counter}: it is a repetition")
        self._last, self._behind = (frame.title, frame.counter), (-1, 0)


@define(eq=False, slots=False)
class EncryptedReceiver(TelegramReceiver):
    """One connection to a meter that encrypts: what its frames hold goes to the assembler, line by line."""

    decryption: Decryption = field(kw_only=True)
    """Outlives the connection: a frame of an earlier one is a repetition, too."""

    def dataReceived(self, data: bytes) -> None:
        """Take bytes, cut anywhere."""
        self.note(data)
        self._take(self.decryption.take(data))

    def connectionLost(self, reason: Any = None) -> None:
        """Forget what is not complete."""
        self._take(self.decryption.flush())
        super().connectionLost(reason)

    def _take(self, opened: list[Opened]) -> None:
        for one in opened:
            if isinstance(one, FrameError):
                self._deliver([one])
                continue
            lines = one.split(b"\n")
            outcomes = [outcome for line in lines for outcome in self.assembler.line(line)]
            outcomes += self.assembler.flush()
            self._deliver(outcomes or [TelegramError("Frame decrypted, but there is no telegram in it")])
