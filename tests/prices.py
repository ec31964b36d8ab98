"""Contracts for tests: what a test does not name is what a usual supplier would charge."""

from __future__ import annotations

from datetime import date
from typing import Any

from dsmr_tw.domain.contract import Contract


def contract(**values: Any) -> Contract:
    """A contract, not stored yet, that holds from the beginning of 2024 on."""
    usual: dict[str, Any] = {
        "id": 0,
        "meter_id": 1,
        "start": date(2024, 1, 1),
        "end": None,
        "description": "Green & Co",
        "delivered_1_price": 250_000,
        "delivered_2_price": 300_000,
        "returned_1_price": 90_000,
        "returned_2_price": 110_000,
        "gas_price": 1_250_000,
        "fixed_daily_cost": 400_000,
    }
    return Contract(**{**usual, **values})
