"""Tests of ``dsmr_tw.dashboard``."""
