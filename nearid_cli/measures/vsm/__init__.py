"""Visual Semantic Matching, the metric `vsm`: where a generation means the same as a reference, does it look the same?

parts.py       finds the files that it is made of, in a folder or on the Hub
recipe.py      reads the checkpoint's settings
networks.py    the two aggregation networks of the checkpoint
building.py    makes all networks from the files, strictly
features.py    from a picture to vectors
metric.py      the metric; its formula is in `nearid_cli/metrics/matching.py`
"""

from nearid_cli.measures.vsm.metric import VisualSemanticMatching

__all__ = ["VisualSemanticMatching"]
