"""What a pipeline says of where its fields come from, stage by stage; what is not understood is unknown."""

from __future__ import annotations

import pytest

from hms_mongo.lineage import origins_of
from hms_registry.domain.names import Address
from hms_registry.ports.adapter import ViewOrigins

VIEW = Address("src", "shop", "v")


def of(*pipeline: object) -> ViewOrigins:
    return origins_of(VIEW, view_on="t", pipeline=list(pipeline))


def told(origins: ViewOrigins) -> dict[str, set[str]]:
    """Return for each column (`*` = which rows there are) the fields that it is made of."""
    found: dict[str, set[str]] = {}
    for each in origins.origins:
        found.setdefault(each.column or "*", set()).add(f"{each.upstream.table}.{each.upstream_column or '*'}")
    return found


PIPELINES: tuple[tuple[str, list[object], dict[str, set[str]]], ...] = (
    ("a filter", [{"$match": {"a.b": 1, "$or": [{"c": 2}, {"$expr": {"$gt": ["$d", 1]}}]}}],
     {"*": {"t.a", "t.c", "t.d"}}),
    ("an order", [{"$sort": {"a": 1}}, {"$limit": 3}], {"*": {"t.a"}}),
    ("fields kept", [{"$project": {"a": 1, "b.c": True, "_id": 0}}], {"a": {"t.a"}, "b": {"t.b"}}),
    ("a field under another name", [{"$project": {"x": "$who.name"}}], {"_id": {"t._id"}, "x": {"t.who"}}),
    ("an expression", [{"$project": {"_id": 0, "x": {"$concat": ["$a", "-", "$b.c"]}}}], {"x": {"t.a", "t.b"}}),
    ("a literal that looks like a field", [{"$project": {"_id": 0, "x": {"$literal": "$a"}}}], {}),
    ("the whole document", [{"$project": {"_id": 0, "x": "$$ROOT"}}], {"x": {"t.*"}}),
    ("a field of the whole document", [{"$project": {"_id": 0, "x": "$$ROOT.a"}}], {"x": {"t.a"}}),
    ("a field made", [{"$addFields": {"x": {"$add": ["$a", 1]}}}], {"x": {"t.a"}}),
    ("a part of a field set", [{"$set": {"a.b": "$c"}}], {"a": {"t.a", "t.c"}}),
    ("a group", [{"$group": {"_id": "$a", "n": {"$sum": "$b"}}}], {"_id": {"t.a"}, "n": {"t.b"}, "*": {"t.a", "t.*"}}),
    ("a count", [{"$match": {"a": 1}}, {"$count": "n"}], {"*": {"t.a", "t.*"}}),
    ("an array taken apart", [{"$unwind": "$a"}], {"*": {"t.a"}}),
    ("a join", [{"$lookup": {"from": "u", "localField": "a", "foreignField": "k", "as": "j"}}],
     {"j": {"u.*", "u.k", "t.a"}}),
    ("a join by a pipeline", [{"$lookup": {"from": "u", "let": {"x": "$a"}, "as": "j", "pipeline": [
        {"$match": {"$expr": {"$eq": ["$k", "$$x"]}}}, {"$project": {"_id": 0, "z": 1}}]}}],
     {"j": {"u.z", "u.k", "t.a"}}),
    ("a walk", [{"$graphLookup": {"from": "u", "startWith": "$a", "connectFromField": "p", "connectToField": "q",
                                  "as": "g"}}], {"g": {"u.*", "u.p", "u.q", "t.a"}}),
    ("a union of projections", [{"$project": {"_id": 0, "a": 1}}, {"$unionWith": {"coll": "u", "pipeline": [
        {"$project": {"_id": 0, "a": "$b"}}]}}], {"a": {"t.a", "u.b"}}),
    ("facets", [{"$facet": {"x": [{"$project": {"_id": 0, "a": 1}}], "y": [{"$match": {"b": 1}}]}}],
     {"x": {"t.a"}, "y": {"t.*", "t.b"}}),
    ("two steps", [{"$addFields": {"x": "$a"}}, {"$project": {"_id": 0, "y": "$x"}}], {"y": {"t.a"}}),
    ("buckets", [{"$bucket": {"groupBy": "$a", "boundaries": [0, 9], "output": {"n": {"$sum": "$b"}}}}],
     {"_id": {"t.a"}, "n": {"t.b"}, "*": {"t.a", "t.*"}}),
)  # fmt: skip


@pytest.mark.parametrize(("pipeline", "wanted"), [each[1:] for each in PIPELINES], ids=[each[0] for each in PIPELINES])
def test_a_stage_says_what_its_fields_are_made_of(pipeline: list[object], wanted: dict[str, set[str]]) -> None:
    """Field by field, and what decides which documents there are."""
    origins = of(*pipeline)

    assert told(origins) == wanted
    assert not origins.has_unknown


def test_what_is_not_projected_passes_under_its_own_name() -> None:
    """A view that only filters passes its collection on; what is unset, or made anew, does not come from it."""
    origins = of({"$match": {"a": 1}}, {"$unset": ["b"]}, {"$addFields": {"c": 1}}, {"$unionWith": "u"})

    assert [each.table for each in origins.passes] == ["t", "u"]
    assert told(origins) == {"*": {"t.a"}, "b": {"u.b"}, "c": {"u.c"}}


@pytest.mark.parametrize(
    "stage",
    [{"$replaceRoot": {"newRoot": "$a"}}, {"$function": 1}, {"$out": "x"}, {"$merge": {"into": "x"}}, {}, "text", 7,
     {"$project": 7}, {"$lookup": {"as": "x"}}, {"$unionWith": 7}, {"$facet": []}, {"$group": None}],
    ids=str,
)  # fmt: skip
def test_what_is_not_understood_is_an_unknown_origin(stage: object) -> None:
    """An unknown stage, one that makes fields out of data, and one that is written as none may be."""
    assert of(stage).has_unknown


def test_a_pipeline_within_pipelines_ends() -> None:
    """A hundred unions within unions: the depth is bounded, and what lies below is unknown."""
    pipeline: list[object] = []
    for _level in range(100):
        pipeline = [{"$unionWith": {"coll": "u", "pipeline": pipeline}}]

    assert of(*pipeline).has_unknown
