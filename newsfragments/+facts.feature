What your meter notes itself is kept for good, beyond the year that it remembers: `GET /api/v2/peaks` lists the highest quarter of each month (Belgian meters), `GET /api/v2/events` the long power failures.
`GET /api/v2/devices` lists the gas, water and heat meters behind a meter, and `GET /api/v2/devices/{id}/readings` what each of them gave.
