"""A witness that kills itself at the one moment that matters; run by the tests as a program."""

import os
import signal
import sys
from contextlib import ExitStack
from http import HTTPStatus
from unittest.mock import patch

from validator.witness import Answer
from validator.witness_server import Handler, main
from validator.witness_store import WitnessRecord

_hold = WitnessRecord.hold
_answer = Handler.answer


def hold_and_die(
    self: WitnessRecord, origin: str, *, size: int, root: bytes, note: str, time: int
) -> None:
    """Write, and die before the commit."""
    _hold(self, origin, size=size, root=root, note=note, time=time)
    os.kill(os.getpid(), signal.SIGKILL)


def die_instead(self: Handler, answer: Answer) -> None:
    """Die with the cosignature in hand."""
    if answer.status == HTTPStatus.OK:
        os.kill(os.getpid(), signal.SIGKILL)
    _answer(self, answer)


if __name__ == "__main__":
    moment = sys.argv.pop(1)
    with ExitStack() as stack:
        if moment == "before-commit":
            stack.enter_context(patch.object(WitnessRecord, "hold", hold_and_die))
        else:
            stack.enter_context(patch.object(Handler, "answer", die_instead))
        sys.exit(main())
