"""Everything analytics refuses."""

from pathlib import Path


class FileInvalid(ValueError):
    """A file that cannot be taken. Line 0 is the whole file."""

    def __init__(self, path: Path, line: int, what: str, remedy: str) -> None:
        place = f"{path}:{line}" if line else str(path)
        super().__init__(f"{place}: {what}; {remedy}")


class PublicationDiffers(Exception):
    """A publication is not what was published, or the log says otherwise."""


class WeatherInvalid(FileInvalid):
    """A weather file that cannot be taken."""


class CarbonInvalid(FileInvalid):
    """A file of carbon intensities that cannot be taken."""
