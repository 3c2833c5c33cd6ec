"""The sides of many contracts at once: who they are, and the keys they signed with."""

from collections.abc import Collection

from marketplace.models import DataContract, Participant, SigningKey


def attach_sides(contracts: Collection[DataContract]) -> None:
    """Give contracts their participants and signing keys, by two queries for all of them.

    As joins they would be five more of one query, which PostgreSQL then plans for many times
    longer than it runs.
    """
    sides = {side for each in contracts for side in (each.seller_id, each.buyer_id)}
    signed_with = {
        key
        for each in contracts
        for key in (each.seller_key_id, each.buyer_key_id, each.revocation_key_id)
        if key is not None
    }
    participants = Participant.objects.in_bulk(sides)
    keys = SigningKey.objects.in_bulk(signed_with)
    for each in contracts:
        each.seller, each.buyer = participants[each.seller_id], participants[each.buyer_id]
        each.seller_key, each.buyer_key = keys[each.seller_key_id], keys[each.buyer_key_id]
        if each.revocation_key_id is not None:
            each.revocation_key = keys[each.revocation_key_id]
