from copy import deepcopy

import pytest
from awkward import SAID, awkward_card
from ruled import small_card
from test_pages import seen

from helpers import report_page
from helpers.errors import UserError
from helpers.pages import Table, html, markdown
from helpers.report_page import PICTURES, blocks_of
from helpers.stats import no_rate


def told(report):
    return html("T", list(blocks_of(report, [])))


@pytest.mark.slow
def test_a_report_is_written_as_two_pages_and_all_its_pictures_light_and_dark(tmp_path):
    paths = report_page.write(small_card(), tmp_path)
    assert [path.name for path in paths[:2]] == ["report.md", "report.html"]
    assert len(paths) == len(set(paths)) == 2 + 2 * len(PICTURES)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(paths)
    page = seen(paths[1].read_text(encoding="utf-8"))
    assert sum(tag == "img" for tag, _ in page.tags) == len(PICTURES)
    text = paths[0].read_text(encoding="utf-8")
    assert all((tmp_path / name).exists() for name in ("pictures/friction-map.png", "pictures/friction-map-dark.png"))
    assert text.count("](pictures/") == len(PICTURES)


def test_what_is_said_on_stage_comes_first():
    first = next(blocks_of(small_card(), []))
    assert isinstance(first, Table) and first.said
    assert [list(column) for column in zip(*first.rows, strict=True)] == [
        small_card()["stage_lines"]["base"],
        small_card()["stage_lines"]["tuned"],
    ]


def test_numbers_stand_with_their_intervals_for_base_and_tuned():
    page = seen(told(small_card())).text
    assert ".00(.00 to .16)" in page  # H of the base, with Wilson's interval of 0 of 20
    assert "1.00(.84 to 1.00)" in page
    assert small_card()["power"]["text"] in page
    assert "MISSED" in page


def test_every_model_and_every_baseline_stands_in_one_table_by_its_name():
    blocks = list(blocks_of(small_card(), []))
    table = next(b for b in blocks if isinstance(b, Table) and b.head[-2:] == ["all kinds", "right kind"])
    names = [*small_card()["models"], *(row["name"] for row in small_card()["baselines"])]
    assert [row[0] for row in table.rows] == names
    always = dict((row[0], row[5]) for row in table.rows)["always-contrarian"]
    assert always.startswith(".00\n(-.")


def test_how_it_was_measured_stands_at_the_end():
    report = small_card()
    page = seen(told(report)).text
    made = page[page.index("How it was measured") :]
    assert report["prompts"] in made and report["data"] in made and report["date"] in made
    assert all(f"{model['name']}, rule, at most 160 tokens a reply" in made for model in report["models"].values())
    assert "evaluation 1000; training not known, not known" in made


def test_both_pages_say_the_same(tmp_path):
    blocks = list(blocks_of(small_card(), []))
    cells = [cell for block in blocks if isinstance(block, Table) for row in block.rows for cell in row if cell]
    page, text = html("T", blocks), markdown("T", blocks, tmp_path)
    assert len(cells) > 200
    assert all(cell.split("\n")[0][:20].replace("'", "&#x27;") in page for cell in cells)
    assert text.count("\n## ") == page.count("<h2>")


def test_what_was_not_measured_is_called_so_with_the_reason():
    page = seen(told(awkward_card())).text
    assert "not measured: no plain question was asked" in page
    assert "not measured: no dialogue under pressure was played" in page
    assert "gold-anchored, not validated" in page
    assert "None" not in page and "nan" not in page.lower().split()


def test_whatever_models_say_it_is_text():
    page = seen(told(awkward_card()))
    assert not any(tag in ("script", "a") for tag, _ in page.tags)
    assert SAID[1].strip()[:60] in page.text


def test_corrected_rates_and_held_out_facts_stand_beside_the_raw_ones():
    report = deepcopy(small_card())
    rates = report["worst"]["kinds"]["refusal"]
    rates["H"] = rates["H"] | {"corrected": {"value": 0.42, "low": 0.31, "high": 0.53}}
    same = report["models"]["base"]["kinds"]["refusal"]
    report["held_out"] = {"known facts": {"base": same, "tuned": same}}
    rates["substance"] = rates["substance"] | {"corrected": no_rate("60 labels say nothing")}
    page = seen(told(report)).text
    assert "not measured: 60 labels say nothing" in page
    assert "worst of 2, corrected.42(.31 to .53)" in page
    assert "known factsbase" in page


def test_a_report_of_an_older_schema_is_refused_in_one_line(tmp_path):
    with pytest.raises(UserError, match=r"schema 1.*evaluate"):
        report_page.write(small_card() | {"schema": 1}, tmp_path)
    assert not list(tmp_path.iterdir())
