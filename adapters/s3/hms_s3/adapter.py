"""The S3 adapter: listing, describing and scanning of what lies below a bucket's prefix."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import ClassVar, TypeVar

from hms_formats.description import describe_one
from hms_formats.discovery import discover, find
from hms_formats.grouping import PUBLIC
from hms_formats.listing import Entry, stamp_of
from hms_formats.manifests import manifests
from hms_formats.profiling import profile_one
from hms_formats.reading import plan_scan
from hms_formats.trino_tables import trino_table
from hms_registry.domain.crawls import Discovery, Failure
from hms_registry.domain.datasets import Dataset, DatasetRef, DescribedDataset, Stamp
from hms_registry.domain.profiles import Profile
from hms_registry.errors import CredentialsRejected, LocationOutsideSource, ScanFailed, SourceUnreachable
from hms_registry.ports.adapter import AdapterConfig, ManifestText, Scan, ScanRequest, Scope
from hms_registry.ports.profiles import ProfileRequest
from hms_registry.ports.trino import NotFederated, TrinoCatalog, TrinoTable
from hms_s3.bucket import Bucket
from hms_s3.client import BucketClient
from hms_s3.config import S3Config
from hms_s3.errors import Denied
from hms_s3.pins import Pin
from hms_s3.reading import PinnedBucket, ReadBucket
from hms_s3.trino import trino_catalog

T = TypeVar("T")
_TABLE_S = 60.0
"""How long the listing of one dataset may take that becomes a table of Trino's."""


class S3Adapter:
    """Objects below one prefix of a bucket."""

    kind: ClassVar[str] = "s3"
    config: ClassVar[type[AdapterConfig]] = S3Config

    def __init__(self, config: AdapterConfig) -> None:
        assert isinstance(config, S3Config)
        self._config = config
        self.client = BucketClient(config)
        self._bucket = Bucket(config, self.client)

    def check(self) -> None:
        """List one key, of the first prefix that may be listed."""
        denied: Denied | None = None
        for prefix in self._config.prefixes or ("",):
            try:
                self.client.list_page(self._config.prefix + prefix, limit=1)
            except Denied as error:
                denied = denied or error
            else:
                return
        assert denied is not None
        raise denied

    def stamp(self, scope: Scope) -> Stamp | None:
        """Hash one listing: keys, sizes, times, tags, what cannot be registered, and which store it is."""
        is_complete = True

        def entries() -> Iterator[Entry]:
            nonlocal is_complete
            for _, listed in self._bucket.within(scope.deadline_s).list_ahead(_within(scope)):
                is_complete = is_complete and listed.is_complete
                yield from listed.files
                yield from listed.manifests
                # Else a key that is only reported would be so with the next change of something else.
                yield from (Entry(subject, 0, 0, reason) for subject, reason in listed.problems)

        stamp = stamp_of(entries(), store=self._bucket.store)
        return stamp if is_complete else None

    def discover(self, scope: Scope) -> Iterator[Discovery]:
        """List, unless the stamp just did; where names do not tell, a few objects of a folder are looked into."""
        yield from discover(self._bucket.within(scope.deadline_s, replays=True), within=_within(scope))

    def describe(self, refs: Sequence[DatasetRef]) -> Iterator[DescribedDataset | Failure]:
        """Read footers and heads, so many at once as there are connections."""
        broken = Event()
        with ThreadPoolExecutor(self._config.connections, thread_name_prefix="hms-s3-describe") as pool:
            yield from pool.map(partial(self._describe, broken=broken), refs)

    def _describe(self, ref: DatasetRef, *, broken: Event) -> DescribedDataset | Failure:
        describe = partial(describe_one, self._bucket, ref, properties=self._bucket.pin_of)
        return self._guarded(ref, describe, broken=broken)

    def _guarded(self, ref: DatasetRef, look: Callable[[], T], *, broken: Event) -> T | Failure:
        if broken.is_set():
            return Failure(subject=str(ref.address), reason="not asked for: the store had failed", address=ref.address)
        try:
            return look()
        except (SourceUnreachable, CredentialsRejected) as error:
            broken.set()  # else every dataset that is left would wait for its own timeout
            return Failure(subject=str(ref.address), reason=error.message, address=ref.address)
        except (ScanFailed, LocationOutsideSource) as error:
            return Failure(subject=str(ref.address), reason=error.message, address=ref.address)

    def profile(self, requests: Sequence[ProfileRequest]) -> Iterator[Profile | Failure]:
        """Read footers once more, for their statistics, so many at once as there are connections."""
        broken = Event()
        with ThreadPoolExecutor(self._config.connections, thread_name_prefix="hms-s3-profile") as pool:
            yield from pool.map(partial(self._profile, broken=broken), requests)

    def _profile(self, request: ProfileRequest, *, broken: Event) -> Profile | Failure:
        return self._guarded(request.ref, lambda: profile_one(self._bucket, request), broken=broken)

    def scan(self, request: ScanRequest) -> Scan:
        """Plan the reading of the objects that the predicate on partitions leaves; of a pin's, if it has one."""
        if request.pin is not None:
            return plan_scan(PinnedBucket(self._config, self.client, Pin.parse(request.pin)), request)
        return plan_scan(ReadBucket(self._config, self.client, deadline_s=request.deadline_s), request)

    def rest(self) -> bool:
        """Keep the client, which takes longer to make than most answers; each scan lists anew."""
        return True

    def manifests(self, scope: Scope) -> Iterator[ManifestText | Failure]:
        """Yield the manifests that lie beside the data."""
        tree = self._bucket.within(scope.deadline_s)
        found, tree.manifests_seen = tree.manifests_seen, None
        if found is None:
            found = [entry for _, listed in tree.folders(_within(scope)) for entry in listed.manifests]
        return manifests(tree, found)

    def locate(self, location: str) -> DatasetRef | None:
        """Return the dataset at an `s3:` URL."""
        return find(self._bucket, location)

    def trino_catalog(self) -> TrinoCatalog | NotFederated:
        """Return the same store as a catalog of Trino."""
        return trino_catalog(self._config)

    def trino_table(self, dataset: Dataset) -> TrinoTable | NotFederated:
        """Return the table of Trino's that gives the rows of a dataset."""
        return trino_table(
            self._bucket.within(_TABLE_S), dataset, root=f"s3://{self._config.bucket}/{self._config.prefix}"
        )

    def close(self) -> None:
        """Let go of connections and threads."""
        self._bucket.close()
        self.client.close()


def _within(scope: Scope) -> Collection[str] | None:
    """Return the folders to list, None for all: a table of `public` may come from any folder."""
    return None if scope.schemas is None or PUBLIC in scope.schemas else scope.schemas
