"""nearid: did the generated picture keep the identity of its subject?"""

__version__ = "0.1.0"
