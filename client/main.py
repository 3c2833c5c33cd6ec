"""heliopolis-client: publish, buy, receive and verify data at a hall, from a command line."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from client import buying, feeds, gating, keys, publishing, receiving, selling, verifying
from client.errors import ClientError
from client.files import keep, read_secret
from client.hall import Hall
from client.notes import read_policy
from gate.errors import Refused
from gate.manifest import PackageBroken

TOKEN, TOKEN_FILE, HALL, KEY = (
    "HELIOPOLIS_TOKEN",
    "HELIOPOLIS_TOKEN_FILE",
    "HELIOPOLIS_HALL",
    "HELIOPOLIS_KEY",
)
Arguments = argparse.Namespace


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    asked = _parser().parse_args(arguments)
    run: Callable[[Arguments], None] = asked.run
    try:
        run(asked)
    except ClientError as error:
        print(f"heliopolis-client: {error}", file=sys.stderr)
        return error.exit_code
    except PackageBroken as error:
        print(f"heliopolis-client: {error}", file=sys.stderr)
        return 5
    except Refused as error:
        where = f"{error.place}: " if error.place else ""
        print(f"heliopolis-client: {where}{error.text} {error.remedy}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("heliopolis-client: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="heliopolis-client", description=__doc__)
    parser.add_argument("--hall", default=os.environ.get(HALL, ""), help=f"its address (${HALL})")
    parser.add_argument(
        "--token-file",
        type=Path,
        default=os.environ.get(TOKEN_FILE) or None,
        help=f"file with your API token (${TOKEN_FILE}; or the token itself in ${TOKEN})",
    )
    parser.add_argument(
        "--key",
        type=Path,
        default=os.environ.get(KEY) or None,
        help=f"file of your own signing key (${KEY}); without it the hall signs for you",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_home_commands(commands)
    _add_buyer_commands(commands)
    _add_seller_commands(commands)
    return parser


def _add(commands: Any, name: str, run: Callable[[Arguments], None], about: str) -> Any:
    command = commands.add_parser(name, help=about, description=about)
    command.set_defaults(run=run)
    return command


def _add_home_commands(commands: Any) -> None:
    made = _add(commands, "make-key", _make_key, "make a signing key of your own")
    made.add_argument("file", type=Path)
    gate = _add(commands, "gate", _gate, "check, gate and package a file on this machine")
    gate.add_argument("file", type=Path)
    gate.add_argument("--format", required=True, help="trips, counts, gtfs or datex")
    gate.add_argument("--stations", type=Path, help="table of places: id, latitude, longitude")
    gate.add_argument("--policy", type=Path, help="the product's privacy policy, as JSON")
    gate.add_argument("--column", action="append", default=[], metavar="ROLE=NAME")
    gate.add_argument("--zone", default="UTC", help="of times without an offset: Asia/Shanghai")
    gate.add_argument(
        "--previous",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="of trips: the gated folders of all versions before, newest first",
    )
    gate.add_argument("--out", type=Path, required=True, help="a folder that is not there yet")
    check = _add(commands, "verify", _verify, "verify received files, offline")
    check.add_argument("folder", type=Path)
    check.add_argument("--policy", type=Path, help="whose logs and cosigners you trust")
    judged = _add(commands, "verify-evidence", _verify_evidence, "judge an evidence file, offline")
    judged.add_argument("file", type=Path)


def _add_buyer_commands(commands: Any) -> None:
    look = _add(commands, "catalogue", _catalogue, "search what is on offer")
    look.add_argument("words", nargs="*")
    buy = _add(commands, "buy", _buy, "sign a contract for a product")
    buy.add_argument("product", type=int)
    buy.add_argument("--months", type=int, default=12)
    buy.add_argument("--again", action="store_true", help="also where a contract stands already")
    receive = _add(commands, "receive", _receive, "fetch, sign for, open and accept a delivery")
    again = _add(commands, "rewrap", _rewrap, "have the key wrapped anew, after yours was lost")
    complain = _add(commands, "complain", _complain, "send the evidence that receive has written")
    later = _add(commands, "receipts", _receipts, "fetch the log's receipts of a delivery")
    for command in (receive, again, complain, later):
        command.add_argument("delivery", type=int)
        command.add_argument("--into", type=Path, required=True, help="folder of the files")
        command.add_argument("--wait", type=float, default=0.0, help="for others' steps [s]")
    feed = _add(commands, "feed", _feed, "fetch a file of a live feed, if it changed")
    feed.add_argument("path", help="/feeds/PRODUCT/NAME")
    feed.add_argument("--credential-file", type=Path, required=True)
    feed.add_argument("--into", type=Path, required=True, help="file to keep it in")


def _add_seller_commands(commands: Any) -> None:
    _add(commands, "use-key", _use_key, "have the hall know --key as your own from now on")
    policy = _add(commands, "policy", _policy, "fetch a product's privacy policy, for gate")
    policy.add_argument("product", type=int)
    policy.add_argument("--out", type=Path, required=True)
    _add(commands, "list", _list, "list your contracts and deliveries")
    publish = _add(commands, "publish", _publish, "publish a gated folder as a version")
    publish.add_argument("product", type=int)
    publish.add_argument("folder", type=Path)
    publish.add_argument("--note", default="", help="what is new")
    publish.add_argument("--wait", type=float, default=0.0, help="for the hall to look at it [s]")
    sign = _add(commands, "sign", _sign, "sign a proposed contract as its seller")
    sign.add_argument("contract", type=int)
    _add(commands, "sell", _sell, "sign every proof of origin that waits for you")
    deposit = _add(commands, "deposit", _deposit, "give the hall a package's key once more")
    deposit.add_argument("delivery", type=int)
    deposit.add_argument("folder", type=Path)


def _make_key(asked: Arguments) -> None:
    print(keys.make_key(asked.file).public)


def _gate(asked: Arguments) -> None:
    try:
        policy = json.loads(asked.policy.read_bytes()) if asked.policy else {}
        columns = dict(each.split("=", 1) for each in asked.column)
    except (OSError, ValueError) as error:
        raise ClientError(f"--policy or --column cannot be read: {error}") from error
    wanted = gating.Asked(
        asked.file,
        asked.format,
        asked.stations,
        policy,
        columns,
        zone=asked.zone,
        previous=tuple(asked.previous),
    )
    manifest = gating.gate_file(wanted, asked.out, tell=_say)
    print(f"{asked.out}: {manifest.row_count} rows, manifest {manifest.sha256}")


def _verify(asked: Arguments) -> None:
    policy = None if asked.policy is None else read_policy(asked.policy)
    for each in verifying.verify(asked.folder, policy):
        print(f"ok  {each.what}: {each.detail}")
    if policy is None:
        print("the log was not looked at: name the --policy of whom you trust")


def _verify_evidence(asked: Arguments) -> None:
    verdict = verifying.verify_evidence(asked.file)
    print(f"{verdict.value}: {'the seller' if verdict.is_sellers_fault else 'not the seller'}")


def _catalogue(asked: Arguments) -> None:
    found = _hall(asked).get("data/catalogue/", text=" ".join(asked.words))
    for each in found["results"]:
        print(f"{each['id']}\t{each['title']}\t{each['format']}")
    print(f"{found['total']} found", file=sys.stderr)


def _buy(asked: Arguments) -> None:
    hall, key = _hall(asked), _key(asked)
    made = buying.buy(hall, asked.product, months=asked.months, key=key, again=asked.again)
    print(f"contract {made['id']} {made['state']}")


def _list(asked: Arguments) -> None:
    hall = _hall(asked)
    for each in hall.pages("data/contracts/"):
        print(f"contract {each['id']}\t{each['side']}\t{each['state']}\t{each['product_title']}")
    for each in hall.pages("data/deliveries/"):
        print(f"delivery {each['id']}\t{each['side']}\t{each['state']}\t{each['title']}")


def _receive(asked: Arguments) -> None:
    for path in receiving.receive(_job(asked)):
        print(path)


def _rewrap(asked: Arguments) -> None:
    receiving.request_new_wrap(_job(asked))
    print("the key was wrapped anew: run receive")


def _complain(asked: Arguments) -> None:
    print(f"the money is {receiving.complain(_job(asked))}")


def _receipts(asked: Arguments) -> None:
    missing = receiving.keep_receipts(_job(asked))
    print(f"{missing} entries are not attested yet" if missing else "all receipts are there")


def _feed(asked: Arguments) -> None:
    secret = read_secret(asked.credential_file, "the credential").decode().strip()
    changed = feeds.fetch_feed(Hall(asked.hall, secret), asked.path, secret, asked.into)
    print("changed" if changed else "unchanged")


def _use_key(asked: Arguments) -> None:
    key = _key(asked)
    if key is None:
        raise ClientError("name the file by --key; make-key makes one")
    print(keys.use_key(_hall(asked), key))


def _policy(asked: Arguments) -> None:
    found = _hall(asked).get(f"data/products/{asked.product}/")
    keep(asked.out, json.dumps(found["privacy_policy"], indent=2).encode())
    print(asked.out)


def _publish(asked: Arguments) -> None:
    version = publishing.publish(
        _hall(asked),
        asked.product,
        asked.folder,
        note=asked.note,
        wait_s=asked.wait,
        tell=_tell,
    )
    print(f"version {version['number']} is ready: {version['manifest_sha256']}")


def _sign(asked: Arguments) -> None:
    print(selling.sign_contract(_hall(asked), asked.contract, _key(asked)))


def _sell(asked: Arguments) -> None:
    for delivery_id in selling.sign_origins(_hall(asked), _key(asked)):
        print(f"delivery {delivery_id} is offered")


def _deposit(asked: Arguments) -> None:
    publishing.deposit_again(_hall(asked), asked.delivery, asked.folder)


def _job(asked: Arguments) -> receiving.Job:
    return receiving.Job(
        hall=_hall(asked),
        delivery_id=asked.delivery,
        folder=asked.into,
        key=_key(asked),
        wait_s=asked.wait,
        tell=_tell,
    )


def _hall(asked: Arguments) -> Hall:
    """Return the hall; the token comes by file or environment, never by the command line."""
    token = os.environ.get(TOKEN, "")
    if asked.token_file is not None:
        token = read_secret(Path(asked.token_file), "the token file").decode().strip()
    if not asked.hall or not token:
        raise ClientError(f"name the hall by --hall or ${HALL}, your token by ${TOKEN_FILE}")
    return Hall(asked.hall, token)


def _key(asked: Arguments) -> keys.OwnKey | None:
    return None if asked.key is None else keys.read_key(Path(asked.key))


def _say(step: str) -> None:
    print(step, file=sys.stderr)


def _tell(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done * 100 // max(total, 1)} %", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
