"""Catalogued names: what each name that Trino uses means here, without asking the store each time.

The names, and the number of the class behind each, are kept in memory for one epoch of the catalogue and follow it by
what changed since; nothing else is derived from them. What was committed before a question is in its answer. A hundred
thousand names take some 40 MB. Datasets with their columns are kept as well, a bounded number, for one epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from hms_registry.domain.catalogued import NamedClass, Reading
from hms_registry.domain.datasets import Dataset
from hms_registry.domain.labels import DatasetLabels
from hms_registry.domain.names import TrinoName
from hms_registry.ports.catalogue import Catalogue, Moment

MOST_DATASETS: Final = 4_096
_Place = tuple[str, str]
_NONE: Final[Mapping[str, int]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names of one epoch. Nothing in it changes.

    Attributes:
        read: what they were read from, without its rows.
        policy_epoch: of the bundle whose labels they have.
        tables: by catalog and schema, the id of the class of each table.
        classes: by catalog and schema, the ids of the classes in it.
        labels: by class id.
        rows: by number of the dataset.
    """

    read: Reading
    policy_epoch: int
    tables: Mapping[_Place, Mapping[str, int]]
    classes: Mapping[str, Mapping[str, frozenset[int]]]
    labels: Mapping[int, DatasetLabels]
    rows: Mapping[int, NamedClass] = field(repr=False)

    @property
    def epoch(self) -> int:
        """The epoch that they are of."""
        return self.read.epoch

    def class_of(self, catalog: str, schema: str, table: str) -> int | None:
        """The id of a table's class; None = nobody registered it.

        `passages$partitions` is what Trino's Hive connector tells of `passages`: where that is registered, nothing
        else is meant by the name, whatever is registered under it.
        """
        named = self.tables.get((catalog, schema), _NONE)
        head, mark, _ = table.rpartition("$")
        return None if mark and head in named else named.get(table)

    def classes_in(self, catalog: str, schema: str | None = None) -> frozenset[int]:
        """The ids of the classes in a schema, or in a whole catalog."""
        schemas = self.classes.get(catalog, {})
        return frozenset().union(*schemas.values()) if schema is None else schemas.get(schema, frozenset())

    def after(self, reading: Reading, *, policy_epoch: int) -> Names:
        """The names as a later reading has them."""
        return _names_of(reading, policy_epoch=policy_epoch, before=_EMPTY if reading.is_whole else self)


_EMPTY: Final = Names(read=Reading(-1, "", True, (), {}), policy_epoch=0, tables={}, classes={}, labels={}, rows={})


def _names_of(reading: Reading, *, policy_epoch: int, before: Names) -> Names:
    rows, tables = dict(before.rows), dict(before.tables)
    former = [row for new in reading.rows if (row := rows.pop(new.number, None)) is not None]
    changed = {(row.catalog, row.schema): dict[str, int]() for row in (*former, *reading.rows)}
    for place, named in changed.items():
        named.update(tables.get(place, _NONE))
    for row in former:
        changed[row.catalog, row.schema].pop(row.table, None)
    for row in reading.rows:
        if not row.is_gone:
            rows[row.number] = row
            changed[row.catalog, row.schema][row.table] = row.class_id
    tables.update(changed)
    classes = {catalog: dict(schemas) for catalog, schemas in before.classes.items()}
    for (catalog, schema), named in changed.items():
        classes.setdefault(catalog, {})[schema] = frozenset(named.values())
    labels = {**before.labels, **reading.labels}
    return Names(
        read=reading._replace(rows=(), labels={}),
        policy_epoch=policy_epoch,
        tables=tables,
        classes=classes,
        labels=labels,
        rows=rows,
    )


class PolicyMoved(Exception):
    """A policy was published between two looks at the catalogue: whoever asks begins again."""


class CataloguedNames:
    """The names of a catalogue, kept up with it. Thread-safe."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._reading = Lock()
        self._names: Names | None = None
        self._datasets: tuple[int, dict[TrinoName, Dataset]] = (-1, {})

    def at(self, moment: Moment) -> Names:
        """Return the names of a moment, or of a later one.

        Raises:
            CatalogueError
        """
        names = self._names
        if names is not None and names.epoch == moment.epoch:
            return names
        with self._reading:  # one reads for all that wait; who has what they need waits for nobody
            names = self._names
            if names is not None and names.epoch == moment.epoch:
                return names
            with self._catalogue.unit() as uow:
                reading = uow.datasets.names(known=None if names is None else names.read)
                policy_epoch = uow.bundles.epoch()
            self._names = (names or _EMPTY).after(reading, policy_epoch=policy_epoch)
            return self._names

    def dataset(self, name: TrinoName, *, names: Names) -> Dataset | None:
        """Return a dataset with its columns; a few statements where it is not in memory.

        Raises:
            PolicyMoved: its labels are those of another bundle than the names'.
            CatalogueError
        """
        epoch, known = self._datasets
        if epoch == names.epoch and (kept := known.get(name)) is not None:
            return kept
        with self._catalogue.unit() as uow:
            seen, policy_epoch, found = uow.epoch(), uow.bundles.epoch(), uow.datasets.resolve(name)
        if policy_epoch != names.policy_epoch:
            raise PolicyMoved
        if found is not None:
            self._keep(name, found, epoch=seen)
        return found

    def _keep(self, name: TrinoName, dataset: Dataset, *, epoch: int) -> None:
        kept_epoch, known = self._datasets
        if epoch > kept_epoch or len(known) >= MOST_DATASETS:
            self._datasets = (epoch, {name: dataset})
        elif epoch == kept_epoch:
            known[name] = dataset
