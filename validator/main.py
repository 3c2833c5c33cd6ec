"""``heliopolis-validator``: the command line."""

from __future__ import annotations

import argparse
import gc
import json
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from validator.client import Hall
from validator.config import CONFIG_NAME, POLL_SECONDS, make_folder, read_config, read_table
from validator.errors import SetUpWrong
from validator.follow import Follower, follow
from validator.journal import Journal
from validator.keys import make_key_file, read_key_file
from validator.store import Store


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        match options.command:
            case "init":
                return _init(options)
            case "status":
                return _status(options.config)
            case "make-key":
                print(make_key_file(options.file, name=options.name).verifier)
            case "show-key":
                print(read_key_file(options.file).verifier)
            case _ if options.config is not None:
                _run(options.config)
            case _:
                parser.error("say --config FILE to follow a log, or a command")
    except SetUpWrong as error:
        print(f"heliopolis-validator: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 1
    return 0


def _run(path: Path) -> None:
    """Follow a log until a signal ends the process."""
    config = read_config(path)
    # A stop is no worse than a kill: a block is on disk or it is not.
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: sys.exit(0))
    # Nearly everything that is made here lives for one block, or for ever.
    gc.set_threshold(200_000, 50, 100)
    store = Store(config.state)
    print(f"validator {config.key.name} follows {config.log}", flush=True)
    print(f"its key: {config.key.verifier}", flush=True)
    hall = Hall(config.log, config.credential)
    follower = Follower(hall=hall, store=store, key=config.key, policy=config.policy)
    if config.key.verifier not in config.policy.cosigners.values():
        print("its key is not in the policy: what it cosigns counts for nobody", flush=True)
    try:
        follow(follower, poll_seconds=config.poll_seconds)
    finally:
        hall.close()
        store.close()


def _init(options: argparse.Namespace) -> int:
    key = make_folder(
        options.folder,
        log=options.log,
        name=options.name,
        policy=options.policy,
        credential=options.credential,
        poll_seconds=options.poll,
    )
    print(key.verifier)
    return 0


def _status(path: Path) -> int:
    """Print what a validator has followed and said; 1 while an objection stands."""
    table = read_table(path)
    store = Store(path.parent / table["state"], read_only=True)
    try:
        journal = Journal(store)
        position, cosigned, notice = store.position(), journal.cosigned(), journal.notice()
        standing = journal.standing()
        status = {
            "log": table["log"],
            "started_after_block": store.started_after(),
            "followed": {"leaves": position.size, "blocks": position.block},
            "cosigned": {"leaves": cosigned.size, "delivered": cosigned.delivered},
            "doing": notice.text,
            "since": datetime.fromtimestamp(notice.at / 1_000_000, UTC).isoformat(),
            "objections": [
                {
                    "leaf": objection.leaf,
                    "code": objection.code,
                    "explanation": objection.explanation,
                    "delivered": objection.delivered,
                    "lifted": objection.lifted,
                }
                for objection in journal.objections()
            ],
        }
    finally:
        store.close()
    print(json.dumps(status, indent=2))
    return 1 if standing else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="heliopolis-validator",
        description="A second opinion on a log: its own keys, its own code, its own state.",
    )
    config = {"type": Path, "metavar": "FILE", "help": f"a TOML file, such as {CONFIG_NAME}"}
    parser.add_argument("--config", **config)  # type: ignore[arg-type]  # one set for two parsers
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    init = commands.add_parser("init", help="make a folder with a key and a configuration")
    init.add_argument("folder", type=Path, metavar="FOLDER")
    init.add_argument("--log", required=True, metavar="URL", help="https://hall.example/log")
    init.add_argument("--name", required=True, help="such as city.example/v1")
    init.add_argument("--policy", type=Path, metavar="FILE", help="whom to listen to")
    init.add_argument("--credential", type=Path, metavar="FILE", help="to read openings with")
    init.add_argument("--poll", type=float, default=POLL_SECONDS, metavar="SECONDS")
    status = commands.add_parser("status", help="say what was followed, cosigned, objected to")
    status.add_argument("--config", required=True, **config)  # type: ignore[arg-type]  # as above
    make = commands.add_parser("make-key", help="make a cosigner's key; prints the public half")
    make.add_argument("name", metavar="NAME", help="such as city.example/w1")
    make.add_argument("file", type=Path, metavar="FILE")
    show = commands.add_parser("show-key", help="print the public half of a key file")
    show.add_argument("file", type=Path, metavar="FILE")
    return parser


if __name__ == "__main__":
    sys.exit(main())
