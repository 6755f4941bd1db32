"""What a manifest says is read as it was written, and what is wrong in it is told with file, line and field."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from hms_registry.domain.columns import PrivacyTier, StorageTier
from hms_registry.domain.manifests import ManifestColumn
from hms_registry.errors import SettingsInvalid
from hms_registry.services.manifest import read_manifest

SEED = """\
# manifest.yml
name: seaway_lock_passages_2024
source: s3://raw-bucket/lock_passages_2024.csv
owner: DOT:BTS
license: Public Domain
schema:
  - date: date
  - lock_id: string
  - vessel_type: string
  - tonnage: integer
tags: [shipping, seaway, 2024]
tier: hot
"""
CANARY = "canary-hunter2"


def write(folder: Path, text: str) -> Path:
    path = folder / "manifest.yml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(folder: Path, text: str) -> SettingsInvalid:
    with pytest.raises(SettingsInvalid) as caught:
        read_manifest(write(folder, text))
    assert caught.value.hint
    return caught.value


def test_the_manifest_of_the_seed_is_read_whole(tmp_path: Path) -> None:
    """The twelve lines of the quick-start give a manifest with canonical types and text tags."""
    manifest = read_manifest(write(tmp_path, SEED))

    assert manifest.name == "seaway_lock_passages_2024"
    assert manifest.source == "s3://raw-bucket/lock_passages_2024.csv"
    assert manifest.owner == "DOT:BTS"
    assert manifest.license == "Public Domain"
    assert manifest.tags == {"shipping", "seaway", "2024"}
    assert manifest.storage_tier is StorageTier.HOT
    assert [(column.name, column.trino_type) for column in manifest.columns] == [
        ("date", "date"),
        ("lock_id", "varchar"),
        ("vessel_type", "varchar"),
        ("tonnage", "integer"),
    ]


def test_a_column_carries_unit_scale_tags_and_tier(tmp_path: Path) -> None:
    """The long form of a column states everything there is to state."""
    text = """\
name: n
source: f.csv
privacy_tier: pii-safe
declassify: true
schema:
  - total_tons: {type: double, unit: '[ston_av]', scale: 1000, description: thousand short tons}
  - vessel_id: {type: string, tags: [vessel-identifier], privacy_tier: RESTRICTED, declassify: yes}
  - other:
