"""The keys that a provider publishes: kept, fetched anew when they are old or one is not there, and given up with time.

A token names a key that is not kept: they may have been rotated, so they are fetched anew, once in `RETRY_S` whoever
asks how often. A provider that does not answer costs nobody but who waits for an unknown key, and what was kept counts
for `KEPT_S`: as long as a token usually lasts, since nobody gets a new one meanwhile. Then nothing is believed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.util import base64_to_int

from hms_registry.errors import IssuerUnreachable

logger = logging.getLogger(__name__)

FRESH_S: Final = 300.0
RETRY_S: Final = 30.0
KEPT_S: Final = 3600.0
MAX_KEYS: Final = 100
MAX_KID: Final = 256

_RSA_BITS: Final = range(2048, 8193)
_KINDS: Final[Mapping[str, type[RSAKey] | type[ECKey] | type[OKPKey]]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
_PUBLIC: Final = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}


class SigningKey(NamedTuple):
    """A public key, and the one algorithm that it is for; empty = its provider does not say."""

    key: RSAKey | ECKey | OKPKey
    algorithm: str


class _Kept(NamedTuple):
    keys: Mapping[str, SigningKey]
    at: float
    generation: int


_NOTHING: Final = _Kept({}, float("-inf"), 0)


@dataclass(slots=True, kw_only=True)
class SigningKeys:
    """The keys of one provider. Thread-safe.

    Attributes:
        fetch: asks the provider for its set of keys. Raises: IssuerUnreachable.
        elapsed: seconds, of a clock that nobody puts back.
    """

    fetch: Callable[[], Mapping[str, object]]
    elapsed: Callable[[], float] = time.monotonic
    _kept: _Kept = _NOTHING
    _tried_at: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Fetch them for the first time.

        Raises:
            IssuerUnreachable
        """
        with self._lock:
            self._fetch()

    def generation(self) -> int:
        """Say which keys count now: another number with each that are fetched, 0 = none. Fetches what is old."""
        self._freshen(waits=self._age() > KEPT_S)
        return self._kept.generation if self._age() <= KEPT_S else 0

    def fresh_generation(self) -> int:
        """Say which keys count now, without asking anybody; 0 = that has to be asked."""
        return self._kept.generation if self._age() <= FRESH_S else 0

    def find(self, kid: str) -> SigningKey | None:
        """Return the key of that name; None if the provider has none, or has not answered for too long."""
        if kid not in self._kept.keys or self._age() > FRESH_S:
            self._refresh(waits=kid not in self._kept.keys or self._age() > KEPT_S)
        return self._kept.keys.get(kid) if self._age() <= KEPT_S else None

    def _age(self) -> float:
        return self.elapsed() - self._kept.at

    def _freshen(self, *, waits: bool) -> None:
        if self._age() > FRESH_S:
            self._refresh(waits=waits)

    def _refresh(self, *, waits: bool) -> None:
        """Fetch them anew, unless that was just tried: one thread at a time, and who can go on does not wait for it."""
        if self._was_just_tried() or not self._lock.acquire(blocking=waits):
            return
        try:
            if not self._was_just_tried():
                self._fetch()
        except IssuerUnreachable as error:
            logger.warning("the keys of the identity provider stay as they were: %s", error.message)
        finally:
            self._lock.release()

    def _was_just_tried(self) -> bool:
        return self.elapsed() - self._tried_at < RETRY_S

    def _fetch(self) -> None:
        try:
            keys = dict(_usable(self.fetch()))
            if not keys:
                raise IssuerUnreachable(
                    "the identity provider publishes no key that can be used", hint="RSA of 2048 bits or more, EC, OKP"
                )
            self._kept = _Kept(keys, self.elapsed(), self._kept.generation + 1)
        finally:
            # Whoever waited meanwhile looks at what there is now, and does not ask once more.
            self._tried_at = self.elapsed()


def _usable(document: Mapping[str, object]) -> Iterator[tuple[str, SigningKey]]:
    """Yield the keys that signatures can be judged by. What else is in the set is for somebody else."""
    listed = document.get("keys")
    entries = [each for each in listed[:MAX_KEYS] if isinstance(each, dict)] if isinstance(listed, list) else []
    count = Counter(kid for each in entries if isinstance(kid := each.get("kid"), str))
    for entry in entries:
        kid = entry.get("kid")
        # Of two keys with one name, which one counts would be anybody's guess.
        if isinstance(kid, str) and 0 < len(kid) <= MAX_KID and count[kid] == 1 and (key := _imported(entry)):
            yield kid, key


def _imported(entry: Mapping[str, object]) -> SigningKey | None:
    kind, algorithm, operations = entry.get("kty"), entry.get("alg", ""), entry.get("key_ops", ["verify"])
    if entry.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return None
    if not isinstance(kind, str) or kind not in _PUBLIC or not isinstance(algorithm, str):
        return None
    # Nothing but the public part: a provider that publishes a private key is not helped by our keeping it.
    public = {name: value for name in _PUBLIC[kind] if isinstance(value := entry.get(name), str)}
    try:
        if kind == "RSA" and base64_to_int(public["n"]).bit_length() not in _RSA_BITS:
            return None
        key = _KINDS[kind].import_key({"kty": kind, **public})
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return SigningKey(key, algorithm)
