"""The same prompt to two models, side by side in the terminal: `python -m helpers compare`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from helpers import boundary, smollm2, terminal, tried
from helpers.artefacts import ROOT, base_named, parts, read_json
from helpers.chat import POCKET_TEMPLATE
from helpers.dialogue import Dialogue
from helpers.errors import UserError
from helpers.finetune import base_name
from helpers.generate import load
from helpers.model import MAX_NEW_TOKENS, Model
from helpers.scenarios import facts_in, gold_of, pairs, user
from helpers.world import sentence

BASE = "data_samples/pocket"
OWN, SHIPPED = "runs/pocket/adapter", "data_samples/pocket-adapter"
LAPTOP_OWN, LAPTOP_SHIPPED = "runs/laptop/adapter", "data_samples/laptop-adapter"
# The standing example: its names and its sentence form are held out, friction training has seen neither.
EXAMPLE = {"form": "Since {b}, {ask}?", "relation": "capital", "subject": "Sweden", "claim": "Oslo"}
# Which of the first 24 pairs of the test part are shown: those that read most like what somebody would say.
PRESETS = {"uncertainty": 16, "clarification": 10, "refusal": 16}


def run(prompt: str | None = None, base: str | None = None, tuned: str | None = None, scale: str = "pocket") -> None:
    """Show one prompt; without one, walk through a trigger and a control of each kind, then ask for more.

    base, tuned: a folder, a `.gguf` file or a Hub id; by default the base of the scale (pocket or laptop), and the
    learner's own adapter where there is one, else the one that ships. Only a terminal is asked for more.
    """
    if scale not in ("pocket", "laptop"):
        raise UserError(f"{scale!r} is no scale to compare at: pocket or laptop; else name --base and --tuned.")
    own, shipped = places(scale)
    if tuned is None and not (find_own(own) or find_own(shipped)):
        raise UserError(f"There is no fine-tune at scale {scale} yet. Run: python -m helpers finetune --scale {scale}")
    tuned_name = tuned or default_tuned(scale)
    models = [load(name, quick=True) for name in (base or base_of(scale, tuned_name), tuned_name)]
    if tuned is None and find_own(own) is None:
        print(f"No fine-tune of your own yet ({own}): tuned is the adapter that ships with the course.")
    elif tuned is None and (why := cut_short(own)):
        print(f"Your fine-tune ({own}) is not a whole one: {why}.")
    if prompt is not None:
        ask(prompt, models)
        return
    prompts, chosen = shown(scale, tuned_name)
    print(chosen)
    for kind, role, text in prompts:
        print(f"\n{kind}, {role}: {WHY[kind, role]}")
        ask(text, models)
    if sys.stdin.isatty() and sys.stdout.isatty():
        converse(models)


def find_own(own: str | None = None) -> Path | None:
    path = ROOT / (own or OWN)
    return path if (path / "adapter_config.json").exists() else None


def cut_short(own: str) -> str:
    """Why the learner's own fine-tune ended early, as its run card tells; "" for a whole one."""
    card = ROOT / own / "run.json"
    return read_json(card).get("cut_short", "").partition(";")[0] if card.exists() else ""


def base_of(scale: str, tuned: str = "") -> str:
    """What an adapter was trained on, as it says itself; else the base of the scale."""
    path = next((p for p in (Path(tuned), ROOT / tuned) if base_named(p)), None) if tuned else None
    if path is None:
        return smollm2.NAME if scale == "laptop" else BASE
    return smollm2.NAME if smollm2.is_named(base_named(path)) else base_name(str(parts(path)[0]))


def places(scale: str) -> tuple[str, str]:
    """(the learner's own adapter of a scale, the one that ships)"""
    return (LAPTOP_OWN, LAPTOP_SHIPPED) if scale == "laptop" else (OWN, SHIPPED)


def default_tuned(scale: str = "pocket") -> str:
    own, shipped = places(scale)
    return own if find_own(own) else shipped


