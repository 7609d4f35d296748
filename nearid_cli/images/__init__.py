"""Safe decoding of picture files, and the preprocessing that checkpoints ask for."""
