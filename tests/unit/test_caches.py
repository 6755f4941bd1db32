"""Caches by themselves: memory keeps to its bounds, and a sealed answer is known by nobody's forgery."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hms_registry.caches import MemoryCache
from hms_registry.caches.sealing import MOST_BYTES, name_of, seal, unseal
from hms_registry.ports.cache import KeptAnswer

KEY = b"1\nmark\nrights\nperson\nquestion"


def kept(body: bytes) -> KeptAnswer:
    return KeptAnswer(body=body, action="graphql", detail={"document": "d"})


def test_memory_is_bounded_by_bytes_and_keeps_what_was_asked_last() -> None:
    """Room for three; the one that nobody asked for goes."""
    cache = MemoryCache(most_bytes=3 * kept(b"x" * 500).size)
    for name in (b"a", b"b", b"c"):
        cache.put(name, kept(name * 500))
    assert cache.get(b"a") is not None

    cache.put(b"d", kept(b"d" * 500))

    assert [cache.get(name) is not None for name in (b"a", b"b", b"c", b"d")] == [True, False, True, True]


def test_an_answer_larger_than_all_the_room_is_not_kept() -> None:
    """And drives nothing out."""
    cache = MemoryCache(most_bytes=5_000)
    cache.put(b"small", kept(b"x"))

    cache.put(b"large", kept(b"x" * 5_000))

    assert cache.get(b"large") is None
    assert cache.get(b"small") == kept(b"x")


@given(st.binary(max_size=300), st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3))
def test_a_sealed_answer_is_had_back_whole(body: bytes, detail: dict[str, str]) -> None:
    """Whatever bytes it is."""
    answer = KeptAnswer(body=body, action="graphql", detail=detail)
    value = seal(answer, key=KEY)

    assert value is not None
    assert unseal(value, key=KEY) == answer


@given(st.data())
def test_a_value_with_anything_changed_is_no_answer(data: st.DataObject) -> None:
    """A bit turned, something cut off, something added."""
    value = seal(kept(b'{"data":{}}'), key=KEY)
    assert value is not None
    at = data.draw(st.integers(0, len(value) - 1))
    bit = 1 << data.draw(st.integers(0, 7))

    assert unseal(value[:at] + bytes([value[at] ^ bit]) + value[at + 1 :], key=KEY) is None
    assert unseal(value[:at], key=KEY) is None
    assert unseal(value + value[at:], key=KEY) is None


@given(st.binary(max_size=200))
def test_a_strangers_bytes_are_no_answer(value: bytes) -> None:
    """Also where they are as long as ours."""
    assert unseal(value, key=KEY) is None


def test_an_answer_is_sealed_for_one_key() -> None:
    """Put under another name by whoever can write there, it is nothing."""
    value = seal(kept(b"{}"), key=KEY)
    assert value is not None

    assert unseal(value, key=KEY + b"2") is None
    assert name_of(KEY) != name_of(KEY + b"2")
    assert b"mark" not in name_of(KEY).encode()


def test_an_answer_that_is_too_long_is_not_sealed() -> None:
    """Nor taken, if somebody could."""
    assert seal(kept(b"x" * MOST_BYTES), key=KEY) is None
    assert unseal(b"x" * (MOST_BYTES + 1), key=KEY) is None
