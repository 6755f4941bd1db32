"""One edit of what is said of a dataset: decided, audited, made and told in one transaction.

Nothing is in force that is not in the audit, and an edit that was refused left nothing but its refusal there. What
could open something to somebody takes the right to declassify on top: labels are what policies read, so tagging is
governing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal

from hms_registry.domain.curations import Curation
from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.decisions import Edit
from hms_registry.domain.principals import Principal
from hms_registry.errors import AccessDenied, CatalogueUnavailable, DatasetNotFound, EditOutdated, NotFound
from hms_registry.ports.catalogue import Catalogue, UnitOfWork
from hms_registry.ports.policy import EditDecisions
from hms_registry.ports.records import AuditEntry
from hms_registry.services.catalogue import View, get_view, view_of

_TRIES: Final = 5
_Event = Literal["DatasetChanged", "DatasetDeprecated", "DatasetReinstated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Editor:
    """Who edits, and what their edits are made with.

    Attributes:
        decisions: of the policy in force; asked anew for each edit.
    """

    principal: Principal
    catalogue: Catalogue
    decisions: Callable[[], EditDecisions]
    clock: Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """What became of an edit. *has_changed*: False = it was so already, and nothing was written."""

    dataset_id: DatasetId
    address: str
    revision: int
    has_changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What an edit makes of what was stated.

    Attributes:
        action: as the audit calls it.
        opens: it could show or permit somebody more; asked only where something changes.
        column: the name of the one that is edited.
    """

    edit: Edit
    action: str
    curation: Curation
    opens: Callable[[EditDecisions], bool] = lambda _decisions: False
    event: _Event = "DatasetChanged"
    column: str = ""
    detail: Mapping[str, str] = field(default_factory=dict)


def edit_dataset(
    name: str,
    change: Callable[[View, frozenset[Edit]], Change],
    *,
    edit: Edit,
    seen: int | None,
    editor: Editor,
) -> Edited:
    """Make one edit, or leave no more than its refusal in the audit.

    Args:
        change: makes the edit of what the person sees, and of what they may do to it.
        seen: the revision that the editor has seen; None = whatever it is.

    Raises:
        DatasetNotFound, AccessDenied, EditOutdated, CatalogueUnavailable
    """
    try:
        dataset_id = find_view(name, editor).dataset.id
    except NotFound:
        decisions = editor.decisions()
        with editor.catalogue.unit(writes=True) as uow:
            asked = {"asked": name}
            uow.audit.record(_entry(editor, uow, decisions, action=edit, outcome="denied", detail=asked))
            uow.commit()
        raise
    for _ in range(_TRIES):
        decisions = editor.decisions()
        with editor.catalogue.unit(writes=True) as uow:
            if uow.bundles.epoch() != decisions.epoch:
                continue  # another policy was published in between: it decides
            try:
                return _edit_within(
                    name, dataset_id, change, edit=edit, seen=seen, editor=editor, given=(uow, decisions)
                )
            except AccessDenied:
                denied = _entry(editor, uow, decisions, action=edit, outcome="denied", detail={"dataset": dataset_id})
                uow.audit.record(denied)
                uow.commit()
                raise
    raise CatalogueUnavailable("one policy after the other was published", hint="try again when that is done")


def _edit_within(
    name: str,
    dataset_id: DatasetId,
    change: Callable[[View, frozenset[Edit]], Change],
    *,
    edit: Edit,
    seen: int | None,
    editor: Editor,
    given: tuple[UnitOfWork, EditDecisions],
) -> Edited:
    uow, decisions = given
    view = view_of(uow.datasets.get(dataset_id), principal=editor.principal, decisions=decisions)
    if view is None:
        raise DatasetNotFound(f"there is no dataset {name} that you may find", hint="hms-dta search WORDS")
    edits = decisions.edits(editor.principal, view.dataset.labels)
    address, before = str(view.dataset.address), curation_of(view)
    if edit not in edits:
        raise AccessDenied(
            f"you may find {address}, and not {edit} it",
            hint=f"ask {view.dataset.owner or 'its steward'}; governance permits it with edit(who, {edit!s}, dataset)",
        )
    done = change(view, edits)
    if done.curation == before:
        return Edited(dataset_id=dataset_id, address=address, revision=before.revision, has_changed=False)
    is_opening = done.opens(decisions)
    if is_opening and Edit.DECLASSIFY not in edits:
        raise AccessDenied(
            f"a rule of the policy may open something by that edit of {address}, and you may not declassify it",
            hint="ask a steward, or choose words that no rule reads",
        )
    if seen is not None and seen != before.revision:
        raise EditOutdated(
            f"{address} was edited since: it is at revision {before.revision}, and you have seen {seen}",
            hint="read it again, and state what you want with the revision of now",
        )
    now = editor.clock()
    after = replace(done.curation, revision=before.revision + 1, by=editor.principal.subject, at=now)
    detail = {"dataset": dataset_id, "revision": str(after.revision), **{k: v for k, v in done.detail.items() if v}}
    detail |= {"declassifies": "yes"} if is_opening else {}
    uow.audit.record(_entry(editor, uow, decisions, action=done.action, outcome="allowed", detail=detail))
    uow.curations.put(dataset_id, after, event=done.event, column=done.column)
    uow.commit()
    return Edited(dataset_id=dataset_id, address=address, revision=after.revision, has_changed=True)


def _entry(
    editor: Editor,
    uow: UnitOfWork,
    decisions: EditDecisions,
    *,
    action: str,
    outcome: Literal["allowed", "denied"],
    detail: Mapping[str, str],
) -> AuditEntry:
    who = editor.principal
    asked_by = {"asked_by": who.asked_by} if who.asked_by else {}
    return AuditEntry(
        at=editor.clock(),
        subject=who.subject,
        auth_method=who.auth_method,
        action=str(action),
        outcome=outcome,
        epoch=uow.epoch(),
        detail={**detail, "fingerprint": decisions.fingerprint(who), **asked_by},
    )


def find_view(name: str, editor: Editor) -> View:
    """Return a dataset as the editor sees it.

    Raises:
        DatasetNotFound, SettingsInvalid
    """
    decisions = editor.decisions()
    with editor.catalogue.unit() as uow:
        return get_view(name, uow=uow, principal=editor.principal, decisions=decisions)


def curation_of(view: View) -> Curation:
    """Return what people stated of a dataset; nothing, where nobody did."""
    return view.dataset.curation or Curation()
