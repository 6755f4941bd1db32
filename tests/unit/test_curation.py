"""People describe, tag, own and deprecate: kept over crawls and manifests, under the policy, in the audit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from hms_policies import PolicyDecisions
from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.datasets import Dataset
from hms_registry.domain.decisions import Mask
from hms_registry.domain.manifests import Manifest, ManifestColumn
from hms_registry.domain.names import Address
from hms_registry.domain.principals import Principal
from hms_registry.errors import AccessDenied, ColumnNotFound, DatasetNotFound, EditOutdated, SettingsInvalid
from hms_registry.ports.bundles import Bundle, Classes
from hms_registry.ports.catalogue import Catalogue
from hms_registry.ports.records import AuditEntry
from hms_registry.services import curation
from hms_registry.services.catalogue import view_of
from hms_registry.services.deprecations import deprecation_of
from hms_registry.services.editing import Editor
from hms_registry.services.feed import Cursor, read_feed
from policy_samples import bundle_of
from store_samples import LAKE, described, register

STEWARD = Principal(subject="olga", roles=frozenset({"steward"}))
TAGGER = Principal(subject="tom", roles=frozenset({"tagger"}), auth_method="token")
ANALYST = Principal(subject="ana", roles=frozenset({"analyst"}))
POLICY = """
allow(_, _, d: Dataset) if d.source = "lake" and not "secret" in d.tags;
allow(who, _, _: Dataset) if "steward" in who.roles;
allow(_, _, d: Dataset) if "open" in d.tags;
deny(who, "read", c: Column) if "secret" in c.tags and not ("steward" in who.roles);
mask(_, c: Column, "redact") if "name" in c.tags;
edit(who: Principal, "describe", _: Dataset) if "analyst" in who.roles;
edit(who: Principal, edit, _: Dataset) if "tagger" in who.roles and edit in ["describe", "tag", "own", "deprecate"];
edit(who: Principal, _, _: Dataset) if "steward" in who.roles;
"""
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CALLS, SHIPS = "lake.locks.calls", "lake.locks.ships"
NOTHING = Classes(datasets={}, columns={})


def filled(catalogue: Catalogue) -> Catalogue:
    """Two datasets in a lake, and one in a clinic that only stewards find."""
    register(catalogue, described("calls", "id", "captain", description="as crawled"), described("ships"))
    register(catalogue, described("patients", source="clinic"))
    return catalogue


@pytest.fixture
def lake(memory: Catalogue) -> Catalogue:
    """It in memory, for what does not lie with the database."""
    return filled(memory)


@pytest.fixture
def stored(catalogue: Catalogue) -> Catalogue:
    """It in each database in turn."""
    return filled(catalogue)


def decisions_of(bundle: Bundle) -> PolicyDecisions:
    return PolicyDecisions(bundle, classes=lambda: NOTHING)


def editor(catalogue: Catalogue, who: Principal = STEWARD, *, polar: str = POLICY) -> Editor:
    decisions = decisions_of(bundle_of(polar))
    return Editor(principal=who, catalogue=catalogue, decisions=lambda: decisions, clock=lambda: NOW)


def dataset(catalogue: Catalogue, name: str = CALLS) -> Dataset:
    with catalogue.unit() as uow:
        found = uow.datasets.find(Address.parse(name))
    assert found is not None
    return found


def audit(catalogue: Catalogue) -> list[AuditEntry]:
    with catalogue.unit() as uow:
        return uow.audit.latest()


def epoch(catalogue: Catalogue) -> int:
    with catalogue.unit() as uow:
        return uow.epoch()


def crawl(catalogue: Catalogue, *columns: str, description: str = "as crawled") -> None:
    """The next crawl finds the dataset changed."""
    register(catalogue, described("calls", *columns, stamp="next", description=description))


def test_an_edit_is_one_epoch_one_event_and_one_line_of_the_audit(stored: Catalogue) -> None:
    """What it states is read at once; the audit tells who, when, which, and no text."""
    before = epoch(stored)

    edited = curation.describe(CALLS, " Calls at the locks ", seen=0, editor=editor(stored))

    assert edited.has_changed and edited.revision == 1
    found = dataset(stored)
    assert found.description == "Calls at the locks"
    assert found.curation is not None and (found.curation.by, found.curation.at) == ("olga", NOW)
    assert found.epoch == epoch(stored) == before + 1
    with stored.unit() as uow:
        events = uow.outbox.since(before)
    assert [(each.kind, each.dataset_id, each.payload["address"]) for each in events] == [
        ("DatasetChanged", found.id, CALLS)
    ]
    (entry,) = audit(stored)
    assert (entry.subject, entry.action, entry.outcome, entry.at) == ("olga", "describe", "allowed", NOW)
    assert entry.detail["dataset"] == found.id and "Calls" not in str(entry.detail)


EDITS: dict[str, Callable[[Editor], object]] = {
    "describe": lambda by: curation.describe(CALLS, "words", seen=None, editor=by),
    "describe column": lambda by: curation.describe(CALLS, "words", column="captain", seen=None, editor=by),
    "tag": lambda by: curation.tag(CALLS, add=["grain"], editor=by),
    "tag column": lambda by: curation.tag(CALLS, add=["name"], column="captain", editor=by),
    "own": lambda by: curation.own(CALLS, "AMS", seen=None, editor=by),
    "deprecate": lambda by: curation.deprecate(CALLS, reason="old", successor=SHIPS, seen=None, editor=by),
}


def test_an_edit_that_is_made_again_writes_nothing(lake: Catalogue) -> None:
    """It is so already, whichever revision its sender has seen."""
    for edit in EDITS.values():
        edit(editor(lake))
    before, entries = epoch(lake), len(audit(lake))

    for edit in EDITS.values():
        edit(editor(lake))

    assert epoch(lake) == before
    assert len(audit(lake)) == entries == len(EDITS)


def test_edits_survive_crawls_manifests_and_new_names(stored: Catalogue) -> None:
    """What the next crawl describes, what a manifest states, and another name in the store change nothing of them."""
    for edit in EDITS.values():
        edit(editor(stored))
    edited = dataset(stored)
    statements = (ManifestColumn(name="captain", description="of the manifest", tags=frozenset({"manifest"})),)
    manifest = Manifest(name="Calls", source="x", description="of the manifest", owner="bts", columns=statements)

    crawl(stored, "id", "captain", "more", description="as crawled later")
    with stored.unit(writes=True) as uow:
        uow.registrations.annotate(Address.parse(CALLS), manifest)
        uow.commit()
    with stored.unit(writes=True) as uow:
        assert uow.renames.rename(edited.id, Address("lake", "locks", "renamed"))
        uow.commit()

    found = dataset(stored, "lake.locks.renamed")
    assert found.curation == edited.curation is not None
    assert (found.description, found.owner, found.tags) == ("words", "AMS", {"grain"})
    assert (found.columns[1].description, found.columns[1].tags) == ("words", {"manifest", "name"})


def test_what_is_taken_back_is_again_as_crawled(lake: Catalogue) -> None:
    """Texts by stating none, tags by taking them away."""
    by = editor(lake)
    curation.describe(CALLS, "mine", seen=0, editor=by)
    curation.own(CALLS, "AMS", seen=1, editor=by)
    curation.tag(CALLS, add=["a", "b"], editor=by)
    curation.deprecate(CALLS, reason="old", successor=None, seen=3, editor=by)

    curation.describe(CALLS, None, seen=4, editor=by)
    curation.own(CALLS, None, seen=5, editor=by)
    curation.tag(CALLS, remove=["a", "c"], editor=by)
    done = curation.undeprecate(CALLS, seen=7, editor=by)

    found = dataset(lake)
    assert (found.description, found.owner, found.tags) == ("as crawled", "bts", {"b"})
    assert found.curation is not None and found.curation.deprecation is None
    assert done.revision == found.curation.revision == 8
    with lake.unit() as uow:
        assert uow.outbox.since(0)[-1].kind == "DatasetReinstated"


def test_a_lost_update_is_refused_with_the_next_step(lake: Catalogue) -> None:
    """Who has not seen the last edit does not write over it, and nothing is written."""
    curation.describe(CALLS, "hers", seen=0, editor=editor(lake, TAGGER))
    before = epoch(lake)

    with pytest.raises(EditOutdated, match="is at revision 1, and you have seen 0") as refused:
        curation.describe(CALLS, "his", seen=0, editor=editor(lake))

    assert "read it again" in refused.value.hint
    assert (dataset(lake).description, epoch(lake)) == ("hers", before)


def test_an_edit_without_its_right_is_denied_and_audited(lake: Catalogue) -> None:
    """Who may describe may not tag; the audit tells who tried."""
    with pytest.raises(AccessDenied, match=r"you may find lake\.locks\.calls, and not tag it"):
        curation.tag(CALLS, add=["grain"], editor=editor(lake, ANALYST))

    (entry,) = audit(lake)
    assert (entry.subject, entry.action, entry.outcome) == ("ana", "tag", "denied")
    assert dataset(lake).curation is None


def test_what_may_not_be_found_answers_as_absent(lake: Catalogue) -> None:
    """The hidden and the absent have one error, as a dataset, as a successor and as a column."""
    by = editor(lake, TAGGER)
    told = {}
    for name in ("clinic.locks.patients", "clinic.locks.nothing"):
        with pytest.raises(DatasetNotFound) as hidden:
            curation.tag(name, add=["open"], editor=by)
        with pytest.raises(DatasetNotFound) as heir:
            curation.deprecate(CALLS, reason="old", successor=name, seen=0, editor=by)
        told[name] = [str(each.value).replace(name, "X") + each.value.hint for each in (hidden, heir)]
    curation.tag(CALLS, add=["secret"], column="captain", editor=editor(lake))
    for path in ("captain", "nothing"):
        with pytest.raises(ColumnNotFound) as column_of:
            curation.describe(CALLS, "words", column=path, seen=None, editor=by)
        told[path] = [str(column_of.value).replace(path, "X") + column_of.value.hint]

    assert told["clinic.locks.patients"] == told["clinic.locks.nothing"]
    assert told["captain"] == told["nothing"]
    assert {entry.action for entry in audit(lake) if entry.outcome == "denied"} == {"tag"}


@pytest.mark.parametrize(
    "edit",
    [
        lambda by: curation.tag(CALLS, add=["open"], editor=by),
        lambda by: curation.tag(CALLS, remove=["name"], column="id", editor=by),
        lambda by: curation.tag(CALLS, add=["grain", "open"], remove=["old"], editor=by),
    ],
    ids=["a tag that opens", "a tag that closes, taken away", "among others"],
)
def test_what_could_open_something_takes_the_right_to_declassify(
    lake: Catalogue, edit: Callable[[Editor], object]
) -> None:
    """Tags are what policies read: who may tag must not thereby see more, nor show it to others."""
    curation.tag(CALLS, add=["old"], editor=editor(lake))
    curation.tag(CALLS, add=["name"], column="id", editor=editor(lake, TAGGER))
    before = dataset(lake)

    with pytest.raises(AccessDenied, match="you may not declassify it"):
        edit(editor(lake, TAGGER))
    assert dataset(lake) == before
    edit(editor(lake, STEWARD))

    assert dataset(lake).curation != before.curation
    assert audit(lake)[0].detail["declassifies"] == "yes"


def test_a_tag_that_closes_is_put_on_by_who_may_tag(lake: Catalogue) -> None:
    """A mask follows at once, for who put it on as for everybody."""
    curation.tag(CALLS, add=["name"], column="captain", editor=editor(lake, TAGGER))

    decision = decisions_of(bundle_of(POLICY)).decide(TAGGER, dataset(lake).labels)
    assert decision.masks == {"captain": Mask.REDACT}


def test_a_tag_that_closed_a_column_does_not_fall_off_with_its_name(stored: Catalogue) -> None:
    """The column may go on under another name: until a steward has looked, every column counts as it. To describe one
    does not free it, and who may only tag cannot take the tag away."""
    curation.tag(CALLS, add=["secret"], column="captain", editor=editor(stored))
    crawl(stored, "id", "master")
    curation.describe(CALLS, "who steers", column="master", seen=None, editor=editor(stored))
    curation.tag(CALLS, add=["harmless"], column="master", editor=editor(stored))

    seen = view_of(dataset(stored), principal=ANALYST, decisions=decisions_of(bundle_of(POLICY)))
    assert seen is not None and seen.columns == ()
    with pytest.raises(ColumnNotFound):
        curation.tag(CALLS, remove=["secret"], column="captain", editor=editor(stored, TAGGER))
    curation.tag(CALLS, add=["secret"], column="master", editor=editor(stored))
    curation.tag(CALLS, remove=["secret"], column="captain", editor=editor(stored))

    seen = view_of(dataset(stored), principal=ANALYST, decisions=decisions_of(bundle_of(POLICY)))
    assert seen is not None and [each.name for each, _mask in seen.columns] == ["id"]


def test_a_manifest_does_not_take_a_tag_away(lake: Catalogue) -> None:
    """Whoever may write to the store may state other tags, and take away their own."""
    curation.tag(CALLS, add=["secret"], column="captain", editor=editor(lake))
    with lake.unit(writes=True) as uow:
        bare = ManifestColumn(name="captain", tags=frozenset(), privacy_tier=PrivacyTier.PUBLIC)
        uow.registrations.annotate(Address.parse(CALLS), Manifest(name="Calls", source="x", columns=(bare,)))
        uow.commit()

    assert dataset(lake).columns[1].tags == {"secret"}
    with pytest.raises(SettingsInvalid, match="the tag water is stated by a manifest"):
        with lake.unit(writes=True) as uow:
            uow.sources.put(replace(LAKE, tags=frozenset({"water"})))
            uow.commit()
        curation.tag(CALLS, remove=["water"], editor=editor(lake))


def test_an_owner_that_a_rule_reads_is_stated_by_who_may_declassify(lake: Catalogue) -> None:
    """Or one could make a dataset one's own, and with it what owners may."""
    owners = POLICY + "edit(who: Principal, _, d: Dataset) if d.owner = who.subject;\n"

    with pytest.raises(AccessDenied, match="you may not declassify it"):
        curation.own(CALLS, "tom", seen=0, editor=editor(lake, TAGGER, polar=owners))
    curation.own(CALLS, "tom", seen=0, editor=editor(lake, TAGGER))

    assert dataset(lake).owner == "tom"


