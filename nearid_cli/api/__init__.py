"""What the commands do, for notebooks and other programs."""

from nearid_cli.api.encoder import ImageEncoder, load_encoder
from nearid_cli.api.jobs import compare, pair, score

__all__ = ["ImageEncoder", "compare", "load_encoder", "pair", "score"]
