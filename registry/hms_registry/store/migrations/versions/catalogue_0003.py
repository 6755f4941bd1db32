"""Where datasets lie, so that those of several sources that lie at one place are found."""

from __future__ import annotations

import json
from urllib.parse import unquote

import sqlalchemy as sa
from alembic import op

from hms_registry.domain.places import Place, place_at

revision = "0003"
down_revision = "0002"

_PAGE = 1_000
_datasets = sa.table("datasets", *map(sa.column, ("number", "described", "place", "store")))


def upgrade() -> None:
    """Add the place of a dataset, and read it off its location, where no crawl may ever do so: its source may be away.
    Which store it is in, the next crawl tells."""
    op.add_column("datasets", sa.Column("place", sa.Text()))
    op.add_column("datasets", sa.Column("store", sa.Text()))
    op.create_index(op.f("ix_datasets_place"), "datasets", ["place"])
    connection, last = op.get_bind(), 0
    page = sa.select(_datasets.c.number, _datasets.c.described).order_by(_datasets.c.number).limit(_PAGE)
    while rows := connection.execute(page.where(_datasets.c.number > last)).all():
        last = rows[-1].number
        told = [(row.number, _place(json.loads(row.described).get("location", ""))) for row in rows]
        found = [{"of": number, "path": place.path, "in": place.store} for number, place in told if place]
        if found:
            mine = sa.update(_datasets).where(_datasets.c.number == sa.bindparam("of"))
            connection.execute(mine.values(place=sa.bindparam("path"), store=sa.bindparam("in")), found)


def _place(location: str) -> Place | None:
    """Return the place of what the adapters `files` and `s3` told; there were no others then that share theirs."""
    scheme, mark, rest = location.partition("://")
    if not mark or scheme not in ("file", "s3"):
        return None
    host, _, path = rest.partition("/")
    return place_at(f"s3://{host}" if scheme == "s3" else "file:", unquote(path, errors="surrogateescape"))