def test_an_edit_is_decided_by_the_policy_in_force_when_it_is_written(stored: Catalogue) -> None:
    """A policy that was published after the editor's was read takes the right before the write, not after it."""
    published = replace(bundle_of(POLICY.replace('"tagger" in', '"nobody" in')), published_at=NOW)
    with stored.unit(writes=True) as uow:
        uow.bundles.publish(published)
        uow.commit()
    with stored.unit() as uow:
        current = uow.bundles.current()
    assert current is not None
    answers = iter([decisions_of(bundle_of(POLICY)), decisions_of(bundle_of(POLICY))])
    late = Editor(
        principal=TAGGER,
        catalogue=stored,
        decisions=lambda: next(answers, decisions_of(current)),
        clock=lambda: NOW,
    )

    with pytest.raises(AccessDenied, match="and not tag it"):
        curation.tag(CALLS, add=["grain"], editor=late)

    assert dataset(stored).curation is None


def test_a_successor_that_may_not_be_found_is_not_named(lake: Catalogue) -> None:
    """The steward sees it, the analyst sees that there is a reason."""
    curation.deprecate(CALLS, reason="moved", successor="clinic.locks.patients", seen=0, editor=editor(lake))
    told = {}
    for who in (STEWARD, ANALYST):
        decisions = decisions_of(bundle_of(POLICY))
        with lake.unit() as uow:
            view = view_of(dataset_in(uow), principal=who, decisions=decisions)
            assert view is not None
            seen = deprecation_of(view, uow=uow, principal=who, decisions=decisions)
        assert seen is not None
        told[who.subject] = (seen.reason, seen.successor and str(seen.successor.dataset.address))

    assert told == {"olga": ("moved", "clinic.locks.patients"), "ana": ("moved", None)}


