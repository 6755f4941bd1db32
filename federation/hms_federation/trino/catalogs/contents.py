"""The tables of one catalog, compared with the datasets of its source: made, mended, and dropped where they are ours.

What a table was made of stands in its comment, so that nothing is asked of the store for a dataset that is as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from hms_federation.trino.catalogs.live import Live
from hms_federation.trino.catalogs.states import State, TableState
from hms_federation.trino.catalogs.tables import (
    RAW,
    Made,
    WantedTable,
    cannot_be,
    create_schema,
    drop,
    raw_of,
)
from hms_federation.trino.catalogs.text import digest, literal, name
from hms_federation.trino.catalogs.wanted import twin_columns
from hms_registry.domain.datasets import Dataset
from hms_registry.domain.names import TrinoName
from hms_registry.errors import NotInstalled, QueryFailed, ScanFailed
from hms_registry.ports.trino import MakesTrinoTables, NotFederated

_RULES = "1"
"""Of how tables are made here: where they change, every table is looked at anew."""

_TABLES = "SELECT schema_name, table_name, comment FROM system.metadata.table_comments WHERE catalog_name = {}"


@dataclass(slots=True, kw_only=True)
class Contents:
    """The tables of a catalog of which the registry makes what is in it.

    Attributes:
        maker: the source's adapter, which knows its files.
        there: comment of each table and view.
        views: those that are views.
        schemas: those that are known to be there.
    """

    live: Live
    catalog: str
    maker: MakesTrinoTables
    is_dry: bool
    there: dict[TrinoName, str] = field(default_factory=dict)
    views: set[TrinoName] = field(default_factory=set)
    schemas: set[str] = field(default_factory=set)
    present: int = 0

    def compare(self, datasets: Iterable[Dataset]) -> Iterator[TableState]:
        """Mend what is not as it should be, unless it is dry, and tell of it; what is as it should be is counted.

        Raises:
            TrinoUnreachable, CredentialsRejected
            QueryFailed: the catalog does not answer.
            SourceUnreachable: the store does not.
        """
        self._look()
        kept: set[TrinoName] = set()
        for dataset in datasets:
            kept.add(dataset.trino_name)
            state = self._one(dataset)
            if state is None:
                self.present += 1
            else:
                yield state
        yield from self._left_over(kept)

    def _look(self) -> None:
        for schema, table, comment in self.live.rows(_TABLES.format(literal(self.catalog))):
            if schema != "information_schema":
                self.there[TrinoName(self.catalog, str(schema), str(table))] = str(comment or "")
                self.schemas.add(str(schema))
        views = f"SELECT table_schema, table_name FROM {name(self.catalog, 'information_schema', 'views')}"  # noqa: S608 # the name is quoted
        self.views = {TrinoName(self.catalog, str(schema), str(table)) for schema, table in self.live.rows(views)}

    def _one(self, dataset: Dataset) -> TableState | None:
        """Bring one dataset's table to what it should be; None = it is already."""
        known, files = dataset.trino_name, _files(dataset)
        made = Made.read(self.there.get(known))
        if known in self.there and made is None:
            return TableState(
                name=str(known),
                state=State.FOREIGN,
                reason="somebody else made a table or view of that name there",
                hint="drop it there, and sync again",
            )
        if made is not None and made.files == digest(files) and self._is_whole(known):
            return None
        try:
            return self._made(known, dataset, made, files)
        except (QueryFailed, ScanFailed) as error:
            return TableState(name=str(known), state=State.FAILED, reason=error.message, hint=error.hint)

    def _made(self, known: TrinoName, dataset: Dataset, made: Made | None, files: str) -> TableState | None:
        table = twin_columns(dataset) or self.maker.trino_table(dataset)
        why_not = table if isinstance(table, NotFederated) else cannot_be(known, table)
        if why_not is not None or isinstance(table, NotFederated):
            assert why_not is not None
            self._drop(known)
            return TableState(name=str(known), state=State.NOT_FEDERATED, reason=why_not.reason, hint=why_not.hint)
        wanted = WantedTable(known=known, table=table, files=files)
        is_same = made is not None and made.definition == wanted.made.definition and self._is_whole(known)
        state = State.MISSING if known not in self.there else State.DRIFTED
        if self.is_dry:
            return TableState(name=str(known), state=state)
        if is_same:
            self._run(*wanted.partitions(), wanted.comment())
        else:
            self._make(wanted)
        return TableState(name=str(known), state=state.after)

    def _make(self, wanted: WantedTable) -> None:
        """Make a table, or a view over one, in the place of what is ours."""
        known = wanted.known
        if wanted.table.is_plain or known not in self.views:
            self._drop(known)
        elif Made.read(self.there.get(raw_of(known))) is not None:  # the view is replaced at once, and fails meanwhile
            self._run(drop(raw_of(known), is_view=False))
        for schema in wanted.schemas:
            if schema not in self.schemas:
                self._run(create_schema(self.catalog, schema))
                self.schemas.add(schema)
        self._run(*wanted.statements())

    def _is_whole(self, known: TrinoName) -> bool:
        """Say whether what a view reads is still there."""
        return known not in self.views or raw_of(known) in self.there

    def _drop(self, known: TrinoName) -> None:
        """Drop a table or view that is ours, and what is behind it."""
        if self.is_dry:
            return
        for each in (known, raw_of(known)):
            if Made.read(self.there.get(each)) is not None:
                self._run(drop(each, is_view=each in self.views))
                del self.there[each]

    def _left_over(self, kept: set[TrinoName]) -> Iterator[TableState]:
        behind = {raw_of(known) for known in kept}
        ours = [known for known, comment in self.there.items() if Made.read(comment) is not None]
        for known in sorted(ours):
            if known in kept or known in behind or known not in self.there:
                continue
            if known.schema == RAW and any(raw_of(each) == known for each in ours):
                continue  # it goes with its view
            self._drop(known)
            state = State.LEFT_OVER if self.is_dry else State.REMOVED
            yield TableState(name=str(known), state=state)

    def _run(self, *statements: str) -> None:
        for statement in statements:
            self.live.rows(statement)


def maker_of(adapter: object, *, kind: str) -> MakesTrinoTables:
    """Return the adapter as one that knows its tables.

    Raises:
        NotInstalled: it names a folder for tables, and knows none.
    """
    if not isinstance(adapter, MakesTrinoTables):
        raise NotInstalled(f"the adapter {kind} names a folder for tables, and makes none", hint="see docs/adapters.md")
    return adapter


def _files(dataset: Dataset) -> str:
    """Return what a table is made from: a dataset of which all this is equal has the same table."""
    columns = [f"{column.name}\t{column.trino_type}\t{column.native_type}" for column in dataset.columns]
    return "\n".join([_RULES, str(dataset.stamp), dataset.locator, dataset.format, *columns])
