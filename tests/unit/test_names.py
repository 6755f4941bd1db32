"""Names are injective for any spelling, and print so that they can be read back."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hms_registry.domain.columns import ARRAY, ColumnPath
from hms_registry.domain.names import Address, assign_lower, check_source_name, split_name
from hms_registry.errors import SettingsInvalid

odd = st.text(
    st.one_of(
        st.sampled_from(list("aAbB.\"'%_*?[]; \n\t\\/é")),
        st.sampled_from(["e\u0301", "\u202e", "😀", "İ", "ß", "ẞ", "Ｋ"]).map(lambda text: text[0]),
        st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"),
    ),
    min_size=1,
    max_size=63,
)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.builds(Address, odd, odd, odd))
def test_an_address_reads_back_as_what_it_was(address: Address) -> None:
    """Printing is injective: what is printed parses to the same three names, byte for byte."""
    assert Address.parse(str(address)) == address


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.lists(odd, max_size=30, unique=True))
def test_lower_names_are_unique_lower_case_and_independent_of_order(names: list[str]) -> None:
    """Each name gets a lower-case name of its own, whatever order the store lists them in."""
    placed = assign_lower(names)

    assert len(set(placed.values())) == len(names)
    assert all(lower == lower.lower() for lower in placed.values())
    assert placed == assign_lower(reversed(names))


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.lists(odd, max_size=10, unique=True), st.lists(odd, max_size=10, unique=True))
def test_a_name_keeps_its_lower_name_when_a_twin_appears(before: list[str], after: list[str]) -> None:
    """A query never changes its meaning because another table came."""
    first = assign_lower(before)

    both = assign_lower([*before, *after], taken=first)

    assert {name: both[name] for name in before} == first
    assert len(set(both.values())) == len({*before, *after})


def test_case_and_normal_form_twins_are_told_apart() -> None:
    """`upper`, `UPPER`, NFC and NFD are four names."""
    nfc = "caf\u00e9"

    placed = assign_lower(["upper", "UPPER", nfc, unicodedata.normalize("NFD", nfc)])

    assert placed["upper"] == "upper"
    assert placed["UPPER"].startswith("upper__")
    assert len(set(placed.values())) == 4


def test_dots_inside_names_do_not_merge_addresses() -> None:
    """`s0."a.b"` and `"s0.a".b` are two datasets (DataHub merges them)."""
    one, other = Address("pg", "s0", "a.b"), Address("pg", "s0.a", "b")

    assert str(one) == 'pg.s0."a.b"'
    assert str(other) == 'pg."s0.a".b'


def test_a_reserved_word_is_printed_quoted() -> None:
    """An address that is printed can be pasted into SQL."""
    assert str(Address("cdc", "public", "order")) == 'cdc.public."order"'


@pytest.mark.parametrize("name", ["", "A", "1a", "a-b", "a.b", "system", "select", "a" * 64, "ä"])
def test_a_source_name_that_sql_cannot_use_is_refused(name: str) -> None:
    """Source names are catalogs in SQL."""
    with pytest.raises(SettingsInvalid, match="cannot name a source"):
        check_source_name(name)


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", 'a."b', '"a"b', 'a".b"'])
def test_a_broken_dotted_name_is_refused(text: str) -> None:
    """Nothing is guessed about a name that does not parse."""
    with pytest.raises(SettingsInvalid, match="is not a dotted name"):
        split_name(text)


@pytest.mark.parametrize("part", ["", "a\0b", "\ud800"])
def test_an_impossible_name_is_refused(part: str) -> None:
    """Empty, NUL and lone surrogates cannot be stored byte-exact."""
    with pytest.raises(SettingsInvalid):
        Address("cdc", "public", part)


segment = st.one_of(odd, st.just(ARRAY))


@settings(deadline=None, derandomize=True, max_examples=300)
@given(odd, st.lists(segment, max_size=5))
def test_a_column_path_reads_back_as_what_it_was(first: str, rest: list[object]) -> None:
    """One notation for flat columns and nested documents, escaped injectively."""
    path = ColumnPath((first, *rest))  # type: ignore[arg-type]  # hypothesis mixes both segment types

    assert ColumnPath.parse(str(path)) == path
