"""Tables that say of each picture whose it is: `manifest`. They are read in `tables/`."""

from __future__ import annotations

from nearid_cli.layouts.layout import Layout


class _Manifest(Layout):
    name = "manifest"
    place = 90
    references_are = generations_are = "a manifest, or recognised"
    recognises = True
    needs_manifest = True


LAYOUT = _Manifest()
