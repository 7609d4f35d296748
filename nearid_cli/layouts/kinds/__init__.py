"""The layouts, one a module: its `LAYOUT` is in the registry as soon as the module is here.

They are loaded for `--help`, too: what reads folders is imported where it is needed.
"""
