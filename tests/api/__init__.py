"""Tests of dsmr_tw.api; run with ``python -m twisted.trial tests``."""
