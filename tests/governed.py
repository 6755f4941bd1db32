"""A registry's home as a person has it after its first minutes: its policies in force, its sources crawled."""

from __future__ import annotations

from hms_crawler import Report, crawl_all
from hms_policies import check_bundle, load_bundle, run_tests
from hms_registry.bootstrap import Registry, now
from hms_registry.services.governance import publish

STEWARD = "olga"


def publish_policies(registry: Registry) -> None:
    """Put the files of its `policies/` in force, as `hms-dta policy publish` does."""
    publish(
        load_bundle(registry.policies, author=STEWARD),
        catalogue=registry.catalogue,
        check=check_bundle,
        test=run_tests,
        subject=STEWARD,
        now=now(),
    )


def crawl_sources(registry: Registry) -> list[Report]:
    """Crawl all of `sources.yml`."""
    sources = list(registry.sources.values())
    return crawl_all(sources, open_adapter=registry.adapters, catalogue=registry.catalogue, clock=now)
