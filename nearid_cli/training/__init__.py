"""Training a NearID head, or a small model from scratch, with the NearID loss."""
