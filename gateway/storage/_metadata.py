"""What the descriptions of tables share."""

from sqlalchemy import BigInteger, Integer, MetaData

metadata = MetaData(naming_convention={
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
})

# A 64-bit key that SQLite takes for its row number: new rows are appended, not sorted in.
KEY = BigInteger().with_variant(Integer, "sqlite")
