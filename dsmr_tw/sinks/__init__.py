"""Where telegrams and readings go besides the store."""
