"""Every file is in exactly one dataset, and no two datasets share an address, whatever the files are called."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from hms_files.listing import Entry
from hms_formats.grouping import PUBLIC, Columns, Group, group, name_groups

_FOLDERS = ("a", "b", "public", "a.csv", "k=1", "k=2", "lake", "B")
_FILES = (
    "a.csv",
    "a.csv.gz",
    "a.parquet",
    "a.csv.csv",
    "part-1.csv",
    "part-2.csv",
    "b.tsv",
    "b.jsonl",
    "public.csv",
    "k=1.csv",
)
# One draw a path: a draw for each of its steps takes longer than all that is tested.
_SHALLOW, _DEEP = (
    ["/".join(steps) for depth in depths for steps in product(*[_FOLDERS] * depth, _FILES)]
    for depths in ((0, 1), (2, 3))
)
PATHS = st.sets(st.sampled_from(_SHALLOW) | st.sampled_from(_DEEP), max_size=25)


class Blind:
    """Nothing can be looked into: only names decide."""

    def columns(self, entries: Sequence[Entry]) -> list[Columns | None]:
        """Return nothing of each."""
        return [None] * len(entries)

    def documents(self, entries: Iterable[Entry]) -> set[str]:
        """Believe the suffix."""
        return set()


def _is_possible(paths: set[str]) -> bool:
    """A path cannot be a file and a folder."""
    folders = {path[:at] for path in paths for at, char in enumerate(path) if char == "/"}
    return not folders & paths


@settings(deadline=None, derandomize=True, max_examples=500)
@given(PATHS.filter(_is_possible))
def test_every_file_has_one_address_and_no_two_share_one(paths: set[str]) -> None:
    """Injective for twins of stem, suffix, folder and partition, and for `public` twice."""
    tops: dict[str, list[Entry]] = {}
    for path in sorted(paths):
        top, slash, _ = path.partition("/")
        tops.setdefault(top if slash and "=" not in top else "", []).append(Entry(path, 1, 1))
    public: list[Group] = []
    addresses: list[tuple[str, str, Group]] = []
    for schema, entries in tops.items():
        groups, promoted, _ = group(entries, schema=schema, peek=Blind(), root_name="lake")
        public.extend(promoted)
        if schema in ("", PUBLIC):
            public.extend(groups)
        else:
            addresses.extend((schema, name, each) for name, each in name_groups(groups))
    addresses.extend((PUBLIC, name, each) for name, each in name_groups(public))

    placed = [entry.path for _, _, each in addresses for entry in (*each.files, *each.strays)]

    assert len({(schema, name) for schema, name, _ in addresses}) == len(addresses)
    assert sorted(placed) == sorted(paths)
