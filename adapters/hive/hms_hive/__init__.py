"""Hive as a source: crawled through its metastore in batches or through HiveServer2 alone, read where its files lie."""

from hms_hive.adapter import HiveAdapter
from hms_hive.config import HiveConfig

__all__ = ["HiveAdapter", "HiveConfig"]
