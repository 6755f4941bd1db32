"""Every error a caller can meet, in one tree, so that one `except HmsError` catches them all.

    HmsError
    ├── SettingsInvalid             sources.yml, roles.yml, a manifest or an option is wrong
    ├── NotInstalled                a driver is missing; the hint is the pip command
    ├── AdapterNotFound             no adapter answers to that kind
    ├── NotFound
    │   ├── SourceNotFound
    │   ├── DatasetNotFound         also the answer for a dataset that the asker may not find
    │   ├── ColumnNotFound          also the answer for a column that the asker may not see
    │   ├── VersionNotFound
    │   ├── TokenNotFound           no bearer token has that id
    │   └── QueryNotFound           nothing was told of a query of that id
    ├── NameAmbiguous               one name, several datasets
    ├── VersionNotReadable          an old version that the store keeps no copy of
    ├── AuthenticationFailed        nobody, or not who they say (HTTP 401)
    ├── IssuerUnreachable           the identity provider does not answer with its keys
    ├── AccessDenied                known, and not allowed (HTTP 403)
    ├── EventInvalid                an event that a job sent is not one of OpenLineage (HTTP 400)
    ├── EditOutdated                somebody else edited it since; nothing was changed (HTTP 409)
    ├── DocumentNotKept             a GraphQL document of that hash is not kept, or only kept ones are answered
    ├── SourceError
    │   ├── SourceUnreachable
    │   ├── CredentialsRejected
    │   ├── LocationOutsideSource   a path or URL that leads out of the registered source
    │   └── ScanFailed              a source broke while it was read
    ├── CrawlInProgress             another process holds the lease of that source
    ├── CrawlStopped                a crawl would have taken away too much, and took away nothing
    ├── TooManyListeners            a server holds as many streams of events as it may (HTTP 503)
    ├── DeliveryFailed              a webhook's receiver did not take an event; it is sent again
    ├── QueryEventInvalid           what Trino is to send after each query, and is not (HTTP 400)
    ├── PolicyError
    │   ├── PolicyInvalid           the files do not load, parse or type-check; names file and line
    │   └── PolicyNotPublished      no bundle in the catalogue: everything is denied
    ├── QueryError
    │   ├── SqlInvalid              does not parse, or names something that is not there
    │   ├── SqlRefused              parses, but is outside what this engine promises to answer right
    │   ├── QueryFailed             broke while running (a cast, a division by zero)
    │   ├── TrinoUnreachable        the governed Trino does not answer (HTTP 502)
    │   └── QueryLimitExceeded      too long, too large, too many rows
    └── CatalogueError
        ├── CatalogueUnavailable    locked, full, read-only, or gone
        ├── CatalogueCorrupt
        └── CatalogueTooNew         written by a newer release

A message says the fact, a `hint` says the next step. Neither ever carries a secret.
"""

from __future__ import annotations


class HmsError(Exception):
    """The root: a fact in one sentence, and a hint with the next step."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        """Cross a process boundary whole: a query's child process raises these."""
        return (_rebuild, (type(self), self.message, self.hint, self.__dict__.copy()))

    def __str__(self) -> str:
        return self.message

    @property
    def code(self) -> str:
        """The class name in kebab case: the address of its page under docs/errors."""
        name = type(self).__name__
        return "".join(f"-{char.lower()}" if char.isupper() and at else char.lower() for at, char in enumerate(name))

    def as_dict(self) -> dict[str, dict[str, str]]:
        """The one shape of an error in JSON, at every door."""
        return {"error": {"code": self.code, "message": self.message, "hint": self.hint}}


def _rebuild(kind: type[HmsError], message: str, hint: str, state: dict[str, object]) -> HmsError:
    error = kind.__new__(kind)
    Exception.__init__(error, message)
    error.message, error.hint = message, hint
    error.__dict__.update(state)
    return error


class SettingsInvalid(HmsError):
    """A settings file or option is wrong; the message names file, line and field."""

    exit_code = 2


