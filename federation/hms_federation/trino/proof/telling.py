"""One query as an auditor wants it: who asked, what was decided by which rule, what was applied, and what follows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from hms_federation.trino.proof.proving import SKEW, Prover
from hms_registry.domain.enforcement import AppliedTable, Proof, Verdict
from hms_registry.errors import QueryNotFound
from hms_registry.ports.catalogue import UnitOfWork
from hms_registry.ports.records import AuditEntry

_DIGEST = 8
"""Characters of a digest that are enough to look for it."""
_VERDICTS = {
    Verdict.RUNNING: "it runs, or Trino has not told its end yet",
    Verdict.UNTOLD: "it ended, and read no table as far as Trino tells",
    Verdict.PROVEN: "what was applied is what was decided",
    Verdict.ALARM: "alarm: it was not governed as decided",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldTable:
    """A table that was read, and why it was decided so; *because* names file and line of each rule."""

    table: AppliedTable
    because: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldQuery:
    """One query.

    Attributes:
        proof: None where the registry's own engine answered: its lines of the audit say what it applied.
        entries: lines of the audit, of who asked, at that time.
    """

    query_id: str
    proof: Proof | None
    tables: tuple[ToldTable, ...] = ()
    entries: tuple[AuditEntry, ...] = ()

    @property
    def is_alarm(self) -> bool:
        """Whether something was not as it was decided."""
        return self.proof is not None and self.proof.verdict is Verdict.ALARM

    def as_dict(self) -> dict[str, object]:
        """Return it as plain values."""
        proof = self.proof
        told: dict[str, object] = {"query": self.query_id, "engine": "embedded" if proof is None else "trino"}
        if proof is not None:
            query = {**asdict(proof.query), "groups": sorted(proof.query.groups)}
            told |= {name: value for name, value in query.items() if name not in ("tables", "query_id")}
            told |= {"verdict": proof.verdict, "policy_epochs": proof.policy_epochs, "notes": proof.notes}
            told["tables"] = [{**asdict(each.table), "because": each.because} for each in self.tables]
            told["alarms"] = [asdict(each) for each in proof.alarms]
        return told | {"audit": [asdict(each) for each in self.entries]}

    def sentences(self) -> Iterator[str]:
        """Tell it to a person."""
        if self.proof is None:
            yield f"{self.query_id}: answered by the registry's own engine"
            return
        query = self.proof.query
        ended = f" to {query.ended_at:%H:%M:%S}" if query.ended_at else ""
        groups = f" (groups {', '.join(sorted(query.groups))})" if query.groups else ""
        yield f"{query.query_id}: by {query.user}{groups}, {query.created_at:%Y-%m-%d %H:%M:%S}{ended} UTC"
        yield f"  {query.kind or 'a query'}, {query.state.lower()}{f': {query.error}' if query.error else ''}"
        yield f"  policy of epoch {' or '.join(map(str, self.proof.policy_epochs)) or 'none'}"
        for each in self.tables:
            yield from _table_sentences(each)
        yield f"verdict: {_VERDICTS[self.proof.verdict]}"
        for alarm in self.proof.alarms:
            yield f"  {alarm.kind}: {alarm.fact}"
            if alarm.decided or alarm.applied:
                yield f"    decided: {alarm.decided or 'nothing'}"
                yield f"    applied: {alarm.applied or 'nothing'}"
        yield from (f"  note: {note}" for note in self.proof.notes)


def tell_query(query_id: str, *, uow: UnitOfWork, prover: Prover) -> ToldQuery:
    """Return what is known of a query: one that ran in Trino by its id there, one of ours by the digest of its text.

    Raises:
        QueryNotFound: nothing is known of it.
    """
    proof = uow.proofs.find(query_id)
    if proof is None:
        is_digest = len(query_id) >= _DIGEST and not set(query_id) - set("0123456789abcdef")
        entries = tuple(uow.audit.mentioning(f'"sql_sha256":"{query_id}')) if is_digest else ()
        if not entries:
            raise QueryNotFound(
                f"nothing was told of a query {query_id}",
                hint="take the id that Trino shows, or the sql_sha256 of hms-dta audit --json",
            )
        return ToldQuery(query_id=query_id, proof=None, entries=entries)
    query = proof.query
    until = (query.ended_at or query.created_at) + SKEW
    return ToldQuery(
        query_id=query_id,
        proof=proof,
        tables=tuple(
            ToldTable(table=each, because=tuple(prover.explain(query, each, uow=uow))) for each in query.tables
        ),
        entries=tuple(uow.audit.between(query.created_at - SKEW, until, subject=query.user)),
    )


def _table_sentences(told: ToldTable) -> Iterator[str]:
    table = told.table
    through = f", through {' in '.join(table.through)}" if table.through else ""
    yield f"{table.name}, read as {table.authorization}{through}"
    yield from (f"  applied filter: {text}" for text in table.filters)
    yield from (f"  applied mask of {each.name}: {each.mask}" for each in table.columns if each.mask)
    if not table.filters and not any(each.mask for each in table.columns):
        yield "  applied: no filter and no mask"
    yield from (f"  {sentence}" for sentence in told.because)
