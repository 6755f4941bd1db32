"""Versions of objects: what changes a schema makes exactly one, and nothing else makes any."""

from __future__ import annotations

from dataclasses import dataclass

from hms_s3 import S3Adapter, S3Config
from services.seaweedfs import Bucket
from truth import assert_versions, file_changes


@dataclass(frozen=True)
class Objects:
    """A tree of objects in a bucket."""

    bucket: Bucket

    def put(self, path: str, content: bytes) -> None:
        self.bucket.put({path: content})

    def remove(self, path: str) -> None:
        self.bucket.delete(path)


def test_each_change_of_an_object_makes_one_version_or_none(bucket: Bucket) -> None:
    """Crawled after each: see the table of changes."""
    config = S3Config.from_url(source="truth", url=f"s3://{bucket.name}", options=bucket.options())

    assert_versions(file_changes(Objects(bucket)), kind="s3", open_adapter=lambda: S3Adapter(config))
