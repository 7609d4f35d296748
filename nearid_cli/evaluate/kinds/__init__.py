"""The four kinds of metrics: from a data set to numbers, each in its own way. Nothing outside asks for one by name."""
