"""The NearID data sets: views of identities, and their distractors, row by row."""
