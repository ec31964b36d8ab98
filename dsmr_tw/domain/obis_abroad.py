"""Responsible for the rows of THE table that only meters of other countries print.

Data, no logic, in the form of ``obis.py``, whose words hold here, too.
Most are quantities that a person may look up with ``dsmr parse``, and that nothing is computed from.
What matters to the account: registers of tariffs from 3 on, ids, and what tells one dialect from another.

Source: the Luxembourgish, Swedish and Lithuanian specifications of the port, and telegrams from the field for the rest.

Tests: ``tests/domain/test_obis.py``
"""

from __future__ import annotations

from typing import Final

from dsmr_tw.domain.obis import Kind, Register

_M, _N, _C, _T = Kind.MEASURED, Kind.NUMBER, Kind.COUNT, Kind.TEXT

TARIFFS: Final = range(3, 16)
"""The tariffs beyond the usual two that a meter may have a register of."""


def _each_phase(codes: str, name: str, meaning: str, unit: str | None) -> dict[str, Register]:
    """The rows of one quantity, whose three codes differ in the phase."""
    return {
        f"1-0:{code}": Register(f"{name}_l{phase}", _N, f"{meaning}, L{phase}", unit)
        for phase, code in enumerate(codes.split(), 1)
    }


def _quantities(name: str, meaning: str, unit: str, codes: str, kinds: str) -> dict[str, Register]:
    """Rows whose codes and kinds come in pairs: ``reactive_power_plus`` of ``plus``."""
    pairs = zip(codes.split(), kinds.split(), strict=True)
    return {f"1-0:{code}": Register(f"{name}_{kind}", _N, f"{meaning}, {_WORDS[kind]}", unit) for code, kind in pairs}


_WORDS: Final = {
    "to": "to the client",
    "by": "by the client",
    "both_ways": "both ways together",
    "net": "net",
    "plus": "plus",
    "minus": "minus",
    "reactive_plus": "reactive, plus",
    "reactive_minus": "reactive, minus",
    "apparent_plus": "apparent, plus",
    "apparent_minus": "apparent, minus",
    **{f"q{n}": f"quadrant {n}" for n in range(1, 5)},
}


_IDS: Final[dict[str, Register]] = {
    "0-0:96.1.4": Register("port_version", _T, "version of the P1 port, or of the meter"),
    "0-0:96.1.0": Register("serial", Kind.SERIAL, "serial number"),
    "0-0:96.1.255": Register("nameplate", Kind.SERIAL, "serial number"),
    "0-0:0.0.0": Register("device_address", Kind.SERIAL, "number of the device"),
    "1-0:0.0.0": Register("owners_number", Kind.SERIAL, "number that its owner gave it"),
    "0-0:96.1.2": Register("ean", _T, "code of the connection"),
    "0-0:1.1.0": Register("second_clock", _T, "second clock"),
    "1-0:94.32.1": Register("grid_voltage", _C, "voltage of the grid"),
    "1-0:96.5.5": Register("status", _T, "state of the meter"),
    "0-0:96.50.68": Register("breaker_text", _T, "main switch"),
    "1-0:0.2.0": Register("firmware", _T, "version of the program"),
    "1-0:0.2.8": Register("firmware_checksum", _T, "checksum of the program"),
    "1-1:0.2.0": Register("module_firmware", _T, "version of the module's program"),
    "1-1:0.2.8": Register("module_firmware_checksum", _T, "checksum of the module's program"),
    "1-0:0.4.2": Register("current_ratio", _N, "ratio of the current transformers"),
    "1-0:0.4.3": Register("voltage_ratio", _N, "ratio of the voltage transformers"),
    "1-0:0.8.2": Register("averaging_time", _T, "time that averages are of"),
    **{f"0-0:96.13.{n}": Register(f"message_{n}", _T, f"message, part {n}") for n in range(2, 6)},
}

_ENERGY: Final[dict[str, Register]] = {
    **{f"1-0:1.8.{n}": Register(f"delivered_{n}", _M, f"delivered, tariff {n}", "kWh") for n in TARIFFS},
    **{f"1-0:2.8.{n}": Register(f"returned_{n}", _M, f"returned, tariff {n}", "kWh") for n in TARIFFS},
    "1-0:15.8.0": Register("energy_both_ways", _N, "energy, both ways together", "kWh"),
    "1-0:16.8.0": Register("energy_net", _N, "energy, net", "kWh"),
    **_quantities("reactive_energy", "reactive energy", "kvarh", "3.8.0 4.8.0", "plus minus"),
    **_quantities("reactive_energy", "reactive energy", "kvarh", "5.8.0 6.8.0 7.8.0 8.8.0", "q1 q2 q3 q4"),
    **{
        f"1-0:{code}.8.{n}": Register(f"reactive_{kind}_{n}", _N, f"reactive energy, {kind}, tariff {n}", "kvarh")
        for code, kind in ((3, "plus"), (4, "minus"))
        for n in range(1, 5)
    },
}

