"""Showing a result in a browser, with its pictures in full size, from a server on this machine only."""
