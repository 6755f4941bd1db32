"""The answers to Trino's OPA access-control plugin, version 476: every operation decided by the policy in force."""
