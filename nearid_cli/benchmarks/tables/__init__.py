"""Similarity files, and the tables of NearID-Bench from them."""
