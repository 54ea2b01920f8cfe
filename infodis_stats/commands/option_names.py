"""Names of options in messages: errors and advice name Python arguments, which are options on the command line."""

import re
from collections.abc import Container

__all__ = ["with_options"]

PHRASES = {  # where the option is not of the form of the argument
    "autocast=torch.bfloat16, or no autocast": "--autocast bfloat16, or no --autocast",
    "try compile=False": "try without --compile",
    "tokenizer= when loading it": "tokenizer=",
    "exclude_mask must be True": "--no-exclude-mask is impossible",
}
CALL = re.compile(r"(\w+\([^()]*\))")  # advice to write Python, which stays as it is
ARGUMENT = re.compile(
    r"(?<![\w./-])(?P<name>[a-z]\w*)=(?:(?P<switch>True|False)|'(?P<text>[^']*)'|(?P<number>\d+)|torch\.(?P<dtype>\w+))?"
    r"|(?<![\w./-])(?P<bare>[a-z]+_\w+)(?![\w(.])"  # only a name of Python has an underscore
    r"|(?:^|(?<=: ))(?P<first>[a-z]+)(?= must )"
)


def with_options(message: str, arguments: Container[str]) -> str:
    """Replace the Python arguments that a message names by the options of the command that have the same names.

    Examples
    --------
    >>> with_options("pass it as mask_id=, or use f(x, mask_id=3); try shifted=False", {"mask_id", "shifted"})
    'pass it as --mask-id, or use f(x, mask_id=3); try --no-shifted'
    >>> with_options("run it with batch_size=1, or load it with dtype=torch.float32", {"batch_size", "dtype"})
    'run it with --batch-size 1, or load it with --dtype float32'
    """

    def option(match: re.Match[str]) -> str:
        name = match["name"] or match["bare"] or match["first"]
        if name not in arguments:
            return match[0]
        value = match["text"] or match["number"] or match["dtype"] or ""
        negated = "no-" if match["switch"] == "False" else ""
        return f"--{negated}{name.replace('_', '-')} {value}".rstrip()

    for phrase, words in PHRASES.items():
        message = message.replace(phrase, words)
    parts = CALL.split(message)
    parts[::2] = [ARGUMENT.sub(option, part) for part in parts[::2]]
    return "".join(parts)
