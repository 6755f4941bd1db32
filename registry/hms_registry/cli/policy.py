"""Commands for governance: policy test, explain, publish, diff."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hms_registry.cli.output import print_json, print_lines
from hms_registry.cli.state import NEWS, AsJson, home_of, login_name

policy = typer.Typer(help="Test, explain, publish and compare the policy files.", no_args_is_help=True)

Folder = Annotated[Path | None, typer.Argument(help="A folder of policy files; without it, the home's policies/.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(policy, name="policy")


@policy.command()
def test(context: typer.Context, folder: Folder = None, as_json: AsJson = False) -> None:
    """Run the policy's own tests (tests/*.yml). Exits with 10 if one fails."""
    from hms_policies import load_bundle, run_tests

    with home_of(context).registry() as registry:
        bundle = load_bundle(folder or registry.policies, author=login_name())
        with registry.catalogue.unit() as uow:
            report = run_tests(bundle, uow.datasets.iter())
    if as_json:
        print_json(report.as_dict())
    else:
        print_lines(report.sentences())
    if not report.is_ok:
        raise typer.Exit(NEWS)


@policy.command(short_help="Say what somebody may do, and which rule says so.")
def explain(
    context: typer.Context,
    who: Annotated[str, typer.Argument(help="A person or role of roles.yml.")],
    dataset: Annotated[str, typer.Argument(help="source.schema.table")],
    column: Annotated[str | None, typer.Argument()] = None,
    as_json: AsJson = False,
) -> None:
    """Say what somebody may do with a dataset or column, and which rule of which file says so."""
    from hms_registry.services.governance import explain as explain_decision

    with home_of(context).registry() as registry:
        decisions = registry.decisions()
        with registry.catalogue.unit() as uow:
            explained = explain_decision(
                dataset, column=column, principal=registry.principal(who), uow=uow, decisions=decisions
            )
    if as_json:
        print_json(
            {
                "who": who,
                "may_find": explained.decision.may_find,
                "may_read": explained.decision.may_read,
                "row_filters": list(explained.decision.row_filters),
                "masks": {name: str(mask) for name, mask in explained.decision.masks.items()},
                "sentences": list(explained.sentences),
                "rules": [{"file": rule.file, "line": rule.line, "text": rule.text} for rule in explained.rules],
            }
        )
    else:
        print_lines(explained.sentences)


@policy.command(short_help="Check the policy files and put them in force.")
def publish(context: typer.Context, folder: Folder = None, as_json: AsJson = False) -> None:
    """Check the policy files and put them in force. What does not load, type-check or pass its tests is refused."""
    from hms_registry.bootstrap import now
    from hms_registry.services.governance import publish as publish_bundle

    with home_of(context).registry() as registry:
        from hms_policies import check_bundle, load_bundle, run_tests

        bundle = load_bundle(folder or registry.policies, author=login_name())
        done = publish_bundle(
            bundle,
            catalogue=registry.catalogue,
            check=check_bundle,
            test=run_tests,
            now=now(),
            subject=login_name(),
        )
    if as_json:
        print_json({"epoch": done.epoch, "digest": bundle.digest, "changed": done.has_changed})
    elif done.has_changed:
        print_lines([f"published {bundle.digest[:12]} under epoch {done.epoch}"])
    else:
        print_lines([f"{bundle.digest[:12]} is in force already"])


@policy.command(short_help="Say who gains and who loses between two policies.")
def diff(
    context: typer.Context,
    old: Annotated[str, typer.Argument(help="A folder of policy files, or `published`.")],
    new: Annotated[Path, typer.Argument(help="A folder of policy files.")],
    as_json: AsJson = False,
) -> None:
    """Say who gains and who loses what between two policies, over the live catalogue. Exits with 10 if one gains."""
    from hms_policies import diff as diff_bundles
    from hms_policies import load_bundle

    with home_of(context).registry() as registry:
        before = registry.decisions().bundle if old == "published" else load_bundle(Path(old), author=login_name())
        after = load_bundle(new, author=login_name())
        with registry.catalogue.unit() as uow:
            difference = diff_bundles(before, after, uow.datasets.iter())
    if as_json:
        print_json(difference.as_dict())
    else:
        print_lines(difference.sentences() or ["nobody gains, nobody loses"])
    if difference.gains:
        raise typer.Exit(NEWS)
