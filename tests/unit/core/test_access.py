from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.domain.access import NOBODY, SHARED_TEAM, SYSTEM, Actor, Role

ADA = Actor(id="user:1", roles={"search": Role.EDITOR, "chat": Role.VIEWER, "ads": Role.ADMIN})


@pytest.mark.parametrize(
    ("team", "rights"),
    [
        ("chat", (True, False, False)),
        ("search", (True, True, False)),
        ("ads", (True, True, True)),
        (SHARED_TEAM, (True, False, False)),
        ("other", (False, False, False)),
    ],
)
def test_rights_follow_from_the_role_in_the_team(team: str, rights: tuple[bool, bool, bool]) -> None:
    assert (ADA.may_read(team), ADA.may_write(team), ADA.may_administer(team)) == rights


def test_nobody_sees_nothing_and_the_system_everything() -> None:
    assert NOBODY.visible_teams() == frozenset()
    assert not NOBODY.may_read(SHARED_TEAM)
    assert SYSTEM.visible_teams() is None
    assert SYSTEM.may_administer("any")


@given(
    st.dictionaries(st.sampled_from(["a", "b", SHARED_TEAM]), st.sampled_from(Role)),
    st.booleans(),
    st.sampled_from(["a", "b", "c", SHARED_TEAM]),
)
def test_a_read_only_credential_takes_rights_away_and_gives_none(
    roles: dict[str, Role], everything: bool, team: str
) -> None:
    owner = Actor(id="user:1", roles=roles, everything=everything)
    limited = Actor(id="user:1", roles=roles, everything=everything, read_only=True)
    assert limited.may_read(team) == owner.may_read(team)
    assert not limited.may_write(team)
    assert not limited.may_administer(team)
    visible = owner.visible_teams()
    assert owner.may_read(team) == (visible is None or team in visible)
