"""What each adapter says of the same store in Trino: its connector, every property, and secrets as references only."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from hms_registry.domain.sources import Source
from hms_registry.errors import SettingsInvalid
from hms_registry.ports.trino import FederatesInTrino, NotFederated, TrinoCatalog, Twins
from hms_registry.services.adapters import AdapterFactory

CANARY = "canary-1f0e+/@"


def stated(kind: str, url: str, **options: str) -> TrinoCatalog | NotFederated:
    """Ask the adapter of a source; every variable holds the canary, but those of places."""
    environ = dict.fromkeys(("PASSWORD", "KEY", "SECRET"), CANARY) | {"HOST": "db.example", "PORT": "5433"}
    source = Source(name="lake", kind=kind, url=url, options=options)
    adapter = AdapterFactory(sources={"lake": source}, environ=environ, folder="/srv").for_trino("lake")
    assert isinstance(adapter, FederatesInTrino)
    found = adapter.trino_catalog()
    adapter.close()
    assert CANARY not in str(found)
    return found


def properties(kind: str, url: str, **options: str) -> Mapping[str, str]:
    """Return the properties of a catalog that there is."""
    found = stated(kind, url, **options)
    assert isinstance(found, TrinoCatalog)
    return found.properties


def test_postgresql_is_read_as_here_by_the_account_that_reads_rows() -> None:
    """Host and port are filled in, the password is not; sessions cannot write; no column is left out."""
    url = "postgresql://crawler:${PASSWORD}@${HOST}:${PORT}/la%20ke?sslmode=verify-full&sslrootcert=/etc/ca.pem"

    found = stated("postgres", url, scan_user="reader", scan_password="${SECRET}")

    assert found == TrinoCatalog(
        connector="postgresql",
        properties={
            "connection-url": "jdbc:postgresql://db.example:5433/la%20ke?sslmode=verify-full"
            "&sslrootcert=%2Fetc%2Fca.pem&ApplicationName=hms-dta&connectTimeout=10&readOnly=true&readOnlyMode=always",
            "connection-user": "reader",
            "connection-password": "${ENV:SECRET}",
            "case-insensitive-name-matching": "true",
            "case-insensitive-name-matching.config-file.refresh-period": "10s",
            "unsupported-type-handling": "CONVERT_TO_VARCHAR",
            "jdbc-types-mapped-to-varchar": "timetz",
            "postgresql.array-mapping": "AS_ARRAY",
        },
        twins=Twins.MAPPED,
        names_property="case-insensitive-name-matching.config-file",
    )


def test_postgresql_without_a_user_is_none() -> None:
    """What libpq takes from its own environment, Trino does not."""
    found = stated("postgres", "postgresql://db.example/lake")

    assert isinstance(found, NotFederated)
    assert found.reason == "its URL names no user, and Trino takes none from the environment"


def test_mongodb_is_one_only_where_its_owner_lets_trino_write() -> None:
    """Without a word there is none; with it the password stays a reference within the URL."""
    url = "mongodb://re%40der:${PASSWORD}@one,two:27018/flu?replicaSet=rs0"

    without = stated("mongo", url)
    found = stated("mongo", url, trino_schema="allowed")

    assert isinstance(without, NotFederated)
    assert "_schema" in without.reason
    assert isinstance(found, TrinoCatalog)
    assert found.properties["mongodb.connection-url"] == (
        "mongodb://re%40der:${ENV:PASSWORD}@one,two:27018/?replicaSet=rs0&authSource=flu"
    )
    assert (found.url_secrets, found.twins) == (frozenset({"${ENV:PASSWORD}"}), Twins.UNREADABLE)


def test_consent_is_one_word() -> None:
    """Any other word of consent is a mistake, not consent."""
    with pytest.raises(SettingsInvalid) as caught:
        stated("mongo", "mongodb://db.example", trino_schema="yes")

    assert caught.value.message == "source lake: trino_schema is not `allowed`"


def test_hive_is_read_by_its_metastore_with_the_lakes_keys() -> None:
    """A view of Hive's is read with the rights of whoever asks."""
    found = properties(
        "hive", "hive://reader:${PASSWORD}@hive.example", metastore="meta.example:9084", metastore_tls="true",
        tls_ca_file="/etc/ca.pem", endpoint="https://s3.example", access_key="${KEY}", secret_key="${SECRET}",
    )  # fmt: skip

    assert found["hive.metastore.uri"] == "thrift://meta.example:9084"
    assert found["hive.metastore.thrift.client.ssl.trust-certificate"] == "/etc/ca.pem"
    assert (found["s3.aws-access-key"], found["s3.aws-secret-key"]) == ("${ENV:KEY}", "${ENV:SECRET}")
    assert found["hive.hive-views.run-as-invoker"] == "true"


def test_hive_without_a_metastore_is_none() -> None:
    """Trino asks no HiveServer2."""
    assert isinstance(stated("hive", "hive://reader@hive.example"), NotFederated)


def test_s3_is_a_hive_without_a_hive() -> None:
    """Its tables are kept in a folder of Trino's, and nothing is written into the bucket."""
    found = stated(
        "s3", "s3://flu/weekly", endpoint="http://s3.example:9000", access_key="${KEY}", secret_key="${SECRET}"
    )

    assert isinstance(found, TrinoCatalog)
    assert (found.connector, found.folder_property) == ("hive", "local.location")
    assert found.properties["hive.metastore.catalog.dir"] == "local:///lake"
    assert found.properties["hive.non-managed-table-writes-enabled"] == "false"
    assert (found.properties["s3.aws-access-key"], found.properties["s3.aws-secret-key"]) == (
        "${ENV:KEY}",
        "${ENV:SECRET}",
    )


@pytest.mark.parametrize(("kind", "url"), [("files", "file:lake"), ("sqlite", "sqlite:///lake.db")])
def test_what_lies_on_this_machine_is_none(kind: str, url: str) -> None:
    """Trino's servers do not see it, and there is a reason to show."""
    assert isinstance(stated(kind, url), NotFederated)


def test_a_variable_that_is_a_whole_url_is_refused() -> None:
    """What holds a secret and more than it cannot be a reference of Trino's."""
    source = Source(name="lake", kind="postgres", url="${LAKE_URL}")
    environ = {"LAKE_URL": f"postgresql://reader:{CANARY}@db.example/lake"}

    with pytest.raises(SettingsInvalid) as caught:
        AdapterFactory(sources={"lake": source}, environ=environ, folder="/srv").for_trino("lake")

    assert (
        caught.value.message == "the variable LAKE_URL holds a secret and more than it, and Trino must not be told it"
    )
    assert CANARY not in caught.value.hint


def test_a_variable_that_brings_a_reference_is_refused() -> None:
    """A value that looks like a reference would be filled in by Trino, with whatever its environment holds."""
    source = Source(name="lake", kind="postgres", url="postgresql://${USER}:${PASSWORD}@db.example/lake")
    environ = {"USER": "${ENV:TRINOS_OWN}", "PASSWORD": CANARY}

    with pytest.raises(SettingsInvalid):
        AdapterFactory(sources={"lake": source}, environ=environ, folder="/srv").for_trino("lake")
