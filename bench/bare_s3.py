"""The least that any program asks an S3 store for the same answer: a listing, and the footer of each object."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import boto3
import pyarrow.parquet as pq
from botocore.config import Config

from bench.buckets import CONNECTIONS
from services.seaweedfs import SECRET, Bucket

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_FOOTER_BYTES = 64 * 1024


def listing(bucket: Bucket) -> list[str]:
    """List every key, a thousand a page."""
    return _listed(_client(bucket), bucket)


def footers(bucket: Bucket) -> dict[str, list[tuple[str, str]]]:
    """List, then read the end of each object, as many at once as the adapter does; return names and Arrow types."""
    client = _client(bucket)

    def footer(key: str) -> list[tuple[str, str]]:
        said = client.get_object(Bucket=bucket.name, Key=key, Range=f"bytes=-{_FOOTER_BYTES}")
        schema = pq.read_schema(io.BytesIO(said["Body"].read()))
        return [(field.name, str(field.type)) for field in schema]

    keys = _listed(client, bucket)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return dict(zip(keys, pool.map(footer, keys), strict=True))


def _listed(client: S3Client, bucket: Bucket) -> list[str]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket.name)
    return [found["Key"] for page in pages for found in page.get("Contents", ())]


def _client(bucket: Bucket) -> S3Client:
    config = Config(s3={"addressing_style": "path"}, max_pool_connections=CONNECTIONS)
    return boto3.client(
        "s3",
        endpoint_url=bucket.endpoint,
        aws_access_key_id=bucket.reader,
        aws_secret_access_key=SECRET,
        region_name="us-east-1",
        config=config,
    )
