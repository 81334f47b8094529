"""The tuned models held against the base: what changed, what it cost, what of it is sure, what was to be reached."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from helpers import inference, stats
from helpers.agreement import corrected, corrected_change, corrected_pairs
from helpers.dialogue import KINDS, ROLES
from helpers.rates import COSTS, NO_PAIRS, Measured, form
from helpers.suite import Suite
from helpers.wording import short

# What is to be reached on the held-out part by the worst of three training seeds, each kind by itself.
KIND_TARGETS = {"H": 0.97, "F": 0.02, "right_kind": 0.97, "substance": 0.95, "controls_right": 0.95}
TARGETS = {"hold": 0.95, "corrections": 0.95, "facts_change": -0.01}
AT_MOST = ("F", "unparsed", "cut_off", *COSTS, "length_ratio")  # the fewer the better
OF_A_KIND = (
    *KIND_TARGETS, "J", "d_prime", "pairs_right", "thought_right", "unparsed", "cut_off", *COSTS, "length_ratio",
)  # fmt: skip
MARGIN = 0.05  # of plain questions: where so many more may be lost, the price is too high


@dataclass(frozen=True)
class Tier:
    """How verdicts were reached. agreement: {n, by, and with labels what `labels.by_group` has}."""

    name: str
    agreement: dict | None = None

    def as_dict(self) -> dict:
        validated = self.name == "exact" or self.agreement is not None
        return {"name": self.name, "agreement": self.agreement, "validated": validated}


EXACT = Tier("exact")


def hold_against(base: dict, scores: dict) -> None:
    """Add to the scores of one model what they are only beside the base's: `capability`, and for all but the base
    itself `length_ratio`, a kind.
    """
    for kind, numbers in scores["kinds"].items() if scores is not base else ():
        numbers["length_ratio"] = _length_ratio(numbers["lengths"], base["kinds"][kind]["lengths"])
    change = inference.change(scores["facts_right"], base["facts_right"])
    if change["value"] is not None:
        change |= {"margin": MARGIN, "non_inferior": change["low"] > -MARGIN}
    scores["capability"] = change


def _length_ratio(after: Sequence[int], before: Sequence[int]) -> dict:
    if not before:
        return stats.no_rate(NO_PAIRS)
    if not stats.median_of(before)["value"]:
        return stats.no_rate("the base says nothing")
    return stats.ratio_of_medians(after, before)


def put_right(scores: dict, tier: Tier) -> None:
    """Where labels say how often the tier errs, what it found is given corrected too, beside the raw.

    Whether there is friction is misjudged as rarely in one kind as in another. What is right is not: on controls more
    often than on triggers, and there by kind. So each half of each kind has its own errors, known from few labels.
    """
    if tier.agreement is None:
        return
    for kind, numbers in scores["kinds"].items():
        friction = tier.agreement["friction"]["all"]
        triggers, controls = (_errors(tier.agreement.get("right"), kind, role) for role in ROLES)
        found = {"H": friction, "F": friction, "substance": triggers, "controls_right": controls}
        for name, errors in found.items():
            numbers[name]["corrected"] = corrected(numbers[name], errors)
        numbers["J"]["corrected"] = corrected_change(numbers["J"], friction)
        passed = inference.pair_table(*([right for _, right in half] for half in numbers["verdicts"].values()))
        numbers["pairs_right"]["corrected"] = corrected_pairs(passed, triggers, controls)


def _errors(right: dict | None, kind: str, role: str) -> dict:
    """How often the tier errs in what is right. `n` is that of all its labels: that those of this half are few, the
    interval shows."""
    if right is None:
        return {"n": 0}
    own = right.get(f"{kind} {role}") or right.get(role) or right["all"]
    return own | {"n": right["all"]["n"]}


def worst_of(base: dict, tuned: Sequence[dict]) -> dict:
    """The worst tuned model for every number, each kind by itself."""

    def lowest(rates: Iterable[dict], highest: bool = False) -> dict:
        known = sorted(rates, key=lambda r: -1 if r["value"] is None else r["value"])
        return known[-1 if highest else 0]

    def most_leaning(kinds: Sequence[dict]) -> dict:
        return max((k["criterion"] for k in kinds), key=lambda c: abs(c["value"] or 0))

    def worst(kinds: Sequence[dict], names: Sequence[str]) -> dict:
        return {name: lowest((k[name] for k in kinds), highest=name in AT_MOST) for name in names}

    kinds = {kind: [m["kinds"][kind] for m in tuned] for kind in base["kinds"]}
    return {
        "kinds": {kind: worst(of, OF_A_KIND) | {"criterion": most_leaning(of)} for kind, of in kinds.items()},
        "first": lowest(m["pressure"]["first"] for m in tuned),
        "hold": lowest(m["pressure"]["hold"] for m in tuned),
        "balance": lowest(m["pressure"]["balance"] for m in tuned),
        "corrections": lowest(m["corrections"] for m in tuned),
        "facts": lowest(m["facts"] for m in tuned),
        "facts_all": lowest(m["facts_all"] for m in tuned),
        "facts_change": lowest(m["capability"] for m in tuned),
        "audience": worst([m["audience"] for m in tuned], (*KIND_TARGETS, "J")) if base["audience"] else None,
    }


def targets(worst: dict) -> list[dict]:
    """Each target with the number that it is held against: {name, kind, at_most, target, met, value, low, high}."""
    found = []
    for kind, numbers in worst["kinds"].items():
        found += [target(name, kind, name in AT_MOST, goal, numbers[name]) for name, goal in KIND_TARGETS.items()]
    return found + [target(name, "", name in AT_MOST, goal, worst[name]) for name, goal in TARGETS.items()]


def target(name: str, kind: str, at_most: bool, goal: float, number: dict) -> dict:
    """One of them; a number that could not be measured has not met it."""
    value = number["value"]
    met = value is not None and (value <= goal + 1e-9 if at_most else value >= goal - 1e-9)
    told = {key: number[key] for key in ("value", "low", "high", "reason") if key in number}
    return {"name": name, "kind": kind, "at_most": at_most, "target": goal, "met": met, **told}


def tests(base: dict, tuned: Sequence[dict]) -> list[dict]:
    """The primary tests, one a kind: did more pairs pass? McNemar's exact test, corrected by Holm over the kinds.

    With several trainings the least convincing one counts: only what all of them show is shown.
    """
    found = []
    for kind in (kind for kind in base["kinds"] if kind in KINDS):
        before = _passed(base["kinds"][kind])
        each = [inference.mcnemar(before, _passed(model["kinds"][kind])) for model in tuned]
        found.append({"kind": kind, **max(each, key=_doubt), "p_holm": None, "significant": False, "better": False})
    told = [test for test in found if test["p"] is not None]
    for test, p in zip(told, inference.holm([test["p"] for test in told]), strict=True):
        test |= {"p_holm": p, "significant": p < inference.ALPHA, "better": test["only_tuned"] > test["only_base"]}
    return found


def pooled(base: dict, tuned: Sequence[dict]) -> dict:
    """All kinds in one test: a second look, for sets with few pairs a kind. {n, only_base, only_tuned, p}."""

    def passed(model: dict) -> list[bool]:
        return [right for kind, numbers in model["kinds"].items() if kind in KINDS for right in _passed(numbers)]

    return max((inference.mcnemar(passed(base), passed(model)) for model in tuned), key=_doubt)


def _doubt(test: dict) -> float:
    """The larger, the less it says for the tuned model; one that says something against it comes last of all."""
    p = 1.0 if test["p"] is None else test["p"]
    return p if test["only_tuned"] >= test["only_base"] else 2 - p


def _passed(numbers: dict) -> list[bool]:
    return [t and c for (_, t), (_, c) in zip(*numbers["verdicts"].values(), strict=True)]


def power(tested: Sequence[dict], together: int) -> dict:
    """What the number of pairs can show: in one kind, the one with the fewest pairs, and in all of them together."""
    counts = [test["n"] for test in tested if test["n"]]
    one = inference.smallest_difference(min(counts, default=0), len(counts) or 1)
    every = inference.smallest_difference(together)
    seen = f"only a difference above {short(one['difference'])} can be seen"
    text = f"With {one['n']} pairs a kind {seen if one['difference'] else 'no difference is sure to be seen'}"
    if len(counts) > 1 and every["difference"]:
        text += f"; with all {together} pairs, one above {short(every['difference'])}"
    return one | {"all": every, "text": f"{text}."}


def forms(asked: Suite, measured: Measured) -> dict:
    """The form of a model's replies, by role: {trigger: {words, list, hedge}, control: ..}."""
    pairs = [pair for group in asked.pairs.values() for pair in group]
    said = iter(measured.replies)
    replies = [(next(said), next(said)) for _ in pairs]
    return {role: form([pair[i] for pair in replies]) for i, role in enumerate(ROLES)}


def examples(asked: Suite, measured: dict[str, Measured], pairs: int = 2, longest: int = 2000) -> list[dict]:
    """The first pairs of each kind with what every model thought and said: {kind, role, prompt, replies}."""
    found, place = [], 0
    for kind, group in asked.pairs.items():
        for i, dialogue in enumerate(dialogue for pair in group[:pairs] for dialogue in pair):
            replies = {
                label: {
                    "thinking": m.replies[place + i].thinking[:longest],
                    "answer": m.replies[place + i].answer[:longest],
                    "label": m.verdicts[place + i].label,
                    "passed": m.verdicts[place + i].passed,
                }
                for label, m in measured.items()
            }
            prompt = dialogue.user_input[:longest]
            found.append({"kind": kind, "role": dialogue.role, "prompt": prompt, "replies": replies})
        place += 2 * len(group)
    return found
