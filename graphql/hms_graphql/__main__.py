"""`python -m hms_graphql` prints the schema as SDL, for `graphql/schema.graphql`."""

from __future__ import annotations

import sys

from hms_graphql.schema import SCHEMA

sys.stdout.write(SCHEMA.as_str() + "\n")
