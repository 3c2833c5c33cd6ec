"""Policies: every rule of tlog-policy, and the rule that one key makes one statement."""

from itertools import combinations

import pytest

from ledger.domain.notes import Checkpoint, KeyType, Signer
from ledger.domain.policy import Cosigners, Policy
from ledger.errors import LogBroken, PolicyInvalid
from tests.ledger.log.published import NOW, ORIGIN, POLICY, cosigners, log_signer, signed

checkpoint = Checkpoint(ORIGIN, 1, bytes(32))
LOG = str(log_signer.key)
KEY = {name: str(signer.key) for name, signer in cosigners.items()}
HEAD = f"log {LOG}\nwitness v1 {KEY['v1']}\nwitness v2 {KEY['v2']}\n"


def test_a_quorum_is_what_the_groups_say() -> None:
    policy = Policy.parse(POLICY)

    for count in range(5):
        for names in combinations(("v1", "v2", "v3", "w1"), count):
            expected = "w1" in names and len(set(names) - {"w1"}) >= 2
            verdict = policy.verify(signed(checkpoint, by=names))
            assert verdict.cosigned == set(names)
            assert verdict.satisfied is expected
            assert verdict.timestamps == dict.fromkeys(names, NOW)
            assert verdict.log == ORIGIN


@pytest.mark.parametrize(("threshold", "needed"), [("all", 2), ("any", 1), ("1", 1), ("2", 2)])
def test_a_threshold_is_a_number_or_a_word(threshold: str, needed: int) -> None:
    policy = Policy.parse(f"{HEAD}group g {threshold} v1 v2\nquorum g\n")

    for names in ((), ("v1",), ("v2",), ("v1", "v2")):
        assert policy.is_quorum(frozenset(names)) is (len(names) >= needed)


def test_a_quorum_is_one_witness_or_none() -> None:
    assert Policy.parse(f"{HEAD}quorum v2\n").is_quorum(frozenset({"v2"}))
    assert not Policy.parse(f"{HEAD}quorum v2\n").is_quorum(frozenset({"v1"}))
    assert Policy.parse("quorum none\n").is_quorum(frozenset())


def test_lines_may_be_indented_commented_and_named_in_any_octets() -> None:
    policy = Policy.parse(
        b"\t# caf\xe9\n\n \t log\t"
        + LOG.encode()
        + b" https://city.example/log \nwitness \xe2\x84\xaa "
        + KEY["v1"].encode()
        + b" https://v1.example\nwitness K "
        + KEY["v2"].encode()
        + b"\nwitness \xff "
        + KEY["v3"].encode()
        + b"\ngroup all all \xff \xe2\x84\xaa\nquorum all\n"
    )

    assert policy.logs[0].url == "https://city.example/log"
    assert list(policy.witnesses) == ["\N{KELVIN SIGN}", "K", "\udcff"]
    assert policy.witnesses["\N{KELVIN SIGN}"].url == "https://v1.example"
    assert policy.is_quorum(frozenset({"\udcff", "\N{KELVIN SIGN}"}))
    assert not policy.is_quorum(frozenset({"K", "\N{KELVIN SIGN}"}))


def test_thirty_two_of_each_are_read() -> None:
    lines = [
        f"log {Signer.generate(f'log{n}', KeyType.LOG).key}\n"
        f"witness w{n} {Signer.generate(f'w{n}', KeyType.COSIGNER).key}\ngroup g{n} 1 w{n}\n"
        for n in range(32)
    ]
    quorum = f"group all all {' '.join(f'g{n}' for n in range(32))}\nquorum all\n"

    policy = Policy.parse("".join(lines) + quorum)

    assert len(policy.logs) == len(policy.members("all")) == 32


