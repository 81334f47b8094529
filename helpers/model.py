"""The one interface to a model, whatever runs it.

All replies are greedy. The prompt string is `chat.render` of the model's own chat template, in Unicode normal form C:
the tokenizers of transformers bring text into that form by themselves, llama.cpp does not, and the ids must agree.
"""

import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence

from helpers import chat
from helpers.errors import UserError

MAX_NEW_TOKENS = 160  # the longest right reply of the pocket world takes about 110
MAX_CONTEXT = 4096  # no prompt of the course is longer, and a cache for all that a 7B can read would fill the memory
Progress = Callable[[int, int], None]


class Model(ABC):
    """One model that continues prompts greedily. `replies` and `stream` are all that the course calls."""

    name: str  # as the user gave it
    engine: str  # what runs it
    identity: str  # a hash of its weights: the same name can hold another model tomorrow
    context: int  # tokens, prompt and reply together
    template: str
    bos: str
    eos: str

    @abstractmethod
    def encode(self, text: str) -> list[int]: ...

    @abstractmethod
    def decode(self, ids: Sequence[int]) -> str:
        """Text without turn marks; the thinking tags stay, `chat.parse_reply` needs them."""

    @abstractmethod
    def is_end(self, token: int) -> bool: ...

    @abstractmethod
    def greedy(self, ids: list[int], limit: int) -> Iterator[int]:
        """At most `limit` next tokens, one by one, up to and with the end token."""

    def completions(self, prompts: list[list[int]], limit: int) -> Iterator[tuple[int, list[int]]]:
        """(index of the prompt, its next tokens) in any order; one at a time, unless an engine knows better."""
        for i, ids in enumerate(prompts):
            yield i, list(self.greedy(ids, min(limit, self.context - len(ids))))

    def prompt(self, messages: Sequence[dict]) -> str:
        """The prompt string. Half characters, which a terminal can hand in, become question marks."""
        text = chat.render(messages, self.template, bos=self.bos, eos=self.eos)
        return unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode())

    def tokens(self, messages: Sequence[dict]) -> list[int]:
        """The token ids of a prompt that has a question in it and leaves room for a reply; UserError otherwise."""
        if not messages or not messages[-1]["content"].strip():
            raise UserError('The prompt is empty. Give a question, for example "What is the capital of Sweden?"')
        ids = self.encode(self.prompt(messages))
        if len(ids) >= self.context:
            raise UserError(
                f"The prompt is {len(ids)} tokens long, and {self.name} reads fewer than {self.context}. Shorten it."
            )
        return ids

    def answers(self, conversations: Sequence[Sequence[dict]], max_new_tokens: int) -> Iterator[tuple[int, chat.Reply]]:
        """(index of the conversation, reply), as they are finished, in an order that suits the engine."""
        prefilled = [self.opens_thought(messages) for messages in conversations]
        prompts = [self.tokens(messages) for messages in conversations]
        for i, ids in self.completions(prompts, max_new_tokens):
            finished = bool(ids) and self.is_end(ids[-1])
            yield i, chat.parse_reply(self.decode(ids), prefilled[i], finished)

    def replies(
        self,
        conversations: Sequence[Sequence[dict]],
        max_new_tokens: int = MAX_NEW_TOKENS,
        progress: Progress | None = None,
    ) -> list[chat.Reply]:
        """One reply to each conversation, in their order. A reply that was cut off is not `complete`."""
        found: dict[int, chat.Reply] = {}
        for i, reply in self.answers(conversations, max_new_tokens):
            found[i] = reply
            if progress:
                progress(len(found), len(conversations))
        return [found[i] for i in range(len(conversations))]

    def stream(self, messages: Sequence[dict], max_new_tokens: int = MAX_NEW_TOKENS) -> Iterator[str]:
        """The reply in pieces of text, thought included, beginning with the tag that the prompt may have opened."""
        ids = self.tokens(messages)
        if self.opens_thought(messages):
            yield f"{chat.THINK}\n"
        made: list[int] = []
        said = ""
        for token in self.greedy(ids, min(max_new_tokens, self.context - len(ids))):
            made.append(token)
            text = self.decode(made)
            if not text.endswith("\ufffd"):  # half a character: its other bytes come with the next token
                yield text[len(said) :]
                said = text

    def opens_thought(self, messages: Sequence[dict]) -> bool:
        return self.prompt(messages).rstrip().endswith(chat.THINK)


def one_template(name: str, template: object) -> str:
    """A tokenizer's chat template, if it has exactly one; UserError otherwise."""
    if not isinstance(template, str) or not template:
        raise UserError(f"{name} has no chat template, so there is no prompt to ask it with. Take a chat model.")
    return template
