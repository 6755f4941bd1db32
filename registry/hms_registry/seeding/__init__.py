"""A catalogue of any size without any store: what search, lineage and caches are measured with.

Nothing here is random: one number says what each dataset is, and the same plan gives the same catalogue.
"""

from hms_registry.seeding.plan import Plan
from hms_registry.seeding.run import Seeded, seed

__all__ = ["Plan", "Seeded", "seed"]
