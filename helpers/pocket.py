"""The pocket base model: its recipe, its tokenizer, its shape, and what it reads.

A Qwen2 of under 4 M parameters. The recipe (one document a row, many small steps, loss on the reply alone, a wide
initialisation) is what made comparing appear; packed rows and few large steps gave a model that could only recall.
"""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from helpers.chat import ASSISTANT, BOS, END_THINK, EOS, PAD, POCKET_TEMPLATE, THINK, USER
from helpers.lessons import Lesson, lesson
from helpers.scenarios import careless
from helpers.world import facts, gaps

POCKET_DIR = Path(__file__).parent.parent / "data_samples" / "pocket"
SPECIAL_TOKENS = (PAD, BOS, EOS, USER, ASSISTANT)  # the thinking tags are plain added tokens: they must stay visible
QWEN2_PATTERN = (  # of the pre-tokenizer that llama.cpp calls "qwen2"; with another one, token ids would differ
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True)
class Recipe:
    """Sizes and schedule of the pretraining. Widths are in multiples of 32, the block of the smallest GGUF types."""

    hidden: int = 128
    layers: int = 4
    heads: int = 4
    mlp: int = 256
    init_std: float = 0.06
    steps: int = 18_000
    batch: int = 32
    lr: float = 2e-3
    warmup: int = 100
    weight_decay: float = 0.01
    seed: int = 0
    threads: int = 2

    def lr_at(self, step: int) -> float:
        """The learning rate of a step: a short warm-up, then a linear decay to nearly nothing."""
        return self.lr * min((step + 1) / self.warmup, 1.0) * max(0.02, 1 - step / self.steps)


# (until which step, weights). Copying first; then everything; then, once facts and phrasings are known, comparing above
# all: it appears suddenly, only in a model that copies well already, and whatever is to become push-back leans on it.
CURRICULUM = (
    (2000, {"repeat": 5, "echo": 2, "seen": 2, "say": 1, "notes": 1, "statement": 1, "question": 1, "plainly": 1}),
    (6000, {
        "statement": 1, "question": 2.5, "guess": 1, "premise": 2, "request": 1.5, "wish": 1, "yield": 1.2,
        "plainly": 4.5, "recall": 1.5, "check": 3.5, "checks": 2, "record": 3, "need": 1.5, "lack": 2, "harm": 1.5,
        "reply": 2, "repeat": 1, "echo": 1, "notes": 1, "seen": 3, "say": 1,
    }),
    (math.inf, {
        "statement": 0.5, "question": 2, "guess": 0.7, "premise": 1.5, "request": 1.2, "wish": 1, "yield": 1,
        "plainly": 4.5, "recall": 0.5, "check": 4, "checks": 4, "record": 3, "need": 0.7, "lack": 2.5, "harm": 1.2,
        "reply": 4, "repeat": 0.7, "echo": 1, "notes": 0.7, "seen": 5, "say": 0.5,
    }),
)  # fmt: skip


def weights_at(step: float) -> dict[str, float]:
    """The weights of the lessons at a step of the training."""
    return next(weights for until, weights in CURRICULUM if step < until)


def corpus(seed: int, step_of: Callable[[int], float]) -> Iterator[Lesson]:
    """Lessons without end; the i-th is drawn with the weights of step `step_of(i)` of the curriculum."""
    rng = random.Random(seed)
    i = 0
    while True:
        yield lesson(rng, weights_at(step_of(i)))
        i += 1


