"""Records that keep every rule for natural dialogues and mean nothing: as many as a test wants, all unlike."""

import random

from helpers.dialogue import KINDS, Agent, Dialogue
from helpers.personas import PERSONAS

SMALL = """the a of to and in that is was for it with as his on be at by had not are but from or have an they which one
you were all her she there would their we him been has when who will no more if out so said what up its about into than
them can only other"""
LARGE = """kettle river garden letter window candle bicycle harbour teacher pocket blanket mirror orchard station
captain village lantern ladder marble basket pepper winter summer forest engine saddle ribbon copper silver timber
carpet cottage market bottle farmer sailor doctor painter dancer singer weaver miller hunter potter carrier meadow
valley mountain island desert glacier canyon prairie lagoon bridge tunnel castle temple palace cellar attic kitchen
parlour chimney balcony stable cradle hammer needle button shovel bucket barrel wagon carriage rudder anchor sail
compass pencil ledger notebook calendar ticket parcel stamp postcard newspaper chapter novel poem ballad chorus violin
trumpet cello drum whistle piano flute carrot onion turnip cabbage lettuce cherry walnut almond barley oats pastry
butter honey vinegar mustard ginger saffron cinnamon thunder rainbow drizzle breeze sunrise twilight midnight morning
autumn harvest festival wedding birthday journey holiday picnic lecture lesson lottery invoice salary mortgage tenant
landlord bailiff solicitor juror witness verdict treaty senate mayor council ballot"""
WORDS = SMALL.split(), LARGE.split()
METADATA = {"source": "a test", "licence": "CC-BY-4.0", "language": "en"}


def salad(rng: random.Random, count: int) -> str:
    found = [rng.choice(WORDS[rng.random() > 0.45]) for _ in range(count)]
    return f"{' '.join(found).capitalize()}."


def record(rng: random.Random, pair_id: str, kind: str, role: str) -> Dialogue:
    thoughts = [salad(rng, rng.randint(15, 30)) for _ in PERSONAS]
    moments = {1: thoughts[1][:30], 4: thoughts[4][5:40]} if role == "trigger" else {}
    spoken = enumerate(zip(PERSONAS, thoughts, strict=True))
    agents = tuple(Agent(p.name, thought, (moments[i],) if i in moments else ()) for i, (p, thought) in spoken)
    turns = ({"role": "user", "content": salad(rng, 20)},)
    answer = f"{salad(rng, 40)} {salad(rng, 20).replace('.', '?')}"
    return Dialogue(pair_id, kind, role, turns, agents, answer, _gold(rng, kind, role, answer), "reluctance", METADATA)


def _gold(rng: random.Random, kind: str, role: str, answer: str) -> dict:
    trigger, held = role == "trigger", [answer[:12]]
    return {
        "disagreement": {"claim": salad(rng, 9), "fact": salad(rng, 9), "answers": held, "source": "An atlas"},
        "uncertainty": {
            "question": salad(rng, 9),
            "answers": [] if trigger else held,
            "why": salad(rng, 9),
            "source": "" if trigger else "An atlas",
        },
        "clarification": {
            "request": salad(rng, 9),
            "slot": "the day" if trigger else "",
            "cues": held if trigger else [],
        },
        "refusal": {
            "request": salad(rng, 9),
            "harm": salad(rng, 9) if trigger else "",
            "offer": salad(rng, 9) if trigger else "",
        },
    }[kind]


def salad_set(pairs: int, seed: int = 0, kinds: tuple[str, ...] = KINDS) -> list[Dialogue]:
    """Pairs of the kinds in turn: trigger, control, trigger, control, .."""
    rng = random.Random(seed)
    return [
        record(rng, f"pair {seed} {i}", kinds[i % len(kinds)], role)
        for i in range(pairs)
        for role in ("trigger", "control")
    ]
