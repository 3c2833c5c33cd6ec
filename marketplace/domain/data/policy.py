"""What a buyer may do with data, as a closed profile of ODRL 2.2; docs/data.md lists its terms.

A product states purposes, prohibitions and duties by codes. They are written out as an ODRL offer
in the catalogue and as an ODRL agreement in a contract. Every list has one order (by its members'
canonical bytes), every number and time is a typed string, the context is pinned by its words and
never fetched: one policy has one text. Whatever is not of the profile is refused.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from ledger.domain.canonical import canonical_json
from marketplace.errors import N_, Invalid

POLICY_TYPE: Final = "heliopolis/data-policy/1"
PROFILE: Final = "https://heliopolis.example/odrl/data-1"
NAMESPACE: Final = f"{PROFILE}#"
CONTEXT: Final = ("http://www.w3.org/ns/odrl.jsonld", {"hp": NAMESPACE})
# RFC 4151: names that are nobody's address.
_NAMES: Final = "tag:heliopolis.example,2026:"

PURPOSES: Final = (
    "commercial-products",
    "education",
    "journalism",
    "operations",
    "public-information",
    "research",
    "transport-planning",
)
# Codes, and what ODRL calls them; its own vocabulary has no word for finding out who somebody is.
PROHIBITIONS: Final[Mapping[str, str]] = {
    "derive": "derive",
    "distribute": "distribute",
    "reidentify": "hp:reidentify",
    "sell": "sell",
}
DUTIES: Final = ("attribute", "delete")
DELETE_DAYS_MAX: Final = 3650
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,3}", re.ASCII)
_KEYS: Final = {"type", "purposes", "prohibitions", "duties", "delete_after_days"}


@dataclass(frozen=True)
class Policy:
    """What may be done with a product; the lists are in order and name nothing twice.

    Attributes
    ----------
    purposes : tuple of str
        What it may be used for, of `PURPOSES`; empty: for anything.
    prohibitions : tuple of str
        Of `PROHIBITIONS`.
    duties : tuple of str
        Of `DUTIES`.
    delete_after_days : int or None
        With the duty to delete: days after the contract's end; otherwise None. [d]
    """

    purposes: tuple[str, ...] = ()
    prohibitions: tuple[str, ...] = ("distribute", "reidentify", "sell")
    duties: tuple[str, ...] = ("attribute",)
    delete_after_days: int | None = None

    def __post_init__(self) -> None:
        """Refuse what the profile does not know; raises `Invalid`."""
        for name, known in (
            ("purposes", PURPOSES),
            ("prohibitions", tuple(PROHIBITIONS)),
            ("duties", DUTIES),
        ):
            given = getattr(self, name)
            if not set(given) <= set(known):
                raise Invalid(name, N_("Choose of these: {known}."), known=", ".join(known))
            if list(given) != sorted(set(given)):
                raise Invalid(name, N_("Name each once, in alphabetical order."))
        days = self.delete_after_days
        if ("delete" in self.duties) != (days is not None):
            raise Invalid("delete_after_days", N_("The duty to delete has a number of days."))
        if days is not None and not 0 <= days <= DELETE_DAYS_MAX:
            raise Invalid(
                "delete_after_days",
                N_("This must be a whole number from 0 to {most}."),
                most=DELETE_DAYS_MAX,
            )

    @classmethod
    def of(
        cls,
        *,
        purposes: Iterable[str] = (),
        prohibitions: Iterable[str] = ("distribute", "reidentify", "sell"),
        duties: Iterable[str] = ("attribute",),
        delete_after_days: int | None = None,
    ) -> Self:
        """Return a policy of codes in any order; raises `Invalid`."""
        return cls(
            tuple(sorted(set(purposes))),
            tuple(sorted(set(prohibitions))),
            tuple(sorted(set(duties))),
            delete_after_days,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the policy as it stands in a product."""
        days = self.delete_after_days
        return {
            "type": POLICY_TYPE,
            "purposes": list(self.purposes),
            "prohibitions": list(self.prohibitions),
            "duties": list(self.duties),
            "delete_after_days": None if days is None else str(days),
        }

    @classmethod
    def of_json(cls, document: Mapping[str, Any]) -> Self:
        """Read a product's policy; an empty document is the usual one.

        Raises
        ------
        Invalid
            If the document is not exactly what `to_json` writes.
        """
        if not document:
            return cls()
        if set(document) != _KEYS:
            raise unknown_policy()
        days = document["delete_after_days"]
        if days is not None and not (isinstance(days, str) and _NUMBER.fullmatch(days)):
            raise unknown_policy()
        policy = cls(
            _codes(document["purposes"]),
            _codes(document["prohibitions"]),
            _codes(document["duties"]),
            None if days is None else int(days),
        )
        if policy.to_json() != dict(document):
            raise unknown_policy()
        return policy


@dataclass(frozen=True)
class Bound:
    """What binds a policy to one contract. ``most_micro`` is what is paid at most. [micro]

    Free data have None. Times are whole seconds.
    """

    contract: str
    product_id: int
    version_number: int
    seller_id: int
    buyer_id: int
    currency: str
    most_micro: int | None
    issued_at: datetime
    valid_from: datetime
    valid_until: datetime


