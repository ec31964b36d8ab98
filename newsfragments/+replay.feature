`dsmr replay FILE` plays recorded telegrams as a meter would print them, in the rhythm of their clocks or faster, over TCP or a serial port that is made up.
