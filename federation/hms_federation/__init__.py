"""Federated SQL: Trino's dialect in, names resolved, authorized, rewritten, pushed down, and run where the data lies."""
