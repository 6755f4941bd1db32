"""How many listen to the feed: a bound for each and for all, and a place that is free again when a stream ends."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from hms_registry.errors import TooManyListeners
from hms_registry.http.listeners import Listeners


def test_a_place_is_free_again_when_its_stream_ends_however_it_ends() -> None:
    """Also when it breaks; nothing is kept of who has gone."""
    listeners = Listeners(most=1, most_each=1)

    for _ in range(3):
        with pytest.raises(OSError, match="cut"), listeners.one_more("ana"):
            raise OSError("cut")

    with listeners.one_more("bo"):
        assert dict(listeners._of) == {"bo": 1}


def test_all_together_are_bounded_as_each_is() -> None:
    """Whoever comes when all places are taken is told that it is not their own doing."""
    listeners = Listeners(most=3, most_each=2)

    with ExitStack() as held:
        for who in ("ana", "ana", "bo"):
            held.enter_context(listeners.one_more(who))
        with pytest.raises(TooManyListeners) as own, listeners.one_more("ana"):
            pass
        with pytest.raises(TooManyListeners) as all_of_them, listeners.one_more("cy"):
            pass

    assert own.value.message == "you hold 2 streams of events, and may hold no more"
    assert all_of_them.value.message == "the server holds 3 streams of events, and takes no more"
    assert own.value.hint == all_of_them.value.hint != ""
