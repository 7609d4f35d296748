"""Where do numbers hold: generations by what is known of them, such as their prompt, seed, step or category."""
