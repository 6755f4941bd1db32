"""Places: equal for one place however it is spelled, and telling what lies within what."""

from __future__ import annotations

import pytest

from hms_registry.domain.places import place_at, store_at


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("s3://lake", "a/b"), ("s3://Lake", "/a/b/")),
        (("s3://lake", "a/b"), ("s3://lake", "a//./b")),
        (("s3://lake", "a/b"), ("s3://lake", "a/c/../b")),
        (("s3://lake", "a/b"), ("s3://lake", "x/../../a/b/.")),
        (("file:", "/srv/é\udc80"), ("file:", "srv/é\udc80/")),
        (("s3://lake", ""), ("s3://lake", "/")),
    ],
)
def test_one_place_is_one_however_it_is_spelled(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Slashes, dots and the case of the bucket make no other place."""
    assert place_at(*one) == place_at(*other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("s3://lake", "a/b"), ("s3://lake", "a/B")),
        (("s3://lake", "a/b"), ("s3://lakes", "a/b")),
        (("s3://lake", "a/b"), ("file:", "lake/a/b")),
        (("s3://lake", "a/b"), ("s3://lake", "a/b/c")),
        (("s3://lake", "a b"), ("s3://lake", "a%20b")),
    ],
)
def test_other_places_are_others(one: tuple[str, str], other: tuple[str, str]) -> None:
    """What differs in a byte of the path, or in the bucket, is elsewhere."""
    assert place_at(*one).path != place_at(*other).path


def test_a_place_tells_the_folders_around_it() -> None:
    """Its own path first, the bucket last; a sibling whose name begins alike is not around it."""
    around = [place_at("s3://lake", path).path for path in ("a/b/c", "a/b", "a", "")]

    assert place_at("s3://lake", "a/b/c").around == around
    assert place_at("s3://lake", "a/b/cc").path not in around


def test_a_very_deep_place_is_short_and_its_own() -> None:
    """An index takes it, what lies deep down is told apart, and the folders that are told are still around it."""
    deep, beside = (place_at("s3://lake", f"{'x/' * 400}{name}") for name in "ab")

    assert deep.path != beside.path
    assert len(deep.path) < 1200
    assert place_at("s3://lake", "x/x/x").path in deep.around


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://s3.amazonaws.com", "https://s3.eu-west-1.amazonaws.com"),
        ("http://127.0.0.1:9000", "http://localhost:9000"),
        ("https://Store.example", "https://store.example.:443/"),
    ],
)
def test_one_store_is_one_however_it_is_reached(one: str, other: str) -> None:
    """All regions of AWS are one store, and a host and port are, in whatever words."""
    assert store_at(one) == store_at(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://localhost:9000", "http://localhost:9001"),
        ("https://one.example", "https://two.example"),
        ("https://s3.amazonaws.com", "https://s3.cn-north-1.amazonaws.com.cn"),
        ("https://amazonaws.com.example", "https://s3.amazonaws.com"),
    ],
)
def test_other_stores_are_others(one: str, other: str) -> None:
    """Another host, port or part of AWS may have a bucket of the same name that is not the same."""
    assert store_at(one) != store_at(other)
