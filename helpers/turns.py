"""What one call of the relay must answer, as JSON, and the reason in words when it does not."""

from __future__ import annotations

import re
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

Shape = TypeVar("Shape", bound=BaseModel)
LONGEST = 1500  # characters; one to three sentences are a fifth of it
TAG = re.compile(r"</?think>|<\|[^|]{1,40}\|>")  # what the prompt string is made of may not stand in its parts


class Invalid(Exception):
    """An answer that cannot be used; the text is the reason, as the model is told it."""


def _text(value: str) -> str:
    value = value.strip()
    if not re.search(r"\w", value):  # small models hand back the dots of the shape that they were shown
        raise ValueError("it holds no word")
    if len(value) > LONGEST:
        raise ValueError(f"it has {len(value)} characters, more than {LONGEST}")
    if TAG.search(value):
        raise ValueError(f"it holds the tag {TAG.search(value)[0]}")
    return value


class Turn(BaseModel):
    """One persona's turn. The limits are no part of the JSON Schema, since strict servers refuse such keywords."""

    model_config = ConfigDict(extra="forbid")
    thought_stream: str
    friction_moments: list[str]

    @field_validator("thought_stream")
    @classmethod
    def one_line(cls, value: str) -> str:
        return " ".join(_text(value).split())  # the thoughts of a record stand one a line

    @model_validator(mode="after")
    def moments_are_in_the_thought(self) -> Turn:
        self.friction_moments = [" ".join(moment.split()) for moment in self.friction_moments]
        for moment in self.friction_moments:
            if not moment or moment not in self.thought_stream:
                raise ValueError(f"the friction moment {moment[:60]!r} does not stand in the thought, letter by letter")
        return self


class FinalAnswer(BaseModel):
    """What the user sees."""

    model_config = ConfigDict(extra="forbid")
    final_answer: str

    @field_validator("final_answer")
    @classmethod
    def not_empty(cls, value: str) -> str:
        return _text(value)


def parse(shape: type[Shape], text: str, finish: str) -> Shape:
    """The turn in an answer; Invalid with the reason. A fence around the JSON, or thinking before it, is let pass."""
    if finish == "length":
        raise Invalid("the answer was cut off before its end")
    if finish == "content_filter":
        raise Invalid("the answer was held back by the provider's filter")
    body = text.strip()
    if not body.startswith(("{", "```")):
        body = body.rpartition("</think>")[2].strip()
    fenced = re.fullmatch(r"```(?:json)?\s*(.*?)\s*```", body, re.DOTALL)
    body = fenced[1] if fenced else body
    if not body:
        raise Invalid("the answer is empty")
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        raise Invalid(_why(error, body)) from None


def _why(error: ValidationError, body: str) -> str:
    fault = error.errors(include_url=False)[0]
    if fault["type"] == "json_invalid":
        kind = "broken JSON" if body.startswith(("{", "[")) else "prose and no JSON"
        return f"the answer is {kind}: {' '.join(body.split())[:60]!r}"
    field = ".".join(map(str, fault["loc"]))
    message = fault["msg"].removeprefix("Value error, ")
    return f"{field}: {message}" if field else message
