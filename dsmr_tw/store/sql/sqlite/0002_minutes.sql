-- Two more lists whose count and pages cost the same however long they are: minutes, and the values of M-Bus devices.

-- How many different minutes of the hour (of the day) hold readings. Kept by whoever inserts or deletes readings, in
-- the same transaction.
ALTER TABLE reading_count ADD COLUMN minutes INTEGER NOT NULL DEFAULT 0;

UPDATE reading_count SET minutes = (
    SELECT count(DISTINCT (r.instant - reading_count.instant) / 60000000) FROM reading AS r
    WHERE r.meter_id = reading_count.meter_id
        AND r.instant >= reading_count.instant AND r.instant < reading_count.instant + 3600000000)
WHERE hours = 1;

UPDATE reading_count SET minutes = (
    SELECT sum(hour.minutes) FROM reading_count AS hour
    WHERE hour.meter_id = reading_count.meter_id AND hour.hours = 1
        AND hour.instant >= reading_count.instant AND hour.instant < reading_count.instant + 86400000000)
WHERE hours = 24;

-- How many values the M-Bus devices of one type gave in a day, UTC. Kept by whoever inserts or deletes them, in the
-- same transaction.
CREATE TABLE device_reading_count (
    meter_id INTEGER NOT NULL,
    device_type INTEGER NOT NULL,
    instant INTEGER NOT NULL,
    readings INTEGER NOT NULL,
    PRIMARY KEY (meter_id, device_type, instant)
) WITHOUT ROWID;

-- The remainder of a negative instant is negative: its day began a day earlier than without the second one.
INSERT INTO device_reading_count
SELECT d.meter_id, e.device_type,
    d.instant - (d.instant % 86400000000 + 86400000000) % 86400000000 AS day, count(*)
FROM device_reading AS d JOIN equipment AS e ON e.id = d.equipment_id
GROUP BY d.meter_id, e.device_type, day;
