"""Settings of the MongoDB adapter: what a URL may be, and that no error repeats a secret of it."""

from __future__ import annotations

import pytest

from hms_mongo import MongoConfig
from hms_mongo.config import Bounds
from hms_registry.errors import SettingsInvalid

CANARY = "canary-7d1"


def make(url: str, **options: str) -> MongoConfig:
    return MongoConfig.from_url(source="src", url=url, options=options)


def test_a_url_names_server_database_and_account() -> None:
    """With a port, options and an encoded password; what is told of the place holds none of the last two."""
    config = make("mongodb://reader:p%40ss@a.example:27018,b.example/shop?replicaSet=rs0&tls=true", tlsCAFile="/ca.pem")

    assert (config.hosts, config.database, config.user) == (("a.example:27018", "b.example"), "shop", "reader")
    assert config.password == "p@ss"
    assert config.driver == {"replicaSet": "rs0", "tls": "true", "tlsCAFile": "/ca.pem"}
    assert config.location == "mongodb://a.example:27018,b.example/"
    assert config.bounds == Bounds(documents=100, size=4 << 20, seconds=10.0)


def test_a_password_may_hold_any_character() -> None:
    """One that was filled in raw is taken as it is, and so is the option's."""
    assert make("mongodb://u:a@b/c?d:%e@h/shop").password == "a@b/c?d:%e"
    assert make("mongodb://u@h/shop", password="a@b/%").password == "a@b/%"
    assert "a@b" not in repr(make("mongodb://u:a@b@h/shop"))


def test_addresses_and_srv_names_are_hosts() -> None:
    """An IPv6 address in brackets; a name to look up."""
    assert make("mongodb://[::1]:27017").hosts == ("[::1]:27017",)
    assert make("mongodb+srv://cluster.example/shop").is_srv


@pytest.mark.parametrize(
    ("url", "options"),
    [
        (f"postgresql://u:{CANARY}@h/d", {}),
        (f"mongodb://u:{CANARY}@", {}),
        (f"mongodb://:{CANARY}@h/d", {}),
        (f"mongodb://u:{CANARY}@h:99999/d", {}),
        (f"mongodb://u:{CANARY}@h/a.b", {}),
        (f"mongodb://u:{CANARY}@h/d/e", {}),
        (f"mongodb+srv://u:{CANARY}@a,b/d", {}),
        (f"mongodb://u:{CANARY}@h/d?proxyHost=x", {}),
        (f"mongodb://u:{CANARY}@h/d?tls={CANARY}", {}),
        (f"mongodb://u:{CANARY}@h/d?authMechanism={CANARY}", {}),
        (f"mongodb://u:{CANARY}@h/d", {"sample_documents": CANARY}),
        (f"mongodb://u:{CANARY}@h/d", {"sample_bytes": "0"}),
        (f"mongodb://u:{CANARY}@h/d", {"operation_timeout_s": "nan"}),
        (f"mongodb://u:{CANARY}@h/d", {"readPreference": CANARY}),
        (f"mongodb://u:{CANARY}@h/d", {"no_such": CANARY}),
    ],
)
def test_what_is_wrong_is_refused_without_repeating_it(url: str, options: dict[str, str]) -> None:
    """The message names the field at most."""
    with pytest.raises(SettingsInvalid) as caught:
        make(url, **options)

    assert CANARY not in caught.value.message + caught.value.hint
    assert caught.value.message.startswith("source src: ")
    assert caught.value.hint
