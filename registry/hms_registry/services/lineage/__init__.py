"""Lineage: what the SQL of views says (`edges`), walked (`tree`) and shown (`rendering`)."""
