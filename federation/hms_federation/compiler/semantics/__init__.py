"""What Trino's expressions mean, written in DuckDB's SQL: one module per family, each an allow-list."""
