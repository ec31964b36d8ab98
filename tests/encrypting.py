"""Responsible for encrypted frames, made as a meter makes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from dsmr_tw.decrypt import Keys

LUXEMBOURG: Final = Keys(bytes.fromhex("4475D2230289243A4AE7732E2396C572"))
"""A key of a meter there; the authentication key is the public one."""

AUSTRIA: Final = Keys(bytes(range(16)), bytes(range(100, 116)))
"""Both keys are the meter's own."""

SAGEMCOM: Final = b"SAGgp\x00\x01\x02"
"""How a meter calls itself."""


def two_bytes(length: int) -> bytes:
    """A length as all meters write it that are known."""
    return b"\x82" + length.to_bytes(2)


def fewest_bytes(length: int) -> bytes:
    """A length as short as it can be written."""
    return bytes([length]) if length < 128 else b"\x81" + bytes([length]) if length < 256 else two_bytes(length)


def encrypted(
    plain: bytes,
    counter: int,
    keys: Keys = LUXEMBOURG,
    title: bytes = SAGEMCOM,
    written: Callable[[int], bytes] = two_bytes,
) -> bytes:
    """The frame that holds ``plain``."""
    numbered = counter.to_bytes(4)
    sealed = AESGCM(keys.key).encrypt(title + numbered, plain, b"\x30" + keys.authentication_key)
    # The package makes tags of 16 bytes; the first 12 of them are what a meter prints.
    body = b"\x30" + numbered + sealed[:-4]
    return b"\xdb" + bytes([len(title)]) + title + written(len(body)) + body
