"""What REST answers hold, for OpenAPI: each model is one shape of `services.views`, which the command line prints too.

A field that is not told to somebody is not there at all. A shape that has a field which its model lacks is an error of
ours and fails loudly.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""A moment as ISO 8601 has it, the same text at every door."""


class Body(BaseModel):
    """A part of an answer, with nothing in it that is not described."""

    model_config = ConfigDict(extra="forbid")


class Summary(Body):
    """A dataset in a list."""

    id: str
    address: Annotated[str, Field(description="Byte for byte as its store spells it, in SQL's quotes.")]
    sql_name: Annotated[str, Field(description="Its name in SQL, on every engine.")]
    kind: str
    title: str
    description: str
    agency: str
    owner: str
    tags: list[str]
    privacy_tier: str
    may_read: Annotated[bool, Field(description="You may query its rows.")]
    deprecated: Annotated[bool, Field(description="It is not to be used any more.")]


class Found(Summary):
    """A dataset that a search found."""

    matched: Annotated[list[str], Field(description="Where the words were found: name, column, tag, description.")]
    rank: Annotated[str, Field(description="Why it stands where it does.")]


class Listed(Body):
    """A page of datasets, by address."""

    datasets: list[Summary]
    next: Annotated[str | None, Field(description="The cursor of the next page; null at the end.")]


class FacetValue(Body):
    """How many of what was found have one value."""

    value: str
    count: int


class Facet(Body):
    """How what was found is spread over one thing; `more` values are not told."""

    values: list[FacetValue]
    more: int


class Correction(Body):
    """A word that was looked for in place of one that nothing has."""

    written: str
    meant: str


class SearchPage(Body):
    """A page of what was found, best first. Words are corrected where nothing has all of them as they were written."""

    corrections: list[Correction] = Field(default_factory=list)
    total: Annotated[int, Field(description="How many datasets you may find so, on other pages too.")]
    total_is_exact: Annotated[bool, Field(description="If not, there are more than `total`.")]
    datasets: list[Found]
    facets: dict[str, Facet] = Field(default_factory=dict)
    next: Annotated[str | None, Field(description="The cursor of the next page; null at the end.")]


class Column(Body):
    """One column, or one field inside documents."""

    path: str
    type: Annotated[str, Field(description="Its type in Trino's spelling.")]
    native_type: str
    nullable: bool
    guessed: Annotated[bool, Field(description="Its type was read off a sample.")]
    partition_key: bool
    unit: Annotated[str, Field(description="UCUM code; empty where none is known.")]
    scale: Annotated[str, Field(description="A stored value times this is the value in `unit`. A decimal number.")]
    description: str
    tags: list[str]
    mask: Annotated[str, Field(description="How a query of yours would be shown it.")]


class TopValue(Body):
    """A value that many rows have, and the part of the rows that have it."""

    value: str
    share: float


class ColumnProfile(Body):
    """What is known of the values of a column."""

    path: str
    nulls: int | None = None
    distinct: int | None = None
    minimum: str | None = None
    maximum: str | None = None
    top: list[TopValue] = Field(default_factory=list)


class Profile(Body):
    """What its store tells of the values of a dataset."""

    method: str
    rows: int | None = None
    at: Time
    measured_at: Time | None
    note: str
    columns: list[ColumnProfile]


class Deprecation(Body):
    """Why it is not to be used any more, and what is to be used; null where there is none that you may find."""

    reason: str
    successor: str | None


class Dataset(Summary):
    """Everything that you may see of one dataset. What is made of values is there only if you may see every row."""

    license: str
    storage_tier: str
    state: str
    stale: Annotated[bool, Field(description="The last crawl could not reach its source.")]
    last_crawled_at: Time | None
    revision: Annotated[int, Field(description="Grows with each edit of what people stated of it.")]
    version: Annotated[int, Field(description="The number of the schema version that is shown.")]
    primary_key: list[str]
    columns: list[Column]
    row_filters: Annotated[list[str], Field(description="You see rows where all of these hold.")]
    reason: Annotated[str, Field(description="Why you may not read it; empty where you may.")]
    location: str = ""
    format: str = ""
    row_count: int | None = None
    row_count_is_estimate: bool = False
    size_bytes: int | None = None
    modified_at: Time | None = None
    findings: list[str] = Field(default_factory=list)
    deprecation: Deprecation | None = None
    profile: Profile | None = None


class Change(Body):
    """One thing that differs between two schema versions."""

    kind: str
    subject: str
    grade: str
    before: str = ""
    after: str = ""


class Step(Body):
    """A schema version, and what changed with it."""

    version: int
    since: Time
    grade: Annotated[str, Field(description="The gravest of its changes; empty for the first version.")]
    changes: list[Change]


class History(Body):
    """The schema versions of a dataset, oldest first."""

    address: str
    versions: list[Step]


class Source(Body):
    """A store in which you may find something. Where it is and how it is reached is not told."""

    name: Annotated[str, Field(description="The catalog in SQL.")]
    kind: Annotated[str, Field(description="The adapter that reads it.")]
    agency: str
    owner: str
    stale: Annotated[bool, Field(description="The last crawl could not reach it.")]
    last_crawled_at: Time | None


class Sources(Body):
    """The stores in which you may find something, by name."""

    sources: list[Source]


class CrawlCounts(Body):
    """Datasets that a run met, by what became of them; those that are gone or suspect were not met."""

    listed: int
    new: int
    changed: int
    unchanged: int
    filtered: int
    failed: int
    gone: int
    suspect: int
    edges: int


class Crawl(Body):
    """One run over a source. `counts` is there once it has ended, if you may find all that the source holds."""

    source: str
    state: str
    started_at: Time
    finished_at: Time | None
    counts: CrawlCounts | None = None


class Crawls(Body):
    """A page of runs, the latest first."""

    crawls: list[Crawl]
    next: Annotated[str | None, Field(description="The cursor of the next page; null at the end.")]


class Ingested(Body):
    """What was registered."""

    address: str
    dataset_id: str
    version: int
    outcome: Annotated[str, Field(description="`new`, `changed` or `unchanged`.")]
    location: str
