"""What the engine says, in English and in Chinese: messages, their catalogues, and numbers."""

from .messages import (
    LANGUAGES,
    Code,
    Language,
    Message,
    Text,
    Value,
    as_warnings,
    joined,
    language,
    message_of,
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
    "as_warnings",
    "joined",
    "language",
    "message_of",
    "named",
    "say",
    "shortened",
]
