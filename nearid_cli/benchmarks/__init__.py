"""The three benchmarks of the NearID paper (ECCV 2026, arXiv 2604.01973), to the letter."""
