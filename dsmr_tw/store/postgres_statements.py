"""Responsible for the statements that write a batch of arrivals to PostgreSQL.

Rows travel as JSON, one parameter for a whole list of them.  Everything is written in the order of its keys, so that
of two programs that write at the same time one waits for the other at most, and never both.

Tests: ``tests/store/test_postgres_store.py``
"""

from __future__ import annotations

from typing import Final

from dsmr_tw.domain.reading import DAY, HOUR, MINUTE
from dsmr_tw.store.facts import HIGHER

ALL: Final = 0x44_53_4D_01
"""The lock of everybody who writes readings (shared) or changes what is stored of them (alone)."""

CHANNEL: Final = "dsmr_stored"
"""Where it is told which meters' readings were stored."""

CHANGES: Final = "accounts, readings, CAST(extract(epoch FROM pg_postmaster_start_time()) * 1000000 AS bigint)"
"""What ``changed`` counts, and since when this server runs: another one may lack what the last one had committed."""

BEGIN: Final = f"""
    SELECT pg_advisory_xact_lock_shared(%s, 0);
    SELECT {CHANGES}, ARRAY(SELECT nextval('reading_id') FROM generate_series(1, %s)),
        ARRAY(SELECT nextval('device_reading_id') FROM generate_series(1, %s))
    FROM changed"""

DEVICE_ROWS: Final = """json_to_recordset(%s) AS g (
    meter_id integer, equipment_id integer, instant bigint, id bigint, received_after bigint, value bigint)"""

PUT_DEVICES: Final = f"""
    INSERT INTO device_reading (meter_id, equipment_id, instant, id, received_after, value)
    SELECT meter_id, equipment_id, instant, id, received_after, value FROM {DEVICE_ROWS}
    ORDER BY meter_id, equipment_id, instant, value ON CONFLICT DO NOTHING RETURNING id"""

FIND_DEVICES: Final = f"""
    SELECT g.id, d.id FROM {DEVICE_ROWS} JOIN device_reading AS d ON d.meter_id = g.meter_id
    AND d.equipment_id = g.equipment_id AND d.instant = g.instant AND d.value = g.value"""

READING_ROWS: Final = """json_to_recordset(%s) AS g (
    meter_id integer, instant bigint, id bigint, received_after bigint, equipment_id integer, delivered_1 bigint,
    returned_1 bigint, delivered_2 bigint, returned_2 bigint, power bigint, phases text, gas_id bigint)"""

PUT_READINGS: Final = f"""
    INSERT INTO reading (meter_id, instant, id, received_after, equipment_id, delivered_1, returned_1, delivered_2,
        returned_2, power, phases, gas_id)
    SELECT meter_id, instant, id, received_after, equipment_id, delivered_1, returned_1, delivered_2,
        returned_2, power, decode(phases, 'hex'), gas_id FROM {READING_ROWS}
    ORDER BY meter_id, instant, id ON CONFLICT DO NOTHING RETURNING id"""

FIND_READINGS: Final = f"""
    SELECT g.id, r.id FROM {READING_ROWS} JOIN reading AS r ON r.meter_id = g.meter_id AND r.instant = g.instant
    AND r.delivered_1 = g.delivered_1 AND r.returned_1 = g.returned_1
    AND r.delivered_2 = g.delivered_2 AND r.returned_2 = g.returned_2 AND r.power = g.power
    AND r.phases IS NOT DISTINCT FROM decode(g.phases, 'hex') AND r.gas_id IS NOT DISTINCT FROM g.gas_id"""

COUNT: Final = """
    INSERT INTO reading_count (meter_id, hours, instant, readings)
    SELECT meter_id, hours, instant, readings FROM json_to_recordset(%s)
        AS g (meter_id integer, hours integer, instant bigint, readings bigint)
    ORDER BY meter_id, hours, instant
    ON CONFLICT (meter_id, hours, instant) DO UPDATE SET readings = reading_count.readings + excluded.readings"""

COUNT_MINUTES: Final = f"""
    UPDATE reading_count AS c SET minutes = (
        SELECT count(DISTINCT (r.instant - c.instant) / {MINUTE}) FROM reading AS r
        WHERE r.meter_id = c.meter_id AND r.instant >= c.instant AND r.instant < c.instant + {HOUR})
    FROM json_to_recordset(%s) AS g (meter_id integer, instant bigint)
    WHERE c.meter_id = g.meter_id AND c.hours = 1 AND c.instant = g.instant"""

