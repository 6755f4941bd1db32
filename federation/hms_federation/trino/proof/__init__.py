"""The proof that what was decided was applied: Trino tells after each query which filters and masks it put over which
tables, and that is held against what the policy of that moment decides."""
