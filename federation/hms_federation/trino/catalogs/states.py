"""What is the matter with each catalog and table, and what was done about it: what sync and status tell."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How what Trino has compares with what it should have."""

    PRESENT = "present"
    """It is as it should be."""
    WAITING = "waiting"
    """Its file is as it should be, and Trino has not read it yet."""
    MISSING = "missing"
    DRIFTED = "drifted"
    """The registry made it, and it is not what it should be any more."""
    LEFT_OVER = "left over"
    """The registry made it, and it should not be there any more."""
    FOREIGN = "foreign"
    """Somebody else made it: it is left as it is."""
    NOT_FEDERATED = "not federated"
    MADE = "made"
    MENDED = "mended"
    REMOVED = "removed"
    FAILED = "failed"

    @property
    def is_ok(self) -> bool:
        """Whether nobody needs to do anything."""
        return self in (State.PRESENT, State.NOT_FEDERATED, State.MADE, State.MENDED, State.REMOVED)

    @property
    def after(self) -> State:
        """What becomes of it once it was mended; itself, where there is nothing to mend."""
        mended = {State.MISSING: State.MADE, State.DRIFTED: State.MENDED, State.LEFT_OVER: State.REMOVED}
        return mended.get(self, self)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableState:
    """A table or view that the registry makes, or a dataset that cannot be one.

    Attributes:
        name: in SQL: catalog.schema.table.
    """

    name: str
    state: State
    reason: str = ""
    hint: str = ""

    def as_dict(self) -> dict[str, str]:
        """As JSON tells it."""
        return {"name": self.name, "state": self.state, "reason": self.reason, "hint": self.hint}


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogState:
    """One catalog, by the name of its source.

    Attributes:
        connector: empty where there is no catalog to be.
        tables: those of which there is something to say; of the others there is only *tables_present*.
        tables_present: how many tables of the registry's are as they should be.
    """

    name: str
    state: State
    connector: str = ""
    reason: str = ""
    hint: str = ""
    tables: tuple[TableState, ...] = ()
    tables_present: int = 0

    @property
    def federates(self) -> bool:
        """Whether its source is, or should be, a catalog."""
        return self.state is not State.NOT_FEDERATED

    @property
    def is_ok(self) -> bool:
        """Whether nobody needs to do anything about it and its tables."""
        return self.state.is_ok and all(table.state.is_ok for table in self.tables)

    @property
    def is_changed(self) -> bool:
        """Whether something was done about it or one of its tables."""
        done = (State.MADE, State.MENDED, State.REMOVED)
        return self.state in done or any(table.state in done for table in self.tables)

    def as_dict(self) -> dict[str, object]:
        """As JSON tells it."""
        return {
            "catalog": self.name,
            "state": self.state,
            "federates": self.federates,
            "connector": self.connector,
            "reason": self.reason,
            "hint": self.hint,
            "tables_present": self.tables_present,
            "tables": [table.as_dict() for table in self.tables],
        }
