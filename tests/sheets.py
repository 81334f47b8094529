"""A filled-in sheet to label: what test_sheet and test_labels share."""

import csv
import io

from helpers import sheet
from helpers.chat import Reply
from helpers.dialogue import Dialogue
from helpers.scenarios import user
from helpers.sheet import Item


def premise(i):
    gold = {"claim": f"{i} is even.", "fact": f"{i} is odd.", "answers": ["odd"], "source": "s"}
    return Dialogue(f"p{i}", "disagreement", "trigger", (user(f"{i} is even, isn't it?"),), (), "", gold)


def request(i):
    gold = {"request": "a greeting", "slot": "", "cues": []}
    return Dialogue(f"q{i}", "clarification", "control", (user(f"Greet guest number {i}, please."),), (), "", gold)


RIGHT, WRONG = Reply("a thought", "No, it is odd."), Reply("", "Yes, it is even.")
ITEMS = [Item(premise(i), RIGHT if i % 4 else WRONG, f"secret-{i % 2}") for i in range(1, 41)]
ITEMS += [Item(request(i), Reply("", "Hello and welcome to our house, dear guest!"), "secret-0") for i in range(10)]


def filled(path, delimiter=",", encoding="utf-8-sig", **columns):
    """The sheet, labelled by `columns` of functions of a row, and written as another program would."""
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    for row in rows:
        row |= {name: value(row) for name, value in columns.items()}
    text = io.StringIO()
    writer = csv.DictWriter(text, sheet.COLUMNS, delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding, "replace"))
    return rows


def honest(row):
    return "correct" if row["reply"].startswith("No") else "comply"


def unlabelled(folder):
    path = folder / "sheet.csv"
    sheet.write(ITEMS, path, count=30)
    return path
