"""What is listed under a new name and is known already: it keeps its id, if the listing proves it."""

from __future__ import annotations

from collections.abc import Iterator

from hms_crawler.lease import Lease
from hms_crawler.listing import Listing
from hms_registry.domain.datasets import DatasetRef


def held_back(listing: Listing, *, lease: Lease) -> Iterator[DatasetRef]:
    """Yield what waited for the end of the listing; what was renamed has its new address by then.

    Where the new address has a past of its own, that counts, and what had the old one is gone.
    """
    for former, ref in listing.held:
        known = listing.take_renamed(former)
        if known is not None:
            with lease.catalogue.unit(writes=True) as uow:
                lease.hold(uow)
                if uow.renames.rename(known.dataset_id, ref.address):
                    uow.commit()
                else:
                    listing.put_back(former, known)
        yield ref
