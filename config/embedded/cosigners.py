"""One witness and four validators beside the hall, for a trial: where they live, how they start.

On one machine, started by the hall itself, they show the mechanism and prove nobody's
independence. A city's validators are run by others, on machines of their own.
"""

import sys
from pathlib import Path

VALIDATOR_COUNT = 4
VALIDATORS_NEEDED = 3
NOTE = (
    f"One witness and {VALIDATOR_COUNT} validators run here to show the mechanism. On one machine,"
    " started by the hall, they\nare not independent: in a city others run them."
)


def witness_folder(state: Path) -> Path:
    """Return the folder of the witness."""
    return state / "witness"


def validator_folder(state: Path, number: int) -> Path:
    """Return the folder of a validator, 1 to 4."""
    return state / "validators" / str(number)


def commands(state: Path) -> dict[str, list[str | Path]]:
    """Return what starts each of them, by name."""
    python = sys.executable
    found: dict[str, list[str | Path]] = {
        "witness": [
            *(python, "-m", "validator.witness_server"),
            *("--config", witness_folder(state) / "witness.toml"),
        ]
    }
    for number in range(1, VALIDATOR_COUNT + 1):
        folder = validator_folder(state, number)
        found[f"validator-{number}"] = [
            *(python, "-m", "validator.main"),
            *("--config", folder / "validator.toml"),
        ]
    return found
