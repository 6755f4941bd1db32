"""Lines of the audit that are written together: all of them, in order, and none is forgotten where writing fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hms_registry.errors import CatalogueError, CatalogueUnavailable
from hms_registry.ports.catalogue import Catalogue
from hms_registry.ports.records import AuditEntry
from hms_registry.services.audit_trail import AuditTrail
from hms_registry.store import open_catalogue
from serving import eventually
from statements import statements

AT = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    """One in a file."""
    with closing(open_catalogue(f"sqlite:///{tmp_path}/c.db")) as opened:
        yield opened


def line(subject: str) -> AuditEntry:
    return AuditEntry(at=AT, subject=subject, auth_method="token", action="graphql", outcome="allowed", epoch=1)


def subjects(catalogue: Catalogue) -> list[str]:
    """Who is in the audit, in order."""
    with catalogue.unit() as uow:
        return [each.subject for each in reversed(uow.audit.latest())]


def test_lines_are_written_by_themselves_in_order(catalogue: Catalogue) -> None:
    """Nobody has to ask for it."""
    trail = AuditTrail(catalogue, delay_s=0.01)
    for number in range(50):
        trail.add(line(str(number)))

    eventually(lambda: len(subjects(catalogue)) == 50, seconds=20)

    trail.close()
    assert subjects(catalogue) == [str(number) for number in range(50)]


def test_many_lines_are_one_unit(catalogue: Catalogue) -> None:
    """Writing costs the catalogue's turn once, not once for each."""
    trail = AuditTrail(catalogue, delay_s=60)
    for number in range(30):
        trail.add(line(str(number)))

    with statements(catalogue) as seen:
        trail.flush()

    trail.close()
    assert len([each for each in seen if each.startswith("INSERT INTO audit")]) == 1


def test_what_is_left_is_written_at_the_end(catalogue: Catalogue) -> None:
    """A server that is stopped loses nothing."""
    trail = AuditTrail(catalogue, delay_s=60)
    trail.add(line("ana"))

    trail.close()

    assert subjects(catalogue) == ["ana"]


def test_what_cannot_be_written_now_is_kept_and_bounded(catalogue: Catalogue) -> None:
    """Somebody holds the turn: lines wait, and one too many is refused, so that nothing is answered without a line."""
    trail = AuditTrail(catalogue, delay_s=60, most=2)
    trail.add(line("ana"))
    trail.add(line("ben"))

    with pytest.raises(CatalogueUnavailable) as refused:
        trail.add(line("eve"))
    file = catalogue._opened.dialect._path  # type: ignore[attr-defined]
    file.chmod(0o400)
    moved = file.rename(file.with_suffix(".away"))
    catalogue._opened.engine.dispose()  # type: ignore[attr-defined]
    with pytest.raises(CatalogueError):
        trail.flush()
    moved.chmod(0o600)
    moved.rename(file)
    trail.close()

    assert str(refused.value) == "the audit cannot be written, so nothing is answered"
    assert subjects(catalogue) == ["ana", "ben"]
