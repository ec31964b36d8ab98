"""Tests of dsmr_tw against real terminals, sockets and processes; run with ``python -m twisted.trial tests``."""
