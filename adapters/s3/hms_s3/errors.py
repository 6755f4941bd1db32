"""The seam to botocore: each way in which a store refuses or fails, told apart, and never in its own words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
    SSLError,
    TokenRetrievalError,
)

from hms_registry.errors import CredentialsRejected, ScanFailed, SourceError, SourceUnreachable
from hms_s3.config import S3Config

_NO_KEYS = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, TokenRetrievalError)
_REJECTED = {
    "InvalidAccessKeyId": "the store knows no such access key",
    "SignatureDoesNotMatch": "the secret key does not belong to the access key",
    "ExpiredToken": "the session token has expired",
    "ExpiredTokenException": "the session token has expired",
    "InvalidToken": "the session token is not valid",
    "AccountProblem": "the account is suspended",
    "NotSignedUp": "the account is not signed up",
}
_ENDPOINT_HINT = "mend the endpoint in sources.yml"
_ELSEWHERE = ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301")


class Denied(CredentialsRejected):
    """The key is sound, and may not do this; where only a part was asked for, the rest goes on."""


def code_of(error: ClientError) -> str:
    """Return the code that the store gave, or the HTTP status as text."""
    return str(error.response.get("Error", {}).get("Code", ""))


def status_of(error: ClientError) -> int:
    """Return the HTTP status."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


@contextmanager
def translated(config: S3Config) -> Iterator[None]:
    """Turn what botocore raises while a bucket is asked into ours.

    Raises:
        SourceUnreachable, CredentialsRejected
    """
    try:
        yield
    except ClientError as exc:
        raise _answered(config, exc) from exc
    except BotoCoreError as exc:
        raise _unanswered(config, exc) from exc


def _answered(config: S3Config, error: ClientError) -> SourceError:  # noqa: PLR0911 # a case an answer
    who, code, status = f"source {config.source}", code_of(error), status_of(error)
    if code == "NoSuchBucket" or (status == 404 and code in ("404", "NotFound")):
        return SourceUnreachable(f"{who}: there is no bucket {config.bucket}", hint="mend its url in sources.yml")
    if code in _REJECTED:
        return CredentialsRejected(f"{who}: {_REJECTED[code]}", hint="mend access_key and secret_key in its options")
    if code in _ELSEWHERE:
        return _elsewhere(config, error)
    if code == "RequestTimeTooSkewed":
        return SourceUnreachable(f"{who}: this machine's clock and the store's differ", hint="set the clock")
    if status in (401, 403):
        return Denied(
            f"{who}: its key may not list bucket {config.bucket}",
            hint="grant it s3:ListBucket and s3:GetObject, or name the prefixes it may list in the option prefixes",
        )
    if 300 <= status < 400:
        return SourceUnreachable(f"{who}: the store answers with a redirect, and none is followed", hint=_ENDPOINT_HINT)
    return SourceUnreachable(f"{who}: the store answers with error {status or code}", hint="try again later")


def no_store(config: S3Config) -> SourceUnreachable:
    """Say that what answers there speaks HTTP and not S3."""
    return SourceUnreachable(f"source {config.source}: its endpoint answers, and not as S3 does", hint=_ENDPOINT_HINT)


def _elsewhere(config: S3Config, error: ClientError) -> SourceError:
    said = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region = str(said.get("x-amz-bucket-region") or error.response.get("Error", {}).get("Region") or "")
    shown = region if region.replace("-", "").isalnum() and len(region) < 40 else "another"
    return SourceUnreachable(
        f"source {config.source}: bucket {config.bucket} lies in region {shown}",
        hint=f"state region={shown} in its url" if shown == region else "state its region in its url",
    )


def _unanswered(config: S3Config, error: BotoCoreError) -> SourceError:
    who = f"source {config.source}"
    if isinstance(error, _NO_KEYS):
        return CredentialsRejected(
            f"{who}: there are no credentials for it", hint="give access_key and secret_key as ${ENV} references"
        )
    if isinstance(error, SSLError):
        return SourceUnreachable(
            f"{who}: the certificate of the store is not trusted", hint="mend the endpoint, or set AWS_CA_BUNDLE"
        )
    if isinstance(error, ConnectTimeoutError | ReadTimeoutError):
        return SourceUnreachable(f"{who}: the store does not answer in time", hint="is its endpoint right?")
    return SourceUnreachable(f"{who}: the store cannot be reached", hint="is its endpoint right, and the network up?")


@contextmanager
def object_translated(config: S3Config, name: str) -> Iterator[None]:
    """Turn what botocore raises while one object is read into what the formats understand.

    Raises:
        FileNotFoundError: it is gone.
        PermissionError: the key may not read it.
        ScanFailed: it changed while it was read, or lies in an archive.
        SourceUnreachable, CredentialsRejected
    """
    try:
        with translated(config):
            yield
    except (SourceUnreachable, CredentialsRejected) as error:
        cause = error.__cause__
        if not isinstance(cause, ClientError):
            raise
        code, status = code_of(cause), status_of(cause)
        if status == 404 and code != "NoSuchBucket":
            raise FileNotFoundError(name) from cause
        if isinstance(error, Denied) and code != "InvalidObjectState":
            raise PermissionError(name) from cause
        if status == 412:
            raise ScanFailed(f"{name} changed while it was read", hint="crawl the source again") from cause
        if status == 416:
            raise ScanFailed(f"{name} is shorter than it was listed", hint="crawl the source again") from cause
        if code == "InvalidObjectState":
            raise ScanFailed(f"{name} lies in an archive", hint="restore it in the store, then crawl again") from cause
        raise