def dataset_in(uow: object) -> Dataset:
    found = uow.datasets.find(Address.parse(CALLS))  # type: ignore[attr-defined]
    assert isinstance(found, Dataset)
    return found


def test_a_dataset_is_not_its_own_successor(lake: Catalogue) -> None:
    """Neither directly nor by one that points back."""
    by = editor(lake)
    with pytest.raises(SettingsInvalid, match="its own successor"):
        curation.deprecate(CALLS, reason="old", successor=CALLS, seen=0, editor=by)
    curation.deprecate(CALLS, reason="old", successor=SHIPS, seen=0, editor=by)
    with pytest.raises(SettingsInvalid, match=r"lake\.locks\.calls is deprecated in favour of this one"):
        curation.deprecate(SHIPS, reason="old", successor=CALLS, seen=0, editor=by)


def test_an_edit_of_a_hidden_column_is_told_to_who_may_see_it(lake: Catalogue) -> None:
    """The feed names the column; to others nothing happened."""
    curation.tag(CALLS, add=["secret"], column="captain", editor=editor(lake))
    curation.describe(CALLS, "who steers", column="captain", seen=None, editor=editor(lake))
    curation.describe(CALLS, "a number", column="id", seen=None, editor=editor(lake))

    told = {}
    for who in (STEWARD, ANALYST):
        with lake.unit() as uow:
            page = read_feed(Cursor(), limit=99, uow=uow, principal=who, decisions=decisions_of(bundle_of(POLICY)))
        told[who.subject] = [each.facts["column"] for each in page.events if "column" in each.facts]

    assert told == {"olga": ["captain", "captain", "id"], "ana": ["id"]}


