"""A scope allows itself and what is public; `admin` allows everything."""

from __future__ import annotations

import pytest

from hunter.core.scopes import PUBLIC, Scope, allows


@pytest.mark.parametrize("scope", Scope)
def test_a_scope_allows_itself_and_nothing_else_but_what_is_public(scope: Scope) -> None:
    own = frozenset({scope})
    others = [each for each in Scope if each is not scope]

    assert allows(own, scope)
    assert allows(own, PUBLIC)
    assert not any(allows(own, each) for each in others if scope is not Scope.ADMIN)
    assert all(allows(frozenset({Scope.ADMIN}), each) for each in Scope)


def test_a_key_without_scopes_may_do_what_anybody_may() -> None:
    assert allows(frozenset(), PUBLIC)
    assert not any(allows(frozenset(), each) for each in Scope)


def test_public_is_no_scope_that_a_key_can_have() -> None:
    with pytest.raises(ValueError, match="public"):
        Scope(PUBLIC)
