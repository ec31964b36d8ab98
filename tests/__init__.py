"""Tests of dsmr_tw; run with ``python -m twisted.trial tests``."""
