"""Computes labels anew for registered datasets: after a change of policy, of edges, or of what a source states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hms_registry.domain.datasets import DatasetId
from hms_registry.store.datasets import load_many
from hms_registry.store.indexing import Indexed, reindex_datasets
from hms_registry.store.labelling import current_mentions, facts_of_stored, label_batch, store_labels
from hms_registry.store.session import Session

PAGE: Final = 500


def refresh(
    session: Session, ids: Sequence[DatasetId], *, mentions: frozenset[str] | None = None, reindex: bool = False
) -> set[DatasetId]:
    """Label these datasets and all that labels follow to from them; return those that got other labels.

    Goes page by page. A dataset whose upstream is in a later page is labelled again with that page.

    Args:
        mentions: of the policy; None = as published.
        reindex: what search knows of them may have changed too.
    """
    mentions = current_mentions(session) if mentions is None else mentions
    changed: set[DatasetId] = set()
    followed: set[DatasetId] = set()
    for start in range(0, len(ids), PAGE):
        page = [each for each in ids[start : start + PAGE] if reindex or each not in followed]
        stored = load_many(session, page)
        batch = {each.id: facts_of_stored(each) for each in stored}
        outcomes, others = label_batch(session, batch, mentions=mentions)
        followed |= {each.id for each in others}  # and again, should they follow from what is in a later page
        relabelled = store_labels(session, [*stored, *others], outcomes)
        changed |= {each.id for each in relabelled}
        stale = {each.id: each for each in ([*stored, *relabelled] if reindex else relabelled)}
        reindex_datasets(session, [Indexed.of(each, outcomes[each.id].interned) for each in stale.values()])
    return changed
