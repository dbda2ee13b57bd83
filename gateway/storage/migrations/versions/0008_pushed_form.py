"""Content that is encrypted to its addressee alone, in the form in which it is pushed."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_COLUMNS = (
    ("pushed_wrapped", sa.LargeBinary()), ("pushed_sealed", sa.LargeBinary()), ("pushed_body_id", sa.Text()),
    ("pushed_body_digest", sa.LargeBinary()), ("pushed_digest", sa.LargeBinary()),
)


def upgrade() -> None:
    """Add the columns, empty: what waits now can be collected and no more."""
    for name, kind in _COLUMNS:
        op.add_column("addressed_payloads", sa.Column(name, kind, nullable=True))
