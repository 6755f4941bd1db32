"""What is wrong with a Trino that should be governed: its settings, its catalogs, and what it does to a person.

Each check is told of whatever it can read, and none stops another. A Trino that is set up wrongly answers as if all was
well: an unset URI means no filter, silently.
"""
