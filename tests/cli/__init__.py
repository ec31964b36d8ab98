"""Tests of dsmr_tw.cli; run with ``python -m twisted.trial tests``."""
