"""Asking Trino: one SELECT for one person, answered through the same door as the embedded engine's."""
