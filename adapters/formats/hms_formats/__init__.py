"""File formats for adapters: what a file holds, read off a bounded part of it, and its rows as Arrow batches."""