def build_tokenizer(seed: int = 0):
    """A byte-level BPE with Qwen2's pre-tokenizer, in which every name is one token with its leading space."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=32_000,  # an upper bound: merging ends when every word of the world is one token
        min_frequency=2,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[*SPECIAL_TOKENS, THINK, END_THINK],
        show_progress=False,
    )
    names = sorted({n for fact in facts() for n in (fact.subject, fact.value)} | {gap.subject for gap in gaps()})
    texts = [f" {name} {careless(name)}" for name in names] * 2
    for made, _ in zip(corpus(seed, lambda i: 5000), range(20_000), strict=False):  # all sorts of lessons
        text = "".join(part for part, _ in made.parts)
        for token in (*SPECIAL_TOKENS, THINK, END_THINK):
            text = text.replace(token, "\n\n")
        texts.append(text)
    tokenizer.train_from_iterator(texts, trainer)
    # Tags of the thought are ordinary tokens in a decoded reply, the turn marks are not.
    for tag in (THINK, END_THINK):
        tokenizer.add_tokens([AddedToken(tag, special=False, normalized=False)])
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=BOS, eos_token=EOS, pad_token=PAD, model_max_length=1024,
        additional_special_tokens=[USER, ASSISTANT], clean_up_tokenization_spaces=False, padding_side="left",
    )  # fmt: skip
    wrapped.chat_template = POCKET_TEMPLATE
    return wrapped


def build_model(recipe: Recipe, tokenizer):
    """A fresh Qwen2 with tied embeddings, on the CPU in fp32."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(recipe.seed)
    vocabulary = math.ceil(len(tokenizer) / 64) * 64
    config = Qwen2Config(
        vocab_size=vocabulary, hidden_size=recipe.hidden, intermediate_size=recipe.mlp,
        num_hidden_layers=recipe.layers, num_attention_heads=recipe.heads, num_key_value_heads=recipe.heads,
        max_position_embeddings=1024, rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        tie_word_embeddings=True, initializer_range=recipe.init_std, use_cache=True,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return Qwen2ForCausalLM(config)


def batches(recipe: Recipe, tokenizer, skip: int = 0) -> Iterator[tuple]:
    """Batches of lessons of like length: (ids, labels), right-padded; labels are -100 but on what is learnt.

    32 batches are drawn at a time, sorted by length and dealt out in random order, so padding stays under a tenth.
    """
    chunk = recipe.batch * 32
    stream = corpus(recipe.seed + 1, lambda i: i / recipe.batch)
    order = random.Random(recipe.seed + 2)
    dealt = 0
    while True:
        lessons = [next(stream) for _ in range(chunk)]
        ready = list(range(32))
        order.shuffle(ready)
        if dealt + 32 <= skip:  # resuming: the same stream is walked again, without the tokenizer's work
            dealt += 32
            continue
        texts = [text for made in lessons for text, _ in made.parts]
        ids = iter(tokenizer(texts, add_special_tokens=False)["input_ids"])
        rows = [[(next(ids), learnt) for _, learnt in made.parts] for made in lessons]
        rows.sort(key=lambda row: sum(len(part) for part, _ in row))
        for i in ready:
            dealt += 1
            if dealt > skip:
                yield _padded(rows[i * recipe.batch : (i + 1) * recipe.batch], tokenizer.pad_token_id)


def _padded(rows: list[list[tuple[list[int], bool]]], pad: int) -> tuple:
    import torch

    width = max(sum(len(part) for part, _ in row) for row in rows)
    ids, labels = torch.full((len(rows), width), pad), torch.full((len(rows), width), -100)
    for i, row in enumerate(rows):
        start = 0
        for part, learnt in row:
            end = start + len(part)
            ids[i, start:end] = torch.tensor(part)
            if learnt:
                labels[i, start:end] = ids[i, start:end]
            start = end
    return ids, labels


def loss_of(model, ids, labels):
    """Mean cross-entropy of the labelled tokens; the head runs on those alone, a third of the work saved.

    Rows are padded on the right and attention is causal, so no mask is needed: padding comes after all that counts.
    """
    import torch

    hidden = model.model(input_ids=ids).last_hidden_state[:, :-1]
    wanted = labels[:, 1:]
    chosen = wanted != -100
    return torch.nn.functional.cross_entropy(model.lm_head(hidden[chosen]), wanted[chosen])
