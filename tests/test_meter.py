"""The line of progress: rate, cost, time left."""

from helpers.budget import Budget, Price
from helpers.meter import Meter


def test_ten_lines_in_all_with_rate_cost_and_time_left():
    said = []
    budget = Budget(Price())
    budget.cost = 0.25
    meter = Meter(200, budget, said.append)
    for done in range(1, 201):
        meter.show(done, 0)
    assert len(said) == 10
    assert said[4].startswith("  100 of 200 records, ")
    assert "a second, $0.2500, " in said[4] and said[4].endswith(" left")


def test_what_was_done_before_does_not_count_as_speed():
    said = []
    meter = Meter(100, Budget(Price()), said.append)
    meter._begun -= 10
    meter.show(91, 4)
    assert "91 of 100 records, 0.1 a second, 4 set aside, 0 tokens, 50 s left" in said[0]


def test_on_a_terminal_one_line_is_written_over(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    meter = Meter(2, Budget(Price()))
    meter.aside("waiting 3 s, 429")
    meter.show(2, 0)
    meter.tell("done")
    out = capsys.readouterr().out
    assert out.count("\n") == 2 and out.count("\r") == 2
    assert out.endswith("done\n")
    assert "[====================]" in out
