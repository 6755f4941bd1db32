"""OpenLineage in: events of jobs, read, matched with what is registered, and shown (https://openlineage.io)."""
