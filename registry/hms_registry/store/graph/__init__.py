"""The edges as compact arrays, derived from the catalogue and kept beside it, so that a walk asks no database.

`arrays` are what is kept in a file (`graph_file`), mapped and shared by all processes of a machine; `snapshot` is
those and what was written since, for one epoch; `walking` walks one; `index` finds the right one for a transaction.
Importing this imports numpy, so only who walks does.
"""
