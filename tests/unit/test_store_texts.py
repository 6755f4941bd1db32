"""Text of any size and kind goes into the catalogue and is found again, on each database; what cannot be is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from catalogues import Catalogues
from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.edges import Edge, EdgeKind
from hms_registry.domain.manifests import Manifest
from hms_registry.domain.names import TrinoName
from hms_registry.errors import CatalogueUnavailable, DatasetNotFound
from hms_registry.ports.catalogue import Catalogue
from hms_registry.store.tokens import MAX_TOKEN
from store_samples import LAKE, column, described, everything, get, put, register

ODD = "\0\udc80\\x00 \U0010ffff e\u0301"


def found(catalogue: Catalogue, text: str) -> list[DatasetId]:
    visible = everything(catalogue)
    with catalogue.unit() as uow:
        return [hit.dataset_id for hit in uow.search.search(text, visible=visible, limit=20).hits]


@pytest.mark.parametrize("name", ["a" * 1_024, '"' * 1_024, "\U0001f6a2" * 256, "İ" * 512, "/".join("ab" * 400)])
def test_a_key_as_long_as_s3_takes_is_registered_and_found(catalogue: Catalogue, name: str) -> None:
    """1,024 bytes, whatever quoting, folding or encoding makes of them."""
    done = register(catalogue, described(name, schema="bucket"))[0]

    dataset = get(catalogue, done.dataset_id)
    assert dataset.address.table == name
    with catalogue.unit() as uow:
        assert uow.datasets.resolve(dataset.trino_name) == uow.datasets.find(dataset.address) == dataset
    assert done.dataset_id in found(catalogue, name)


def test_long_texts_are_kept_whole_and_searched_in_part(catalogue: Catalogue) -> None:
    """A megabyte of description, a title of ten thousand words, a word of ten thousand letters."""
    text = " ".join(f"word{at}" for at in range(120_000))
    done = register(catalogue, described("a", description=text), described("b", description="x" * 10_000 + " end"))
    with catalogue.unit(writes=True) as uow:
        uow.registrations.annotate(done[0].address, Manifest(name=text[:100_000], source="x"))
        uow.commit()

    dataset = get(catalogue, done[0].dataset_id)
    assert (dataset.description, dataset.title) == (text, text[:100_000])
    assert found(catalogue, "word7 word8") == found(catalogue, "word9999") == [done[0].dataset_id]
    assert found(catalogue, "x" * (MAX_TOKEN + 7)) == found(catalogue, "end") == [done[1].dataset_id]
    assert found(catalogue, "y" * MAX_TOKEN) == []


def test_every_column_of_a_very_wide_table_is_found(catalogue: Catalogue) -> None:
    """Also where their names fill more than one search entry."""
    names = [f"{'measurement of something ' * 2}{at:05}" for at in range(6_000)]
    done = register(catalogue, described("wide", *names), described("narrow", "id"))

    for at in (0, 2_999, 5_999):
        assert found(catalogue, f"{at:05}") == [done[0].dataset_id]
    assert found(catalogue, "00000.measurement") == []  # a phrase does not run over two columns


def test_columns_and_edges_of_any_characters_come_back(catalogue: Catalogue) -> None:
    """NUL and lone surrogates, which PostgreSQL does not take, in names of columns and of edges."""
    up, down = register(catalogue, described("up", column(ODD, tags=[ODD])), described("down", ODD))
    edge = Edge(upstream=up.dataset_id, downstream=down.dataset_id, kind=EdgeKind.DERIVES,
                upstream_column=ODD, downstream_column=ODD, origin="view")  # fmt: skip
    with catalogue.unit(writes=True) as uow:
        uow.edges.replace(down.dataset_id, origin="view", edges=[edge])
        uow.commit()

    with catalogue.unit() as uow:
        assert [each.edge for each in uow.edges.around(up.dataset_id)] == [edge]
    dataset = get(catalogue, down.dataset_id)
    assert dataset.columns[0].name == ODD
    assert len(dict(dataset.labels.columns)[ODD].origins) == 1  # the labels followed the edge


def test_names_that_no_database_takes_are_of_nobody(catalogue: Catalogue) -> None:
    """Asked for, they are absent: neither an error of the driver nor another dataset that is spelled so."""
    register(catalogue, described("\\x00"), described("\\udc80"))

    with catalogue.unit() as uow:
        for name in ("\0", "\udc80"):
            assert uow.datasets.resolve(TrinoName("lake", "locks", name)) is None
            assert uow.datasets.get_many([DatasetId(name)]) == []
            with pytest.raises(DatasetNotFound):
                uow.datasets.get(DatasetId(name))


def test_an_address_too_long_to_index_is_said(catalogues: Catalogues) -> None:
    """SQLite takes any; PostgreSQL says which rule it breaks, and keeps the rest."""
    name = "".join(chr(0x4E00 + at * 7 % 20_000) for at in range(1_300))  # nothing that compresses
    with catalogues.empty() as catalogue:
        put(catalogue, replace(LAKE))
        if catalogues.database is None:
            register(catalogue, described(name))
        else:
            with pytest.raises(CatalogueUnavailable) as caught:
                register(catalogue, described(name))
            assert caught.value.message.endswith("holds no name that is this long")
            assert caught.value.hint == "rename it in its store, or exclude it in sources.yml"
        register(catalogue, described("b"))
        assert len(found(catalogue, "b")) == 1
