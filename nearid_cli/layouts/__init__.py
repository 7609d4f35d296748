"""Finding subjects with their references and generations in folders and manifests (docs/reference/layouts.md)."""

from nearid_cli.layouts.dataset import Dataset, InMemory, Picture, Source, Subject
from nearid_cli.layouts.detect import LAYOUTS
from nearid_cli.layouts.find import find, find_images

__all__ = ["LAYOUTS", "Dataset", "InMemory", "Picture", "Source", "Subject", "find", "find_images"]
