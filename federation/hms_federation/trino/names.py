"""Catalogued names: what each name that Trino uses means here, without asking the store each time.

The names, and the number of the class behind each, are kept in memory for one epoch of the catalogue and follow it by
what changed since; nothing else is derived from them. What was committed before a question is in its answer. A hundred
thousand names take some 40 MB. Datasets with their columns are kept as well, a bounded number, for one epoch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from hms_registry.domain.catalogued import Reading
from hms_registry.domain.datasets import Dataset
from hms_registry.domain.labels import DatasetLabels
from hms_registry.domain.names import TrinoName
from hms_registry.ports.catalogue import Catalogue, Moment

MOST_DATASETS: Final = 4_096
Key = tuple[str, str, str]
"""Catalog, schema and table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names of one epoch. Nothing in it changes.

    Attributes:
        read: what they were read from, without its rows.
        policy_epoch: of the bundle whose labels they have.
        tables: by name, the id of the table's class.
        keys: by number of the dataset, its name.
        classes: by catalog and schema, how many tables each class in it has.
        labels: by class id.
        has_eclipsed: some table has a name by which Trino means another one, see `class_of`.
    """

    read: Reading
    policy_epoch: int
    tables: Mapping[Key, int]
    keys: Mapping[int, Key] = field(repr=False)
    classes: Mapping[str, Mapping[str, Counter[int]]]
    labels: Mapping[int, DatasetLabels]
    has_eclipsed: bool = False

    @property
    def epoch(self) -> int:
        """The epoch that they are of."""
        return self.read.epoch

    def class_of(self, catalog: str, schema: str, table: str) -> int | None:
        """The id of a table's class; None = nobody registered it.

        `passages$partitions` is what Trino's Hive connector tells of `passages`: where that is registered, nothing
        else is meant by the name, whatever is registered under it.
        """
        key = catalog, schema, table
        return None if self.has_eclipsed and _is_eclipsed(key, self.tables) else self.tables.get(key)

    def classes_in(self, catalog: str, schema: str | None = None) -> Collection[int]:
        """The ids of the classes in a schema, or in a whole catalog."""
        schemas = self.classes.get(catalog, {})
        return set().union(*schemas.values()) if schema is None else schemas.get(schema, ())

    def after(self, reading: Reading, *, policy_epoch: int) -> Names:
        """The names as a later reading has them."""
        return _names_of(reading, policy_epoch=policy_epoch, before=_EMPTY if reading.is_whole else self)


_EMPTY: Final = Names(read=Reading(-1, "", True, (), {}), policy_epoch=0, tables={}, keys={}, classes={}, labels={})


def _names_of(reading: Reading, *, policy_epoch: int, before: Names) -> Names:
    keys, tables = dict(before.keys), dict(before.tables)
    former = {key: tables.pop(key) for row in reading.rows if (key := keys.pop(row.number, None)) is not None}
    present = {(row.catalog, row.schema, row.table): row for row in reading.rows if not row.is_gone}
    classes = {catalog: dict(schemas) for catalog, schemas in before.classes.items()}
    for catalog, schema in {key[:2] for key in (*former, *present)}:
        schemas = classes.setdefault(catalog, {})
        schemas[schema] = Counter(schemas.get(schema, {}))
    for (catalog, schema, _), class_id in former.items():
        classes[catalog][schema][class_id] -= 1
    for key, row in present.items():
        keys[row.number] = key
        tables[key] = row.class_id
        classes[row.catalog][row.schema][row.class_id] += 1
    for catalog, schema in {key[:2] for key in former}:
        classes[catalog][schema] += Counter()  # keeps those above zero only
    return Names(
        read=reading._replace(rows=(), labels={}),
        policy_epoch=policy_epoch,
        tables=tables,
        keys=keys,
        classes=classes,
        labels={**before.labels, **reading.labels},
        has_eclipsed=any("$" in key[2] and _is_eclipsed(key, tables) for key in tables),
    )


def _is_eclipsed(key: Key, tables: Collection[Key]) -> bool:
    catalog, schema, table = key
    head, mark, _ = table.rpartition("$")
    return bool(mark) and (catalog, schema, head) in tables


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