COUNT_DAYS: Final = f"""
    UPDATE reading_count AS c SET minutes = (
        SELECT sum(h.minutes) FROM reading_count AS h
        WHERE h.meter_id = c.meter_id AND h.hours = 1 AND h.instant >= c.instant AND h.instant < c.instant + {DAY})
    FROM json_to_recordset(%s) AS g (meter_id integer, instant bigint)
    WHERE c.meter_id = g.meter_id AND c.hours = 24 AND c.instant = g.instant"""

COUNT_DEVICES: Final = """
    INSERT INTO device_reading_count (meter_id, device_type, instant, readings)
    SELECT meter_id, device_type, instant, readings FROM json_to_recordset(%s)
        AS g (meter_id integer, device_type integer, instant bigint, readings bigint)
    ORDER BY meter_id, device_type, instant
    ON CONFLICT (meter_id, device_type, instant)
    DO UPDATE SET readings = device_reading_count.readings + excluded.readings"""

COUNT_EQUIPMENT: Final = """
    INSERT INTO equipment_reading_count (meter_id, equipment_id, instant, readings)
    SELECT meter_id, equipment_id, instant, readings FROM json_to_recordset(%s)
        AS g (meter_id integer, equipment_id integer, instant bigint, readings bigint)
    ORDER BY meter_id, equipment_id, instant
    ON CONFLICT (meter_id, equipment_id, instant)
    DO UPDATE SET readings = equipment_reading_count.readings + excluded.readings"""

PUT_PEAKS: Final = f"""
    INSERT INTO peak (meter_id, instant, quarter_at, power)
    SELECT DISTINCT ON (meter_id, instant) meter_id, instant, quarter_at, power FROM json_to_recordset(%s)
        AS g (meter_id integer, instant bigint, quarter_at bigint, power bigint)
    ORDER BY meter_id, instant, power DESC, quarter_at {HIGHER}"""

PUT_EVENTS: Final = """
    INSERT INTO event (meter_id, instant, kind, seconds)
    SELECT meter_id, instant, kind, seconds FROM json_to_recordset(%s)
        AS g (meter_id integer, instant bigint, kind text, seconds integer)
    ORDER BY meter_id, instant, kind ON CONFLICT DO NOTHING"""

MARK: Final = """
    INSERT INTO dirty_quarter (meter_id, instant)
    SELECT meter_id, instant FROM json_to_recordset(%s) AS g (meter_id integer, instant bigint)"""

TOLD: Final = (
    *("last_seen_at", "received_at", "instant", "dsmr_version", "tariff", "power_failures", "long_power_failures"),
    *("voltage_sags_l1", "voltage_sags_l2", "voltage_sags_l3"),
    *("voltage_swells_l1", "voltage_swells_l2", "voltage_swells_l3", "latest_telegram"),
)
"""What a telegram says of its meter, as ``meter_statistics`` has it."""

TEXTS: Final = ("dsmr_version", "latest_telegram")

TELL: Final = f"""
    INSERT INTO meter_statistics AS s (meter_id, {", ".join(TOLD)})
    SELECT meter_id, {", ".join(TOLD)} FROM json_to_recordset(%s) AS g (
        meter_id integer, {", ".join(f"{name} {'text' if name in TEXTS else 'bigint'}" for name in TOLD)})
    ORDER BY meter_id
    ON CONFLICT (meter_id) DO UPDATE SET
        last_seen_at = greatest(s.last_seen_at, excluded.last_seen_at),
        {", ".join(f"{name} = excluded.{name}" for name in TOLD[1:])}
    WHERE s.received_at IS NULL OR s.received_at <= excluded.received_at OR s.received_at > %s"""

SEE: Final = """
    INSERT INTO meter_statistics AS s (meter_id, last_seen_at)
    SELECT meter_id, last_seen_at FROM json_to_recordset(%s) AS g (meter_id integer, last_seen_at bigint)
    ORDER BY meter_id
    ON CONFLICT (meter_id) DO UPDATE SET last_seen_at = greatest(s.last_seen_at, excluded.last_seen_at)"""

NOTIFY: Final = "SELECT pg_notify(%s, %s)"

HEAR: Final = """
    UPDATE equipment AS e SET last_seen_at = g.last_seen_at
    FROM json_to_recordset(%s) AS g (id integer, last_seen_at bigint)
    WHERE e.id = g.id AND e.last_seen_at < g.last_seen_at"""
