"""Where tables say of each picture whose it is: `manifest`, and `imagefolder`, as Hugging Face datasets have it.

The tables are read in `nearid_cli.layouts.tables`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nearid_cli.layouts.layout import Layout

if TYPE_CHECKING:
    from nearid_cli.layouts.sides import Assigned, Tree
    from nearid_cli.layouts.walk import Look


class _ImageFolder(Layout):
    name = "imagefolder"
    place = 80
    references_are = "`metadata.csv`, `.jsonl` or `.parquet`"
    generations_are = "the same (one of the two is enough)"
    expected = "a metadata.csv, .jsonl or .parquet with a column file_name"

    def find_references(self, look: Look) -> Assigned | Tree | None:
        from nearid_cli.layouts.tables.metadata import find_described

        return find_described(look, self)

    def find_generations(self, look: Look) -> Assigned | Tree | None:
        return self.find_references(look)

    def find_methods(self, look: Look) -> Assigned | None:
        from nearid_cli.layouts.tables.metadata import find_methods_described

        return find_methods_described(look, self)


class _Manifest(Layout):
    name = "manifest"
    place = 90
    references_are = "a manifest, or recognised"
    generations_are = "a manifest, or recognised (one of the two is enough)"
    recognises = True
    needs_manifest = True


IMAGEFOLDER, MANIFEST = _ImageFolder(), _Manifest()
