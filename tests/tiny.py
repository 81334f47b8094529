"""A tiny base and its data, for tests that train: the architecture and template of the pocket model, 64 wide."""

from dataclasses import replace
from pathlib import Path

from helpers import chat
from helpers.pocket import SPECIAL_TOKENS, Recipe, build_model
from helpers.pocket_set import training_set
from helpers.scale import SCALES, Scale
from helpers.trainer import import_unsloth

STEPS = 12


def dialogues():
    return training_set(60, seed=0)


def scale(base: Path) -> Scale:
    small = {"steps": STEPS, "batch": 4, "lr": 1e-2, "rank": 4, "alpha": 8, "eval_steps": 4, "patience": 0}
    return replace(SCALES["pocket"], model=str(base), **small)


def write_base(folder: Path) -> Path:
    import_unsloth()  # before transformers, as it asks for
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tags = [chat.THINK, chat.END_THINK]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer, bpe.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=[*SPECIAL_TOKENS, *tags], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    bpe.train_from_iterator([f"{d.user_input} {d.thinking}" for d in dialogues()], trainer)
    bpe.add_tokens([AddedToken(tag, special=False, normalized=False) for tag in tags])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token=chat.BOS, eos_token=chat.EOS, pad_token=chat.PAD, padding_side="left",
        additional_special_tokens=[chat.USER, chat.ASSISTANT], clean_up_tokenization_spaces=False,
    )  # fmt: skip
    tokenizer.chat_template = chat.POCKET_TEMPLATE
    build_model(Recipe(hidden=64, layers=1, heads=2, mlp=64), tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