class NotInstalled(HmsError):
    """A driver is missing."""


class AdapterNotFound(HmsError):
    """No installed adapter answers to that kind."""


class NotFound(HmsError):
    """It is not there, or the asker may not know that it is."""

    exit_code = 4


class SourceNotFound(NotFound):
    """No source of that name."""


class DatasetNotFound(NotFound):
    """No dataset of that name that the asker may find."""


class ColumnNotFound(NotFound):
    """No column of that name that the asker may see."""


class VersionNotFound(NotFound):
    """The dataset has no such version."""


class TokenNotFound(NotFound):
    """No bearer token has that id."""


class EventInvalid(HmsError):
    """An event that a job sent is not one of OpenLineage; the message names the field."""


class QueryNotFound(NotFound):
    """Nothing was told of a query of that id."""


class NameAmbiguous(HmsError):
    """One name, several datasets: say more of it."""

    exit_code = 4


class VersionNotReadable(HmsError):
    """The store keeps no copy of that old version."""


class AuthenticationFailed(HmsError):
    """The caller is nobody we know."""

    exit_code = 3


class IssuerUnreachable(HmsError):
    """The identity provider does not answer with its keys."""

    exit_code = 2


class AccessDenied(HmsError):
    """The caller is known, and is not allowed."""

    exit_code = 3


class EditOutdated(HmsError):
    """Somebody else edited it since the editor read it, and nothing was changed."""


class DocumentNotKept(HmsError):
    """A GraphQL document of that hash is not kept, or only kept ones are answered."""


class SourceError(HmsError):
    """A source did not do what it was asked."""

    exit_code = 5


class SourceUnreachable(SourceError):
    """Refused, timed out, or is not there."""


class CredentialsRejected(SourceError):
    """The source knows no such user, or the secret is wrong."""


class LocationOutsideSource(SourceError):
    """The path or URL leads out of the registered source."""


class ScanFailed(SourceError):
    """The source broke while it was read."""


class CrawlInProgress(HmsError):
    """Another process holds the lease of that source."""

    exit_code = 6


class CrawlStopped(HmsError):
    """A crawl would have taken away more of its source than it may."""

    exit_code = 10


class TooManyListeners(HmsError):
    """A server holds as many streams of events as it may, of this person or in all."""


class DeliveryFailed(HmsError):
    """A webhook's receiver did not take an event; the next pass sends it again."""


class QueryEventInvalid(HmsError):
    """What came where Trino tells of its queries is no such event."""

    exit_code = 8


class PolicyError(HmsError):
    """The policy cannot be used as it is."""

    exit_code = 7


class PolicyInvalid(PolicyError):
    """The policy files do not load, parse or type-check."""


class PolicyNotPublished(PolicyError):
    """The catalogue holds no policy bundle, so everything is denied."""


class QueryError(HmsError):
    """The query was not answered."""

    exit_code = 8


class SqlInvalid(QueryError):
    """The SQL does not parse, or names something that is not there."""

    def __init__(self, message: str, *, hint: str = "", line: int | None = None, column: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.line = line
        self.column = column


class SqlRefused(SqlInvalid):
    """The SQL is outside what this engine promises to answer as Trino would."""


class QueryFailed(QueryError):
    """The query broke while it ran."""


class TrinoUnreachable(QueryError):
    """The governed Trino refused, timed out, or is not there."""


class QueryLimitExceeded(QueryError):
    """The query took too long, too much memory or too many rows."""


class CatalogueError(HmsError):
    """The catalogue's database did not do what it was asked."""

    exit_code = 9


class CatalogueUnavailable(CatalogueError):
    """The catalogue's database is locked, full, read-only, or gone."""


class CatalogueCorrupt(CatalogueError):
    """The catalogue's database is damaged."""


class CatalogueTooNew(CatalogueError):
    """The catalogue was written by a newer release."""
