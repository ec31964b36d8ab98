-- Up to where the readings of a meter are thinned out; what is stored late before that sets it back.
CREATE TABLE thinned (
    meter_id INTEGER PRIMARY KEY,
    until INTEGER NOT NULL
);
