"""Finding subjects with their references and generations in folders and manifests (docs/layouts.md)."""

from nearid_cli.layouts.dataset import Dataset, Picture, Subject
from nearid_cli.layouts.detect import LAYOUTS
from nearid_cli.layouts.find import find, find_images

__all__ = ["LAYOUTS", "Dataset", "Picture", "Subject", "find", "find_images"]
