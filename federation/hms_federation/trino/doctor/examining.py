"""Examine a Trino: every check in turn, and what cannot be checked is a finding itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hms_federation.trino.doctor.access_control import examine_access
from hms_federation.trino.doctor.canary import Canary, examine_canary
from hms_federation.trino.doctor.configuration import examine_configuration
from hms_federation.trino.doctor.coordinator import ask_coordinator, examine_coordinator
from hms_federation.trino.doctor.etc import read_etc
from hms_federation.trino.doctor.shadow import examine_shadow
from hms_federation.trino.proof.comparing import columns_in
from hms_federation.trino.proof.sweeping import LISTED, ListedQuery, overdue
from hms_registry.domain.findings import Finding, Grade
from hms_registry.errors import HmsError

if TYPE_CHECKING:
    from hms_registry.domain.names import TrinoName
    from hms_registry.ports.catalogue import Catalogue
    from hms_registry.services.trino_settings import TrinoSettings

_OWN_CATALOGS: Final = frozenset({"system"})
_CATALOGS: Final = "SELECT catalog_name FROM system.metadata.catalogs"
Rows = Sequence[Sequence[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """One Trino and the registry that governs it.

    Attributes:
        ask_as: asks Trino one statement (first) as a user (second).
        catalog_states: what is the matter with each catalog of the registry's.
        choose_canary: whom to ask for; None if the policy filters and masks nobody.
        is_ours: says whether the registry itself made a table behind one of its views.
    """

    settings: TrinoSettings
    catalogue: Catalogue
    ask_as: Callable[[str, str], Rows]
    catalog_states: Callable[[], Iterator[Finding]]
    choose_canary: Callable[[], Canary | None]
    is_ours: Callable[[TrinoName], bool]
    clock: Callable[[], datetime]

    def findings(self) -> list[Finding]:
        """Look at everything; the first look at the coordinator decides whether it is asked more."""
        found = [*self._guarded("settings", self._etc)]
        coordinator = [*self._guarded("coordinator", self._coordinator)]
        found += coordinator
        if not any(each.check == "coordinator" and each.grade is Grade.WRONG for each in coordinator):
            for check, look in (
                ("catalogs", self.catalog_states),
                ("shadow-data", self._shadow),
                ("events", self._events),
                ("canary", self._canary),
            ):
                found += self._guarded(check, look)
        return found

    def _guarded(self, check: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
        """Yield what a look finds; that it cannot be looked at is a finding."""
        try:
            yield from look()
        except HmsError as error:
            yield Finding(check=check, fact=error.message, grade=Grade.WRONG, change=error.hint)

    def _etc(self) -> Iterator[Finding]:
        folder: Path | None = self.settings.etc
        if folder is None:
            yield Finding(
                check="settings",
                fact="Trino's settings are not looked at: this machine does not have them",
                grade=Grade.WARNING,
                change="trino: {etc: /etc/trino}",
                where="settings.yml",
            )
            return
        etc, listener = read_etc(folder), self.settings.opa.url
        found = [*examine_access(etc, listener=listener), *examine_configuration(etc, listener=listener)]
        yield from found
        if not found:
            yield Finding(check="settings", fact=f"{folder} asks this registry everything, and tells it every query")

    def _coordinator(self) -> Iterator[Finding]:
        told = ask_coordinator(self.settings, clock=self.clock)
        yield from examine_coordinator(told, url=self.settings.url)

    def _ask(self, sql: str) -> Rows:
        return self.ask_as(sql, self.settings.user)

    def _shadow(self) -> Iterator[Finding]:
        catalogs = {str(name) for (name,) in self._ask(_CATALOGS)} - _OWN_CATALOGS
        yield from examine_shadow(catalogs, ask=self._ask, registered=self._registered, is_ours=self.is_ours)

    def _registered(self, catalog: str) -> frozenset[TrinoName]:
        with self.catalogue.unit() as uow:
            return frozenset(each.trino_name for each in uow.datasets.iter(source=catalog))

    def _events(self) -> Iterator[Finding]:
        ended = overdue(listed_queries(self._ask(LISTED)), now=self.clock())
        with self.catalogue.unit() as uow:
            known = uow.proofs.known([each.query_id for each in ended])
            alarms = uow.proofs.count_alarms()
        lost = [each.query_id for each in ended if each.query_id not in known]
        if lost:
            yield Finding(
                check="events",
                fact=f"of {len(ended)} queries that Trino remembers, {len(lost)} were not told here, e.g. {lost[0]}",
                grade=Grade.WRONG,
                change="mend the event listener, then restart Trino",
                where="event-listener.properties",
            )
        elif ended:
            yield Finding(check="events", fact=f"all {len(ended)} queries that Trino remembers were told here")
        if alarms:
            yield Finding(
                check="alarms",
                fact=f"{alarms} queries were not governed as decided",
                grade=Grade.WRONG,
                change="hms-dta audit alarms",
            )

    def _canary(self) -> Iterator[Finding]:
        yield from examine_canary(self.choose_canary(), ask_as=self.ask_as, columns_in=columns_in)


def listed_queries(rows: Rows) -> list[ListedQuery]:
    """Read what Trino lists of its queries, in the order of `LISTED`."""
    return [
        ListedQuery(
            query_id=str(query_id),
            user=str(user),
            state=str(state),
            created_at=_moment(created) or datetime.min.replace(tzinfo=UTC),
            ended_at=_moment(ended),
        )
        for query_id, user, state, created, ended in rows
    ]


def _moment(text: object) -> datetime | None:
    """Read a timestamp of a session in UTC."""
    return None if text is None else datetime.fromisoformat(str(text)).replace(tzinfo=UTC)
