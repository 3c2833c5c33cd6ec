"""The frozen vectors: every rule once, every byte as it was."""

import json

from ledger.domain.judge import Refusal
from tests.ledger.story import VECTORS, told


def test_the_story_comes_out_as_it_was_frozen() -> None:
    frozen = json.loads(VECTORS.read_text(encoding="utf-8"))
    for is_, was in zip(told()["blocks"], frozen["blocks"], strict=True):  # type: ignore[call-overload]  # a list
        assert is_["commands"] == was["commands"]
        assert is_["entries"] == was["entries"]
        assert is_ == was


def test_the_story_tells_every_refusal() -> None:
    frozen = json.loads(VECTORS.read_text(encoding="utf-8"))
    answers = {each["answer"] for block in frozen["blocks"] for each in block["commands"]}

    assert answers == {"booked", *Refusal}
