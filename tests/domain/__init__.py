"""Tests of dsmr_tw.domain; run with ``python -m twisted.trial tests``."""
