"""Datasets that a policy's tests describe themselves, so that a policy is tested without a catalogue."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from hms_policies.yaml_text import Mapping
from hms_registry.domain.columns import PrivacyTier, StorageTier
from hms_registry.domain.labels import ColumnLabels, DatasetLabels
from hms_registry.domain.names import Address
from hms_registry.errors import PolicyInvalid, SettingsInvalid


def _tier(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return PrivacyTier.parse(value)
    except SettingsInvalid as error:
        raise ValueError(f"it is none of {error.hint.removeprefix('use ')}") from None


def _absent(value: object) -> object:
    return {} if value is None else value


Tier = Annotated[PrivacyTier, BeforeValidator(_tier)]


class ColumnFixture(BaseModel):
    """A column; `derives_from` lists `DATASET COLUMN` of the same file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tags: frozenset[str] = frozenset()
    privacy_tier: Tier | None = None
    derives_from: tuple[str, ...] = ()


class DatasetFixture(BaseModel):
    """A dataset; what is left out is as for one that nobody labelled."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    registry_id: str = "local"
    agency: str = ""
    owner: str = ""
    license: str = ""
    kind: str = "table"
    tags: frozenset[str] = frozenset()
    storage_tier: StorageTier = StorageTier.HOT
    privacy_tier: Tier | None = None
    has_unknown_origin: bool = False
    derives_from: tuple[str, ...] = ()
    columns: Annotated[dict[str, Annotated[ColumnFixture, BeforeValidator(_absent)]], BeforeValidator(_absent)] = Field(
        default_factory=dict
    )


def read_fixtures(tree: Mapping, *, file: str, mentions: frozenset[str]) -> dict[str, DatasetLabels]:
    """Return the labels of the datasets that a test file describes, by address.

    Raises:
        PolicyInvalid: naming file, line and field.
    """
    described = tree.get("datasets")
    if described is None:
        return {}
    if not isinstance(described, Mapping):
        raise PolicyInvalid(
            f"{file}:{tree.line_of(['datasets'])}: datasets is not a mapping", hint="write ADDRESS: ..."
        )
    fixtures: dict[str, DatasetFixture] = {}
    for name, value in described.items():
        try:
            fixtures[str(Address.parse(name))] = DatasetFixture.model_validate(_absent(value))
        except SettingsInvalid as error:
            raise PolicyInvalid(f"{file}:{described.line_of([name])}: {error.message}", hint=error.hint) from None
        except ValidationError as error:
            first = error.errors()[0]
            path = [name, *first["loc"]]
            raise PolicyInvalid(
                f"{file}:{described.line_of(path)}: {'.'.join(map(str, path))}: {first['msg']}",
                hint="see policies/README.md for what a dataset in a test may have",
            ) from None
    return _Labeller(fixtures, mentions, file).all()


class _Labeller:
    """Follows `derives_from` as the catalogue follows lineage."""

    def __init__(self, fixtures: dict[str, DatasetFixture], mentions: frozenset[str], file: str) -> None:
        self._fixtures = fixtures
        self._mentions = mentions
        self._file = file

    def all(self) -> dict[str, DatasetLabels]:
        """Label every dataset."""
        return {name: self._labels(name, (name,)) for name in self._fixtures}

    def _labels(self, name: str, path: tuple[str, ...]) -> DatasetLabels:
        fixture = self._get(name)
        origins = [self._labels(origin, self._step(path, origin)) for origin in fixture.derives_from]
        flat = dict.fromkeys(one for origin in origins for one in (*origin.origins, _alone(origin)))
        tier = fixture.privacy_tier
        if tier is None:
            tier = max((origin.privacy_tier for origin in origins), default=PrivacyTier.RESTRICTED)
        own = DatasetLabels(
            registry_id=fixture.registry_id,
            source=Address.parse(name).source,
            agency=fixture.agency,
            owner=fixture.owner,
            license=fixture.license,
            kind=fixture.kind,
            name=name if name in self._mentions else "",
            tags=fixture.tags,
            storage_tier=fixture.storage_tier,
            privacy_tier=tier,
            has_unknown_origin=fixture.has_unknown_origin,
            origins=tuple(flat),
        )
        columns = tuple((column, self._column(name, column, own, path)) for column in fixture.columns)
        return replace(own, columns=columns)

    def _column(self, name: str, column: str, dataset: DatasetLabels, path: tuple[str, ...]) -> ColumnLabels:
        fixture = self._fixtures[name].columns[column]
        origins: dict[tuple[DatasetLabels, ColumnLabels], None] = {}
        for text in fixture.derives_from:
            origin, _, origin_column = text.partition(" ")
            labels = self._labels(origin, self._step(path, f"{origin} {origin_column}"))
            found = dict(labels.columns).get(origin_column)
            if found is None:
                raise PolicyInvalid(f"{self._file}: {origin} has no column {origin_column}", hint="see derives_from")
            origins.update(dict.fromkeys(found.origins))
            origins[_alone(labels), replace(found, origins=())] = None
        tier = fixture.privacy_tier
        if tier is None:
            tier = max((each.privacy_tier for _dataset, each in origins), default=dataset.privacy_tier)
        return ColumnLabels(
            name=column if column in self._mentions else "",
            tags=fixture.tags,
            privacy_tier=tier,
            origins=tuple(origins),
        )

    def _get(self, name: str) -> DatasetFixture:
        if name not in self._fixtures:
            raise PolicyInvalid(f"{self._file}: {name} is not described", hint="add it under datasets: in that file")
        return self._fixtures[name]

    def _step(self, path: tuple[str, ...], name: str) -> tuple[str, ...]:
        if name in path or len(path) > 20:
            raise PolicyInvalid(f"{self._file}: {name} derives from itself", hint="see derives_from")
        return (*path, name)


def _alone(labels: DatasetLabels) -> DatasetLabels:
    return replace(labels, origins=(), columns=())
