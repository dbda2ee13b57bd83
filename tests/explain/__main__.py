"""Write the list of diagnoses in docs/explain.md anew."""

from tests.explain.page import PAGE, START, written

text = PAGE.read_text("utf-8")
PAGE.write_text(text.partition(START)[0] + START + "\n" + written(), "utf-8")
