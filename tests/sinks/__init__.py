"""Tests of dsmr_tw.sinks; run with ``python -m twisted.trial tests``."""
