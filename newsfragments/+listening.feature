The speed of a serial port is found by listening (`--baud auto`, the new default) and kept for the next start; inverted signals, HDLC and M-Bus are called by their names.
