"""Scores inside other programs' loops: pictures come batch by batch, in one process or several."""
