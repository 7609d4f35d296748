"""Tables that say of each picture whose it is: `manifest`. They are read in `tables/`."""

from __future__ import annotations

from nearid_cli.layouts.layout import Layout


class _Manifest(Layout):
    name = "manifest"
    place = 90
    references_are = "a manifest, or recognised"
    generations_are = "a manifest, or recognised (one of the two is enough)"
    recognises = True
    needs_manifest = True


LAYOUT = _Manifest()
