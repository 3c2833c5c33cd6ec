"""One module a format: what it is, whether it is sound, what it holds."""

from gate.formats.checking import Checked, Options, Sample, check

__all__ = ["Checked", "Options", "Sample", "check"]
