"""Whatever is in a catalogue, SQLite and PostgreSQL answer alike: the same hits, totals, order and suggestions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from catalogues import truncate
from hms_registry.domain.columns import Column, PrivacyTier
from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.decisions import Visibility
from hms_registry.domain.edges import Edge, EdgeKind
from hms_registry.domain.manifests import Manifest
from hms_registry.ports.catalogue import Catalogue
from hms_registry.ports.edges import EdgeSet
from hms_registry.store import open_catalogue
from hms_registry.store.codec import exact, parse_exact
from hms_registry.store.column_forms import ColumnForm
from hms_registry.store.documents import Part, parts_of, slotted
from hms_registry.store.tokens import MAX_TEXT, MAX_TOKEN, RESERVED, spellings, tokens
from services.postgres import Database, PostgresServer
from store_samples import LAKE, column, described

WORDS = st.sampled_from(
    """flu weekly Flu_Weekly harbour Hafenstraße STRASSE Ångström angstrom café cafe\u0301 İstanbul istanbul ΣΊΣΥΦΟΣ
    σίσυφος naïve a.b a.b.c A "q" 'q' %x _y x* (NEAR & | ! :* <-> \\ \\' {} [a] 北京市 北京 हिन्दी 한국어 \ufb01n ½ ²
    x\u0301\u0302
    \U0010ffff \U0001f6a2 \ue000 \ue001x \u202eevil \x01 a\x7fb ñ ǅ ı ſ \u00ad \u200d""".split()
)
ODD = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=6)
NAMES = st.lists(WORDS | ODD, min_size=1, max_size=3).map(" ".join)
TEXTS = st.just("") | st.lists(WORDS | st.text(max_size=8), max_size=5).map(" ".join)
TIERS = st.none() | st.sampled_from(PrivacyTier)
COLUMNS = st.lists(
    st.builds(
        lambda name, description, tags, tier: replace(column(name, tags=tags, tier=tier), description=description),
        st.text(min_size=1, max_size=6) | NAMES, TEXTS, st.lists(WORDS, max_size=2), TIERS,
    ),
    max_size=4, unique_by=lambda each: each.path,
)  # fmt: skip
DATASETS = st.lists(st.tuples(NAMES, NAMES, COLUMNS, TEXTS), min_size=1, max_size=6, unique_by=lambda each: each[:2])
QUERIES = st.lists(TEXTS | NAMES | st.text(max_size=10), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServer) -> Iterator[Database]:
    """The PostgreSQL of the pair."""
    with postgres_server.database() as made:
        yield made


@dataclass
class Answers:
    """What one catalogue says, without its ids."""

    catalogue: Catalogue

    def fill(self, datasets: list[tuple[str, str, list[object], str]]) -> None:
        """Register these; the first one has a manifest, and each derives from the one before it."""
        with self.catalogue.unit(writes=True) as uow:
            uow.sources.put(LAKE)
            made = [
                replace(described(table, schema=schema), columns=tuple(columns), description=text)
                for schema, table, columns, text in datasets
            ]
            done = uow.registrations.register(made)
            uow.registrations.annotate(done[0].address, Manifest(name=datasets[0][3] or "x", source="x"))
            pairs = itertools.pairwise(done)
            uow.edges.replace_all([self._edges(one.dataset_id, other.dataset_id, datasets) for one, other in pairs])
            uow.commit()

    def _edges(self, one: DatasetId, other: DatasetId, datasets: list[tuple[str, str, list[object], str]]) -> EdgeSet:
        named = "\0".join(each[1] for each in datasets) + "\udc80\\"
        edge = Edge(upstream=one, downstream=other, kind=EdgeKind.DERIVES, upstream_column=named, origin="view")
        return EdgeSet(downstream=other, origin="view", edges=[edge])

    def listed(self) -> list[object]:
        """Every dataset in order, with all that does not depend on chance; and the events."""
        with self.catalogue.unit() as uow:
            found = list(uow.datasets.iter())
            names = {each.id: str(each.address) for each in found}
            edges = [
                (names[each.edge.upstream], names[each.edge.downstream], each.edge.upstream_column, each.first_epoch)
                for one in found
                for each in uow.edges.around(one.id)
            ]
            events = [(each.epoch, each.sequence, each.kind, dict(each.payload)) for each in uow.outbox.since(0)]
            facts = [replace(each, id=DatasetId("")) for each in found]
            return [facts, edges, events, uow.epoch()]

    def searches(self, texts: list[str], *, hides: int) -> list[object]:
        """The page of each query, and names near to it, for somebody who may not see every class."""
        with self.catalogue.unit() as uow:
            classes = uow.bundles.classes()
            of_datasets = sorted(classes.datasets.items(), key=lambda item: repr(item[1]))
            of_columns = sorted(classes.columns.items(), key=lambda item: repr(item[1]))
            seen = [key for at, (key, _) in enumerate(of_datasets) if not hides or at % 5 != hides]
            columns = [key for at, (key, _) in enumerate(of_columns) if not hides or at % 3 != hides]
            visible = Visibility(dataset_classes=frozenset(seen), column_classes=frozenset(columns))
            names = {each.id: str(each.address) for each in uow.datasets.iter()}
            answers: list[object] = []
            for text in texts:
                page = uow.search.search(text, visible=visible, limit=4)
                hits = [(names[hit.dataset_id], hit.matched) for hit in page.hits]
                answers.append((text, page.total, hits, uow.search.nearest(text, visible=visible)))
            return answers


@pytest.mark.slow
# No shrinking: each try asks two databases.
@settings(
    deadline=None, derandomize=True, max_examples=10, phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
@given(datasets=DATASETS, queries=QUERIES, hides=st.integers(0, 2))
def test_both_databases_answer_alike(
    database: Database, datasets: list[tuple[str, str, list[object], str]], queries: list[str], hides: int
) -> None:
    """Any names, any text, any query, whoever asks."""
    truncate(database)
    with closing(open_catalogue("sqlite://")) as one, closing(open_catalogue(database.url)) as other:
        pair = Answers(one), Answers(other)
        for each in pair:
            each.fill(datasets)

        assert pair[0].listed() == pair[1].listed()
        names = [name for dataset in datasets[:3] for name in dataset[:2]]
        texts = [*queries, *names, *(name[:4] for name in names)]
        assert pair[0].searches(texts, hides=hides) == pair[1].searches(texts, hides=hides)


@settings(deadline=None, derandomize=True)
@given(st.text(max_size=30) | TEXTS)
def test_any_text_can_be_kept_exactly(text: str) -> None:
    """NUL, lone surrogates and backslashes come back; what is kept is valid Unicode without NUL."""
    kept = exact(text)

    assert "\0" not in kept.encode().decode()
    assert parse_exact(kept) == text


@settings(deadline=None, derandomize=True)
@given(st.lists(TEXTS | st.text(max_size=30) | st.integers(1, 2_000).map(lambda size: "x" * size), max_size=6))
def test_tokens_are_plain_and_stay_as_they_are(texts: list[str]) -> None:
    """They hold no space, no reserved character and no capital, and are not too long."""
    for text in texts:
        for token in tokens(text):
            assert token and len(token) <= MAX_TOKEN and " " not in token and not RESERVED.intersection(token)
            assert tokens(token) == [token]


@settings(deadline=None, derandomize=True)
@given(columns=COLUMNS, classes=st.lists(st.integers(1, 12), min_size=4, max_size=4))
def test_the_texts_of_a_document_stay_apart(columns: list[Column], classes: list[int]) -> None:
    """Each text of each column comes back with its part, from a slot whose classes are no others than its own."""
    forms = [ColumnForm(each) for each in columns]
    names = list(dict.fromkeys(form.name for form in forms))
    class_of = dict(zip(names, classes, strict=False))

    made = slotted(forms, [class_of[name] for name in names])

    told = {
        (class_id, part, text)
        for of_slot, written in zip(made.classes, made.texts, strict=True)
        for part, text in parts_of([written])
        for class_id in of_slot
    }
    for form in forms:
        said = [(Part.TAG, form.tags), (Part.DESCRIPTION, form.description)]
        said += [(Part.COLUMN, text) for text in spellings(form.name)]
        assert {(class_of[form.name], part, text) for part, text in said if text} <= told
    assert all("  " not in text and len(text) <= MAX_TEXT and text == text.strip() for text in made.texts)
