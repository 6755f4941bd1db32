"""Trino: a stock one, governed by the registry, and asked in its callers' names."""
