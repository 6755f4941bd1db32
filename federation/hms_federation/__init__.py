"""Federated SQL: Trino's dialect in; names resolved, authorized, rewritten, pushed down; run where the data lies."""
