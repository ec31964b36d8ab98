-- The ledger as it is computed. Its tables were there before, empty but for marks: what they hold is derived anew.

DROP TABLE dirty_quarter;
DROP TABLE quarter;
DROP TABLE device_quarter;
DROP TABLE epoch;
DROP TABLE outlier;
DROP TABLE hour_statistics;
DROP TABLE day_statistics;
DROP TABLE ledger_edit;
DROP TABLE contract;

-- "Compute again around this quarter." Written in the transaction of the readings, claimed = 0. Who computes first sets
-- claimed = 1, then reads, and deletes what it claimed together with writing the rows: a mark made meanwhile is another
-- row, and stays.
CREATE TABLE dirty_quarter (
    meter_id INTEGER NOT NULL,
    instant INTEGER NOT NULL,
    claimed INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (meter_id, instant, claimed)
) WITHOUT ROWID;

-- How often rows of a meter's ledger were written: rows computed from an older state are not written over newer ones.
CREATE TABLE ledger_state (
    meter_id INTEGER PRIMARY KEY,
    version INTEGER NOT NULL
);

-- How the ledger is computed: max_power_w.
CREATE TABLE ledger_setting (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;

-- Positions are those at the start of the quarter. first_at and last_at are its first and last accepted reading.
CREATE TABLE quarter (
    meter_id INTEGER NOT NULL,
    instant INTEGER NOT NULL,
    delivered_1 INTEGER NOT NULL,
    returned_1 INTEGER NOT NULL,
    delivered_2 INTEGER NOT NULL,
    returned_2 INTEGER NOT NULL,
    delivered_1_position INTEGER NOT NULL,
    returned_1_position INTEGER NOT NULL,
    delivered_2_position INTEGER NOT NULL,
    returned_2_position INTEGER NOT NULL,
    lowest_power INTEGER,
    highest_power INTEGER,
    start_estimated INTEGER NOT NULL,
    end_estimated INTEGER NOT NULL,
    first_at INTEGER,
    last_at INTEGER,
    PRIMARY KEY (meter_id, instant)
) WITHOUT ROWID;

CREATE TABLE device_quarter (
    meter_id INTEGER NOT NULL,
    equipment_id INTEGER NOT NULL,
    instant INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    position INTEGER NOT NULL,
    start_estimated INTEGER NOT NULL,
    end_estimated INTEGER NOT NULL,
    first_at INTEGER,
    last_at INTEGER,
    PRIMARY KEY (meter_id, equipment_id, instant)
) WITHOUT ROWID;

-- Derived, replaced together with the quarters of the same piece. equipment_id 0: the meter's electricity.
CREATE TABLE epoch (
    meter_id INTEGER NOT NULL,
    equipment_id INTEGER NOT NULL,
    instant INTEGER NOT NULL,
    reading_id INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (meter_id, equipment_id, instant, reading_id)
) WITHOUT ROWID;

CREATE TABLE outlier (
    meter_id INTEGER NOT NULL,
    equipment_id INTEGER NOT NULL,
    instant INTEGER NOT NULL,
    reading_id INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (meter_id, equipment_id, instant, reading_id)
) WITHOUT ROWID;

-- A row appears when its span is closed.
CREATE TABLE hour_statistics (
    meter_id INTEGER NOT NULL,
    instant INTEGER NOT NULL,
    delivered_1 INTEGER NOT NULL,
    returned_1 INTEGER NOT NULL,
    delivered_2 INTEGER NOT NULL,
    returned_2 INTEGER NOT NULL,
    gas INTEGER,
    estimated INTEGER NOT NULL,
    gas_estimated INTEGER NOT NULL,
    PRIMARY KEY (meter_id, instant)
) WITHOUT ROWID;

-- first_reading_at and the positions: the first accepted reading of the day, as the meter printed it.
CREATE TABLE day_statistics (
    meter_id INTEGER NOT NULL,
    instant INTEGER NOT NULL,
    end_at INTEGER NOT NULL,
    delivered_1 INTEGER NOT NULL,
    returned_1 INTEGER NOT NULL,
    delivered_2 INTEGER NOT NULL,
    returned_2 INTEGER NOT NULL,
    gas INTEGER,
    estimated INTEGER NOT NULL,
    gas_estimated INTEGER NOT NULL,
    first_reading_at INTEGER,
    delivered_1_position INTEGER,
    returned_1_position INTEGER,
    delivered_2_position INTEGER,
    returned_2_position INTEGER,
    first_gas_at INTEGER,
    gas_position INTEGER,
    PRIMARY KEY (meter_id, instant)
) WITHOUT ROWID;

-- How many rows of quarter (minutes = 15) and hour_statistics (minutes = 60) lie in a day, UTC. Kept by whoever writes
-- them, in the same transaction: it makes the count of a list, and any offset in it, exact and cheap.
CREATE TABLE row_count (
    meter_id INTEGER NOT NULL,
    minutes INTEGER NOT NULL,
    instant INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    PRIMARY KEY (meter_id, minutes, instant)
) WITHOUT ROWID;

-- The id of a contract that was removed is not given to another one: clients know contracts by it.
CREATE TABLE contract (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    meter_id INTEGER NOT NULL REFERENCES meter (id),
    start_day INTEGER NOT NULL,               -- days since 1970, local
    end_day INTEGER,                          -- included; NULL: open
    description TEXT NOT NULL,
    delivered_1_price INTEGER NOT NULL,       -- per kWh
    delivered_2_price INTEGER NOT NULL,
    returned_1_price INTEGER NOT NULL,
    returned_2_price INTEGER NOT NULL,
    gas_price INTEGER NOT NULL,               -- per m3
    fixed_daily_cost INTEGER NOT NULL
);

-- A person's join or split: input, which a rebuild keeps. equipment_id 0: the meter's electricity. instant: where an
-- epoch is split or joined. Of meters, other_meter_id is the number of the account that was joined or split off.
CREATE TABLE ledger_edit (
    id INTEGER PRIMARY KEY,
    meter_id INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('join epochs', 'split epochs', 'join meters', 'split meters')),
    equipment_id INTEGER NOT NULL DEFAULT 0,
    other_meter_id INTEGER,
    instant INTEGER,
    made_at INTEGER NOT NULL
);
CREATE INDEX ledger_edit_by_meter ON ledger_edit (meter_id, kind);

-- What was stored before is computed now: every quarter of an hour that holds readings.
INSERT INTO dirty_quarter (meter_id, instant, claimed)
SELECT meter_id, instant + step * 900000000, 0
FROM reading_count CROSS JOIN (SELECT 0 AS step UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3)
WHERE hours = 1 AND instant >= 946684800000000;
INSERT OR IGNORE INTO dirty_quarter (meter_id, instant, claimed)
SELECT DISTINCT meter_id, instant - instant % 900000000, 0 FROM device_reading WHERE instant >= 946684800000000;
