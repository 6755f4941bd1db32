"""What each crawler lost of stores that hold what is easily lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bench import bare_postgres, oddities
from bench.buckets import source_of as bucket_source
from bench.databases import source_of as database_source
from bench.documents import source_of as documents_source
from bench.peers import datahub as peer
from bench.peers import ours
from bench.peers.told import Columns, Told, lines, losses
from bench.stores import Workshop

_FAMILIES: Mapping[str, str] = {
    **dict.fromkeys(("bigint", "integer", "int", "int64", "int32", "smallint"), "whole"),
    **dict.fromkeys(("varchar", "string", "str"), "text"),
    **dict.fromkeys(("date", "date32[day]"), "date"),
}
_OF_DOCUMENTS: Mapping[str, str] = {
    **dict.fromkeys(("long", "integer", "biginteger"), "int"),
    **dict.fromkeys(("float",), "double"),
    **dict.fromkeys(("oid",), "objectId"),
    **dict.fromkeys(("OBJECT",), "object"),
    **dict.fromkeys(("ARRAY",), "array"),
}


def postgres(workshop: Workshop, datahub: peer.DataHub) -> Iterator[str]:
    """A database of names with dots, partitions, foreign tables and types of its own."""
    database = workshop.servers.database("oddities")
    oddities.fill_database(database)
    known = bare_postgres.known(*bare_postgres.catalogue(database))
    truth: dict[tuple[str, ...], Columns] = {
        key: {name: typed for name, typed, _, _ in columns} for key, (_, _, _, columns) in known.items()
    }
    home = workshop.folder / "peers-odd-tables"
    ours.crawl(home, database_source(database))
    us, (_, them) = ours.told(home), datahub.crawl_postgres(database)
    yield f"PostgreSQL: dots in names, a table of {len(oddities.PARTITIONS)} partitions, a foreign table, own types"
    yield from lines(losses(truth, us, name_of=_our_name, is_same=lambda true, told: told == true), us, who="HMS-DTA")
    yield from _links(us)
    yield from lines(losses(truth, them, name_of=".".join, is_same=peer.same_type), them, who="DataHub")
    yield from _links(them)


def s3(workshop: Workshop, datahub: peer.DataHub) -> Iterator[str]:
    """A bucket of messy text files, partition folders and names with dots."""
    bucket = workshop.servers.bucket()
    oddities.fill_bucket(bucket)
    truth: dict[tuple[str, ...], Columns] = {tuple(path.split("/")): said for path, said in oddities.FILES.items()}
    home = workshop.folder / "peers-odd-objects"
    ours.crawl(home, bucket_source(bucket))
    us = ours.told_of_bucket(home, bucket)
    _, them = datahub.crawl_s3(bucket, "text/*.*", "dots/*.*", "{table}/{partition_key[0]}={partition[0]}/*.parquet")
    yield "S3: a title line, thousands separators, semicolons, UTF-16, nested JSON, partition folders, a dot in a name"
    for who, told in (("HMS-DTA", us), ("DataHub", them)):
        yield from lines(losses(truth, told, name_of="/".join, is_same=_is_family), told, who=who)


def mongo(workshop: Workshop, datahub: peer.DataHub) -> Iterator[str]:
    """A database of dots in names, several types of a field, and a document of many fields."""
    database = workshop.servers.documents()
    oddities.fill_documents(database)
    truth: dict[tuple[str, ...], Columns] = {(name,): said for name, said in oddities.DOCUMENTS.items()}
    home = workshop.folder / "peers-odd-documents"
    ours.crawl(home, documents_source(database))
    us, (_, them) = ours.told_of_documents(home), datahub.crawl_mongo(database)
    yield "MongoDB: a dot in a name beside the path that it looks like, fields of several types, 400 fields"
    for who, told in (("HMS-DTA", us), ("DataHub", them)):
        yield from lines(losses(truth, told, name_of="".join, is_same=_is_of_documents), told, who=who)


def _our_name(key: tuple[str, ...]) -> str:
    from hms_registry.domain.names import Address

    return str(Address("store", *key))


def _links(told: Told) -> Iterator[str]:
    yield f"    foreign keys told: {told.foreign_keys} of {oddities.FOREIGN_KEYS}"
    yield f"    columns of views told with their origin: {told.view_columns} of {oddities.VIEW_COLUMNS}"


def _is_family(true: str, told: str) -> bool:
    return _FAMILIES.get(told, told) == true


def _is_of_documents(true: str, told: str) -> bool:
    return _OF_DOCUMENTS.get(told, told) == true
