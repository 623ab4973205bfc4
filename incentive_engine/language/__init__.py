"""What the engine says, in English and in Chinese: messages, their catalogues, and numbers."""

from .messages import (
    LANGUAGES,
    Code,
    Language,
    Message,
    Text,
    Value,
    joined,
    language,
    named,
    say,
    shortened,
)

__all__ = [
    "LANGUAGES",
    "Code",
    "Language",
    "Message",
    "Text",
    "Value",
    "joined",
    "language",
    "named",
    "say",
    "shortened",
]
