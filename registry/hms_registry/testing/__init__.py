"""The contract that every adapter passes, for authors of adapters: subclass `AdapterContract` in a pytest module.

pytest is imported here and nowhere else in the product.
"""

from hms_registry.testing.contract import AdapterContract
from hms_registry.testing.oracle import holds, select
from hms_registry.testing.sample import ODD_NAMES, SAMPLE_ROWS, SAMPLE_SCHEMA, Row

__all__ = ["ODD_NAMES", "SAMPLE_ROWS", "SAMPLE_SCHEMA", "AdapterContract", "Row", "holds", "select"]
