"""The three benchmarks of the NearID paper (arXiv 2604.01973), to the letter."""