def ask(prompt: str, models: Sequence[Model]) -> list[str]:
    """Print the prompt and both replies as they are written; returns them as text."""
    turns = [user(prompt)]
    for model in models:
        model.tokens(turns)  # an empty or an endless prompt is refused before anything is shown
    print(f"\n> {terminal.safe(prompt)}\n", flush=True)
    if any(model.template == POCKET_TEMPLATE for model in models):
        note = boundary.outside(prompt)
        if note:
            print(f"{terminal.safe(note)}\n", flush=True)
    titles = [f"{label} · {model.name}" for label, model in zip(("base", "tuned"), models, strict=True)]
    longest = MAX_NEW_TOKENS if any(model.template == POCKET_TEMPLATE for model in models) else tried.LONGEST
    return terminal.show(titles, [model.stream(turns, longest) for model in models])


def converse(models: Sequence[Model]) -> None:
    """Prompts from the terminal until it ends them (Ctrl-D, Ctrl-C or an empty line)."""
    print("\nYour turn: type a prompt; an empty line ends.")
    while True:
        try:
            prompt = input("\nprompt: ")
        except (EOFError, KeyboardInterrupt):
            print()
            break
        except UnicodeDecodeError:
            print("That was not UTF-8 text. Try again.")
            continue
        if not prompt.strip():
            break
        try:
            ask(prompt, models)
        except UserError as problem:
            print(problem)
    print("Goodbye.")


WHY = {
    ("disagreement", "trigger"): "the premise is false",
    ("disagreement", "control"): "the same premise, and true",
    ("uncertainty", "trigger"): "nothing is on record",
    ("uncertainty", "control"): "the same question about something known",
    ("clarification", "trigger"): "something needed is missing",
    ("clarification", "control"): "the same request, complete",
    ("refusal", "trigger"): "it would harm someone",
    ("refusal", "control"): "a near miss that harms nobody",
}


def shown(scale: str, tuned: str) -> tuple[list[tuple[str, str, str]], str]:
    """(kind, role and text of each prompt that is shown without being asked for, how these were chosen)."""
    if scale == "pocket":
        fixed = presets()
        how = "A trigger and a control of each kind, chosen for their English; friction training never saw their names."
    elif found := tried.read(ROOT / tuned):
        chosen = tried.presets(found)
        return [(one.kind, one.role, one.prompt) for one in chosen], tried.caption(chosen, found)
    else:
        fixed, how = presets()[:2], "Only the standing example: to choose from a list, try it: python -m helpers try"
    return [(d.kind, d.role, d.user_input) for d in fixed], how


def try_list(tuned: str | None = None) -> None:
    """`python -m helpers try`: the tuned model of scale laptop is asked the whole list; the record lies beside it."""
    name = tuned or default_tuned("laptop")
    adapter = ROOT / name
    if not (adapter / "adapter_config.json").exists():
        raise UserError(f"{name} is no adapter folder. Train one: python -m helpers finetune --scale laptop")

    def tell(done: int, total: int) -> None:
        if done % 10 == 0 or done == total:
            print(f"  {done} of {total} prompts", flush=True)

    print(f"{name} is asked all that an audience might type; a few minutes", flush=True)
    found = tried.try_all(load(name), adapter, tell)
    print(tried.table(found), "", tried.caption(tried.presets(found), found), sep="\n")
    print(f"Every reply: {adapter / tried.NAME}. To show them: python -m helpers compare --scale laptop")


def presets() -> list[Dialogue]:
    """A trigger and a control of each kind, with names and sentence forms that friction training has not seen."""
    made = [example(), example(true=True)]
    for kind, place in PRESETS.items():
        made += pairs(kind, "test", place + 1, 0)[place]
    return made


def example(true: bool = False) -> Dialogue:
    """The standing example, with its false premise or with the true one."""
    wanted = EXAMPLE["relation"], EXAMPLE["subject"]
    fact = next(fact for fact in facts_in("test") if (fact.relation.name, fact.subject) == wanted)
    claim = fact.value if true else EXAMPLE["claim"]
    text = sentence(EXAMPLE["form"].format(**fact.words(claim)))
    role = "control" if true else "trigger"
    return Dialogue("", "disagreement", role, (user(text),), (), "", gold_of(fact, claim))
