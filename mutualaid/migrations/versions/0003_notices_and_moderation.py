"""notices and moderation"""

import sqlalchemy as sa
from alembic import op

from mutualaid.kit.instants import Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notices",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("member_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("subject_type", sa.String(length=8), nullable=False),
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("occasion", sa.String(length=40), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("read_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
    )
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.create_index("ix_notices_inbox", ["member_id", "created_at", "id"], unique=False)
        batch_op.create_index("uq_notices_once", ["member_id", "kind", "subject_id", "occasion"], unique=True)

    op.create_table(
        "rulings",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("moderator_id", sa.String(length=32), nullable=False),
        sa.Column("post_id", sa.String(length=32), nullable=True),
        sa.Column("member_id", sa.String(length=32), nullable=True),
        sa.Column("deed", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.String(length=13), nullable=False),
        sa.Column("cut_contacts", sa.Boolean(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=True),
        sa.Column("salt", sa.LargeBinary(), nullable=True),
        sa.Column("made_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rulings")),
    )
    with op.batch_alter_table("rulings", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rulings_member_id"), ["member_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_rulings_moderator_id"), ["moderator_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_rulings_post_id"), ["post_id"], unique=False)

    op.create_table(
        "cases",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=13), nullable=False),
        sa.Column("state", sa.String(length=7), nullable=False),
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("post_id", sa.String(length=32), nullable=True),
        sa.Column("other_post_id", sa.String(length=32), nullable=True),
        sa.Column("match_id", sa.String(length=32), nullable=True),
        sa.Column("contact_id", sa.String(length=32), nullable=True),
        sa.Column("claimed_by", sa.String(length=32), nullable=True),
        sa.Column("claimed_until", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.Column("ruling_id", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["ruling_id"], ["rulings.id"], name=op.f("fk_cases_ruling_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
    )
    with op.batch_alter_table("cases", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_cases_other_post_id"), ["other_post_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_cases_post_id"), ["post_id"], unique=False)
        batch_op.create_index("ix_cases_queue", ["state", "created_at", "id"], unique=False)
        batch_op.create_index(
            "uq_cases_standing",
            ["subject_id", "reason"],
            unique=True,
            sqlite_where=sa.text("state <> 'closed'"),
            postgresql_where=sa.text("state <> 'closed'"),
        )

    op.create_table(
        "case_members",
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("member_id", sa.String(length=32), nullable=False),
        sa.Column("part", sa.String(length=9), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_members_case_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("case_id", "member_id", name=op.f("pk_case_members")),
    )
    with op.batch_alter_table("case_members", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_case_members_member_id"), ["member_id"], unique=False)

    with op.batch_alter_table("members", schema=None) as batch_op:
        batch_op.add_column(sa.Column("left_at", Instant(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("members", schema=None) as batch_op:
        batch_op.drop_column("left_at")

    with op.batch_alter_table("case_members", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_case_members_member_id"))

    op.drop_table("case_members")
    with op.batch_alter_table("cases", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_cases_standing",
            sqlite_where=sa.text("state <> 'closed'"),
            postgresql_where=sa.text("state <> 'closed'"),
        )
        batch_op.drop_index("ix_cases_queue")
        batch_op.drop_index(batch_op.f("ix_cases_post_id"))
        batch_op.drop_index(batch_op.f("ix_cases_other_post_id"))

    op.drop_table("cases")
    with op.batch_alter_table("rulings", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_rulings_post_id"))
        batch_op.drop_index(batch_op.f("ix_rulings_moderator_id"))
        batch_op.drop_index(batch_op.f("ix_rulings_member_id"))

    op.drop_table("rulings")
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.drop_index("uq_notices_once")
        batch_op.drop_index("ix_notices_inbox")

    op.drop_table("notices")