def test_search_knows_what_was_stated(stored: Catalogue) -> None:
    """At once, and by where it was found."""
    curation.tag(CALLS, add=["zebra"], editor=editor(stored))
    with stored.unit() as uow:
        visible = decisions_with(uow.bundles.classes()).visibility(STEWARD)
        page = uow.search.search("zebra", visible=visible, limit=9)

    assert [hit.matched for hit in page.hits] == [("tag",)]


def decisions_with(classes: Classes) -> PolicyDecisions:
    return PolicyDecisions(bundle_of(POLICY), classes=lambda: classes)


def test_what_is_no_text_is_refused(lake: Catalogue) -> None:
    """Empty, too long, or with what a terminal or a page would obey."""
    by = editor(lake)
    for text, told in (
        (" ", "a description is empty"),
        ("a\x1b[2J", "a description is printable text"),
        ("a\u202eb", "a description is printable text"),
        ("\ud800", "a description is printable text"),
        ("x" * 4001, "4,000 characters at most, not 4,001"),
    ):
        with pytest.raises(SettingsInvalid, match=told):
            curation.describe(CALLS, text, seen=None, editor=by)
    for tags, told in (
        ([""], "a tag is empty"),
        (["x" * 201], "a tag has 200 characters at most"),
        (["a\nb"], "a tag is one line of printable text"),
        (map(str, range(51)), "one edit takes 50 tags at most"),
    ):
        with pytest.raises(SettingsInvalid, match=told):
            curation.tag(CALLS, add=tags, editor=by)
    assert dataset(lake).curation is None
