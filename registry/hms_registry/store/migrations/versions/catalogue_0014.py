"""Jobs and their runs, and what they state to come from what: by the names that jobs use, which may be registered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def _key(name: str, target: str, *, table: str, is_nullable: bool = False) -> sa.Column[int]:
    return sa.Column(
        name, sa.Integer(), sa.ForeignKey(f"{target}.id", name=op.f(f"fk_{table}_{name}")), nullable=is_nullable
    )


def _text(name: str, *, is_nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=is_nullable)


def upgrade() -> None:
    """Make the tables, empty: nobody sent an event before."""
    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer(), sa.Identity(), nullable=False),
        *map(_text, ("digest", "namespace", "name")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("digest", name=op.f("uq_jobs_digest")),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer(), sa.Identity(), nullable=False),
        _key("job_id", "jobs", table="runs"),
        *map(_text, ("digest", "run_id", "latest_at", "document")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sa.UniqueConstraint("job_id", "digest", name=op.f("uq_runs_job_id_digest")),
    )
    op.create_index(op.f("ix_runs_job_id_latest_at"), "runs", ["job_id", "latest_at"])
    op.create_index(op.f("ix_runs_latest_at"), "runs", ["latest_at"])
    op.create_table(
        "outer_names",
        sa.Column("id", sa.Integer(), sa.Identity(), nullable=False),
        *map(_text, ("digest", "namespace", "name")),
        sa.Column(
            "dataset_id", sa.Text(), sa.ForeignKey("datasets.id", name=op.f("fk_outer_names_dataset_id")), nullable=True
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outer_names")),
        sa.UniqueConstraint("digest", name=op.f("uq_outer_names_digest")),
    )
    op.create_index(op.f("ix_outer_names_dataset_id"), "outer_names", ["dataset_id"])
    op.create_table(
        "outer_name_keys",
        _text("key"),
        _key("name_id", "outer_names", table="outer_name_keys"),
        sa.PrimaryKeyConstraint("key", "name_id", name=op.f("pk_outer_name_keys")),
    )
    op.create_table(
        "run_ends",
        _key("run_id", "runs", table="run_ends"),
        _key("name_id", "outer_names", table="run_ends"),
        sa.PrimaryKeyConstraint("run_id", "name_id", name=op.f("pk_run_ends")),
    )
    op.create_index(op.f("ix_run_ends_name_id"), "run_ends", ["name_id"])
    _make_statements()


def _make_statements() -> None:
    op.create_table(
        "job_outputs",
        _key("job_id", "jobs", table="job_outputs"),
        _key("name_id", "outer_names", table="job_outputs"),
        *map(_text, ("at", "run", "explained")),
        _text("anew_at", is_nullable=True),
        sa.PrimaryKeyConstraint("job_id", "name_id", name=op.f("pk_job_outputs")),
    )
    op.create_index(op.f("ix_job_outputs_name_id"), "job_outputs", ["name_id"])
    op.create_table(
        "flows",
        _key("job_id", "jobs", table="flows"),
        _key("output_id", "outer_names", table="flows"),
        _key("input_id", "outer_names", table="flows"),
        *map(_text, ("current", "past")),
        sa.PrimaryKeyConstraint("job_id", "output_id", "input_id", name=op.f("pk_flows")),
    )
    op.create_index(op.f("ix_flows_output_id"), "flows", ["output_id"])
    op.create_index(op.f("ix_flows_input_id"), "flows", ["input_id"])
