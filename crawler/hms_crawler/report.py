"""The report: how one run over one source ended, as a person and a monitor read it."""

from __future__ import annotations

from dataclasses import dataclass

from hms_registry.domain.crawls import Balance, CrawlState, Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How one run ended. *is_ok*: the source answered, nothing failed, and the balance balances."""

    source: str
    state: CrawlState
    balance: Balance
    failures: tuple[Failure, ...] = ()
    error: str = ""
    hint: str = ""

    @property
    def is_ok(self) -> bool:
        """True if this run may be believed whole."""
        return self.state in (CrawlState.COMPLETE, CrawlState.UNCHANGED) and self.balance.is_balanced

    def as_dict(self) -> dict[str, object]:
        """Return it as plain values."""
        failures = [{"subject": failure.subject, "reason": failure.reason} for failure in self.failures]
        return {
            "source": self.source,
            "state": str(self.state),
            "ok": self.is_ok,
            **self.balance.as_dict(),
            "failures": failures,
            "error": self.error,
            "hint": self.hint,
        }
