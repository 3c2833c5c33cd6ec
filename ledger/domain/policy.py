"""Whom a reader of a log trusts: the policy file of C2SP tlog-policy, and what it says of a note.

Names are opaque octets in the file. They are kept as text in which an octet that is not UTF-8
stands as a lone surrogate, so that two names are equal exactly if their octets are.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ledger.domain.notes import Checkpoint, KeyType, Note, VerifierKey
from ledger.errors import LogBroken, LogMalformed, PolicyInvalid

NONE = "none"
VALIDATORS = "validators"
WITNESSES = "witnesses"

_ALLOWED = re.compile(rb"[\t\n\x20-\x7e\x80-\xff]*")
_WHITESPACE = re.compile(r"[ \t]+")
_THRESHOLD = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True)
class Log:
    """A log whose checkpoints count.

    Parameters
    ----------
    key : VerifierKey
        The log's key; its name is the origin of the log's checkpoints.
    url : str or None
        Where it is served.
    """

    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True)
class Witness:
    """A cosigner of checkpoints; what else than "append-only" it states, the policy does not say.

    Parameters
    ----------
    name : str
        Its name in this file, which need not be that of its key.
    key : VerifierKey
        The cosigner's key.
    url : str or None
        Where checkpoints are submitted to it.
    """

    name: str
    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True)
class Group:
    """A set of cosigners that counts as one when enough of it have signed.

    Parameters
    ----------
    name : str
        Its name in this file.
    threshold : int
        How many members must have signed.
    members : tuple of str
        Names of witnesses and of other groups.
    """

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class Cosigners:
    """Who states what: names of the policy's witnesses by what their signature means.

    Parameters
    ----------
    validators : tuple of str
        State that every leaf was executed again under the rules in force.
    witnesses : tuple of str
        State that the log only grew, as far as they saw.
    """

    validators: tuple[str, ...]
    witnesses: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """What a policy says of a signed checkpoint.

    Parameters
    ----------
    log : str
        Origin of the log that signed.
    cosigned : frozenset of str
        The policy's names of the witnesses that cosigned.
    satisfied : bool
        Whether they are a quorum.
    timestamps : mapping of str to int
        When each cosigned, by its own clock. [s since 1970]
    """

    log: str
    cosigned: frozenset[str]
    satisfied: bool
    timestamps: Mapping[str, int]


@dataclass(frozen=True)
class Policy:
    """Logs, witnesses, groups, and the one quorum.

    Parameters
    ----------
    logs : tuple of Log
        Any one of them must have signed.
    witnesses : mapping of str to Witness
        By their names in the file.
    groups : mapping of str to Group
        By name, each after its members.
    quorum : str
        Name of a witness or group, or ``none``.
    """

    logs: tuple[Log, ...]
    witnesses: Mapping[str, Witness]
    groups: Mapping[str, Group]
    quorum: str

    @classmethod
    def parse(cls, data: bytes | str) -> "Policy":
        """Read a policy file.

        Raises
        ------
        PolicyInvalid
            At the first line that breaks a rule of the format.
        """
        octets = data.encode(errors="surrogateescape") if isinstance(data, str) else data
        return _Reader().read(octets)

    def verify(self, note: Note) -> Verdict:
        """Judge a signed checkpoint.

        Parameters
        ----------
        note : Note
            The checkpoint with its signatures.

        Returns
        -------
        Verdict
            Who cosigned, and whether that is enough.

        Raises
        ------
        LogBroken
            If no log of the policy signed it, or a known key's signature does not hold.
        """
        checkpoint = Checkpoint.parse(note.text)
        signed = note.verified(log.key for log in self.logs)
        if not any(key.name == checkpoint.origin for key in signed):
            raise LogBroken(f"no log of the policy signed this checkpoint of {checkpoint.origin!r}")
        names = {witness.key: witness.name for witness in self.witnesses.values()}
        timestamps = {names[key]: at or 0 for key, at in note.verified(names).items()}
        cosigned = frozenset(timestamps)
        return Verdict(checkpoint.origin, cosigned, self.is_quorum(cosigned), timestamps)

    def is_quorum(self, cosigned: frozenset[str]) -> bool:
        """Tell whether these witnesses together are a quorum."""
        witnessed = {NONE, *cosigned}
        for group in self.groups.values():  # each group stands after its members
            if sum(member in witnessed for member in group.members) >= group.threshold:
                witnessed.add(group.name)
        return self.quorum in witnessed

    def members(self, name: str) -> tuple[str, ...]:
        """Return the names of all witnesses in a group, also through its groups."""
        if name in self.witnesses:
            return (name,)
        return tuple(w for member in self.groups[name].members for w in self.members(member))

    def cosigners(self) -> Cosigners:
        """Return who is a validator and who a mere witness: one key makes one statement.

        Raises
        ------
        PolicyInvalid
            Unless the groups ``validators`` and ``witnesses`` exist and every witness is in
            exactly one of them, and no key of a log cosigns.
        """
        for name in (VALIDATORS, WITNESSES):
            if name not in self.groups:
                raise PolicyInvalid(
                    f"there is no group {name!r}", remedy=f"add a line: group {name} any NAME..."
                )
        found = Cosigners(self.members(VALIDATORS), self.members(WITNESSES))
        both = sorted(set(found.validators) & set(found.witnesses))
        if both:
            raise PolicyInvalid(
                f"{_shown(both[0])} is a validator and a witness",
                remedy="give each statement a key of its own, in one of the two groups",
            )
        neither = sorted(set(self.witnesses) - set(found.validators) - set(found.witnesses))
        if neither:
            raise PolicyInvalid(
                f"{_shown(neither[0])} is neither a validator nor a witness",
                remedy=f"name it in the group {VALIDATORS!r} or {WITNESSES!r}",
            )
        log_keys = {log.key.public for log in self.logs}
        for witness in self.witnesses.values():
            if witness.key.public in log_keys:
                raise PolicyInvalid(
                    f"{_shown(witness.name)} has the key of a log",
                    remedy="let somebody else than the log cosign",
                )
        return found


@dataclass
class _Reader:
    """Reads the lines of one file; what a line may name is what stood before it."""

    line: int = 0
    logs: list[Log] = field(default_factory=list)
    witnesses: dict[str, Witness] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    quorum: str | None = None
    member_of: dict[str, str] = field(default_factory=dict)

    def read(self, octets: bytes) -> Policy:
        if octets and not octets.endswith(b"\n"):
            raise PolicyInvalid("the last line has no end", remedy="end it with a newline")
        readers: dict[str, Callable[[list[str]], None]] = {
            "log": self._log,
            "witness": self._witness,
            "group": self._group,
            "quorum": self._quorum,
        }
        for self.line, raw in enumerate(octets.split(b"\n"), start=1):
            if not _ALLOWED.fullmatch(raw):
                raise self._bad("a control character", "only tabs and newlines may stand here")
            text = raw.decode(errors="surrogateescape").strip(" \t")
            if not text or text.startswith("#"):
                continue
            keyword, *items = _WHITESPACE.split(text)
            if keyword not in readers:
                raise self._bad(
                    f"{_shown(keyword)} begins no line", "write log, witness, group or quorum"
                )
            readers[keyword](items)
        if self.quorum is None:
            raise PolicyInvalid("there is no quorum", remedy="add a line: quorum NAME")
        return Policy(tuple(self.logs), self.witnesses, self.groups, self.quorum)

    def _log(self, items: list[str]) -> None:
        if len(items) not in (1, 2):
            raise self._bad("a log has a key and may have a URL", "write: log KEY [URL]")
        key = self._key(items[0], KeyType.LOG)
        if any(log.key.public == key.public for log in self.logs):
            raise self._bad("this key is the key of a log before", "remove one of the two lines")
        self.logs.append(Log(key, *items[1:]))

    def _witness(self, items: list[str]) -> None:
        if len(items) not in (2, 3):
            raise self._bad(
                "a witness has a name, a key and may have a URL", "write: witness NAME KEY [URL]"
            )
        self._define(items[0])
        key = self._key(items[1], KeyType.COSIGNER)
        for other in self.witnesses.values():
            if other.key.public == key.public:
                raise self._bad(
                    f"the key of {_shown(other.name)} stands here again",
                    "give each witness a key of its own",
                )
        self.witnesses[items[0]] = Witness(items[0], key, *items[2:])

    def _group(self, items: list[str]) -> None:
        if len(items) < 3:
            raise self._bad(
                "a group has a name, a threshold and members", "write: group NAME all|any|K NAME..."
            )
        name, threshold, *members = items
        self._define(name)
        for member in members:
            if not self._knows(member):
                raise self._bad(
                    f"no witness or group {_shown(member)} stands above",
                    "define it on a line before this one",
                )
            if member in self.member_of:
                raise self._bad(
                    f"{_shown(member)} is already in group {_shown(self.member_of[member])}",
                    "list each name in one group, once",
                )
            self.member_of[member] = name
        self.groups[name] = Group(name, self._threshold(threshold, len(members)), tuple(members))

    def _quorum(self, items: list[str]) -> None:
        if len(items) != 1:
            raise self._bad("a quorum is one name", "write: quorum NAME")
        if self.quorum is not None:
            raise self._bad("a second quorum", "keep one quorum line")
        if items[0] != NONE and not self._knows(items[0]):
            raise self._bad(
                f"no witness or group {_shown(items[0])} stands above",
                "define it on a line before this one",
            )
        self.quorum = items[0]

    def _threshold(self, text: str, members: int) -> int:
        if text in ("any", "all"):
            return 1 if text == "any" else members
        if not _THRESHOLD.fullmatch(text) or int(text) > members:
            raise self._bad(
                f"{_shown(text)} is no threshold for {members} members",
                f"write all, any, or a number from 1 to {members}",
            )
        return int(text)

    def _define(self, name: str) -> None:
        if name == NONE or self._knows(name):
            raise self._bad(f"the name {_shown(name)} is taken", "choose another")

    def _knows(self, name: str) -> bool:
        return name in self.witnesses or name in self.groups

    def _key(self, text: str, kind: KeyType) -> VerifierKey:
        try:
            key = VerifierKey.parse(text)
        except LogMalformed as error:
            raise self._bad(str(error), "copy the key again from its owner") from error
        if key.kind != kind:
            raise self._bad(
                f"key {key.name!r} has type {key.kind:#04x}",
                f"here stands a key of type {kind:#04x} ({kind.name.lower()})",
            )
        return key

    def _bad(self, problem: str, remedy: str) -> PolicyInvalid:
        return PolicyInvalid(problem, remedy=remedy, line=self.line)


def _shown(name: str) -> str:
    """Return a name for a message, its opaque octets escaped."""
    return ascii(name) if any("\ud800" <= c <= "\udfff" for c in name) else repr(name)
