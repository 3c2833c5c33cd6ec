"""What can be wrong with what others send or with what was set up here.

ValidatorError
├── Malformed           bytes that do not have the form they should have
│   ├── NotCanonical    JSON that is not the one canonical writing of its value
│   ├── BadNote         a signed note, key or checkpoint
│   └── BadTile         a tile, an entry bundle
├── ProofFailed         a Merkle proof that does not lead to the root
├── SignatureFailed     a known key's signature that does not verify
├── HallSilent          the hall does not answer, or not in time: to be asked again later
│   ├── NotServed       it answers that there is no such thing (404)
│   ├── Pruned          it answers that this was removed for good (410)
│   ├── HallRefuses     it answers that it does not want to (any other 4xx)
│   └── HallAhead       a block's time is yet to come: its clock is ahead of ours, or ours behind
├── Objected            a leaf cannot stand (checks.py): the objection that is signed
└── SetUpWrong          a key file or a configuration; the message names the remedy
"""


class ValidatorError(Exception):
    """Everything this package raises on purpose."""


class Malformed(ValidatorError):
    """Bytes do not have the form they should have."""


class NotCanonical(Malformed):
    """JSON is not the one canonical writing of its value."""


class BadNote(Malformed):
    """A signed note, a key or a checkpoint is not written as its specification says."""


class BadTile(Malformed):
    """A tile or an entry bundle is torn, or names something that cannot exist."""


class ProofFailed(ValidatorError):
    """A Merkle proof does not lead to the root it should lead to."""


class SignatureFailed(ValidatorError):
    """A signature names a key we know, and that key did not make it."""


class SetUpWrong(ValidatorError):
    """A key file or a configuration cannot be used; the message says what to do."""


class HallSilent(ValidatorError):
    """The hall does not answer, or not usefully; asking again later may help."""


class NotServed(HallSilent):
    """The hall has nothing at this path."""


class Pruned(HallSilent):
    """What was at this path has been removed for good."""


class HallRefuses(HallSilent):
    """The hall refuses what was asked, such as for a wrong credential."""


class HallAhead(HallSilent):
    """A block's time is yet to come; it is looked at again when it has."""
