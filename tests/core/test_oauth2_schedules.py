"""Every order in which two calls can renew a user's tokens, with faults at any effect: what may be lost, and what not.

The service takes a refresh token once. Time stands still, and both callers hold what the service has just refused.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

import pytest

from sansauth import Load, Operation, Request, Response, Save, Send, Stored
from sansauth.call import call
from sansauth.effects import Steps, operation
from sansauth.encoding import decode
from sansauth.errors import Conflict, LoginRequired, SansauthError, StoreError, Unauthorized
from sansauth.identity import OAuth2Client, OAuth2User
from sansauth.oauth2 import lifecycle
from sansauth.oauth2.accounts import logout
from sansauth.oauth2.grants import refresh
from sansauth.testing import Driver, End, Event, Explored, Fault, Faults, Gone, ScheduleFailed, explore
from sansauth.tokens import OAuth2Tokens, oauth2_tokens_key
from sansauth.x import X

from .support import ENV, TIMESTAMP, json_answer

RIGHT = Driver()
USER = OAuth2User(OAuth2Client("id"), "alice")
KEY = oauth2_tokens_key(USER, X)
TOKENS = OAuth2Tokens("a1", "Bearer", float(TIMESTAMP), TIMESTAMP + 7200.0, "r1")
RECORDS = {KEY: TOKENS.to_bytes()}
IN_MEMORY = "the store failed as well, and the new tokens wait in memory"
REFUSED = json_answer(400, {"error": "invalid_grant"})


class Service:
    """Issues a2 and r2 for r1, a3 and r3 for r2, and so on; each refresh token is good once, a1 has ended."""

    def __init__(self) -> None:
        self.generation = 1
        self.attempts = 0

    def answer(self, request: Request) -> Response:
        if request.path == "/2/users/me":
            current = self.generation > 1 and request.headers["authorization"] == f"Bearer a{self.generation}"
            return Response(200 if current else 401)
        self.attempts += 1
        if dict(decode(request.body.decode()))["refresh_token"] != f"r{self.generation}":
            return REFUSED
        self.generation += 1
        return json_answer(
            200,
            {
                "token_type": "bearer",
                "access_token": f"a{self.generation}",
                "refresh_token": f"r{self.generation}",
                "expires_in": 7200,
            },
        )

    def state(self) -> Hashable:
        return self.generation, self.attempts


def a_call() -> Operation[object]:
    return call(Request("GET", "https://api.x.com/2/users/me"), USER, provider=X, env=ENV)


def is_rotation(event: Event) -> bool:
    """Whether the service issued new tokens here."""
    return (
        isinstance(event.effect, Send)
        and event.effect.request.path.endswith("/token")
        and isinstance(event.answer, Response)
        and event.answer.status == 200
    )


def why_lost(end: End[Service]) -> str | None:
    """Of a login that is lost, what nobody can help: the new tokens never got from the service into the store."""
    for place, event in enumerate(end.log):
        if is_rotation(event):
            after = [one for one in end.log[place + 1 :] if one.caller == event.caller]
            if event.fault is Fault.LOST:
                return "the answer that brought the new tokens was lost"
            if any(one.fault is Fault.DIED for one in after):
                return "the process died between the service's answer and the save"
            if any(one.fault in (Fault.FAILED, Fault.LOST) and isinstance(one.effect, Load | Save) for one in after):
                return IN_MEMORY
    return None


def judged(end: End[Service], attempts: int = 2) -> str | None:
    """Raises for an end that must not be, with more than so many `attempts` to refresh; names what cannot be helped."""
    faults = {event.fault for event in end.faults}
    assert end.world.generation <= 2, "the tokens were renewed twice"
    assert end.world.attempts <= (attempts if faults - {Fault.CANCELLED} else 1), f"asked {end.world.attempts} times"
    held = OAuth2Tokens.from_bytes(end.records[KEY].data)
    lost = held.refresh_token != f"r{end.world.generation}"
    reason = why_lost(end)
    assert not lost or reason is not None, "the login is lost"
    assert held.death is None or lost, "tokens that live are marked dead"
    hit = {event.caller for event in end.faults if event.fault is not Fault.EXPIRED}
    unheard = False
    for caller, outcome in enumerate(end.outcomes):
        if isinstance(outcome, Response):
            assert outcome.status == 200
        elif caller in hit:
            assert outcome in tuple(Gone) or isinstance(outcome, SansauthError)
        else:
            assert isinstance(outcome, LoginRequired), f"caller {caller + 1} met no fault and got {outcome!r}"
            assert lost or Fault.EXPIRED in faults, f"caller {caller + 1} was told to log in again"
            unheard = unheard or not lost
    if reason == IN_MEMORY and lost:
        newest = f"r{end.world.generation}".encode()
        assert any(newest in record.data for memory in end.memories for record in memory.values()), "nobody has them"
    if lost:
        return f"a login is lost: {reason}"
    return "told to log in while a lease had ended early; the login lives" if unheard else None


def explored(faults: Faults, *, callers: int = 2, driver: Driver = RIGHT) -> Explored:
    operations = [a_call] * callers

    def judge(end: End[Service]) -> str | None:
        return judged(end, attempts=callers)

    return explore(operations, Service, judge, records=RECORDS, faults=faults, driver=driver, limit=5_000_000)


def report(name: str, found: Explored) -> None:
    """What cannot be helped, counted and named, for whoever reads the run."""
    lines = [f"{name}: {found.schedules} schedules in {found.states} states"]
    lines += [f"  {times} of them: {label}" for label, times in found.counts.items()]
    print("", *lines, sep="\n")  # noqa: T201


ALL = Faults(failures=1, cancellations=1, expiries=1, deaths=1)
BUDGETS = {
    "nothing": Faults(),
    "a failure": Faults(failures=1),
    "a failure and a cancellation": Faults(failures=1, cancellations=1),
    "a lease that ends": Faults(expiries=1),
    "a death": Faults(deaths=1),
    "all of them": ALL,
}
LOST_ANSWER = "a login is lost: the answer that brought the new tokens was lost"
DIED = "a login is lost: the process died between the service's answer and the save"
UNSAVED = f"a login is lost: {IN_MEMORY}"
UNHEARD = "told to log in while a lease had ended early; the login lives"
CANNOT_BE_HELPED = {
    "nothing": set[str](),
    "a failure": {LOST_ANSWER},
    "a failure and a cancellation": {LOST_ANSWER},
    "a lease that ends": {UNHEARD},
    "a death": {DIED},
    "all of them": {LOST_ANSWER, DIED, UNSAVED, UNHEARD},
}


@pytest.mark.parametrize("name", BUDGETS)
def test_two_callers_lose_no_login_but_by_what_cannot_be_helped(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = explored(BUDGETS[name])
    assert set(found.counts) == CANNOT_BE_HELPED[name]
    with capsys.disabled():
        report(name, found)


def test_without_faults_there_is_one_refresh_and_two_answers() -> None:
    def judge(end: End[Service]) -> None:
        judged(end)
        assert end.world.attempts == 1
        assert [type(outcome) for outcome in end.outcomes] == [Response, Response]

    assert explore([a_call] * 2, Service, judge, records=RECORDS).schedules > 100


def test_tokens_that_wait_in_memory_are_saved_by_the_next_call_of_that_process() -> None:
    @operation
    def patient() -> Steps[object]:
        try:
            return (yield from a_call())
        except StoreError:
            return (yield from a_call())

    def judge(end: End[Service]) -> str | None:
        label = judged(end, attempts=3)
        assert label != UNSAVED
        return label

    faults = Faults(failures=1, expiries=1)
    found = explore([patient] * 2, Service, judge, records=RECORDS, faults=faults, limit=2_000_000)
    assert set(found.counts) <= {LOST_ANSWER, UNHEARD}


def test_a_path_that_refuses_every_token_spoils_no_call_of_others() -> None:
    def hopeless() -> Operation[object]:
        return call(Request("GET", "https://api.x.com/2/dm"), USER, provider=X, env=ENV)

    class Stubborn(Service):
        def answer(self, request: Request) -> Response:
            return Response(401) if request.path == "/2/dm" else super().answer(request)

    def judge(end: End[Service]) -> None:
        mine, theirs = end.outcomes
        assert isinstance(mine, Response)
        assert isinstance(theirs, Unauthorized)
        assert end.world.generation <= 3

    assert explore([a_call, hopeless], Stubborn, judge, records=RECORDS).schedules > 100


def test_a_login_that_is_ended_meanwhile_stays_ended() -> None:
    def leave() -> Operation[object]:
        return logout(USER, provider=replace(X, endpoints=replace(X.endpoints, revocation=None)), env=ENV)

    def judge(end: End[Service]) -> None:
        assert KEY not in end.records
        assert isinstance(end.outcomes[0], (Response, LoginRequired))

    for faults in (Faults(), Faults(expiries=1)):
        explore([a_call, leave], Service, judge, records=RECORDS, faults=faults)


class TestSeededBugs:
    """Each of these, put into lifecycle or driver, is found, and the transcript says how."""

    def found(self, faults: Faults, driver: Driver = RIGHT) -> str:
        with pytest.raises(ScheduleFailed) as caught:
            explored(faults, driver=driver)
        return str(caught.value)

    def test_no_look_again_once_the_key_is_held(self, monkeypatch: pytest.MonkeyPatch) -> None:
        @operation
        def hasty(whose: lifecycle._Holder, began: float) -> Steps[OAuth2Tokens]:
            stored = yield from Load(
                whose.key, cached=True
            )  # as it was before the key was held, in the driver's memory
            fresh = yield from refresh(USER.client, TOKENS, provider=X, env=ENV)
            yield from Save(whose.key, fresh.to_bytes(), stored.version if stored else None)
            return fresh

        monkeypatch.setattr(lifecycle, "_renew", hasty)
        assert "POST /2/oauth2/token: answer 400" in self.found(Faults())

    def test_a_save_after_use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real = lifecycle._renew

        @operation
        def careless(whose: lifecycle._Holder, began: float) -> Steps[OAuth2Tokens]:
            """Uses the new token first: what comes back decides nothing, but the process may end meanwhile."""
            steps = iter(real(whose, began))
            answer: object = None
            while True:
                try:
                    effect = steps.send(answer) if answer is not None else next(steps)
                except StopIteration as stop:
                    return stop.value  # type: ignore[no-any-return]
                if isinstance(effect, Save) and effect.key == KEY:
                    yield from Send(Request("GET", "https://api.x.com/2/users/me", {"authorization": "Bearer a2"}))
                answer = yield effect

        monkeypatch.setattr(lifecycle, "_renew", careless)
        text = self.found(Faults(failures=1))
        assert "GET /2/users/me: it fails" in text or "the login is lost" in text

    def test_a_body_that_is_not_shielded(self) -> None:
        assert "cancelled" in self.found(Faults(cancellations=1), Driver(shielded=False))

    def test_a_failure_that_deletes_the_record(self, monkeypatch: pytest.MonkeyPatch) -> None:
        @operation
        def destructive(whose: lifecycle._Holder, held: OAuth2Tokens, error: Exception) -> Steps[OAuth2Tokens]:
            stored = yield from Load(whose.key)
            yield from Save(whose.key, None, stored.version if stored else None)
            raise error

        monkeypatch.setattr(lifecycle, "_excused", destructive)
        self.found(Faults(failures=1))

    def test_leases_that_nobody_heeds(self) -> None:
        self.found(Faults(), Driver(leases=False))

    def test_a_late_save_that_loses_to_a_mark(self, monkeypatch: pytest.MonkeyPatch) -> None:
        @operation
        def yielding(whose: object, fresh: OAuth2Tokens, replaced: object, stored: Stored) -> Steps[OAuth2Tokens]:
            try:
                yield from Save(KEY, fresh.to_bytes(), stored.version)
            except Conflict:
                raise LoginRequired("dead") from None
            return fresh

        monkeypatch.setattr(lifecycle, "_saved", yielding)
        assert "the login is lost" in self.found(Faults(expiries=1))


@pytest.mark.deep
def test_three_callers(capsys: pytest.CaptureFixture[str]) -> None:
    found = explored(Faults(failures=1, cancellations=1, expiries=1), callers=3)
    assert set(found.counts) <= {LOST_ANSWER, DIED, UNSAVED, UNHEARD}
    with capsys.disabled():
        report("three callers", found)
