"""Kinds of records: a text to score, a pair of texts, and a question with answers."""

from dataclasses import dataclass, field

__all__ = ["Question", "Record", "TextPair"]


@dataclass(frozen=True)
class _Named:
    name: str
    prompt: str

    @property
    def label(self) -> str:
        """Return where the record comes from and what its name is, for messages."""
        source = getattr(self, "source", "")
        if not source:
            return repr(self.name)
        return source if f", {source}".endswith(f", {self.name}") else f"{source}, {self.name!r}"


@dataclass(frozen=True)
class Record(_Named):
    """A response to score given a prompt.

    Attributes
    ----------
    name : str
        Unique within a file.
    prompt, response : str
        The response is scored; the prompt is context and may be empty.
    suffix : str, default ""
        Text after the response, which is context as well: the response fills a blank.
    source : str, default ""
        File and line, for error messages; ignored in comparisons.

    Examples
    --------
    >>> from infodis_stats import estimate_texts, load_model
    >>> record = Record("opening", prompt="It is a truth ", response="universally acknowledged")
    >>> result = estimate_texts(load_model("austen"), [record], passes=4, replicates=2)
    >>> bool(result["nll"].item() > 0)
    True
    """

    response: str
    suffix: str = ""
    source: str = field(default="", repr=False, compare=False)


@dataclass(frozen=True)
class TextPair(_Named):
    """Two texts to compare given the same prompt.

    Attributes
    ----------
    name : str
        Unique within a file.
    prompt, first, second : str
        Both texts are scored; the prompt is context and may be empty.
    source : str, default ""
        File and line, for error messages; ignored in comparisons.

    Examples
    --------
    >>> from infodis_stats import estimate_text_ratios, load_model
    >>> pair = TextPair("opening", prompt="It is a ", first="truth", second="xqzvk")
    >>> result = estimate_text_ratios(load_model("austen"), [pair], passes=4, replicates=2)
    >>> bool(result["log_ratio"].item() > 0)  # the first text is more likely
    True
    """

    first: str
    second: str
    source: str = field(default="", repr=False, compare=False)


@dataclass(frozen=True)
class Question(_Named):
    """A prompt with a choice of answers.

    Attributes
    ----------
    name : str
        Unique within a file.
    prompt : str
        Context; may be empty.
    answers : tuple of str
        At least 2 answers.
    correct : int or None
        Index of the correct answer, from 0; None if unknown.
    source : str, default ""
        File and line, for error messages; ignored in comparisons.
    """

    answers: tuple[str, ...]
    correct: int | None = None
    source: str = field(default="", repr=False, compare=False)
