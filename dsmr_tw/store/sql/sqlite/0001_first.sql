-- Every instant is UTC, in microseconds since 1970; every measured value an integer in thousandths of the telegram's
-- unit (Wh, W, dm3, MJ); money is in millionths of a euro.
--
-- Tables that grow with time begin their key with meter_id and contain the instant, and nothing joins across meters.

-- Small tables, written only on change ------------------------------------------------------------------------------

CREATE TABLE meter (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    zone TEXT NOT NULL,
    first_seen_at INTEGER
);

-- A physical meter (device_type 0) or M-Bus device. printed_id is NULL when it is masked or missing: such a device is
-- known by its type and channel. last_seen_at lags up to a minute behind.
CREATE TABLE equipment (
    id INTEGER PRIMARY KEY,
    meter_id INTEGER NOT NULL REFERENCES meter (id),
    device_type INTEGER NOT NULL,
    printed_id TEXT,
    channel INTEGER,
    first_seen_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL
);
CREATE INDEX equipment_by_printed_id ON equipment (printed_id, device_type);
CREATE INDEX equipment_by_meter ON equipment (meter_id, device_type);

-- The meter that a cable or a key was first heard with: where its telegrams without an id belong.
CREATE TABLE origin (
    name TEXT PRIMARY KEY,
    meter_id INTEGER NOT NULL REFERENCES meter (id)
) WITHOUT ROWID;

-- The id of a revoked key is not given to another one: origins are known by it.
CREATE TABLE api_key (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    scope TEXT NOT NULL CHECK (scope IN ('read', 'write', 'admin')),
    digest BLOB NOT NULL UNIQUE,
    hint TEXT NOT NULL,
    meter_id INTEGER REFERENCES meter (id),
    created_at INTEGER NOT NULL
);

CREATE TABLE contract (
    id INTEGER PRIMARY KEY,
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

-- Interval prices.
CREATE TABLE price (
    meter_id INTEGER NOT NULL REFERENCES meter (id),
    commodity TEXT NOT NULL CHECK (commodity IN ('delivered', 'returned', 'gas')),
    instant INTEGER NOT NULL,
    end_at INTEGER NOT NULL,
    price INTEGER NOT NULL,
    PRIMARY KEY (meter_id, commodity, instant)
) WITHOUT ROWID;

CREATE TABLE temperature (
    instant INTEGER PRIMARY KEY,
    tenths_celsius INTEGER NOT NULL
);

-- A person's join or split of epochs or meters: input, which a rebuild keeps.
CREATE TABLE ledger_edit (
    id INTEGER PRIMARY KEY,
    meter_id INTEGER NOT NULL REFERENCES meter (id),
    kind TEXT NOT NULL CHECK (kind IN ('join epochs', 'split epochs', 'join meters', 'split meters')),
    equipment_id INTEGER REFERENCES equipment (id),
    other_meter_id INTEGER REFERENCES meter (id),
    instant INTEGER,
    made_at INTEGER NOT NULL
);

-- The last id given out, advanced in the transaction that uses it.
CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    last_id INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO counter VALUES ('device_reading', 0), ('reading', 0);

-- Readings ----------------------------------------------------------------------------------------------------------

-- One telegram or one v2 POST. It arrived received_after whole seconds after its instant. power is delivered positive,
-- returned negative, in W; a reading that has both has "DELIVERED,RETURNED". How phases are packed is told in
-- dsmr_tw/store/phases.py. gas_id is the device_reading that came with it.
CREATE TABLE reading (
    meter_id INTEGER NOT NULL,
    instant INTEGER NOT NULL,
    id INTEGER NOT NULL,
    received_after INTEGER NOT NULL,
    equipment_id INTEGER,
    delivered_1 INTEGER NOT NULL,
    returned_1 INTEGER NOT NULL,
    delivered_2 INTEGER NOT NULL,
    returned_2 INTEGER NOT NULL,
    power NOT NULL,
    phases,
    gas_id INTEGER,
    PRIMARY KEY (meter_id, instant, id)
) WITHOUT ROWID;

-- How many readings an hour (hours = 1) and a day (hours = 24) hold, UTC. Kept by whoever inserts or deletes readings,
-- in the same transaction: it makes counts and offsets exact and cheap.
CREATE TABLE reading_count (
    meter_id INTEGER NOT NULL,
    hours INTEGER NOT NULL,
    instant INTEGER NOT NULL,
    readings INTEGER NOT NULL,
    PRIMARY KEY (meter_id, hours, instant)
) WITHOUT ROWID;

-- One value of one M-Bus device. Of two values at one instant the first stored counts. received_after is received_at
-- less instant, as in reading: what was dated too far ahead when it came counts nowhere.
CREATE TABLE device_reading (
    meter_id INTEGER NOT NULL,
    equipment_id INTEGER NOT NULL,
    instant INTEGER NOT NULL,
    id INTEGER NOT NULL,
    received_after INTEGER NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (meter_id, equipment_id, instant, id)
) WITHOUT ROWID;
CREATE INDEX device_reading_by_id ON device_reading (meter_id, id);

-- Counters and text of the last telegram of each meter (the one received last): one row, so one page to write.
-- last_seen_at is the last arrival of anything, a v2 POST included.
CREATE TABLE meter_statistics (
    meter_id INTEGER PRIMARY KEY,
    last_seen_at INTEGER,
    received_at INTEGER,
    instant INTEGER,
    dsmr_version TEXT,
    tariff INTEGER,
    power_failures INTEGER,
    long_power_failures INTEGER,
    voltage_sags_l1 INTEGER,
    voltage_sags_l2 INTEGER,
    voltage_sags_l3 INTEGER,
    voltage_swells_l1 INTEGER,
    voltage_swells_l2 INTEGER,
    voltage_swells_l3 INTEGER,
    rejected_telegrams INTEGER NOT NULL DEFAULT 0,
    latest_telegram TEXT
);

-- The ledger --------------------------------------------------------------------------------------------------------

-- "Compute again around this quarter." Written in the transaction of the readings. Who computes must read, write and
-- delete in one transaction: a mark that stands already is not written again.
CREATE TABLE dirty_quarter (
    meter_id INTEGER NOT NULL,
    instant INTEGER NOT NULL,
    PRIMARY KEY (meter_id, instant)
) WITHOUT ROWID;

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

CREATE TABLE day_statistics (
    meter_id INTEGER NOT NULL,
    instant INTEGER NOT NULL,
    day INTEGER NOT NULL,                     -- days since 1970, local
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

-- What the meter itself dates -----------------------------------------------------------------------------------------

CREATE TABLE peak (
    meter_id INTEGER NOT NULL,
    instant INTEGER NOT NULL,                 -- end of the quarter that was highest
    month_at INTEGER NOT NULL,
    power INTEGER NOT NULL,
    PRIMARY KEY (meter_id, instant)
) WITHOUT ROWID;

CREATE TABLE event (
    meter_id INTEGER NOT NULL,
    instant INTEGER NOT NULL,                 -- its end
    kind TEXT NOT NULL CHECK (kind IN ('power failure', 'sag', 'swell')),
    seconds INTEGER,
    PRIMARY KEY (meter_id, instant, kind)
) WITHOUT ROWID;
