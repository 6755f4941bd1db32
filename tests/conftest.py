"""What every test may ask for: the real servers, each started by the first test that does."""

from __future__ import annotations

from catalogues import catalogue, catalogues
from services.fixtures import (
    bucket,
    kept_bucket,
    mongo_database,
    mongo_server,
    odd_mongo,
    postgres_database,
    postgres_server,
    seaweed_server,
)

__all__ = [
    "bucket",
    "catalogue",
    "catalogues",
    "kept_bucket",
    "mongo_database",
    "mongo_server",
    "odd_mongo",
    "postgres_database",
    "postgres_server",
    "seaweed_server",
]
