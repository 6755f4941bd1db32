"""The decisions of the bundle in force, loaded once for all threads that ask, and never given up for older ones."""

from __future__ import annotations

from threading import Lock

from hms_policies.deciding import PolicyDecisions
from hms_registry.errors import PolicyNotPublished
from hms_registry.ports.bundles import Classes
from hms_registry.ports.catalogue import Catalogue, Moment


class PolicyInForce:
    """What decides in one catalogue. Thread-safe."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Load nothing yet."""
        self._catalogue = catalogue
        self._decisions: PolicyDecisions | None = None
        self._interned: tuple[int, Classes] | None = None
        self._loading, self._interning = Lock(), Lock()

    @property
    def in_memory(self) -> PolicyDecisions | None:
        """The decisions of the bundle that was in force when somebody last asked."""
        return self._decisions

    def is_of(self, moment: Moment) -> bool:
        """Say whether what is in memory decides at a moment."""
        return self._decisions is not None and self._decisions.epoch == moment.policy_epoch

    def decisions(self) -> PolicyDecisions:
        """Return those of the bundle in force; the catalogue is asked each time whether it still is.

        Raises:
            PolicyNotPublished: there is none, so everything is denied.
        """
        return self.at(self._catalogue.moment())

    def at(self, moment: Moment) -> PolicyDecisions:
        """Return those of the bundle in force at a moment, or of a later one.

        Raises:
            PolicyNotPublished: there is none, so everything is denied.
        """
        if (known := self._decisions) is not None and known.epoch == moment.policy_epoch:
            return known
        with self._loading:
            with self._catalogue.unit() as uow:
                epoch = uow.bundles.epoch()
                if self._decisions is not None and self._decisions.epoch == epoch:
                    return self._decisions
                bundle = uow.bundles.current()
            if bundle is None:
                raise PolicyNotPublished(
                    "no policy is published, so everything is denied", hint="hms-dta policy publish"
                )
            self._decisions = PolicyDecisions(bundle, classes=self._classes)
            return self._decisions

    def _classes(self) -> Classes:
        """The interned labels, read again only when the catalogue's epoch has moved, and by one thread for all: whoever
        asks has a unit open, and a catalogue on PostgreSQL has only so many connections."""
        epoch, known = self._catalogue.moment().epoch, self._interned
        if known is not None and known[0] == epoch:
            return known[1]
        with self._interning:
            known = self._interned
            if known is None or known[0] != epoch:
                with self._catalogue.unit() as uow:
                    known = self._interned = (uow.epoch(), uow.bundles.classes())
            return known[1]
