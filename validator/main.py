"""``heliopolis-validator``: the command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from validator.errors import SetUpWrong
from validator.keys import make_key_file, read_key_file


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "make-key":
            key = make_key_file(options.file, name=options.name)
        else:
            key = read_key_file(options.file)
    except SetUpWrong as error:
        print(f"heliopolis-validator: {error}", file=sys.stderr)
        return 2
    print(key.verifier)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="heliopolis-validator",
        description="A second opinion on a log: its own keys, its own code, its own state.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    make = commands.add_parser("make-key", help="make a cosigner's key; prints the public half")
    make.add_argument("name", metavar="NAME", help="such as city.example/w1")
    make.add_argument("file", type=Path, metavar="FILE")
    show = commands.add_parser("show-key", help="print the public half of a key file")
    show.add_argument("file", type=Path, metavar="FILE")
    return parser
