"""Every order in which the effects of two authorised calls can happen, and every fault: one fetch, and none is lost."""

from __future__ import annotations

from collections.abc import Hashable

import pytest

from sansauth.app_token import AppToken, app_token_key
from sansauth.call import call
from sansauth.effects import Exclusive, Load, Operation, Save, Send, Steps, operation
from sansauth.errors import ConnectError
from sansauth.http import Request, Response
from sansauth.lifecycle import forget_app_bearer
from sansauth.oauth2.app_only import app_token
from sansauth.testing import Driver, End, Fault, Faults, Gone, ScheduleFailed, explore
from sansauth.x import X

from .support import APP, ENV, refusal_answer, token_answer

KEY = app_token_key(APP, X)
REVOKED = {KEY: AppToken("revoked").to_bytes()}
ONE_OF_EACH = Faults(failures=1, cancellations=1, expiries=1, deaths=1)


class Service:
    """Gives the application its one valid token, and counts how often."""

    def __init__(self) -> None:
        self.fetched = 0

    def answer(self, request: Request) -> Response:
        if request.path == "/oauth2/token":
            self.fetched += 1
            return token_answer("valid")  # X gives the same one until it is invalidated
        if request.headers["authorization"] == "Bearer valid":
            return Response(200)
        return refusal_answer(401, 89)

    def state(self) -> Hashable:
        return self.fetched


class FailingOnce(Service):
    """Its first token request meets no answer."""

    def answer(self, request: Request) -> Response:
        answer = super().answer(request)
        if request.path == "/oauth2/token" and self.fetched == 1:
            raise ConnectError("no way")
        return answer


def get_me() -> Operation[Response]:
    return call(Request("GET", "https://api.x.com/2/users/me"), APP, provider=X, env=ENV)


def forget() -> Operation[None]:
    return forget_app_bearer(APP, X, "revoked")


def stored_token(end: End[Service]) -> str | None:
    return str(AppToken.from_bytes(end.records[KEY].data).access_token) if KEY in end.records else None


def outcome(value: object) -> object:
    return value.status if isinstance(value, Response) else str(value) if isinstance(value, Exception) else value


def saves_before_use(end: End[Service]) -> None:
    """Whoever fetched the token has tried to store it before it is sent anywhere."""
    for caller in range(len(end.outcomes)):
        effects = [event.effect for event in end.log if event.caller == caller and event.fault is None]
        fetches = [at for at, effect in enumerate(effects) if isinstance(effect, Send) and is_fetch(effect)]
        for at in fetches:
            after = [type(effect) for effect in effects[at + 1 :]]
            assert Send not in after or Save in after[: after.index(Send)], "the token is used before it is saved"


def is_fetch(effect: Send) -> bool:
    return effect.request.path == "/oauth2/token"


def one_fetch_serves_all(end: End[Service]) -> None:
    assert [outcome(value) for value in end.outcomes] == [200] * len(end.outcomes)
    assert (end.world.fetched, stored_token(end)) == (1, "valid")
    saves_before_use(end)


@pytest.mark.parametrize("records", [{}, REVOKED])
@pytest.mark.parametrize("callers", [2, 3])
def test_all_callers_share_one_fetched_token_in_every_order(records: dict[str, bytes], callers: int) -> None:
    explored = explore([get_me] * callers, Service, one_fetch_serves_all, records=records)
    assert explored.schedules > 40


def test_when_a_fetch_fails_its_caller_is_told_and_the_other_fetches_in_every_order() -> None:
    def judge(end: End[Service]) -> None:
        assert sorted(str(outcome(value)) for value in end.outcomes) == ["200", "no way"]
        assert (end.world.fetched, stored_token(end)) == (2, "valid")

    explore([get_me, get_me], FailingOnce, judge)


