"""Telegrams for tests, as text: made up line by line, with the CRC that belongs to them."""

from __future__ import annotations

from fastcrc.crc16 import arc

LINES = (
    "1-3:0.2.8(50)",
    "0-0:1.0.0({clock})",
    "0-0:96.1.1(4530303030303030303030303030303031)",
    "1-0:1.8.1({delivered}*kWh)",
    "1-0:1.8.2(002000.000*kWh)",
    "1-0:2.8.1(000003.000*kWh)",
    "1-0:2.8.2(000004.000*kWh)",
    "0-0:96.14.0(0002)",
    "1-0:1.7.0(00.321*kW)",
    "1-0:2.7.0(00.000*kW)",
    "0-0:96.7.21(00005)",
    "0-0:96.7.9(00002)",
    "1-0:32.32.0(00001)",
    "1-0:32.36.0(00004)",
    "1-0:32.7.0(229.0*V)",
    "1-0:31.7.0(001*A)",
    "1-0:21.7.0(00.321*kW)",
    "1-0:22.7.0(00.000*kW)",
    "0-1:24.1.0(003)",
    "0-1:96.1.0(4730303030303030303030303030303031)",
    "0-1:24.2.1({gas_clock})({gas}*m3)",
)


def telegram(
    clock: str = "240402115950S",
    delivered: str = "001000.000",
    gas_clock: str = "240402115500S",
    gas: str = "00500.000",
    without: str | None = None,
) -> str:
    """A DSMR 5 telegram of 11:59:50 on 2024-04-02, local time; ``without`` leaves the lines with that code out."""
    lines = [line for line in LINES if without is None or not line.startswith(without)]
    body = "\r\n".join(("/TST5\\a made up meter", "", *lines, "!")).format(
        clock=clock, delivered=delivered, gas_clock=gas_clock, gas=gas
    )
    return signed(body)


def signed(body: str) -> str:
    """The text from ``/`` to ``!`` with its CRC and the end of the line."""
    return f"{body}{arc(body.encode('latin-1')):04X}\r\n"
