"""The one prompt string, and taking a reply apart again.

Training, transformers, llama.cpp and Ollama must all see the same characters. The pocket model speaks the turn format
of DeepSeek-R1-Distill, traps included: the reasoning of earlier turns is dropped, and the prompt ends in an opening
`<think>` that the reply therefore does not repeat.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

BOS = "<｜begin▁of▁sentence｜>"
EOS = "<｜end▁of▁sentence｜>"
USER = "<｜User｜>"
ASSISTANT = "<｜Assistant｜>"
PAD = "<|endoftext|>"  # the name that transformers gives to the unknown token of a Qwen2 tokenizer: one token for both
THINK, END_THINK = "<think>", "</think>"

# Loss falls on what follows the opening tag of the last turn: earlier turns of the assistant are history, they carry
# no thought, and one of them may be wrong on purpose.
INSTRUCTION_PART, RESPONSE_PART = USER, f"{ASSISTANT}{THINK}\n"

# A space stands before what the user says, so that a name is the same token at the start of a sentence as inside it.
POCKET_TEMPLATE = (
    "{{ bos_token }}"
    "{%- for message in messages %}"
    "{%- if message.role == 'system' %}{{ message.content }}"
    "{%- elif message.role == 'user' %}{{ '<｜User｜> ' + message.content }}"
    "{%- else %}{{ '<｜Assistant｜>' }}"
    "{%- if loop.last %}{{ message.content }}"
    "{% else %}{{ message.content.split('</think>')[-1].lstrip('\\n') }}{% endif %}"
    "{{ eos_token }}"
    "{%- endif %}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<｜Assistant｜><think>\\n' }}{% endif %}"
)

# ChatML with the system prompt that SmolLM2 was trained with. No thought is opened: the base never writes one, the
# tuned model opens its own, and so both answer the very same prompt. Thoughts of earlier turns are dropped as above.
SMOLLM2_SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
SMOLLM2_TEMPLATE = (
    "{%- if messages[0].role != 'system' %}{{ '<|im_start|>system\\n" + SMOLLM2_SYSTEM + "<|im_end|>\\n' }}{% endif %}"
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message.role + '\\n' }}"
    "{%- if message.role != 'assistant' or loop.last %}{{ message.content }}"
    "{% else %}{{ message.content.split('</think>')[-1].lstrip('\\n') }}{% endif %}"
    "{{- '<|im_end|>\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


@dataclass(frozen=True)
class Reply:
    """One reply, taken apart. `complete` is False when it was cut off: a cut-off reply looks like compliance."""

    thinking: str
    answer: str
    complete: bool = True


@cache
def _compiled(template: str):
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True).from_string(template)


def render(
    messages: Sequence[dict], template: str = POCKET_TEMPLATE, generate: bool = True, bos: str = BOS, eos: str = EOS
) -> str:
    """The prompt string of a conversation, exactly as `tokenizer.apply_chat_template` would give it."""
    return _compiled(template).render(messages=messages, bos_token=bos, eos_token=eos, add_generation_prompt=generate)


def target(thinking: str, answer: str) -> str:
    """The assistant's whole turn as it is trained: the thought between its tags, then the answer."""
    return f"{THINK}\n{thinking}\n{END_THINK}\n\n{answer}"


def parse_reply(text: str, prefilled: bool = True, finished: bool = True) -> Reply:
    """Split what a model wrote into thought and answer; never raises.

    prefilled: the prompt ended in `<think>`, so the reply may lack it. finished: generation ended with the end token.
    Tags that are missing, nested or never closed are taken as they come: everything up to the last closing tag is
    thought; a thought that never closes leaves no answer, and the reply is not complete.
    """
    head, closing, tail = text.rpartition(END_THINK)
    if closing:
        return Reply(_untagged(head), tail.strip(), finished)
    if THINK in text or prefilled:
        return Reply(_untagged(text), "", False)
    return Reply("", text.strip(), finished)


def _untagged(text: str) -> str:
    return re.sub(r"</?think>", "", text).strip()
