<<<<<<< HEAD
"""Trino: a stock one, governed by the registry, and asked in its callers' names."""
=======
"""A stock Trino under the registry's policy: what it asks, what it is told, and as whom."""
>>>>>>> main
