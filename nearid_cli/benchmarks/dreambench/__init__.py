"""DreamBench++: agreement with people."""
