"""The command line: a stranger sets a validator up, and is told what is missing."""

import json
from pathlib import Path

import pytest

from tests.validator.fake_hall import CREDENTIAL, FakeHall, serving
from tests.validator.following import following, objected
from tests.validator.ledger_twin import Leg
from tests.validator.test_lies import ledger_about_to_lie
from validator.keys import read_key_file
from validator.main import main

NAME = "alice.example/v1"


def test_from_nothing_to_a_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "city"
    config = str(folder / "validator.toml")
    with serving(FakeHall(ledger_about_to_lie())) as hall:
        hall.ledger.seal()
        assert main(["init", str(folder), "--log", hall.url, "--name", NAME]) == 0
        key = read_key_file(folder / "validator.key").verifier
        assert capsys.readouterr().out == f"{key}\n"

        assert main(["status", "--config", config]) == 2
        assert "nothing was followed yet" in capsys.readouterr().err

        assert main(["--config", config]) == 2
        assert "policy.txt cannot be read" in capsys.readouterr().err
        (folder / "policy.txt").write_text(f"log {hall.ledger.key.verifier}\nquorum none\n")

        assert main(["--config", config]) == 2
        assert "the hall's operator gives you one" in capsys.readouterr().err
        (folder / "credential").write_text(CREDENTIAL)

        with following(folder, hall) as follower:
            follower.step()
            assert main(["status", "--config", config]) == 0
            status = json.loads(capsys.readouterr().out)
            assert status["followed"] == {"leaves": len(hall.ledger.entries), "blocks": 2}
            assert status["cosigned"]["leaves"] == len(hall.ledger.entries)
            assert status["doing"] == "following"

            hall.ledger.submit("sale", Leg(1, 2, 3))
            leaf = hall.ledger.seal().first
            follower.step()
            assert objected(hall, folder) == [(str(leaf), "key_reused")]
            assert main(["status", "--config", config]) == 1
            (objection,) = json.loads(capsys.readouterr().out)["objections"]
            assert (objection["leaf"], objection["code"]) == (leaf, "key_reused")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('speed = "fast"', "speed is no setting"),
        ("poll_seconds = 0", "poll_seconds is not a number of seconds"),
        ('log = "', "cannot be read"),
    ],
)
def test_a_wrong_setting_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, said: str
) -> None:
    main(["init", str(tmp_path / "city"), "--log", "https://hall.example/log", "--name", NAME])
    config = tmp_path / "city" / "validator.toml"
    name = line.partition(" ")[0]
    kept = [old for old in config.read_text().splitlines() if not old.startswith(name)]
    config.write_text("\n".join([*kept, line]) + "\n")

    assert main(["--config", str(config)]) == 2
    assert said in capsys.readouterr().err


def test_a_key_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["init", str(tmp_path), "--log", "https://hall.example/log", "--name", NAME]
    assert main(words) == 0
    assert main(words) == 2
    assert "a key is not overwritten" in capsys.readouterr().err


def test_without_a_command_it_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([])
    assert "say --config FILE" in capsys.readouterr().err
