"""A report card in which nothing is as one would like it: numbers that are missing, and models that say anything."""

from copy import deepcopy

from ruled import small_card

from helpers.stats import no_rate

SAID = (
    "x" * 50_000,
    "<script>alert(1)</script> $\\frac{a}{b}$ | `code` [link](http://example.org) " * 20,
    "\x1b[31mred\x1b[0m and \u202eturned round",
    "",
    "日本語の答えです。" * 30,
    "W" * 30 + " MMMM" * 100,
    "one\n\ntwo\nthree" * 50,
)
LABEL = "20 pairs a kind, 2 training seeds, the worst of them: a quick look, not the headline" + ", and so on" * 12
MISSING = "uncertainty"  # the kind of which nothing was asked


def awkward_card() -> dict:
    card = deepcopy(small_card())
    card |= {"label": LABEL, "tier": {"name": "gold-anchored", "agreement": None, "validated": False}}
    for i, example in enumerate(card["examples"]):
        example["prompt"] = SAID[i % len(SAID)] or "?"
        for j, reply in enumerate(example["replies"].values(), 1):
            reply["thinking"] = reply["answer"] = SAID[(i + j) % len(SAID)]
    base, worst, tuned = card["models"]["base"], card["worst"], card["models"]["tuned seed 0"]
    for numbers in (base["kinds"], worst["kinds"], *(row["kinds"] for row in card["baselines"])):
        numbers[MISSING] |= {name: no_rate("no pairs of this kind") for name in ("H", "F", "J", "pairs_right")}
    for test in card["tests"]:
        if test["kind"] == MISSING:
            test |= {"n": 0, "p": None, "p_holm": None, "reason": "no pairs"}
    silence = no_rate("no dialogue under pressure was played")
    for model in card["models"].values():
        model["pressure"] |= {"first": silence, "hold": silence, "balance": silence, "curve": []}
    for numbers in (base, tuned, worst):
        numbers |= {name: no_rate("no plain question was asked") for name in ("facts", "facts_all", "corrections")}
    worst |= {"first": silence, "hold": silence, "balance": silence, "facts_change": no_rate("no pairs")}
    for roles in card["form"].values():
        roles["trigger"] |= {
            "words": no_rate("no replies"),
            "list": no_rate("no replies"),
            "hedge": no_rate("no replies"),
        }
    exhibit = next(row for row in card["baselines"] if not row["fixed"])
    card["baselines"] += [exhibit | {"name": name} for name in ("no controls", "no reasoning")]
    return card
