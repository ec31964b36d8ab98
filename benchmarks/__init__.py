"""The figures that dsmr_tw is measured by: one script each; ``docs/benchmarks.md`` has what they printed."""
