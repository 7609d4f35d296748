"""The HTML report: one page that needs no network, and the pictures that it shows."""
