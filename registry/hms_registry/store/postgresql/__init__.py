"""PostgreSQL: everything that is true of it alone. Importing this imports its driver."""

from hms_registry.store.postgresql.database import Postgresql

__all__ = ["Postgresql"]
