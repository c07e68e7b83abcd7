"""matches and blocks"""

import sqlalchemy as sa
from alembic import op

from mutualaid.kit.instants import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "blocks",
        sa.Column("blocker_id", sa.String(), nullable=False),
        sa.Column("blocked_id", sa.String(), nullable=False),
        sa.Column("made_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["blocked_id"], ["members.id"], name=op.f("fk_blocks_blocked_id")),
        sa.ForeignKeyConstraint(["blocker_id"], ["members.id"], name=op.f("fk_blocks_blocker_id")),
        sa.PrimaryKeyConstraint("blocker_id", "blocked_id", name=op.f("pk_blocks")),
    )
    with op.batch_alter_table("blocks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_blocks_blocked_id"), ["blocked_id"], unique=False)

    op.create_table(
        "matches",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("need_post_id", sa.String(length=32), nullable=False),
        sa.Column("offer_post_id", sa.String(length=32), nullable=False),
        sa.Column("need_author_id", sa.String(length=32), nullable=False),
        sa.Column("offer_author_id", sa.String(length=32), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=9), nullable=False),
        sa.Column("need_accepted", sa.Boolean(), nullable=False),
        sa.Column("offer_accepted", sa.Boolean(), nullable=False),
        sa.Column("pledged", sa.Boolean(), nullable=False),
        sa.Column("proposed_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("agreed_at", Instant(), nullable=True),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.Column("closed_by", sa.String(length=5), nullable=True),
        sa.Column("because", sa.String(length=12), nullable=True),
        sa.Column("answered", sa.Boolean(), nullable=False),
        sa.Column("disputed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["need_post_id"], ["posts.id"], name=op.f("fk_matches_need_post_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["offer_post_id"], ["posts.id"], name=op.f("fk_matches_offer_post_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_matches")),
    )
    with op.batch_alter_table("matches", schema=None) as batch_op:
        batch_op.create_index("ix_matches_need_author", ["need_author_id", "proposed_at"], unique=False)
        batch_op.create_index("ix_matches_offer", ["offer_post_id", "proposed_at"], unique=False)
        batch_op.create_index("ix_matches_offer_author", ["offer_author_id", "proposed_at"], unique=False)
        batch_op.create_index(
            "uq_matches_live_pair",
            ["need_post_id", "offer_post_id"],
            unique=True,
            sqlite_where=sa.text("state IN ('proposed', 'accepted', 'agreed')"),
            postgresql_where=sa.text("state IN ('proposed', 'accepted', 'agreed')"),
        )
        batch_op.create_index("uq_matches_round", ["need_post_id", "offer_post_id", "round"], unique=True)

    op.create_table(
        "match_lines",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("match_id", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("need_line_id", sa.String(length=32), nullable=False),
        sa.Column("offer_line_id", sa.String(length=32), nullable=False),
        sa.Column("item", sa.String(length=64), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("completed", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "0 < quantity AND 0 <= completed AND completed <= quantity", name=op.f("ck_match_lines_amounts")
        ),
        sa.ForeignKeyConstraint(["match_id"], ["matches.id"], name=op.f("fk_match_lines_match_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["need_line_id"], ["post_lines.id"], name=op.f("fk_match_lines_need_line_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["offer_line_id"], ["post_lines.id"], name=op.f("fk_match_lines_offer_line_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_match_lines")),
    )
    with op.batch_alter_table("match_lines", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_match_lines_match_id"), ["match_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_match_lines_need_line_id"), ["need_line_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_match_lines_offer_line_id"), ["offer_line_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("match_lines", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_match_lines_offer_line_id"))
        batch_op.drop_index(batch_op.f("ix_match_lines_need_line_id"))
        batch_op.drop_index(batch_op.f("ix_match_lines_match_id"))

    op.drop_table("match_lines")
    with op.batch_alter_table("matches", schema=None) as batch_op:
        batch_op.drop_index("uq_matches_round")
        batch_op.drop_index(
            "uq_matches_live_pair",
            sqlite_where=sa.text("state IN ('proposed', 'accepted', 'agreed')"),
            postgresql_where=sa.text("state IN ('proposed', 'accepted', 'agreed')"),
        )
        batch_op.drop_index("ix_matches_offer_author")
        batch_op.drop_index("ix_matches_offer")
        batch_op.drop_index("ix_matches_need_author")

    op.drop_table("matches")
    with op.batch_alter_table("blocks", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_blocks_blocked_id"))

    op.drop_table("blocks")
