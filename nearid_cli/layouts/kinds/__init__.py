"""The layouts, most in a module of their own: the registry has all that are here.

They are loaded for `--help`, too: what reads folders is imported where it is needed.
"""
