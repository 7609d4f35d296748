"""The jobs: score, pair, embed."""
