"""Files of a table where they lie: below the places that the operator opened to us, and nowhere else."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pyarrow.fs as pa_fs

from hms_formats.detection import FileKind, Format
from hms_formats.pieces import Piece
from hms_hive.config import Lake
from hms_hive.places import Place
from hms_registry.errors import LocationOutsideSource, SourceUnreachable

Partition = tuple[tuple[str, str | None], ...]

_CONNECT_S = 5.0
_READ_S = 15.0
_NO_REDIRECTS = "aws-global"
"""Arrow's S3 client follows redirects to any host, except in this region, which is signed for as us-east-1."""


class NotDirect(Exception):
    """What lies there can only be understood by Hive itself; the text says why. Never leaves this package."""


class LakeFiles:
    """Lists and opens files of tables."""

    def __init__(self, lake: Lake, *, source: str) -> None:
        self._lake = lake
        self._source = source
        self._s3: pa_fs.S3FileSystem | None = None

    def holds(self, place: Place) -> bool:
        """Say whether a place may be read."""
        return any(each.holds(place) for each in self._lake.places)

    def pieces(self, place: Place, *, partition: Partition) -> list[Piece]:
        """List the Parquet files directly in a folder, as Hive reads it; none if it is not there.

        Raises:
            NotDirect: there are folders in it.
            LocationOutsideSource: it leads out of what may be read, over a link.
            SourceUnreachable: the store does not answer.
        """
        filesystem, path = self._at(place)
        selector = pa_fs.FileSelector(path, allow_not_found=True, recursive=False)
        try:
            found = filesystem.get_file_info(selector)
        except OSError as exc:
            raise SourceUnreachable(
                f"source {self._source}: the store of its tables does not answer, or does not let us in",
                hint="check endpoint, access_key and secret_key, and what they may read",
            ) from exc
        pieces = []
        for info in sorted(found, key=lambda each: each.path):
            if info.base_name[:1] in ("_", "."):
                continue
            if info.type != pa_fs.FileType.File:
                raise NotDirect("there are folders in its folder")
            if not info.size:
                continue  # Hive leaves empty files where a task had nothing to write
            self._check_link(place, info.path)
            opened = partial(filesystem.open_input_file, info.path)
            pieces.append(
                Piece(
                    name=f"{place.path}/{info.base_name}",
                    size=info.size,
                    kind=FileKind(Format.PARQUET, False, info.base_name),
                    open=opened,
                    look=opened,
                    partitions=partition,
                    ignores_case=True,
                )
            )
        return pieces

    def _at(self, place: Place) -> tuple[pa_fs.FileSystem, str]:
        if not place.bucket:
            return pa_fs.LocalFileSystem(), f"/{place.path}"
        if self._s3 is None:
            self._s3 = self._open_s3()
        return self._s3, f"{place.bucket}/{place.path}".rstrip("/")

    def _open_s3(self) -> pa_fs.S3FileSystem:
        scheme, _, host = self._lake.endpoint.partition("://")
        return pa_fs.S3FileSystem(
            access_key=self._lake.access_key or None,
            secret_key=self._lake.secret_key or None,
            region=_NO_REDIRECTS if host else self._lake.region or None,
            scheme="http" if scheme == "http" else "https",
            endpoint_override=host or None,
            connect_timeout=_CONNECT_S,
            request_timeout=_READ_S,
            retry_strategy=pa_fs.AwsStandardS3RetryStrategy(max_attempts=2),
        )

    def _check_link(self, place: Place, path: str) -> None:
        """Refuse a file whose path leads out of the places over a link: whoever writes there may have laid it."""
        if place.bucket:
            return
        real = Path(path).resolve()
        roots = [Path(f"/{each.path}").resolve() for each in self._lake.places if not each.bucket]
        if not any(real.is_relative_to(root) for root in roots):
            raise LocationOutsideSource(
                f"a file of {place.path!r} leads out of what may be read, over a link", hint="copy it in, or leave it"
            )