def test_when_a_lease_ends_too_soon_nothing_is_lost_in_any_order() -> None:
    def judge(end: End[Service]) -> str:
        # Whoever saves too late finds another's token stored, which is as good.
        assert [outcome(value) for value in end.outcomes] == [200, 200]
        assert stored_token(end) == "valid"
        return f"{end.world.fetched} fetched"

    explored = explore([get_me, get_me], Service, judge, faults=Faults(expiries=1))
    assert explored.counts.keys() == {"1 fetched", "2 fetched"}, "the lease is what keeps them apart"


def test_a_token_that_is_being_replaced_can_be_forgotten_in_any_order() -> None:
    def judge(end: End[Service]) -> None:
        assert [outcome(value) for value in end.outcomes] == [200, None]
        assert (end.world.fetched, stored_token(end)) == (1, "valid")

    explore([get_me, forget], Service, judge, records=REVOKED)


@pytest.mark.parametrize("records", [{}, REVOKED])
def test_whatever_befalls_one_caller_the_other_is_served(records: dict[str, bytes]) -> None:
    """One failure, one cancellation, one lease that ends too soon, one death: in any order, at any effect."""

    def judge(end: End[Service]) -> str | None:
        struck = {event.caller for event in end.faults if event.fault is not Fault.EXPIRED}
        for caller, value in enumerate(end.outcomes):
            assert caller in struck or outcome(value) == 200, "a caller fails whom nothing befell"
        assert end.world.fetched <= 1 + len(end.faults), "a fetch more than there were reasons for"
        assert 200 not in map(outcome, end.outcomes) or stored_token(end) == "valid"
        saves_before_use(end)
        return "fetched twice" if end.world.fetched == 2 else None

    explored = explore([get_me, get_me], Service, judge, records=records, faults=ONE_OF_EACH)
    assert 0 < explored.counts["fetched twice"] < explored.schedules


def test_a_cancelled_caller_does_not_take_the_fetch_with_it() -> None:
    """It has begun, others wait for it: it is saved, and they use it."""

    def judge(end: End[Service]) -> str:
        assert end.world.fetched <= 1
        assert stored_token(end) == ("valid" if end.world.fetched else None)
        return "cancelled" if Gone.CANCELLED in end.outcomes else "served"

    cancelled = Faults(cancellations=2)
    assert explore([get_me, get_me], Service, judge, faults=cancelled).counts.keys() == {"cancelled", "served"}
    with pytest.raises(ScheduleFailed, match="caller 1 is cancelled before it saves"):
        explore([get_me], Service, judge, faults=cancelled, driver=Driver(shielded=False))


class TestBugsAreFound:
    """What the schedules above would show of a lifecycle, or a driver, that is wrong."""

    def test_leases_that_are_ignored(self) -> None:
        with pytest.raises(ScheduleFailed):
            explore([get_me, get_me], Service, one_fetch_serves_all, driver=Driver(leases=False))

    def test_no_second_look_once_the_key_is_held(self) -> None:
        @operation
        def fetch() -> Steps[str]:
            token = yield from app_token(APP, X)
            stored = yield from Load(KEY)
            yield from Save(KEY, AppToken(token).to_bytes(), stored.version if stored else None)
            return token

        @operation
        def get_me_at_once() -> Steps[Response]:
            token = yield from Exclusive(KEY, fetch())
            return (yield from Send(me(token)))

        with pytest.raises(ScheduleFailed, match=r"\(2, 'valid'\)"):
            explore([get_me_at_once] * 2, Service, one_fetch_serves_all)

    def test_a_token_that_is_used_before_it_is_saved(self) -> None:
        @operation
        def fetch() -> Steps[Response]:
            token = yield from app_token(APP, X)
            response = yield from Send(me(token))
            yield from Save(KEY, AppToken(token).to_bytes(), None)
            return response

        @operation
        def get_me_first() -> Steps[Response]:
            return (yield from Exclusive(KEY, fetch()))

        with pytest.raises(ScheduleFailed, match="used before it is saved"):
            explore([get_me_first], Service, one_fetch_serves_all)


def me(token: str) -> Request:
    return Request("GET", "https://api.x.com/2/users/me", {"authorization": f"Bearer {token}"})
