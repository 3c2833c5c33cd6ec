"""Everything analytics refuses."""

from pathlib import Path


class WeatherInvalid(ValueError):
    """A weather file that cannot be taken. Line 0 is the whole file."""

    def __init__(self, path: Path, line: int, what: str, remedy: str) -> None:
        place = f"{path}:{line}" if line else str(path)
        super().__init__(f"{place}: {what}; {remedy}")
