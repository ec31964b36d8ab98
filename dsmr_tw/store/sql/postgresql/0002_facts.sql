-- What a meter dates itself, as it is stored now, and how many values each M-Bus device gave. Nothing wrote peaks before.

DROP TABLE peak;

-- The highest quarter of an hour of a month that the meter prints. instant is the first of the month in UTC and stands
-- for that month in every zone, quarter_at is the end of the quarter by the meter's clock.
CREATE TABLE peak (
    meter_id integer NOT NULL,
    instant bigint NOT NULL,
    quarter_at bigint NOT NULL,
    power bigint NOT NULL,
    PRIMARY KEY (meter_id, instant)
);

-- How many values one M-Bus device gave in a day, UTC. Kept by whoever inserts or deletes them, in the same
-- transaction.
CREATE TABLE equipment_reading_count (
    meter_id integer NOT NULL,
    equipment_id integer NOT NULL,
    instant bigint NOT NULL,
    readings bigint NOT NULL,
    PRIMARY KEY (meter_id, equipment_id, instant)
);

-- The remainder of a negative instant is negative: its day began a day earlier than without the second one.
INSERT INTO equipment_reading_count
SELECT meter_id, equipment_id, instant - (instant % 86400000000 + 86400000000) % 86400000000, count(*)
FROM device_reading GROUP BY 1, 2, 3;
