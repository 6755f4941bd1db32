"""The URL of a PostgreSQL source: what it may be, and that no part of a secret is ever told."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hms_postgres import PostgresConfig
from hms_registry.errors import SettingsInvalid


def _config(url: str, **options: str) -> PostgresConfig:
    return PostgresConfig.from_url(source="lake", url=url, options=options)


def test_a_url_names_server_database_and_account() -> None:
    """Every part arrives, with libpq's default port."""
    config = _config("postgresql://reader:pw@db.example/lake%20two?sslmode=require")

    assert (config.host, config.port, config.database) == ("db.example", 5432, "lake two")
    assert (config.crawler.user, config.crawler.password) == ("reader", "pw")
    assert config.reader == config.crawler
    assert config.ssl == {"sslmode": "require"}
    assert config.location == "postgresql://db.example:5432/lake%20two"


def test_an_ipv6_host_stands_in_brackets() -> None:
    """Its colons are not the port's."""
    config = _config("postgresql://u@[::1]:6000/d")

    assert (config.host, config.port, config.location) == ("::1", 6000, "postgresql://[::1]:6000/d")


@given(password=st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_a_password_arrives_whole_when_it_is_encoded_or_an_option(password: str) -> None:
    """Percent-encoded in the URL, or as the option `password`, it is the same byte for byte."""
    encoded = _config(f"postgresql://u:{quote(password, safe='')}@h/d")
    option = _config("postgresql://u@h/d", password=password)

    assert encoded.crawler.password == option.crawler.password == password
    assert repr(encoded) == repr(_config("postgresql://u:another@h/d"))


@pytest.mark.parametrize("password", ["p@ss", "a/b?c#d", "100%", "sp ace", ":", "[x]"])
def test_a_password_that_no_url_may_hold_raw_is_taken_as_it_is(password: str) -> None:
    """It came from the environment, where nobody encodes."""
    config = _config(f"postgresql://u:{password}@h:5433/d")

    assert (config.crawler.password, config.host, config.port, config.database) == (password, "h", 5433, "d")


@pytest.mark.parametrize(
    ("url", "options", "message"),
    [
        ("sqlite:///canary", {}, "source lake: its URL names no PostgreSQL database"),
        ("postgresql://u:canary@h", {}, "source lake: its URL names no PostgreSQL database"),
        ("postgresql://:canary@h/d", {}, "source lake: its URL names no PostgreSQL database"),
        ("postgresql://u:canary@h:canary/d", {}, "source lake: its URL names no PostgreSQL database"),
        ("postgresql://u:canary@h:70000/d", {}, "source lake: its URL has a port or parameter that is none"),
        ("postgresql://u@h/d?password=canary", {}, "source lake: its URL has a port or parameter that is none"),
        ("postgresql://u@h/d", {"sslmode": "canary"}, "source lake: no such sslmode"),
        ("postgresql://u@h/d", {"connect_timeout_s": "canary"},
         "source lake: connect_timeout_s is not 1 to 600 seconds"),
        ("postgresql://u@h/d", {"speed": "canary"}, "source lake: 'speed' is no option of postgres"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_told_without_its_value(url: str, options: dict[str, str], message: str) -> None:
    """The message says which part is wrong, and never what stood there."""
    with pytest.raises(SettingsInvalid) as caught:
        _config(url, **options)

    assert caught.value.message == message
    assert caught.value.hint
    assert "canary" not in caught.value.message + caught.value.hint
