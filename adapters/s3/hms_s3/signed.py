"""Ranged reads of objects, signed by botocore's signer and sent as they are.

A crawl reads each object once. Through botocore's client such a call costs three times what signing and sending
it does: it resolves the endpoint, validates and parses anew each time.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from hms_s3.transport import Transport

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CODE = re.compile(rb"<Code>([A-Za-z0-9.]{1,80})</Code>")
_BUSY = frozenset({429, 500, 502, 503, 504})
_BROKEN = (ConnectionClosedError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError)
_PAUSE_S = 0.2


class SignedReader:
    """Reads ranges of one bucket's objects. Thread-safe."""

    def __init__(
        self, client: S3Client, bucket: str, credentials: Callable[[], ReadOnlyCredentials | None], transport: Transport
    ) -> None:
        # Where an object is, as the client resolves it: by host or by path, and in which region.
        probe = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
        self._base = probe.partition("?")[0].removesuffix("k")
        self._region = client.meta.region_name
        self._credentials = credentials
        self._transport = transport

    def read(self, key: str, start: int, stop: int, *, tag: str = "", version: str = "") -> tuple[bytes, str]:
        """Return the bytes and the version that they are of, empty if none is kept.

        Raises:
            ClientError, BotoCoreError: as botocore's client.
        """
        headers = {"Range": f"bytes={start}-{stop - 1}"} | ({"If-Match": tag} if tag and not version else {})
        url = self._base + quote(key, safe="/~") + (f"?versionId={quote(version, safe='')}" if version else "")
        answer = self._sent(url, headers)
        found = answer.content if answer.status_code == 206 else answer.content[start:stop]
        kept = str(answer.headers.get("x-amz-version-id", ""))
        return found, "" if kept == "null" else kept

    def _sent(self, url: str, headers: Mapping[str, str]) -> AWSResponse:
        """Send, and once more where the store was busy or the connection broke."""
        try:
            answer = self._send(url, headers)
            if answer.status_code not in _BUSY:
                return _checked(answer)
        except _BROKEN:
            pass
        time.sleep(_PAUSE_S)
        return _checked(self._send(url, headers))

    def _send(self, url: str, headers: Mapping[str, str]) -> AWSResponse:
        request = AWSRequest(method="GET", url=url, headers=dict(headers))
        keys = self._credentials()
        if keys is not None:
            signed_by = Credentials(keys.access_key or "", keys.secret_key or "", keys.token or None)
            S3SigV4Auth(signed_by, "s3", self._region).add_auth(request)
        return self._transport.send(request.prepare())


def _checked(answer: AWSResponse) -> AWSResponse:
    status = answer.status_code
    if status in (200, 206):
        return answer
    code = _CODE.search(answer.content)
    raise ClientError(
        {
            "Error": {"Code": code[1].decode() if code else str(status)},
            "ResponseMetadata": {  # type: ignore[typeddict-item] # what the seam looks at
                "HTTPStatusCode": status,
                "HTTPHeaders": {str(name).lower(): str(value) for name, value in answer.headers.items()},
            },
        },
        "GetObject",
    )
