"""Tokens in the catalogue: who presents one is known until its end or its revocation, and at the cost of one read."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest

from hms_registry.domain.principals import Principal
from hms_registry.errors import AuthenticationFailed, SettingsInvalid, TokenNotFound
from hms_registry.ports.bundles import Bundle
from hms_registry.ports.catalogue import Catalogue, Moment, UnitOfWork
from hms_registry.services import remembered
from hms_registry.services.tokens import CatalogueTokens, create_token, list_tokens, revoke_token, state_of
from statements import statements

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass
class House:
    """A catalogue, a clock that stands, and who was looked up in the policy."""

    catalogue: Catalogue
    now: datetime = NOW
    looked_up: list[tuple[str, str]] = field(default_factory=list)

    def process(self) -> CatalogueTokens:
        """What one process over this catalogue asks; each has a memory of its own."""
        return CatalogueTokens(catalogue=self.catalogue, principal_of=self._principal, clock=lambda: self.now)

    def _principal(self, who: str, purpose: str) -> Principal:
        self.looked_up.append((who, purpose))
        return Principal(subject=who, purpose=purpose, auth_method="token")

    def token(self, who: str = "ana", **more: str) -> tuple[str, str]:
        """A token of an hour, and its id."""
        made, kept = create_token(catalogue=self.catalogue, subject=who, lasts=HOUR, now=self.now, **more)
        return made, kept.id


@dataclass
class Counting:
    """A catalogue that counts the looks at its moment: they pass SQLAlchemy by, and its events."""

    catalogue: Catalogue
    moments: int = 0

    def moment(self) -> Moment:
        self.moments += 1
        return self.catalogue.moment()

    def unit(self, *, writes: bool = False) -> UnitOfWork:
        return self.catalogue.unit(writes=writes)

    is_embedded = True

    def close(self) -> None:
        """Whoever opened it closes it."""


@pytest.fixture
def house(catalogue: Catalogue) -> House:
    return House(catalogue)


def reads(seen: list[str]) -> list[str]:
    """The statements that ask something; beginning and ending a transaction asks nothing."""
    return [each for each in seen if each.lstrip().upper().startswith(("SELECT", "WITH"))]


def refusal(ask: Callable[[], object]) -> str:
    with pytest.raises(AuthenticationFailed) as refused:
        ask()
    return refused.value.message


def test_who_presents_a_token_is_who_it_was_made_for_with_its_purpose(house: House) -> None:
    """Subject and purpose come back; the policy is asked for them."""
    made, _ = house.token("ana", purpose="public-health-response")

    found = house.process().authenticate(made)

    assert found == Principal(subject="ana", purpose="public-health-response", auth_method="token")
    assert house.looked_up == [("ana", "public-health-response")]


def test_a_token_costs_a_look_at_the_moment_once_it_is_known(house: House) -> None:
    """The first look reads one row as well; after it nothing is read but the moment, once a request."""
    made, _ = house.token()
    process = house.process()
    process.catalogue = counting = Counting(house.catalogue)

    with statements(house.catalogue) as first:
        process.authenticate(made)
    with statements(house.catalogue) as second:
        process.authenticate(made)

    assert (len(reads(first)), second) == (1, [])
    assert counting.moments == 2
    assert len(house.looked_up) == 1


def test_a_revoked_token_is_refused_at_once_by_who_remembered_it(house: House) -> None:
    """Nobody tells the other process: its next look reads that something was revoked."""
    made, token_id = house.token()
    one, other = house.process(), house.process()
    assert one.authenticate(made) and other.authenticate(made)

    revoke_token(token_id, catalogue=house.catalogue, now=NOW)

    assert [refusal(lambda: each.authenticate(made)) for each in (one, other)] == ["the token was revoked"] * 2  # noqa: B023


def test_nobody_is_let_in_after_a_revocation_has_returned(house: House) -> None:
    """However many ask at that moment, each with the token in memory: a look that begins after it is refused."""
    made, token_id = house.token()
    process, revoked, stop = house.process(), Event(), Event()

    def hammer(_number: int) -> list[tuple[bool, bool]]:
        """Whether it had been revoked when a look began, and whether that look let in."""
        looks = []
        while not stop.is_set() or len(looks) < 10:
            was_revoked = revoked.is_set()
            try:
                process.authenticate(made)
                looks.append((was_revoked, True))
            except AuthenticationFailed:
                looks.append((was_revoked, False))
        return looks

    with ThreadPoolExecutor(8) as pool:
        hammering = [pool.submit(hammer, number) for number in range(8)]
        process.authenticate(made)
        revoke_token(token_id, catalogue=house.catalogue, now=NOW)
        revoked.set()
        with suppress(AuthenticationFailed):
            process.authenticate(made)
        stop.set()
        looks = [look for each in hammering for look in each.result()]

    assert (True, True) not in looks
    assert refusal(lambda: process.authenticate(made)) == "the token was revoked"


def test_revoking_one_token_leaves_the_others(house: House) -> None:
    """They are read once more, and are good."""
    (made, _), (_, other) = house.token("ana"), house.token("bo")
    process = house.process()
    process.authenticate(made)

    revoke_token(other, catalogue=house.catalogue, now=NOW)

    found = process.authenticate(made)
    assert found is not None and found.subject == "ana"


def test_a_remembered_token_still_ends(memory: Catalogue) -> None:
    """Its end counts, with the leeway of two clocks, and without anything being written."""
    house = House(memory)
    made, _ = house.token()
    process = house.process()

    house.now = NOW + HOUR + remembered.LEEWAY
    assert process.authenticate(made)
    house.now += timedelta(microseconds=1)

    assert refusal(lambda: process.authenticate(made)) == "the token has expired"


def test_another_policy_is_asked_anew(house: House) -> None:
    """Who somebody is is not remembered beyond the policy that said so."""
    made, _ = house.token()
    process = house.process()
    process.authenticate(made)

    with house.catalogue.unit(writes=True) as uow:
        uow.bundles.publish(Bundle(files={}, digest="other", author="olga", mentions=frozenset()))
        uow.commit()
    process.authenticate(made)

    assert len(house.looked_up) == 2


def test_a_token_of_nobody_is_not_remembered(memory: Catalogue) -> None:
    """A stranger who tries many leaves nothing in memory, and a subject that is unknown stays so."""
    house = House(memory)
    process = house.process()

    for number in range(5):
        assert refusal(lambda: process.authenticate(f"hmsdta_{number}")) == "the token is not known here"  # noqa: B023

    assert len(process.remembered.latest) == 0


def test_what_a_process_remembers_is_bounded(memory: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    """It forgets rather than grows."""
    house = House(memory)
    monkeypatch.setattr(remembered, "REMEMBERED", 2)
    process = house.process()

    for number in range(5):
        process.authenticate(house.token(f"p{number}")[0])

    assert len(process.remembered.latest) <= 2


@pytest.mark.parametrize("credential", ["", "x", "Hmsdta_x", " hmsdta_x", "eyJ.a.b"])
def test_what_does_not_look_like_ours_is_for_somebody_else_to_judge(memory: Catalogue, credential: str) -> None:
    """Without a look into the catalogue."""
    with statements(memory) as seen:
        assert House(memory).process().authenticate(credential) is None

    assert seen == []


@pytest.mark.parametrize("credential", ["hmsdta_", "hmsdta_" + "A" * 43, "hmsdta_" + "A" * 1_000_000, "hmsdta_\udc80"])
def test_what_only_looks_like_ours_is_refused(memory: Catalogue, credential: str) -> None:
    """However long and odd it is."""
    house = House(memory)
    house.token()

    assert refusal(lambda: house.process().authenticate(credential)) == "the token is not known here"


def test_neither_making_nor_revoking_a_token_moves_the_epoch(house: House) -> None:
    """No answer about a dataset is another by it; a revocation alone moves the mark."""
    before = house.catalogue.moment()
    _, token_id = house.token()
    made = house.catalogue.moment()
    revoke_token(token_id, catalogue=house.catalogue, now=NOW)
    revoke_token(token_id, catalogue=house.catalogue, now=NOW + HOUR)
    revoked = house.catalogue.moment()

    assert made == before
    assert (revoked.epoch, revoked.policy_epoch) == (before.epoch, before.policy_epoch)
    assert revoked.mark != before.mark
    (kept,) = list_tokens(catalogue=house.catalogue)
    assert kept.revoked_at == NOW


def test_no_token_is_revoked_by_a_wrong_id(memory: Catalogue) -> None:
    """The error names the id and the next step."""
    house = House(memory)
    made, _ = house.token()

    with pytest.raises(TokenNotFound, match="no token has the id nothing") as refused:
        revoke_token("nothing", catalogue=house.catalogue, now=NOW)

    assert refused.value.hint == "hms-dta token list shows those there are"
    assert house.process().authenticate(made)


def test_the_catalogue_holds_a_hash_alone(memory: Catalogue) -> None:
    """Nothing that is kept of a token is the token, or begins it."""
    house = House(memory)
    made, _ = house.token(purpose="audit", name="portal", by="olga")

    (kept,) = list_tokens(catalogue=house.catalogue)

    assert made not in repr(kept) and made[7:20] not in repr(kept)
    assert (kept.subject, kept.purpose, kept.name, kept.made_by) == ("ana", "audit", "portal", "olga")


def test_tokens_are_forgotten_a_while_after_their_end(house: House) -> None:
    """The list of them does not grow for ever; the state of each is told meanwhile."""
    _, first = house.token()
    house.now = NOW + timedelta(days=29)
    house.token()
    states = {each.id: state_of(each, now=house.now) for each in list_tokens(catalogue=house.catalogue)}
    house.now = NOW + timedelta(days=31)
    house.token()

    assert states[first] == "expired"
    assert first not in {each.id for each in list_tokens(catalogue=house.catalogue)}


@pytest.mark.parametrize("lasts", [timedelta(seconds=59), timedelta(days=367)])
def test_a_token_lasts_from_a_minute_to_a_year(memory: Catalogue, lasts: timedelta) -> None:
    """Neither nothing nor for ever."""
    with pytest.raises(SettingsInvalid, match="a token lasts from 1 minute to 366 days"):
        create_token(catalogue=memory, subject="ana", lasts=lasts, now=NOW)


def test_a_purpose_is_not_a_letter(memory: Catalogue) -> None:
    """It is a word that policies name."""
    with pytest.raises(SettingsInvalid, match="a purpose or a name has more than 200 characters"):
        create_token(catalogue=memory, subject="ana", lasts=HOUR, now=NOW, purpose="x" * 201)