APART = "group witnesses any v1\ngroup validators any v2\n"
OTHER = str(Signer.from_seed("other.example", KeyType.COSIGNER, bytes([1]) * 32).key)
OTHER_LOG = str(Signer.from_seed("other.example", KeyType.LOG, bytes(32)).key)


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (f"log {OTHER_LOG}\n{HEAD}quorum none\n", 2, "the key of a log before"),
        (f"{HEAD}witness x {OTHER}\nquorum none\n", 4, "the key of 'v1' stands here again"),
        (f"{HEAD}witness v1 {KEY['v3']}\nquorum none\n", 4, "'v1' is taken"),
        (f"{HEAD}group v1 any v2\nquorum none\n", 4, "'v1' is taken"),
        (f"{HEAD}group none any v2\nquorum none\n", 4, "'none' is taken"),
        (f"witness none {KEY['v1']}\nquorum none\n", 1, "'none' is taken"),
        (f"{HEAD}group g any none\nquorum none\n", 4, "no witness or group 'none'"),
        (f"{HEAD}group g any g\nquorum none\n", 4, "no witness or group 'g'"),
        (f"{HEAD}group g any later\nquorum none\n", 4, "no witness or group 'later'"),
        (f"{HEAD}group g any v1 v1\nquorum g\n", 4, "'v1' is already in group 'g'"),
        (f"{HEAD}group g any v1\ngroup h any v1 v2\nquorum h\n", 5, "already in group 'g'"),
        (f"{HEAD}group g 3 v1 v2\nquorum g\n", 4, "no threshold for 2 members"),
        (f"{HEAD}group g 0 v1 v2\nquorum g\n", 4, "no threshold for 2 members"),
        (f"{HEAD}group g 01 v1 v2\nquorum g\n", 4, "no threshold for 2 members"),
        (f"{HEAD}group g some v1 v2\nquorum g\n", 4, "no threshold for 2 members"),
        (f"{HEAD}group g any\nquorum none\n", 4, "a group has a name"),
        (f"{HEAD}quorum none\nquorum none\n", 5, "a second quorum"),
        (f"{HEAD}quorum later\n", 4, "no witness or group 'later'"),
        (f"quorum v1\n{HEAD}", 1, "no witness or group 'v1'"),
        (f"{HEAD}quorum v1 v2\n", 4, "a quorum is one name"),
        (f"log {KEY['v1']}\nquorum none\n", 1, "has type 0x04"),
        (f"witness x {LOG}\nquorum none\n", 1, "has type 0x01"),
        (f"log {LOG[:-4]}\nquorum none\n", 1, "not an Ed25519 key"),
        (f"log {LOG} url more\nquorum none\n", 1, "a log has a key"),
        (f"witness {KEY['v1']}\nquorum none\n", 1, "a witness has a name"),
        ("quorum\x0bnone\n", 1, "a control character"),
        ("quorum none\r\n", 1, "a control character"),
        ("\x7f\nquorum none\n", 1, "a control character"),
        ("quorums none\n", 1, "'quorums' begins no line"),
        ("quorum\N{NO-BREAK SPACE}none\n", 1, "begins no line"),
        (HEAD, None, "there is no quorum"),
        ("", None, "there is no quorum"),
        ("quorum none", None, "the last line has no end"),
    ],
)
def test_a_broken_rule_is_named_with_its_line_and_a_remedy(
    text: str, line: int | None, problem: str
) -> None:
    with pytest.raises(PolicyInvalid) as caught:
        Policy.parse(text)

    message = str(caught.value)
    assert message.startswith("policy: " if line is None else f"policy line {line}: ")
    assert problem in message
    assert "; " in message


def test_a_checkpoint_counts_only_with_the_signature_of_its_own_log() -> None:
    other = Signer.generate("other.example/log", KeyType.LOG)
    policy = Policy.parse(POLICY.replace(LOG, str(other.key)))
    both = Policy.parse(f"log {other.key}\n{POLICY}")

    with pytest.raises(LogBroken, match="no log of the policy signed"):
        policy.verify(signed(checkpoint))
    with pytest.raises(LogBroken, match="no log of the policy signed"):
        both.verify(signed(Checkpoint("other.example/log", 1, bytes(32))))
    with pytest.raises(LogBroken, match="no log of the policy signed"):
        Policy.parse("quorum none\n").verify(signed(checkpoint))
    assert both.verify(signed(checkpoint)).satisfied


def test_a_key_is_a_validator_s_or_a_witness_s() -> None:
    assert Policy.parse(POLICY).cosigners() == Cosigners(("v1", "v2", "v3"), ("w1",))
    nested = (
        f"{HEAD}witness v3 {KEY['v3']}\ngroup a any v1 v2\ngroup validators all a\n"
        "group witnesses any v3\nquorum validators\n"
    )
    assert Policy.parse(nested).cosigners() == Cosigners(("v1", "v2"), ("v3",))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"{HEAD}group validators any v1 v2\nquorum validators\n", "no group 'witnesses'"),
        (f"{HEAD}group witnesses any v1 v2\nquorum witnesses\n", "no group 'validators'"),
        (
            f"{HEAD}group witnesses any v1\ngroup validators any witnesses v2\nquorum none\n",
            "'v1' is a validator and a witness",
        ),
        (
            f"{HEAD}witness x {KEY['v3']}\n{APART}quorum none\n",
            "'x' is neither",
        ),
        (
            HEAD.replace(LOG, str(Signer.from_seed(ORIGIN, KeyType.LOG, bytes([1]) * 32).key))
            + f"{APART}quorum none\n",
            "'v1' has the key of a log",
        ),
    ],
)
def test_who_states_two_things_or_nothing_is_refused(text: str, problem: str) -> None:
    policy = Policy.parse(text)

    with pytest.raises(PolicyInvalid, match=problem):
        policy.cosigners()
