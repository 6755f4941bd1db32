"""Buckets of an S3 store as a source: Parquet, CSV, TSV and JSON lines where they lie."""

from hms_s3.adapter import S3Adapter
from hms_s3.config import S3Config

__all__ = ["S3Adapter", "S3Config"]
