"""The files adapter: listing, describing and scanning of a folder tree."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from hms_files.config import FilesConfig
from hms_files.folder import Folder
from hms_files.listing import walk
from hms_formats.description import describe_one
from hms_formats.discovery import discover, find
from hms_formats.listing import Listed, stamp_of
from hms_formats.manifests import manifests
from hms_formats.profiling import profile_one
from hms_formats.reading import plan_scan
from hms_registry.domain.crawls import Discovery, Failure
from hms_registry.domain.datasets import DatasetRef, DescribedDataset, Stamp
from hms_registry.domain.profiles import Profile
from hms_registry.errors import CredentialsRejected, LocationOutsideSource, ScanFailed, SourceUnreachable
from hms_registry.ports.adapter import AdapterConfig, ManifestText, Scan, ScanRequest, Scope
from hms_registry.ports.profiles import ProfileRequest
from hms_registry.ports.trino import NotFederated


class FilesAdapter:
    """Files below one folder of this machine."""

    kind: ClassVar[str] = "files"
    config: ClassVar[type[AdapterConfig]] = FilesConfig

    def __init__(self, config: AdapterConfig) -> None:
        assert isinstance(config, FilesConfig)
        self._config = config
        self._tree = Folder(config)

    def check(self) -> None:
        """Look whether the folder is there."""
        if not Path(self._config.root).is_dir():
            raise SourceUnreachable(
                f"source {self._config.source}: its folder is not there", hint="mend its url in sources.yml"
            )
        if not os.access(self._config.root, os.R_OK | os.X_OK):
            raise CredentialsRejected(
                f"source {self._config.source}: this account may not read its folder", hint="give it read access"
            )

    def stamp(self, scope: Scope) -> Stamp | None:  # noqa: ARG002 # the port's
        """Hash one listing of everything: names, sizes, times."""
        self.check()
        listed = Listed()
        walk(self._config.root, "", listed=listed)
        if not listed.is_complete:
            return None
        return stamp_of([*listed.files, *listed.manifests])

    def discover(self, scope: Scope) -> Iterator[Discovery]:  # noqa: ARG002 # the port's
        """List folder by folder; only where names do not tell, a few files of a folder are looked into."""
        self.check()
        yield from discover(self._tree)

    def describe(self, refs: Sequence[DatasetRef]) -> Iterator[DescribedDataset | Failure]:
        """Read footers and heads."""
        for ref in refs:
            try:
                yield describe_one(self._tree, ref)
            except (ScanFailed, LocationOutsideSource) as error:
                yield Failure(subject=str(ref.address), reason=error.message, address=ref.address)

    def profile(self, requests: Sequence[ProfileRequest]) -> Iterator[Profile | Failure]:
        """Read footers once more, for their statistics."""
        for request in requests:
            try:
                yield profile_one(self._tree, request)
            except (ScanFailed, LocationOutsideSource) as error:
                yield Failure(subject=str(request.ref.address), reason=error.message, address=request.ref.address)

    def scan(self, request: ScanRequest) -> Scan:
        """Plan the reading of the files that the predicate on partitions leaves."""
        return plan_scan(self._tree, request)

    def manifests(self, scope: Scope) -> Iterator[ManifestText | Failure]:  # noqa: ARG002 # the port's
        """Yield the manifests that lie beside the data."""
        self.check()
        listed = Listed()
        walk(self._config.root, "", listed=listed)
        return manifests(self._tree, listed.manifests)

    def locate(self, location: str) -> DatasetRef | None:
        """Return the dataset at a path or `file:` URL."""
        self.check()
        return find(self._tree, location)

    def trino_catalog(self) -> NotFederated:
        """Say why there is none."""
        return NotFederated(
            reason="Trino's servers do not see a folder of this machine", hint="put the files into S3, or ask here"
        )

    def close(self) -> None:
        """There is nothing to let go of."""