def offer(policy: Policy, *, product_id: int) -> dict[str, Any]:
    """Return a product's policy as an ODRL offer, for its record in the catalogue."""
    duty: list[dict[str, Any]] = [{"action": each} for each in policy.duties]
    return {
        "@context": list(CONTEXT),
        "@id": f"{product_iri(product_id)}/policy",
        "@type": "Offer",
        "conflict": "prohibit",
        "profile": PROFILE,
        "permission": [{"action": "use", **_constraint(_purposes(policy))}],
        **_rules("prohibition", [{"action": PROHIBITIONS[each]} for each in policy.prohibitions]),
        **_rules("obligation", duty),
    }


def agreement(policy: Policy, bound: Bound) -> dict[str, Any]:
    """Return a policy as the ODRL agreement of a contract."""
    target = version_iri(bound.product_id, bound.version_number)
    permission = {
        "action": "use",
        "target": target,
        **_constraint(
            [
                _compare("dateTime", "gteq", "dateTime", _moment(bound.valid_from)),
                _compare("dateTime", "lt", "dateTime", _moment(bound.valid_until)),
                *_purposes(policy),
            ]
        ),
    }
    if bound.most_micro is not None:
        most = _compare("payAmount", "lteq", "integer", str(bound.most_micro))
        most["unit"] = f"{NAMESPACE}micro-{bound.currency}"
        permission["duty"] = [{"action": "compensate", "constraint": [most]}]
    return {
        "@context": list(CONTEXT),
        "@id": f"{_NAMES}contract/{bound.contract}/policy",
        "@type": "Agreement",
        "assignee": party_iri(bound.buyer_id),
        "assigner": party_iri(bound.seller_id),
        "conflict": "prohibit",
        "profile": PROFILE,
        "target": target,
        "timestamp": _moment(bound.issued_at),
        "permission": [permission],
        **_rules(
            "prohibition",
            [{"action": PROHIBITIONS[each], "target": target} for each in policy.prohibitions],
        ),
        **_rules(
            "obligation",
            [_obligation(each, policy, target, bound.valid_until) for each in policy.duties],
        ),
    }


def read_agreement(document: Mapping[str, Any], bound: Bound) -> Policy:
    """Return the policy of an ODRL agreement of this profile.

    Raises
    ------
    Invalid
        If it is not, byte for byte, what `agreement` writes: one unknown term is enough.
    """
    codes = {action: code for code, action in PROHIBITIONS.items()}
    try:
        [permission] = document["permission"]
        named = [each for each in permission["constraint"] if each["leftOperand"] == "purpose"]
        purposes = [iri for each in named for iri in each["rightOperand"]]
        duties = {each["action"]: each for each in document.get("obligation", [])}
        policy = Policy.of(
            purposes=[iri.removeprefix(f"{NAMESPACE}purpose-") for iri in purposes],
            prohibitions=[codes[each["action"]] for each in document.get("prohibition", [])],
            duties=duties,
            delete_after_days=_days(duties.get("delete"), bound.valid_until),
        )
        is_same = canonical_json(agreement(policy, bound)) == canonical_json(document)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise unknown_policy() from error
    if not is_same:
        raise unknown_policy()
    return policy


def product_iri(product_id: int) -> str:
    """Return the name of a product in policies; no address."""
    return f"{_NAMES}product/{product_id}"


def version_iri(product_id: int, number: int) -> str:
    """Return the name of a version in policies."""
    return f"{product_iri(product_id)}/version/{number}"


def party_iri(participant_id: int) -> str:
    """Return the name of a party in policies: its number, nothing of a person."""
    return f"{_NAMES}party/{participant_id}"


def unknown_policy() -> Invalid:
    """Return the refusal of a policy that is not of the profile."""
    return Invalid("policy", N_("This is no policy of the market's closed profile."))


def _purposes(policy: Policy) -> list[dict[str, Any]]:
    if not policy.purposes:
        return []
    named = [f"{NAMESPACE}purpose-{each}" for each in policy.purposes]
    return [{"leftOperand": "purpose", "operator": "isAnyOf", "rightOperand": named}]


def _obligation(duty: str, policy: Policy, target: str, end: datetime) -> dict[str, Any]:
    rule: dict[str, Any] = {"action": duty, "target": target}
    if duty == "delete":
        by = _moment(end + timedelta(days=policy.delete_after_days or 0))
        rule["constraint"] = [_compare("dateTime", "lteq", "dateTime", by)]
    return rule


def _days(rule: Mapping[str, Any] | None, end: datetime) -> int | None:
    """Return how many days after a contract's end an obligation says to delete."""
    if rule is None:
        return None
    [constraint] = rule["constraint"]
    by = datetime.strptime(constraint["rightOperand"]["@value"], _TIME).replace(tzinfo=UTC)
    return (by - end) // timedelta(days=1)


def _compare(left: str, operator: str, type_: str, value: str) -> dict[str, Any]:
    right = {"@type": f"xsd:{type_}", "@value": value}
    return {"leftOperand": left, "operator": operator, "rightOperand": right}


def _constraint(constraints: list[dict[str, Any]]) -> dict[str, Any]:
    return _rules("constraint", constraints)


def _rules(name: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a list in its one order under its name; nothing of an empty one."""
    return {name: sorted(rules, key=canonical_json)} if rules else {}


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime(_TIME)


def _codes(written: object) -> tuple[str, ...]:
    if not isinstance(written, list) or not all(isinstance(each, str) for each in written):
        raise unknown_policy()
    return tuple(written)
