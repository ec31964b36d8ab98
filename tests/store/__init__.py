"""Tests of dsmr_tw.store; run with ``python -m twisted.trial tests``."""