_POWER: Final[dict[str, Register]] = {
    "1-0:15.7.0": Register("power_both_ways", _N, "power, both ways together", "kW"),
    "1-0:16.7.0": Register("power_net", _N, "power, net", "kW"),
    **_quantities("reactive_power", "reactive power", "kvar", "3.7.0 4.7.0", "plus minus"),
    **_quantities("reactive_power", "reactive power", "kvar", "5.7.0 6.7.0 7.7.0 8.7.0", "q1 q2 q3 q4"),
    **_each_phase("23.7.0 43.7.0 63.7.0", "reactive_plus", "reactive power, plus", "kvar"),
    **_each_phase("24.7.0 44.7.0 64.7.0", "reactive_minus", "reactive power, minus", "kvar"),
    **_quantities("apparent_power", "apparent power", "kVA", "9.7.0 10.7.0", "plus minus"),
    **_each_phase("29.7.0 49.7.0 69.7.0", "apparent_plus", "apparent power, plus", "kVA"),
    **_each_phase("30.7.0 50.7.0 70.7.0", "apparent_minus", "apparent power, minus", "kVA"),
    **_quantities("average_power", "average power", "kW", "1.24.0 2.24.0 15.24.0 16.24.0", "to by both_ways net"),
    **_quantities("demand", "demand now", "kW", "1.4.0 2.4.0", "to by"),
    **_quantities("demand", "demand now", "kvar", "3.4.0 4.4.0", "reactive_plus reactive_minus"),
    **_quantities("demand", "demand now", "kVA", "9.4.0 10.4.0", "apparent_plus apparent_minus"),
    **_quantities("last_demand", "last demand", "kW", "1.5.0 2.5.0", "to by"),
    **_quantities("last_demand", "last demand", "kvar", "3.5.0 4.5.0", "reactive_plus reactive_minus"),
    **_quantities("last_demand", "last demand", "kVA", "9.5.0 10.5.0", "apparent_plus apparent_minus"),
    "1-0:1.6.0": Register("peak", Kind.PEAK, "highest quarter of this month"),
    "0-0:98.1.0": Register("peaks", Kind.PEAKS, "past months"),
}

_GRID: Final[dict[str, Register]] = {
    "1-0:12.7.0": Register("voltage_any", _N, "voltage, any phase", "V"),
    "1-0:11.7.0": Register("current_any", _N, "current, any phase", "A"),
    "1-0:90.7.0": Register("current_sum", _N, "current, all phases", "A"),
    "1-0:91.7.0": Register("current_neutral", _N, "current, neutral", "A"),
    **_each_phase("32.24.0 52.24.0 72.24.0", "average_voltage", "average voltage", "V"),
    "1-0:13.7.0": Register("power_factor", _N, "power factor"),
    "1-0:13.3.0": Register("least_power_factor", _N, "least power factor"),
    **_each_phase("33.7.0 53.7.0 73.7.0", "power_factor", "power factor", None),
    "1-0:14.7.0": Register("frequency", _N, "frequency", "Hz"),
    **_each_phase("31.4.0 51.4.0 71.4.0", "fuse", "limit of the current", "A"),
    "1-1:31.4.0": Register("fuses", Kind.CURRENTS, "limits of the current, to and by the client"),
    "1-1:34.4.0": Register("fuses_by_the_text", Kind.CURRENTS, "limits of the current, to and by the client"),
    **_each_phase("32.34.0 52.34.0 72.34.0", "sag_voltage", "voltage of sags", "V"),
    **_each_phase("32.38.0 52.38.0 72.38.0", "swell_voltage", "voltage of swells", "V"),
    **{
        f"1-0:{phase}2.{code}.0": Register(f"{name}_l{number}", _T, f"{meaning}, L{number}")
        for number, phase in enumerate("357", 1)
        for code, name, meaning in ((33, "sag_time", "time of voltage sags"), (37, "swell_time", "time of swells"))
    },
}

ABROAD: Final[dict[str, Register]] = {**_IDS, **_ENERGY, **_POWER, **_GRID}
"""What such meters say about themselves and about electricity."""