"""
    manifest = read_manifest(write(tmp_path, text))

    assert manifest.privacy_tier is PrivacyTier.PII_SAFE
    assert manifest.is_declassified
    assert manifest.columns == (
        ManifestColumn(
            name="total_tons",
            trino_type="double",
            unit="[ston_av]",
            scale=Decimal(1000),
            description="thousand short tons",
        ),
        ManifestColumn(
            name="vessel_id",
            trino_type="varchar",
            tags=frozenset({"vessel-identifier"}),
            privacy_tier=PrivacyTier.RESTRICTED,
            is_declassified=True,
        ),
        ManifestColumn(name="other"),
    )


def test_what_is_not_stated_is_none(tmp_path: Path) -> None:
    """Absent and null fields state nothing; an empty list of tags states that there are none."""
    manifest = read_manifest(write(tmp_path, "name: n\nsource: s\nowner:\nlicense: ~\ntags: []\n"))

    assert manifest.owner is manifest.license is manifest.storage_tier is manifest.privacy_tier is None
    assert manifest.tags == frozenset()
    assert manifest.columns == ()


def test_numbers_dates_and_flags_stay_text(tmp_path: Path) -> None:
    """YAML's guesses are not taken: what was written is what is kept."""
    manifest = read_manifest(
        write(tmp_path, "name: 2024-05-01\nsource: 007\nowner: yes\ntags: [2024, 1e3, 0x1F, no]\n")
    )

    assert (manifest.name, manifest.source, manifest.owner) == ("2024-05-01", "007", "yes")
    assert manifest.tags == {"2024", "1e3", "0x1F", "no"}


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ("name: n\nsource: s\nownr: x\n", 3, "'ownr' is not a field here", "did you mean 'owner'?"),
        ("source: s\n", 1, "name: it is missing", "give the dataset a title"),
        ("name: n\n", 1, "source: it is missing", "say where the data lies"),
        ("name: n\nsource: s\ntier: lukewarm\n", 3, "tier: it is not a storage tier", "use hot, warm or cold"),
        ("name: n\nsource: s\nprivacy_tier: secret\n", 3, "privacy_tier: it is not a privacy tier", "use PUBLIC"),
        ("name: n\nsource: s\ntags: shipping\n", 3, "tags: it is a text, not a list", "write a list of words"),
        ("name: n\nsource: s\ntags: [a, [b]]\n", 3, "tags: one of its items is not a text", "write a list of words"),
        ("name: [n]\nsource: s\n", 1, "name: it is a list, not a text", "give the dataset a title"),
        ("name: n\nsource: s\nschema: date\n", 3, "schema: it is not a list of columns", "write `- column: type`"),
        ("name: n\nsource: s\nschema:\n  - a: date\n    b: date\n", 4, "schema: an entry is not one column", "write"),
        ("name: n\nsource: s\nschema:\n  - a: date\n  - a: date\n", 5, "schema: the column 'a' is there twice", "keep"),
        ("name: n\nsource: s\nschema:\n  - a: blob7\n", 4, "schema.a.type: it is not a type of Trino", ""),
        ("name: n\nsource: s\nschema:\n  - a: {typ: date}\n", 4, "schema.a: 'typ' is not a field here", "did you mean"),
        ("name: n\nsource: s\nschema:\n  - a: {unit: [t]}\n", 4, "schema.a.unit: it is a list, not a text", "quotes"),
        ("name: n\nsource: s\nschema:\n  - a: {unit: short ton}\n", 4, "schema.a.unit: it is not a UCUM code", "UCUM"),
        ("name: n\nsource: s\nschema:\n  - a: {scale: many}\n", 4, "schema.a.scale: it is not a number", "scale: 1000"),
        ("name: n\nsource: s\nschema:\n  - a: {scale: .inf}\n", 4, "schema.a.scale: it is not a number", "scale: 1000"),
        ("name: n\nsource: s\nschema:\n  - a: {scale: 0}\n", 4, "schema.a.scale: it is not a usable factor", "1000"),
        ("name: n\nsource: s\ndeclassify: maybe\n", 3, "declassify: it is neither true nor false", "write true or"),
        ("name: n\nname: m\nsource: s\n", 2, "'name' is there twice", "it is on line 1 already"),
        ("name: &a n\nsource: *a\n", 1, "anchors and aliases (& and *) are not read", "write it out"),
        ("name: !!python/object:os.system x\nsource: s\n", 1, "tags (!) are not read", "quote a text"),
        ("name: n\nsource: s\n---\nname: n\n", 3, "a second document begins", "one file, one document"),
        ("name: n\nsource: s\nschema:\n\t- a: date\n", 4, "a tab is used to indent", "indent with spaces"),
        ("- name: n\n", 1, "it is not a mapping", "write one"),
        ("", 1, "it is not a mapping", "write one"),
        ("name: n\nsource: a: b\n", 2, "this is not YAML", "quote a text"),
        ("name: 'n\nsource: s\n", 3, "this is not YAML", "quote a text"),
    ],
)
def test_a_mistake_is_told_with_line_field_and_next_step(
    tmp_path: Path, text: str, line: int, message: str, hint: str
) -> None:
    """Each mistake names the file, its line, its field, and what to write instead."""
    error = refusal(tmp_path, text)

    assert error.message == f"{tmp_path / 'manifest.yml'}:{line}: {message}"
    assert hint in error.hint


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    """Missing, a folder, not UTF-8, a control character: each is one sentence."""
    binary = tmp_path / "binary.yml"
    binary.write_bytes(b"name: n\nsource: \xff\n")
    control = tmp_path / "control.yml"
    control.write_bytes(b"name: \x07\nsource: s\n")

    for path, fact in [
        (tmp_path / "none.yml", "cannot be read: No such file or directory"),
        (tmp_path, "cannot be read: Is a directory"),
        (binary, ":2: it is not UTF-8 text"),
        (control, "it holds characters that YAML does not allow"),
    ]:
        with pytest.raises(SettingsInvalid, match=fact):
            read_manifest(path)


def test_bombs_are_refused_soon(tmp_path: Path) -> None:
    """More than 1 MB, aliases that multiply and a million brackets end in a refusal, not in memory."""
    laughs = "a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(50))

    assert "larger than 1 MB" in refusal(tmp_path, "name: n\n" + "#" * 1_000_000).message
    assert "anchors and aliases" in refusal(tmp_path, laughs).message
    assert "nested too deep" in refusal(tmp_path, "name: " + "[" * 900_000).message
    assert "nested too deep" in refusal(tmp_path, "name: " + "{a: " * 200_000).message


@pytest.mark.parametrize("line", range(12))
def test_no_value_is_repeated_in_a_message(tmp_path: Path, line: int) -> None:
    """Whatever is pasted over a line of a manifest, the error does not show it."""
    lines = SEED.splitlines()
    for broken in (f"x: '{CANARY}", f"tier: {CANARY}", f"{CANARY} {CANARY}: [", f"  - a: {CANARY}", f"@{CANARY}"):
        text = "\n".join([*lines[:line], broken, *lines[line + 1 :]])

        try:
            read_manifest(write(tmp_path, text))
        except SettingsInvalid as exc:
            assert CANARY not in exc.message + exc.hint


def test_credentials_in_the_location_are_refused(tmp_path: Path) -> None:
    """A location is shown to everyone who may find the dataset, so it may hold no secret."""
    error = refusal(tmp_path, f"name: n\nsource: s3://key:{CANARY}@bucket/f.csv\n")

    assert error.message == f"{tmp_path / 'manifest.yml'}:2: source: it holds a secret"
    assert CANARY not in error.hint
