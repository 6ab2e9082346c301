"""How fast sansauth is, as ratios to named peers in the same run: `python -m benchmarks`."""
