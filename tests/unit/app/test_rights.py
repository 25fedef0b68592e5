"""Who may do what."""

import pytest

from app.domain.rights import EVERY_SCOPE, HOLDERS, Right, Role, Scope, may, scope_for


def test_every_right_has_its_line_and_an_admin_has_all():
    assert set(HOLDERS) == set(Right)
    assert all(may([Role.ADMIN], each) for each in Right)


def test_a_viewer_sees_and_does_nothing():
    assert [each for each in Right if may([Role.VIEWER], each)] == [Right.SEE]


def test_an_operator_manages_nobody():
    assert not may([Role.OPERATOR], Right.MANAGE)


@pytest.mark.parametrize("right", [Right.UNMASK, Right.AUDIT, Right.MANAGE])
def test_no_token_has_what_is_for_people(right):
    assert not may(EVERY_SCOPE, right)
    assert scope_for(right) is None


@pytest.mark.parametrize(
    ("scope", "rights"),
    [
        (Scope.READ, {Right.SEE}),
        (Scope.TRIGGER, {Right.START}),
        (Scope.OPERATE, {Right.CONTROL, Right.OPT_OUTS, Right.TEST, Right.DRAIN}),
    ],
)
def test_a_scope_stands_alone(scope, rights):
    assert {each for each in Right if may([scope], each)} == rights
    assert {scope_for(each) for each in rights} == {scope}
