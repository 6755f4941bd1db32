"""Every file is in exactly one dataset, and no two datasets share an address, whatever the files are called."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from hms_files.listing import Entry
from hms_formats.grouping import PUBLIC, Columns, Group, group, name_groups

_FOLDER = st.sampled_from(["a", "b", "public", "a.csv", "k=1", "k=2", "lake", "B"])
_FILE = st.sampled_from(
    [
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
    ]
)
PATHS = st.sets(
    st.tuples(st.lists(_FOLDER, max_size=3), _FILE).map(lambda pair: "/".join([*pair[0], pair[1]])), max_size=25
)


class Blind:
    """Nothing can be looked into: only names decide."""

    def columns(self, entry: Entry) -> Columns | None:
        """Return nothing."""
        return None

    def documents(self, entries: Sequence[Entry]) -> frozenset[str]:
        """Believe the suffix."""
        return frozenset()


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
