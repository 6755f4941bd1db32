"""A stock Trino under the registry's policy: what it asks, what it is told, and as whom."""
