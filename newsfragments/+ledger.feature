Quarters, hours and days are computed from the readings, so that every watt-hour is in exactly one of them: over an outage, on days of 23 and 25 hours, with late readings and with a meter that was swapped.
Rows appear as soon as their time is over; late readings change them without a command.
`docs/ledger.md` tells how, with examples.
