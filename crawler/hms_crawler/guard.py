"""The guard around an adapter: whatever breaks inside it becomes a recorded failure, never the run's end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from hms_registry.errors import HmsError, SourceError

T = TypeVar("T")


def guarded(items: Iterable[T]) -> Iterator[T]:
    """Yield what an adapter yields; whatever it raises arrives as a `SourceError`.

    An adapter may be a stranger's: what it raises besides `SourceError` is a bug of its own, told by its type
    alone, since its text may hold a secret or a value.
    """
    source = iter(items)
    while True:
        try:
            item = next(source)
        except StopIteration:
            return
        except SourceError:
            raise
        except HmsError as error:
            raise SourceError(error.message, hint=error.hint) from error
        except Exception as error:
            raise SourceError(
                f"the adapter broke: {type(error).__name__}", hint="report it to the adapter's author"
            ) from error
        yield item
