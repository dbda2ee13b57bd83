"""`python -m tests.hostile` writes the table of README.md from catalogue.toml."""

from tests.hostile.listing import README, read, table, with_table

README.write_text(with_table(README.read_text("utf-8"), table(read()[1])), "utf-8")
print(f"wrote {README}")
