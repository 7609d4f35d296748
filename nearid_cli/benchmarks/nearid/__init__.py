"""NearID-Bench: views of one object against look-alikes in the same pictures."""
