"""Trino, governed by the registry: its catalogs, the answers to its access control, and the proof that they held."""
