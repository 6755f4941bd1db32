"""The one client of a source: to its own endpoint, by its own key, following nobody anywhere else."""

from __future__ import annotations

from contextlib import nullcontext
from functools import cache
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

import boto3
import botocore.loaders
import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import NoCredentialsError

from hms_s3.config import S3Config
from hms_s3.errors import no_store, object_translated, translated
from hms_s3.signed import SignedReader
from hms_s3.transport import Transport

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef

_LARGE = 1024 * 1024
DEFAULT_REGION = "us-east-1"
CONNECT_S = 5.0
READ_S = 15.0
REQUEST_S = 60.0
"""Seconds that one request may take as a whole: a store that drips a byte a second never trips *READ_S*."""


class BucketClient:
    """Lists a bucket and fetches ranges of its objects. Thread-safe; connects when first asked."""

    def __init__(self, config: S3Config) -> None:
        self._config = config
        self._slots = BoundedSemaphore(config.connections)
        self._large = BoundedSemaphore(1)
        self._made: S3Client | None = None
        self._reader: SignedReader | None = None
        self._session = _session()
        self.transport = Transport(
            connect_s=CONNECT_S, read_s=READ_S, request_s=REQUEST_S, connections=config.connections
        )

    @property
    def region(self) -> str:
        """The region that requests are signed for."""
        own = None if self._config.endpoint else self._session.region_name
        return self._config.region or own or DEFAULT_REGION

    @property
    def s3(self) -> S3Client:
        """The client, made when it is first needed."""
        if self._made is None:
            with translated(self._config):
                self._made = self._make()
        return self._made

    @property
    def reader(self) -> SignedReader:
        """What reads ranges of objects, made when it is first needed."""
        if self._reader is None:
            self._reader = SignedReader(self.s3, self._config.bucket, self.credentials, self.transport)
        return self._reader

    def _make(self) -> S3Client:
        keys = self._config.keys
        client: S3Client = self._session.client(
            "s3",
            region_name=self.region,
            endpoint_url=self._config.endpoint or None,
            aws_access_key_id=keys.access or None,
            aws_secret_access_key=keys.secret or None,
            aws_session_token=keys.token or None,
            config=Config(
                signature_version=UNSIGNED if keys.is_anonymous else None,
                s3={"addressing_style": "path" if self._config.is_path_style else "auto"},
                retries={"mode": "standard", "total_max_attempts": 2},
                response_checksum_validation="when_required",  # there is none for a range
                request_checksum_calculation="when_required",
            ),
        )
        client.meta.events.register("before-call.s3", _stay)
        client.meta.events.register("before-send.s3", self.transport.send)  # type: ignore[arg-type] # it may answer
        return client

    def credentials(self) -> ReadOnlyCredentials | None:
        """Return the keys that the client signs with, wherever they came from."""
        keys = self._config.keys
        if keys.is_anonymous:
            return None
        with translated(self._config):
            if keys.access:
                return ReadOnlyCredentials(keys.access, keys.secret, keys.token)
            found = self._session.get_credentials()
            if found is None:
                raise NoCredentialsError
            return found.get_frozen_credentials()

    def list_page(self, prefix: str, *, token: str | None = None, limit: int = 1000) -> ListObjectsV2OutputTypeDef:
        """List one page of the keys below a prefix.

        Raises:
            SourceUnreachable, CredentialsRejected
        """
        with translated(self._config), self._slots:
            bucket = self._config.bucket
            if token is None:
                page = self.s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=limit)
            else:
                page = self.s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=limit, ContinuationToken=token)
        if "IsTruncated" not in page:  # else a page that asks to log in would be an empty bucket, and all in it gone
            raise no_store(self._config)
        return page

    def head(self, key: str) -> tuple[int, int, str]:
        """Return size, time in nanoseconds and tag of one object.

        Raises:
            FileNotFoundError, PermissionError, SourceUnreachable, CredentialsRejected
        """
        with object_translated(self._config, key), self._slots:
            said = self.s3.head_object(Bucket=self._config.bucket, Key=key)
            if "LastModified" not in said:
                raise no_store(self._config)
            return said["ContentLength"], int(said["LastModified"].timestamp() * 1e9), said.get("ETag", "")

    def fetch(
        self, key: str, name: str, start: int, stop: int, *, tag: str = "", version: str = "", is_large: bool = False
    ) -> tuple[bytes, str]:
        """Fetch a range of an object; return it with the version that it is of, empty if none is kept.

        Args:
            tag: what the listing said of its content; another content now is an error.
            version: read this version and not the latest.
            is_large: ranges over 1 MiB are fetched one after the other: footers that big must not add up.

        Raises:
            FileNotFoundError, PermissionError, ScanFailed, SourceUnreachable, CredentialsRejected
        """
        one_by_one = self._large if is_large and stop - start > _LARGE else nullcontext()
        with object_translated(self._config, name), one_by_one, self._slots:
            return self.reader.read(key, start, stop, tag=tag, version=version)

    def close(self) -> None:
        """Let go of every connection."""
        if self._made is not None:
            self._made.close()
            self._made = self._reader = None
        self.transport.close()


@cache
def _loader() -> botocore.loaders.Loader:
    """Read botocore's description of S3 once a process: it takes a fifth of a second."""
    return botocore.loaders.create_loader()


def _session() -> boto3.session.Session:
    session = botocore.session.Session()
    session.register_component("data_loader", _loader())
    return boto3.session.Session(botocore_session=session)


def _stay(context: dict[str, object], **_: object) -> None:
    """Keep botocore from looking for the bucket elsewhere: it would ask, sign and send again to where it is told."""
    redirect = context.get("s3_redirect")
    if isinstance(redirect, dict):
        redirect["redirected"] = True
