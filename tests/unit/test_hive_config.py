"""Settings of the Hive adapter: what a URL may be, and that no error repeats a secret of it."""

from __future__ import annotations

import pytest

from hms_hive import HiveConfig
from hms_hive.places import place_of, shown
from hms_hive.types import hive_type
from hms_registry.errors import SettingsInvalid

CANARY = "canary-91f"


def make(url: str, **options: str) -> HiveConfig:
    return HiveConfig.from_url(source="src", url=url, options=options)


def test_a_url_names_hiveserver2_and_an_option_the_metastore() -> None:
    """Host, port, database, and a password that is decoded and not shown."""
    config = make("hive://reader:p%40ss@hive.example:10001/Sales", metastore="thrift://meta.example")

    assert config.server is not None
    assert config.metastore is not None
    assert (config.server.host, config.server.port, config.database) == ("hive.example", 10001, "sales")
    assert (config.metastore.host, config.metastore.port) == ("meta.example", 9083)
    assert config.password == "p@ss"
    assert "p@ss" not in repr(config)
    assert config.location == "hive://hive.example:10001"


def test_a_thrift_url_is_a_metastore_alone() -> None:
    """There is no HiveServer2 then."""
    config = make("thrift://[::1]:9083")

    assert config.server is None
    assert config.location == "thrift://[::1]:9083"


@pytest.mark.parametrize(
    ("url", "options"),
    [
        (f"hive://u:{CANARY}@", {}),
        (f"hive://:{CANARY}@h", {}),
        (f"hive://u:{CANARY}@h:99999", {}),
        (f"hive://u:{CANARY}@h/a.b", {}),
        (f"mysql://u:{CANARY}@h", {}),
        (f"thrift://u:{CANARY}@h", {}),
        (f"hive://u:{CANARY}@h", {"auth": CANARY}),
        (f"hive://u:{CANARY}@h", {"tls": CANARY}),
        (f"hive://u:{CANARY}@h", {"metastore": f"{CANARY}@h"}),
        (f"hive://u:{CANARY}@h", {"read_from": f"ftp://{CANARY}/"}),
        (f"hive://u:{CANARY}@h", {"read_from": "file:///srv/../etc"}),
        (f"hive://u:{CANARY}@h", {"access_key": CANARY}),
        (f"hive://u:{CANARY}@h", {"call_timeout_s": "nan"}),
        (f"hive://u:{CANARY}@h", {"no_such": CANARY}),
    ],
)
def test_what_is_wrong_is_told_without_its_secret(url: str, options: dict[str, str]) -> None:
    """Neither text nor hint repeats a part of the URL or an option's value."""
    with pytest.raises(SettingsInvalid) as caught:
        make(url, **options)

    assert CANARY not in caught.value.message + caught.value.hint
    assert caught.value.hint


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("s3a://lake/raw/a b", "s3://lake/raw/a%20b"),
        ("file:/srv/x", "file:///srv/x"),
        ("hdfs://user:secret@name:8020/x", "hdfs://name:8020/x"),
    ],
)
def test_a_location_is_written_as_the_other_adapters_do(location: str, url: str) -> None:
    """Schemes of one store are one, and a secret is left out."""
    assert shown(location) == url


@pytest.mark.parametrize("location", ["hdfs://n/x", "file://host/x", "s3a://b/../c", "file:/a/../etc", "x"])
def test_a_place_that_leads_elsewhere_is_none(location: str) -> None:
    """What cannot be held against `read_from` is not read."""
    assert place_of(location) is None


def test_a_place_holds_what_lies_below_it_and_no_namesake() -> None:
    """A prefix ends at a slash."""
    lake, other = place_of("s3://lake/raw"), place_of("s3a://lake/rawest")
    below = place_of("s3n://lake/raw/x")

    assert lake is not None
    assert other is not None
    assert below is not None
    assert lake.holds(below)
    assert not lake.holds(other)


@pytest.mark.parametrize(
    ("spelled", "trino"),
    [
        ("int", "integer"),
        ("decimal(12,3)", "decimal(12,3)"),
        ("decimal", "decimal(10,0)"),
        ("varchar(7)", "varchar(7)"),
        ("array<struct<a:int,`odd name`:string>>", 'array(row(a integer, "odd name" varchar))'),
        ("map<string,decimal(5,2)>", "map(varchar, decimal(5,2))"),
        ("map<int,string>", "varchar"),
        ("uniontype<int,array<string>>", "varchar"),
        ("array<timestamp>", "varchar"),
        ("decimal(99,3)", "varchar"),
        ("array<", "varchar"),
        ("array<" * 200 + "int" + ">" * 200, "varchar"),
        ("timestamp with local time zone", "varchar"),
    ],
)
def test_types_are_read_or_text(spelled: str, trino: str) -> None:
    """What is not understood whole is text, and nothing is an exception."""
    assert hive_type(spelled).trino == trino
