"""Results for people and programs: terminal tables, JSON, CSV, Parquet, Markdown, LaTeX, HTML and JUnit XML.

Everything here reads result objects and changes none. Nothing is imported here, so that help, which names the formats,
costs no more than these.
"""
