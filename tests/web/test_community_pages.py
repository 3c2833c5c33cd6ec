"""The community's, the planner's and the operator's pages: aggregates, and who may see them."""

import re
from pathlib import Path

import pytest

from analytics.models import IntervalRollup
from marketplace.models import DeliveryInterval, MeteringPoint, Participant, Site
from marketplace.queries.identity import names_of
from marketplace.services.people import add_participant, join
from tests.web.city import HOMES, City, build_city, signed_in


def test_the_day_of_a_community(city: City) -> None:
    page = signed_in("bob").get(f"/community/{city.community_id}/").content.decode()
    traded = sum(IntervalRollup.objects.values_list("sold_wh", flat=True))

    assert f"{traded / 1000:.1f}" in page
    assert "1 reading never came in time" in page
    assert page.count("<svg") >= 5  # mark, three charts with an axis each, legends
    assert len(re.findall(r'<th scope="row">\d\d:00</th>', page)) == 24
    for home in HOMES:
        assert home.replace("'", "&#x27;") not in page.replace("Bob&#x27;s home", "")


def test_a_held_interval_is_visible(city: City) -> None:
    DeliveryInterval.objects.filter(starts_at__hour=4).update(state=DeliveryInterval.State.OPEN)
    IntervalRollup.objects.filter(starts_at__hour=4).delete()
    page = signed_in("alice").get(f"/community/{city.community_id}/").content.decode()
    assert "1 interval is held" in page
    assert 'fill="url(#held)"' in page


def test_too_few_meters_are_not_shown(db: None, tmp_path: Path) -> None:
    city = build_city(tmp_path, homes=4)  # the demo rules ask for five
    for name, path, said in (
        ("alice", f"/community/{city.community_id}/", "24 intervals have too few meters"),
        ("paul", f"/planner/{city.participant_ids['paul']}/flows", "1 day is not shown, too few"),
    ):
        page = signed_in(name).get(path, follow=True).content.decode()
        assert said in page
        # A bar's height is a figure too; those of the legend have no place on an axis.
        assert not re.search(r'<rect class="(pool|grid)" x=', page)
        assert 'class="ribbon' not in page
        for wh in IntervalRollup.objects.filter(import_wh__gt=0).values_list(
            "import_wh", flat=True
        ):
            assert f"{wh / 1000:.3f}" not in page


def test_the_planner_sees_no_household(city: City) -> None:
    page = signed_in("paul").get("/", follow=True).content.decode()
    assert "Self-sufficiency" in page
    members = Participant.objects.filter(role__in=["household", "enterprise"])
    for name in names_of(members).values():
        assert name and name.replace("'", "&#x27;") not in page
    for code in MeteringPoint.objects.values_list("code", flat=True):
        assert f">{code}<" not in page
    assert Site.objects.exists()


def test_the_operator_sees_what_waits(city: City) -> None:
    still_open = DeliveryInterval.State.OPEN
    DeliveryInterval.objects.filter(starts_at__hour=4).update(state=still_open)
    page = signed_in("olga").get("/", follow=True).content.decode()
    assert "Settlement worker" in page
    assert re.search(r"Lindenhof</a></th>\s*<td class=\"n\"[^>]*>1</td>", page)
    assert "settled without" in page  # the gap of the last hour
    assert "0 / 6" in page  # the interval reopened: six expected, none missing
    assert "day.csv" in page


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/community/{community}/", {"alice", "bob", "erin", "olga", "dora"}),
        ("/planner/{paul}/", {"paul"}),
        ("/operator/{olga}/", {"olga"}),
        ("/enterprise/{erin}/", {"erin"}),
    ],
)
def test_who_may_see_what(city: City, path: str, allowed: set[str]) -> None:
    path = path.format(community=city.community_id, **city.participant_ids)
    for name in ("alice", "bob", "charlie", "erin", "olga", "paul", "dora"):
        expected = 200 if name in allowed else 404
        assert signed_in(name).get(path).status_code == expected, name


def test_a_page_of_a_role_takes_that_role(city: City) -> None:
    for kind in ("household", "enterprise", "planner", "operator"):
        for name in ("alice", "erin", "olga", "paul", "dora"):
            answer = signed_in(name).get(f"/{kind}/{city.participant_ids[name]}/")
            expected = 200 if city.persona(name).role == kind else 404
            assert answer.status_code == expected, (kind, name)
    own = f"/member/{city.participant_ids['olga']}/statement/"
    assert signed_in("olga").get(own).status_code == 404


def test_a_stranger_from_another_community(city: City) -> None:
    from marketplace.models import Community, User

    other = Community.objects.get(pk=city.community_id)
    other.pk, other.name = None, "Elsewhere"
    other.save()
    home = add_participant(role="household", name="Far home", community_id=other.pk)
    user = User.objects.create_user("far@heliopolis.example", "sunny-day-37")
    join(user_id=user.pk, participant_id=home)
    assert signed_in("far").get(f"/community/{city.community_id}/").status_code == 404
    assert signed_in("far").get(f"/community/{other.pk}/").status_code == 200
