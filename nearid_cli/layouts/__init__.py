"""Finding subjects with their references and generations in folders and manifests (docs/reference/layouts.md).

In the order in which it happens:

* `find.py` is asked for the data set of one method, `methods.py` for those of several, or to show how names are read.
* `given.py` takes the lists and dicts of a program. `detect.py` looks what a path is: a manifest (`tables/`), a folder
  whose marker files say whose its pictures are (`kinds/`, the layouts), or a tree of names (`walk.py`,
  `byproducts.py`). A side is one of the two in `sides.py` then.
* `resolve.py` reads the trees of both sides together, by what parts of names mean (`names.py`): `references.py` chooses
  how the references are read by how well generations fit, `generations.py` reads these; `pattern.py` does either as the
  user says.
* `join.py` brings both sides together by subject (`matching.py`), and distractors and references by context
  (`contexts.py`), as a data set (`dataset.py`).

`layout.py` says what a layout is, `registry.py` has all of them.
"""
