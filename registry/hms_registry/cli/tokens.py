"""Commands for bearer tokens: token create, list, revoke. They are for whoever may read the registry's own files."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from hms_registry.cli.output import print_json, print_lines, print_table
from hms_registry.cli.state import AsJson, home_of, login_name

if TYPE_CHECKING:
    from hms_registry.bootstrap import Registry
    from hms_registry.domain.principals import Principal
    from hms_registry.ports.tokens import IssuedToken

token = typer.Typer(help="Bearer tokens for callers over HTTP.", no_args_is_help=True)
_SPAN = re.compile(r"([0-9]{1,4})([mhd])\Z")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(token, name="token")


@token.command()
def create(
    context: typer.Context,
    who: Annotated[str, typer.Option("--as", metavar="WHO", help="A person or role of roles.yml.")],
    lasts: Annotated[str, typer.Option("--for", metavar="SPAN", help="e.g. 30m, 2h, 7d")] = "2h",
    purpose: Annotated[str, typer.Option(help="What its holder asks for; without it, what roles.yml states.")] = "",
    name: Annotated[str, typer.Option(help="What you call it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a token for somebody. It is shown once; the registry keeps its hash."""
    from hms_registry.bootstrap import now
    from hms_registry.services.tokens import create_token

    with home_of(context).registry() as registry:
        holder = replace(registry.principal(who, purpose=purpose), asked_by=login_name())
        made, kept = create_token(
            catalogue=registry.catalogue,
            subject=who,
            lasts=_span(lasts),
            now=now(),
            purpose=purpose,
            name=name,
            by=holder.asked_by,
        )
        _record(registry, holder, "token-create", kept)
    if as_json:
        print_json({"token": made, **_facts(kept)})
    else:
        until = f"for {who}, until {kept.ends_at:%Y-%m-%d %H:%M} UTC; it is not shown again"
        print_lines([made, f"{until}, and called {kept.id}"])


@token.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """Show whose tokens are kept, what for and until when."""
    from hms_registry.bootstrap import now
    from hms_registry.services.tokens import list_tokens, state_of

    with home_of(context).registry() as registry:
        _ = registry.tokens  # takes in those of an earlier release
        kept = list_tokens(catalogue=registry.catalogue)
    if as_json:
        print_json([{**_facts(each), "state": state_of(each, now=now())} for each in kept])
        return
    rows = [
        (each.id, each.subject, each.purpose, each.name, f"{each.ends_at:%Y-%m-%d %H:%M}", state_of(each, now=now()),
         each.made_by)
        for each in kept
    ]  # fmt: skip
    print_table(("id", "for", "purpose", "name", "until (UTC)", "state", "made by"), rows)


@token.command()
def revoke(
    context: typer.Context,
    token_id: Annotated[str, typer.Argument(metavar="ID", help="Its id, as `token list` shows it.")],
    as_json: AsJson = False,
) -> None:
    """End a token: the next request with it is refused."""
    from hms_registry.bootstrap import now
    from hms_registry.domain.principals import Principal
    from hms_registry.services.tokens import revoke_token

    with home_of(context).registry() as registry:
        _ = registry.tokens
        revoked = revoke_token(token_id, catalogue=registry.catalogue, now=now())
        # Whom it was for may be nobody by now, and is still who it was for.
        holder = Principal(subject=revoked.subject, auth_method="local", asked_by=login_name())
        _record(registry, holder, "token-revoke", revoked)
    if as_json:
        print_json(_facts(revoked))
    else:
        print_lines([f"token {revoked.id} of {revoked.subject} is revoked"])


def _record(registry: Registry, holder: Principal, action: str, token: IssuedToken) -> None:
    detail = {
        "asked_by": holder.asked_by,
        "id": token.id,
        "name": token.name,
        "purpose": token.purpose,
        "until": str(token.ends_at),
    }
    registry.record(principal=holder, action=action, detail=detail)


def _facts(token: IssuedToken) -> dict[str, str | None]:
    return {
        "id": token.id,
        "as": token.subject,
        "purpose": token.purpose,
        "name": token.name,
        "made_by": token.made_by,
        "made": token.made_at.isoformat(),
        "expires": token.ends_at.isoformat(),
        "revoked": None if token.revoked_at is None else token.revoked_at.isoformat(),
    }


def _span(text: str) -> timedelta:
    from hms_registry.errors import SettingsInvalid

    match = _SPAN.match(text)
    if match is None:
        raise SettingsInvalid(f"{text!r} is not a span of time", hint="e.g. --for 30m, 2h or 7d")
    unit = {"m": "minutes", "h": "hours", "d": "days"}[match[2]]
    return timedelta(**{unit: int(match[1])})
