"""Rendering near-identity data: the same object in different contexts, and look-alikes in the same context."""
