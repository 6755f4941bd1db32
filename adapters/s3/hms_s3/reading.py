"""Trees for scans: the objects as they are now, through Arrow's own S3 reader, or as a pin holds them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.fs as pa_fs

from hms_formats.listing import Entry, Listed
from hms_formats.trees import Locator
from hms_registry.errors import CredentialsRejected, ScanFailed, SourceUnreachable, VersionNotReadable
from hms_s3.bucket import Bucket, is_parquet
from hms_s3.client import CONNECT_S, DEFAULT_REGION, READ_S, BucketClient
from hms_s3.config import S3Config
from hms_s3.pins import Pin

_STREAM_BYTES = 16 * 1024 * 1024
_NO_REDIRECTS = "aws-global"
"""Arrow's S3 client follows redirects to any host, except in this region, which is signed for as us-east-1."""


def arrow_reader(config: S3Config, client: BucketClient) -> pa_fs.S3FileSystem | None:
    """Return Arrow's own reader; None where it could be sent to another host.

    That is a store of one's own in a region that is not us-east-1. Redirects of AWS lead to AWS.
    """
    region = client.region
    if config.endpoint:
        if region != DEFAULT_REGION:
            return None
        region = _NO_REDIRECTS
    keys = client.credentials()
    scheme, _, host = config.endpoint.partition("://")
    return pa_fs.S3FileSystem(
        access_key=keys.access_key if keys else None,
        secret_key=keys.secret_key if keys else None,
        session_token=keys.token if keys else None,
        anonymous=keys is None,
        region=region,
        scheme="http" if scheme == "http" else "https",
        endpoint_override=host or None,
        force_virtual_addressing=bool(config.endpoint) and not config.is_path_style,
        connect_timeout=CONNECT_S,
        request_timeout=READ_S,
        retry_strategy=pa_fs.AwsStandardS3RetryStrategy(max_attempts=2),
    )


class ReadBucket(Bucket):
    """A bucket for one scan: listed anew, and read through Arrow's own reader where that is safe."""

    def __init__(self, config: S3Config, client: BucketClient, *, deadline_s: float) -> None:
        super().__init__(config, client, deadline_s=deadline_s)
        self._reader = arrow_reader(config, client)

    def open(self, entry: Entry) -> pa.NativeFile:
        """Open an object: Parquet as a file, text as a stream that is fetched in large steps."""
        if self._reader is None:
            return super().open(entry)
        path = f"{self._config.bucket}/{self._config.prefix}{entry.path}"
        try:
            if is_parquet(entry):
                return self._reader.open_input_file(path)
            return self._reader.open_input_stream(path, compression=None, buffer_size=_STREAM_BYTES)
        except FileNotFoundError:
            raise
        except OSError as exc:
            raise _told(self._config, entry, str(exc)) from exc

    def verify(self, entry: Entry, error: ScanFailed | None) -> None:
        """Ask for a byte of it by its tag: Arrow's reader asks for range after range by the key alone."""
        if self._reader is None or not entry.size:
            return
        try:
            self._client.fetch(self._config.prefix + entry.path, entry.path, 0, 1, tag=entry.tag)
        except FileNotFoundError as exc:
            raise ScanFailed(f"{entry.path} is not there any more", hint="crawl the source again") from exc
        except PermissionError as exc:
            raise ScanFailed(f"{entry.path} may not be read by this account", hint="give it read access") from exc
        text = str(error.__cause__) if error is not None else ""
        if "AWS Error" in text:  # it answers again: the file may be sound
            raise _told(self._config, entry, text) from error


def _told(config: S3Config, entry: Entry, text: str) -> Exception:
    """Tell apart what Arrow calls one error; its text may hold anything and is not passed on."""
    if "ACCESS_DENIED" in text or "HTTP status 403" in text:
        return PermissionError(entry.path)
    if "INVALID_ACCESS_KEY" in text or "SIGNATURE_DOES_NOT_MATCH" in text:
        return CredentialsRejected(
            f"source {config.source}: the store does not accept its key", hint="mend access_key and secret_key"
        )
    return SourceUnreachable(
        f"source {config.source}: {entry.path} cannot be read: the store fails or does not answer", hint="try again"
    )


class PinnedBucket(Bucket):
    """A bucket as a pin holds it: these objects, in these versions."""

    def __init__(self, config: S3Config, client: BucketClient, pin: Pin) -> None:
        super().__init__(config, client)
        self._pin = {entry.path: (entry, version) for entry, version in pin.objects}

    def members(self, locator: Locator) -> Listed:
        """Return what the pin holds, whatever the folder holds now."""
        below = f"{locator.path}/" if locator.path else ""
        inside = [
            entry
            for entry, _ in self._pin.values()
            if (entry.path.startswith(below) if locator.is_folder else entry.path == locator.path)
        ]
        if len(inside) != len(self._pin):
            raise VersionNotReadable("this pin is of another dataset", hint="read the latest version")
        return Listed(files=inside)

    def _fetch(self, entry: Entry, start: int, stop: int, *, is_look: bool) -> bytes:
        """Fetch of a version: Arrow's own reader knows the latest only."""
        key, (_, version) = self._config.prefix + entry.path, self._pin[entry.path]
        try:
            return self._client.fetch(key, entry.path, start, stop, version=version, is_large=is_look)[0]
        except FileNotFoundError as exc:
            raise VersionNotReadable(
                f"the store keeps that version of {entry.path} no longer", hint="read the latest version"
            ) from exc
