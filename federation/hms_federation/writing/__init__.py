"""Writing: an answer as Arrow, CSV, JSON lines or a table for people."""
