"""The engine: runs a plan in DuckDB, in a process that can be ended, and knows nothing of SQL text or policy."""
