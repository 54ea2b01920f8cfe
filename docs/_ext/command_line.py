"""The command line, from its parser: every command with its arguments and options."""

import argparse
import re
from collections import Counter

from infodis_stats.cli import command_line

SHARED = 3  # commands with the same group of options, from which the group is described once


def commands() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command."""
    (subparsers,) = (action for action in command_line()._actions if isinstance(action, argparse._SubParsersAction))
    return dict(subparsers.choices)


def groups(parser: argparse.ArgumentParser) -> dict[str, str]:
    """Return the tables of a command's arguments and options, by the title of their group."""
    return {
        group.title or "": _table(group, actions)
        for group in parser._action_groups
        if (actions := [action for action in group._group_actions if action.dest != "help"])
    }


def _table(group: argparse._ArgumentGroup, actions: list[argparse.Action]) -> str:
    rows = [f"| {_call(action)} | {_meaning(action)} |" for action in actions]
    lines = [group.description, ""] if group.description else []
    head = "option" if actions[0].option_strings else "argument"
    return "\n".join([*lines, f"| {head} | |", "|---|---|", *rows])


def _call(action: argparse.Action) -> str:
    """Return an argument or an option with its value, as one writes it."""
    if not action.option_strings:
        value = action.metavar or action.dest.upper()
        return {"?": f"`[{value}]`", "+": f"`{value} ...`"}.get(str(action.nargs), f"`{value}`")
    value = "" if action.nargs == 0 or isinstance(action, argparse.BooleanOptionalAction) else f" {_value(action)}"
    return ", ".join(f"`{option}{value}`" for option in action.option_strings)


def _value(action: argparse.Action) -> str:
    name = action.metavar or ("{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper())
    return f"{name} ..." if action.nargs == "+" else str(name)


def _meaning(action: argparse.Action) -> str:
    words = (action.help or "") % {"default": action.default, "prog": "infodis-stats"}
    words = re.sub(r"'(infodis-stats [\w -]+)'", r"`\1`", words).replace("|", r"\|").replace("*", r"\*")
    required = action.required and bool(action.option_strings)
    return f"{words} (required)" if required else words


def generate() -> str:
    """Return a section for each command, then the groups of options that several commands share."""
    parsers = commands()
    counts = Counter((title, table) for parser in parsers.values() for title, table in groups(parser).items())
    shared = {title: table for (title, table), count in counts.items() if count >= SHARED and title[:1].isalpha()}
    shared = {title: table for title, table in shared.items() if title not in ("options", "positional arguments")}
    lines = []
    for name, parser in parsers.items():
        own = groups(parser)
        positional = [_call(action).strip("`") for action in parser._actions if not action.option_strings]
        lines += [f"## {name}", "", parser.description or "", "", "```", f"infodis-stats {name} {' '.join(positional)}"]
        lines[-1] = f"{lines[-1].rstrip()} [options]"
        lines += ["```", ""]
        for title, table in own.items():
            if table != shared.get(title):
                lines += [*([] if title in ("options", "positional arguments") else [f"**{title}**", ""]), table, ""]
        links = [f"[{title}](#options-{_anchor(title)})" for title in own if own[title] == shared.get(title)]
        if links:
            lines += [f"Further options: {', '.join(links)}.", ""]
    for title, table in shared.items():
        lines += [f"(options-{_anchor(title)})=", f"## Options: {title}", "", table, ""]
    return "\n".join(lines)


def _anchor(title: str) -> str:
    return re.sub(r"\W+", "-", title.lower())
