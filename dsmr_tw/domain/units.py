"""Responsible for the text of measured values, of prices and of costs: read and written here, and nowhere else.

Inside the house a value is an ``int`` in thousandths of its quantity's unit: Wh, W, mV, mA, dm³, MJ; a price is one in
millionths of a euro, a cost one in billionths, a temperature one in tenths of a degree Celsius.

Reading is strict: ASCII digits, a dot, a known unit of the expected quantity; no spaces, signs other than a minus, or
underscores. A printed value is kept exactly as long as thousandths can: ``*kWh`` with more than three decimals (some
German meters print seven), ``*W`` with any, are rounded down, which is what a meter does when it shows fewer digits.

Source: P1 Companion Standard 5.0.2, §6.4; the other units are those that meters in the field print.

Tests: ``tests/domain/test_units.py``
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from dsmr_tw.domain.temperature import LEAST, MOST

_FACTORS: Final[dict[bytes, tuple[str, int]]] = {
    b"kWh": ("kWh", 1000),
    b"kW": ("kW", 1000),
    b"MWh": ("kWh", 1_000_000),
    b"V": ("V", 1000),
    b"A": ("A", 1000),
    b"kwh": ("kWh", 1000),
    b"wh": ("kWh", 1),
    b"kw": ("kW", 1000),
    b"w": ("kW", 1),
    b"v": ("V", 1000),
    b"kv": ("V", 1_000_000),
    b"a": ("A", 1000),
    b"ma": ("A", 1),
    b"ka": ("A", 1_000_000),
    b"m3": ("m3", 1000),
    b"m\xb3": ("m3", 1000),
    b"m\xc2\xb3": ("m3", 1000),
    b"dm3": ("m3", 1),
    b"l": ("m3", 1),
    b"gj": ("GJ", 1000),
    b"mj": ("GJ", 1),
    b"kvarh": ("kvarh", 1000),
    b"varh": ("kvarh", 1),
    b"kvar": ("kvar", 1000),
    b"var": ("kvar", 1),
    b"kva": ("kVA", 1000),
    b"va": ("kVA", 1),
    b"hz": ("Hz", 1000),
    b"khz": ("Hz", 1_000_000),
}
"""A printed unit: its quantity's unit, and how many thousandths it is. In lower case too: some meters print ``*kw``."""

_BEHIND_THE_NUMBER: Final = re.compile(rb"[^-0-9.]|$")
"""Where a unit begins that is printed without its asterisk."""

_LONGEST: Final = 20
"""The most characters of a number."""

_LIMIT: Final = 10**12
"""What a value stays below, in thousandths: far beyond any meter, and within what a store's integers hold."""

_PRICE: Final = re.compile(r"(-?)([0-9]{1,5})(?:\.([0-9]{1,6}))?")
"""A price in euros: at most five digits before the point and six behind it."""

_CELSIUS: Final = re.compile(r"[+-]?[0-9]{1,20}(?:\.[0-9]{0,40})?(?:[eE][+-]?[0-9]{1,3})?")
"""A temperature as people and programs write it."""


def quantity(text: bytes, unit: str | None) -> tuple[int, str]:
    """A printed value in thousandths, and the unit of its quantity: ``(1073079, "kWh")`` of ``001073.079*kWh``.

    ``unit`` is what the value must be a quantity of, and what a bare number is taken for; ``None`` takes any, and the
    unit of a bare number is then ``""``.
    Raises: ``ValueError`` when the text is no such value.
    """
    number, asterisk, printed = text.partition(b"*")
    if not asterisk and (end := _BEHIND_THE_NUMBER.search(text)):
        number, printed = text[: end.start()], text[end.start() :]
    magnitude = number.removeprefix(b"-")
    whole, dot, fraction = magnitude.partition(b".")
    if not whole.isdigit() or (dot and not fraction.isdigit()) or len(magnitude) > _LONGEST:
        raise ValueError(text)
    bare = not printed and not asterisk
    known = (unit or "", 1000) if bare else _FACTORS.get(printed) or _FACTORS.get(printed.lower())
    if known is None or unit not in (None, known[0]):
        raise ValueError(text)
    found, factor = known
    value = int(whole + fraction)
    if number != magnitude:
        value = -value
    if factor != 1000 or len(fraction) != 3:
        value = value * factor // 10 ** len(fraction)
    if not -_LIMIT < value < _LIMIT:
        raise ValueError(text)
    return value, found


def whole_number(text: bytes) -> int:
    """A printed count: ``00006`` is 6.

    Raises: ``ValueError`` when the text is none.
    """
    if not text.isdigit() or len(text) > 12:
        raise ValueError(text)
    return int(text)


def price(text: str) -> int:
    """A price in millionths of a euro: ``0.251`` is 251000.

    Raises: ``ValueError`` when the text is none, or has more than six decimals: nothing is rounded.
    """
    match = _PRICE.fullmatch(text)
    if match is None:
        raise ValueError(text)
    sign, euros, fraction = match.groups()
    value = int(euros + (fraction or "").ljust(6, "0"))
    return -value if sign else value


def tenths_celsius(text: str) -> int:
    """A temperature in tenths of a degree, rounded half up: ``-7.35`` is -74.

    Raises: ``ValueError`` when the text is none, or one that no thermometer outdoors shows.
    """
    if _CELSIUS.fullmatch(text) is None:
        raise ValueError(text)
    tenths = Decimal(text).scaleb(1)
    if not LEAST <= tenths <= MOST:
        raise ValueError(text)
    return int(tenths.to_integral_value(ROUND_HALF_UP))


def celsius_text(tenths: int) -> str:
    """A temperature, tenths of a degree, with its decimal: ``-74`` is ``-7.4``."""
    return one_decimal(tenths * 100)


def three_decimals(value: int) -> str:
    """Thousandths as a decimal: ``1073079`` is ``1073.079``."""
    digits = f"{abs(value):04}"
    return f"{'-' if value < 0 else ''}{digits[:-3]}.{digits[-3:]}"


def price_text(value: int) -> str:
    """A price, millionths of a euro, with all its decimals: ``251000`` is ``0.251000``."""
    digits = f"{abs(value):07}"
    return f"{'-' if value < 0 else ''}{digits[:-6]}.{digits[-6:]}"


def cost_text(value: int) -> str:
    """A cost, billionths of a euro, in euros and cents, rounded half up: ``1295000000`` is ``1.30``."""
    cents = _half_up(abs(value), 10_000_000)
    return f"{'-' if value < 0 and cents else ''}{cents // 100}.{cents % 100:02}"


def one_decimal(value: int) -> str:
    """Thousandths as a decimal of one place, rounded half up: ``227049`` (mV) is ``227.0``."""
    tenths = _half_up(abs(value), 100)
    return f"{'-' if value < 0 and tenths else ''}{tenths // 10}.{tenths % 10}"


def whole(value: int) -> int:
    """Thousandths as an integer, rounded half up: ``2500`` (mA) is 3, ``-2500`` is -3."""
    units = _half_up(abs(value), 1000)
    return -units if value < 0 else units


def _half_up(value: int, step: int) -> int:
    return (value + step // 2) // step
