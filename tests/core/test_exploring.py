"""Every order and every fault: what `explore` finds in small operations, and that it leaves nothing out."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Hashable
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import sansauth.testing
from sansauth import Exclusive, Load, Operation, Request, Response, Save, Send, Sleep, Stored
from sansauth.effects import Effect, Steps, operation
from sansauth.errors import Conflict, ConnectError, LocalProtocolError, ReadError, StoreError
from sansauth.testing import Driver, End, Event, Fault, Faults, Gone, ScheduleFailed, TooManyStates, explore

from .test_purity import CORE, FORBIDDEN, imported_names

KEY = "counter"
ZERO = {KEY: b"0"}
ALL = Faults(failures=1, cancellations=1, expiries=1, deaths=1)


class Doors:
    """A service that counts, by path, what it was asked for: /in and /out, and any other."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.most_inside = 0

    def answer(self, request: Request) -> Response:
        self.asked[request.path] += 1
        self.most_inside = max(self.most_inside, self.asked["/in"] - self.asked["/out"])
        return Response(200 + self.asked.total() - 1)

    def state(self) -> Hashable:
        return tuple(sorted(self.asked.items())), self.most_inside


def get(path: str) -> Send:
    return Send(Request("GET", f"https://service.example{path}"))


@operation
def add() -> Steps[int]:
    """Read, modify, write."""
    stored = yield from Load(KEY)
    assert stored is not None
    count = int(stored.data) + 1
    yield from Save(KEY, b"%d" % count, stored.version)
    return count


@operation
def add_alone() -> Steps[int]:
    return (yield from Exclusive(KEY, add()))


@operation
def pass_through() -> Steps[None]:
    yield from get("/in")
    yield from get("/out")


@operation
def pass_alone() -> Steps[None]:
    yield from Exclusive(KEY, pass_through())


def sending(*paths: str) -> Callable[[], Operation[tuple[int, ...]]]:
    @operation
    def send() -> Steps[tuple[int, ...]]:
        statuses: list[int] = []
        for path in paths:
            response = yield from get(path)
            statuses.append(response.status)
        return tuple(statuses)

    return send


def doing(*effects: Effect) -> Callable[[], Operation[list[object]]]:
    """An operation that asks for these, and returns what it heard."""

    @operation
    def do() -> Steps[list[object]]:
        heard: list[object] = []
        for effect in effects:
            try:
                heard.append((yield effect))
            except Exception as error:
                heard.append(type(error))
        return heard

    return do


def nothing_lost(end: End[Doors]) -> None:
    added = [outcome for outcome in end.outcomes if isinstance(outcome, int)]
    if not int(end.records[KEY].data) == len(end.outcomes) == len(added):
        raise AssertionError("an addition was lost")


def accept(end: End[Any]) -> str:
    """Every end is good; named after what happened to each caller."""
    told = [
        (
            [(event.fault, said(event.answer)) for event in end.log if event.caller == caller],
            said(end.outcomes[caller]),
        )
        for caller in range(len(end.outcomes))
    ]
    return repr((told, sorted(end.records.items()), end.world.state()))


def said(value: object) -> object:
    if isinstance(value, Exception):
        return type(value)
    return (value.data, value.version) if isinstance(value, Stored) else value


def ends(operations: list[Callable[[], Operation[Any]]], **options: Any) -> list[End[Doors]]:
    """The ends of all schedules that differ in what a caller met."""
    found: list[End[Doors]] = []
    explore(operations, Doors, lambda end: found.append(end), **options)  # type: ignore[func-returns-value]
    return found


def failure(operations: list[Callable[[], Operation[Any]]], judge: Callable[[End[Doors]], None], **options: Any) -> str:
    with pytest.raises(ScheduleFailed) as caught:
        explore(operations, Doors, judge, **options)
    return str(caught.value)


class TestEveryOrder:
    @pytest.mark.parametrize("prune", [True, False])
    @given(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    @settings(max_examples=12, deadline=None)
    def test_the_orders_of_independent_effects_are_the_multinomial(self, prune: bool, lengths: list[int]) -> None:
        operations = [sending(*["/"] * length) for length in lengths]
        explored = explore(operations, Doors, lambda end: None, prune=prune)
        orders = math.factorial(sum(lengths)) // math.prod(math.factorial(length) for length in lengths)
        assert explored.schedules == orders
        if not prune:
            assert explored.ends == orders

    def test_callers_that_begin_alike_are_explored_once_and_counted_all_the_same(self) -> None:
        alike, apart = ([send] * 3 for send in [sending("/", "/")]), [sending("/", "/") for _ in range(3)]
        first, second = (explore(operations, Doors, accept) for operations in (next(alike), apart))
        assert first.counts == second.counts
        assert first.schedules == second.schedules == 90
        assert first.states < second.states / 4

    def test_a_judge_can_tell_callers_apart_that_begin_alike(self) -> None:
        for loser in (0, 1):

            def judge(end: End[Doors], loser: int = loser) -> None:
                assert not isinstance(end.outcomes[loser], Conflict)

            assert f"caller {loser + 1} ends: Conflict" in failure([add, add], judge, records=ZERO)

    def test_the_log_of_callers_that_begin_alike_is_theirs(self) -> None:
        for end in ends([add, add], records=ZERO):
            for caller, outcome in enumerate(end.outcomes):
                written = [event.answer for event in end.log if event.caller == caller][-1]
                assert isinstance(outcome, Conflict) == isinstance(written, Conflict)

    def test_nobody_at_all(self) -> None:
        explored = explore([], Doors, accept)
        assert (explored.states, explored.ends, explored.schedules) == (1, 1, 1)


class TestFindings:
    def test_an_update_that_is_lost_is_found_by_a_shortest_schedule(self) -> None:
        assert failure([add, add], nothing_lost, records=ZERO) == (
            """an addition was lost

The shortest way there, 4 steps:
     caller 1 is add
     caller 2 is add
  1. caller 1 loads 'counter': version 1, 1 byte
  2. caller 2 loads 'counter': version 1, 1 byte
  3. caller 1 saves 'counter' over version 1, 1 byte: now version 2
     caller 1 ends: 1
  4. caller 2 saves 'counter' over version 1, 1 byte: Conflict (it is version 2)
     caller 2 ends: Conflict (it is version 2)
     the store holds 'counter', version 2, 1 byte"""
        )

    def test_alone_nothing_is_lost(self) -> None:
        explored = explore([add_alone, add_alone, add_alone], Doors, nothing_lost, records=ZERO)
        assert explored.schedules == 6  # one after the other: it is alone who holds the lease

    def test_a_driver_that_ignores_leases_loses_it(self) -> None:
        told = failure([add_alone, add_alone], nothing_lost, records=ZERO, driver=Driver(leases=False))
        assert "an addition was lost" in told
        assert "the driver ignores leases" in told
        assert "The shortest way there, 6 steps" in told

    def test_a_shorter_failure_is_reported_before_a_longer_one(self) -> None:
        def judge(end: End[Doors]) -> None:
            assert not end.faults

        with pytest.raises(ScheduleFailed) as caught:
            explore([sending("/", "/", "/")], Doors, judge, faults=Faults(cancellations=1, failures=1))
        assert caught.value.log == (Event(0, get("/"), Fault.FAILED, caught.value.log[0].answer),)

    def test_who_waits_for_a_lease_that_is_never_given_back_waits_for_ever(self) -> None:
        told = failure(
            [add_alone, add_alone], lambda end: None, faults=Faults(failures=1), driver=Driver(releases=False)
        )
        assert told.startswith("Somebody waits for ever: caller 2 for 'counter'.")
        assert "the driver keeps the lease when a body fails" in told
        assert "caller 1 leaves 'counter'\n" in told

    def test_a_lease_that_is_left_behind_is_found(self) -> None:
        wrong = Driver(releases=False)
        told = failure([add_alone], lambda end: None, records=ZERO, faults=Faults(failures=1), driver=wrong)
        assert told.startswith("Caller 1 has ended and still holds the lease of 'counter'.")
        explore([add_alone], Doors, lambda end: None, records=ZERO, driver=wrong)  # no body fails, nothing is kept
        told = failure([add_alone], lambda end: None, faults=Faults(cancellations=1), driver=Driver(False, True, False))
        assert told.startswith("Caller 1 has ended and still holds")

    def test_who_does_not_end_when_it_is_cancelled_is_found(self) -> None:
        @operation
        def stubborn() -> Steps[None]:
            try:
                yield from get("/")
            finally:
                yield from get("/afterwards")

        told = failure([stubborn], lambda end: None, faults=Faults(cancellations=1))
        assert told.startswith("Caller 1 was cancelled and did not end, but raised RuntimeError.")
        assert "1. caller 1 is cancelled before it sends GET /\n" in told

    def test_a_judge_that_breaks_shows_where(self) -> None:
        def judge(end: End[Doors]) -> None:
            raise KeyError("no-such-key")

        with pytest.raises(ScheduleFailed, match=r"The judge itself failed: KeyError\.\n\nThe shortest way") as caught:
            explore([sending("/")], Doors, judge)
        assert isinstance(caught.value.__cause__, KeyError)

    def test_a_judge_may_say_nothing(self) -> None:
        def judge(end: End[Doors]) -> None:
            raise AssertionError

        assert failure([sending("/")], judge).startswith("The judge refused how it ended.")


class TestFailures:
    def test_a_request_fails_before_it_happens_or_its_answer_is_lost(self) -> None:
        found = {
            (str(type(end.outcomes[0]).__name__), end.world.asked["/"])
            for end in ends([sending("/")], faults=Faults(failures=1))
        }
        assert found == {("tuple", 1), ("ConnectError", 0), ("ReadError", 1)}

    def test_what_an_operation_is_told_says_whether_it_was_sent(self) -> None:
        errors = [end.outcomes[0] for end in ends([sending("/")], faults=Faults(failures=1)) if end.faults]
        assert {(type(error), error.sent) for error in errors if isinstance(error, ConnectError | ReadError)} == {
            (ConnectError, False),
            (ReadError, True),
        }

    def test_a_save_fails_before_it_happens_or_its_answer_is_lost(self) -> None:
        saves = doing(Save(KEY, b"1", 1))
        found = {
            (str(end.outcomes[0]), end.records[KEY].data)
            for end in ends([saves], records=ZERO, faults=Faults(failures=1))
        }
        assert found == {("[2]", b"1"), (str([StoreError]), b"0"), (str([StoreError]), b"1")}

    def test_a_refused_save_has_no_answer_to_lose(self) -> None:
        saves = doing(Save(KEY, b"1", 7))
        told = [end.outcomes[0] for end in ends([saves], records=ZERO, faults=Faults(failures=1))]
        assert told == [[Conflict], [StoreError]]

    def test_the_store_fails_at_a_load_and_at_a_lease(self) -> None:
        looks = doing(Load(KEY), Exclusive(KEY, add()))
        found = ends([looks], records=ZERO, faults=Faults(failures=1))
        failed = {type(end.faults[0].effect): end.outcomes[0] for end in found if end.faults and len(end.log) < 4}
        assert failed == {Exclusive: [Stored(b"0", 1), StoreError], Load: [Stored(b"0", 1), StoreError]}
        assert [StoreError, 1] in [end.outcomes[0] for end in found]

    def test_the_budget_is_for_all_callers_together(self) -> None:
        for budget in (0, 1, 2):
            found = ends([sending("/"), sending("/")], faults=Faults(failures=budget))
            assert max(len(end.faults) for end in found) == budget

    def test_what_the_service_raises_is_thrown_in(self) -> None:
        class Unreachable(Doors):
            def answer(self, request: Request) -> Response:
                super().answer(request)
                raise ConnectError("no way")

        explored = explore([doing(get("/"), get("/"))], Unreachable, lambda end: str(end.outcomes))
        assert explored.counts == {str(([ConnectError, ConnectError],)): 1}

    def test_an_error_is_thrown_in_without_the_frames_of_earlier_runs(self) -> None:
        depths: list[int] = []

        @operation
        def look() -> Steps[None]:
            try:
                yield from get("/")
            except ConnectError as error:
                trace = error.__traceback__
                depths.append(sum(1 for _ in iter_frames(trace)))
            yield from get("/")
            yield from get("/")

        explore([look], Doors, lambda end: None, faults=Faults(failures=1))
        assert len(depths) > 2
        assert len(set(depths)) == 1


def iter_frames(trace: Any) -> Any:
    while trace is not None:
        yield trace
        trace = trace.tb_next


class TestCancellations:
    def test_outside_a_body_the_operation_is_closed_at_once(self) -> None:
        found = ends([sending("/", "/")], faults=Faults(cancellations=1))
        assert sorted((str(end.outcomes[0]), end.world.asked["/"]) for end in found) == [
            ("(200, 201)", 2),
            ("Gone.CANCELLED", 0),
            ("Gone.CANCELLED", 1),
        ]

    def test_its_finally_runs(self) -> None:
        tidied: list[str] = []

        @operation
        def tidy() -> Steps[None]:
            try:
                yield from get("/")
            except GeneratorExit:
                tidied.append("tidied")
                raise

        explore([tidy], Doors, lambda end: None, faults=Faults(cancellations=1))
        assert tidied

    def test_a_body_goes_on_to_its_end_and_then_its_caller_is_cancelled(self) -> None:
        found = ends([add_alone], records=ZERO, faults=Faults(cancellations=1))
        inside = [end for end in found if end.faults and end.log[0].fault is None]
        assert len(inside) == 2
        for end in inside:
            assert end.outcomes == (Gone.CANCELLED,)
            assert end.records[KEY].data == b"1"

    def test_what_comes_after_the_body_is_not_done(self) -> None:
        @operation
        def add_and_tell() -> Steps[None]:
            yield from Exclusive(KEY, add())
            yield from get("/told")

        for end in ends([add_and_tell], records=ZERO, faults=Faults(cancellations=1)):
            assert (end.world.asked["/told"] == 1) == (not end.faults)

    def test_nobody_is_cancelled_twice(self) -> None:
        found = ends([add_alone], records=ZERO, faults=Faults(cancellations=2))
        assert max(len(end.faults) for end in found) == 1

    def test_a_driver_that_does_not_shield_closes_the_body_and_gives_the_lease_back(self) -> None:
        two = [add_alone, add_alone]
        driver = Driver(shielded=False)
        found = ends(two, records=ZERO, faults=Faults(cancellations=1), driver=driver)
        lost = [end for end in found if end.faults and end.records[KEY].data == b"1"]
        assert len(lost) == len(found) - 2  # of two that are not cancelled, either may be the first
        told = failure(two, nothing_lost, records=ZERO, faults=Faults(cancellations=1), driver=driver)
        assert "the driver shields no body from cancellation" in told

    def test_the_transcript_says_that_a_body_goes_on(self) -> None:
        def judge(end: End[Doors]) -> None:
            assert not (end.faults and end.faults[0].effect == Load(KEY))

        told = failure([add_alone], judge, records=ZERO, faults=Faults(cancellations=1))
        assert "caller 1 is cancelled before it loads 'counter'; the body goes on to its end\n" in told
        assert "     caller 1 leaves 'counter' and gives its lease back\n     caller 1 ends: cancelled\n" in told


class TestLeases:
    def most_inside(self, callers: int, **options: Any) -> int:
        return max(end.world.most_inside for end in ends([pass_alone] * callers, **options))

    def test_one_at_a_time_two_after_one_expiry_and_no_third(self) -> None:
        """The third finds the second's lease as it is: the first, which comes late, does not give it back."""
        assert self.most_inside(3) == 1
        assert self.most_inside(3, faults=Faults(expiries=1)) == 2
        assert self.most_inside(3, faults=Faults(expiries=2)) == 3
        assert self.most_inside(2, driver=Driver(leases=False)) == 2

    def test_a_lease_expires_only_while_somebody_waits_for_it(self) -> None:
        """Earlier it might as well have expired now, and nobody would have known."""
        assert all(not end.faults for end in ends([pass_alone], faults=Faults(expiries=1)))
        told = failure([add_alone] * 2, nothing_lost, records=ZERO, faults=Faults(expiries=1))
        assert "the lease of caller 1 on 'counter' expires before it saves 'counter' over version 1" in told
        assert "; it does not know\n" in told
        assert "     caller 1 leaves 'counter'\n" in told

    def test_other_keys_are_other_leases(self) -> None:
        @operation
        def pass_another() -> Steps[None]:
            yield from Exclusive("another", pass_through())

        assert max(end.world.most_inside for end in ends([pass_alone, pass_another])) == 2

    def test_one_inside_another_is_refused(self) -> None:
        nested = doing(Exclusive("outer", doing(Exclusive("inner", add()))()))
        assert [str(end.outcomes[0]) for end in ends([nested])] == [str([[LocalProtocolError]])]

    def test_a_body_without_effects(self) -> None:
        @operation
        def at_once(wrong: bool) -> Steps[int]:
            if wrong:
                raise ValueError
            return 1
            yield Sleep(0)  # what makes it an operation

        def judge(end: End[Doors]) -> str:
            return str(end.outcomes)

        explored = explore(
            [doing(Exclusive(KEY, at_once(False)), Exclusive(KEY, at_once(True))), lambda: at_once(False)], Doors, judge
        )
        assert explored.counts == {str(([1, ValueError], 1)): 1}
        explored = explore([lambda: at_once(True)], Doors, lambda end: type(end.outcomes[0]).__name__)
        assert explored.counts == {"ValueError": 1}


class TestDeaths:
    def test_the_dead_vanish_where_they_stand(self) -> None:
        found = ends([sending("/", "/")], faults=Faults(deaths=1))
        assert sorted((str(end.outcomes[0]), end.world.asked["/"]) for end in found) == [
            ("(200, 201)", 2),
            ("Gone.DEAD", 0),
            ("Gone.DEAD", 1),
        ]

    def test_the_lease_of_the_dead_ends_some_time_later(self) -> None:
        found = ends([add_alone, add_alone], records=ZERO, faults=Faults(deaths=1))
        dead = [end for end in found if end.faults]
        assert dead
        assert {end.records[KEY].data for end in dead} == {b"1"}
        assert all(Gone.DEAD in end.outcomes and 1 in end.outcomes for end in dead)
        late = [end for end in dead if Fault.LAPSED in [event.fault for event in end.log]]
        assert late
        assert all(len(end.faults) == 1 for end in late), "that costs nothing"

    def test_a_lease_that_the_dead_left_behind_is_no_leak(self) -> None:
        assert any(end.outcomes == (Gone.DEAD,) for end in ends([add_alone], records=ZERO, faults=Faults(deaths=1)))

    def test_the_transcript_tells_of_it(self) -> None:
        def judge(end: End[Doors]) -> None:
            assert not (Gone.DEAD in end.outcomes and end.records[KEY].data == b"1")

        told = failure([add_alone, add_alone], judge, records=ZERO, faults=Faults(deaths=1))
        assert "the process of caller 2 dies before it takes the lease of 'counter'\n" in told

        def another(end: End[Doors]) -> None:
            assert Fault.LAPSED not in [event.fault for event in end.log]

        told = failure([add_alone, add_alone], another, records=ZERO, faults=Faults(deaths=1))
        assert "the process of caller 1 dies before it loads 'counter', holding 'counter'\n" in told
        assert "the lease of caller 1, which is dead, comes to its end ('counter')\n" in told


class TestOwnConcerns:
    def test_sleeping_and_own_memory_are_no_steps(self) -> None:
        keeps = doing(
            Sleep(5), Load("mem:a"), Save("mem:a", b"1", None), Load("mem:a"), Save("mem:a", b"2", None), get("/")
        )
        explored = explore([keeps, keeps], Doors, lambda end: str(end.outcomes[0][:-1]))  # type: ignore[index]
        assert explored.schedules == 2
        assert explored.counts == {str([None, None, 1, Stored(b"1", 1), Conflict]): 2}

    def test_the_transcript_mentions_them(self) -> None:
        def judge(end: End[Doors]) -> None:
            raise AssertionError("no")

        keeps = doing(
            Sleep(0.5), get("/a"), Save("mem:a", b"1", None), Load("mem:a"), Exclusive("mem:a", doing(Sleep(1))())
        )
        assert failure([keeps], judge).splitlines()[3:] == [
            "     caller 1 is do",
            "     caller 1 sleeps 0.5 s",
            "  1. caller 1 sends GET /a: answer 200",
            "     caller 1 keeps 'mem:a' in mind",
            "     caller 1 recalls 'mem:a'",
            "     caller 1 enters 'mem:a'",
            "     caller 1 sleeps 1 s",
            "     caller 1 leaves 'mem:a'",
            "     caller 1 ends: list",
            "     the store holds nothing",
        ]

    def test_a_judge_sees_what_each_keeps_in_mind_and_nothing_of_the_dead(self) -> None:
        keeps = doing(Save("mem:a", b"1", None), get("/"))
        kept = {str((end.outcomes[0] is Gone.DEAD, end.memories[0])) for end in ends([keeps], faults=Faults(deaths=1))}
        assert kept == {str((False, {"mem:a": Stored(b"1", 1)})), str((True, {}))}

    def test_nobody_waits_for_a_key_of_somebody_elses_memory(self) -> None:
        fetches = doing(Exclusive("mem:keys", pass_through()))
        assert max(end.world.most_inside for end in ends([fetches, fetches])) == 2

    def test_a_record_seen_before_is_recalled_where_that_will_do(self) -> None:
        recalls = doing(
            *(Load(KEY, cached=True), Save(KEY, b"1", 1), get("/"), Load(KEY, cached=True), Load(KEY)),
            *(Save(KEY, None, 2), Load(KEY, cached=True)),
        )
        [end] = ends([recalls], records=ZERO)
        heard = end.outcomes[0]
        assert isinstance(heard, list)
        assert [said(value) for value in (heard[0], heard[3], heard[4], heard[6])] == [
            *((b"0", 1), (b"1", 2), (b"1", 2)),
            None,
        ]
        assert len(end.log) == 6, "one look into the store was spared"

    def test_what_is_recalled_may_be_old(self) -> None:
        recalls = doing(Load(KEY), get("/"), Load(KEY, cached=True), Load(KEY))
        found = {
            (said(end.outcomes[0][2]), said(end.outcomes[0][3]))  # type: ignore[index]
            for end in ends([recalls, add], records=ZERO)
        }
        old, new = (b"0", 1), (b"1", 2)
        assert found == {(old, old), (old, new), (new, new)}

    def test_a_failed_save_leaves_nothing_to_recall(self) -> None:
        recalls = doing(Load(KEY), Save(KEY, b"1", 1), Load(KEY, cached=True))
        lost = [end for end in ends([recalls], records=ZERO, faults=Faults(failures=1)) if is_lost(end)]
        assert [end.outcomes[0][2] for end in lost] == [Stored(b"1", 2)]  # type: ignore[index]

    def test_an_operation_that_never_asks_anybody_anything_is_ended(self) -> None:
        @operation
        def idle() -> Steps[None]:
            while True:
                yield from Sleep(1)

        with pytest.raises(LocalProtocolError, match="never ends"):
            explore([idle], Doors, accept)


def is_lost(end: End[Doors]) -> bool:
    return [event.fault for event in end.faults] == [Fault.LOST]


class TestRecords:
    def test_no_version_is_given_twice(self) -> None:
        writes = doing(
            Save(KEY, None, 1), Save(KEY, b"1", None), Save(KEY, b"2", None), Save("b", b"", None), Load(KEY)
        )
        [end] = ends([writes], records=ZERO)
        assert end.outcomes == ([2, 3, Conflict, 1, Stored(b"1", 3)],)
        assert end.records == {"b": Stored(b"", 1), KEY: Stored(b"1", 3)}

    def test_the_transcript_tells_what_was_written(self) -> None:
        def judge(end: End[Doors]) -> None:
            raise AssertionError("no")

        writes = doing(Save(KEY, None, 1), Load(KEY), Save(KEY, b"12", None), Save("gone", b"", 3))
        assert failure([writes], judge, records=ZERO).splitlines()[4:] == [
            "  1. caller 1 deletes 'counter', version 1: done",
            "  2. caller 1 loads 'counter': nothing",
            "  3. caller 1 saves 'counter' as a new record, 2 bytes: now version 3",
            "  4. caller 1 saves 'gone' over version 3, 0 bytes: Conflict (there is none)",
            "     caller 1 ends: list",
            "     the store holds 'counter', version 3, 2 bytes",
        ]


PLAIN_EFFECTS = st.sampled_from(
    [get("/in"), get("/out"), Load(KEY), Save(KEY, b"1", 1), Save(KEY, b"2", 2), Save(KEY, None, 1), Sleep(1)]
)
EFFECTS = st.one_of(
    PLAIN_EFFECTS, st.lists(PLAIN_EFFECTS, max_size=2).map(lambda effects: Exclusive(KEY, doing(*effects)()))
)
OPERATIONS = st.lists(EFFECTS, min_size=1, max_size=3).map(lambda effects: doing(*effects))


def is_small(operations: list[Callable[[], Operation[Any]]], options: dict[str, Any]) -> bool:
    """Whether all schedules, each on its own, can be looked at while somebody waits for the test."""
    return explore(operations, Doors, accept, **options).schedules < 4_000


class TestPruning:
    @given(
        st.lists(OPERATIONS, min_size=2, max_size=2),
        st.booleans(),
        st.sampled_from([Faults(), Faults(failures=1), Faults(1, 1), Faults(0, 0, 1, 1), Faults(1, 0, 1, 0)]),
        st.sampled_from([Driver(), Driver(shielded=False), Driver(leases=False)]),
    )
    @settings(max_examples=40, deadline=None)
    def test_pruning_hides_no_end_and_counts_every_schedule(
        self, operations: list[Callable[[], Operation[Any]]], alike: bool, faults: Faults, driver: Driver
    ) -> None:
        if alike:
            operations[1] = operations[0]
        options: dict[str, Any] = {"records": ZERO, "faults": faults, "driver": driver}
        assume(is_small(operations, options))
        pruned, whole = (explore(operations, Doors, accept, prune=prune, **options) for prune in (True, False))
        assert pruned.counts == whole.counts
        assert pruned.schedules == whole.schedules == whole.ends
        assert pruned.states <= whole.states

    @given(st.lists(OPERATIONS, min_size=2, max_size=2), st.booleans(), st.data())
    @settings(max_examples=40, deadline=None)
    def test_pruning_hides_no_failure_and_makes_none_longer(
        self, operations: list[Callable[[], Operation[Any]]], alike: bool, data: st.DataObject
    ) -> None:
        if alike:
            operations[1] = operations[0]
        options: dict[str, Any] = {"records": ZERO, "faults": Faults(failures=1, deaths=1)}
        assume(is_small(operations, options))
        forbidden = data.draw(st.sampled_from(sorted(explore(operations, Doors, accept, **options).counts)))
        lengths: list[int] = []
        for prune in (True, False):

            def judge(end: End[Doors]) -> None:
                assert accept(end) != forbidden

            with pytest.raises(ScheduleFailed) as caught:
                explore(operations, Doors, judge, prune=prune, **options)
            lengths.append(len(caught.value.log))
        assert lengths[0] == lengths[1]

    def test_a_world_that_hides_some_of_its_state_is_seen_through_without_it(self) -> None:
        class Forgetful(Doors):
            def state(self) -> Hashable:
                return self.asked["/in"] - self.asked["/out"]

        def judge(end: End[Doors]) -> str:
            return f"{end.world.most_inside} inside"

        paths = [pass_through, pass_through]
        assert explore(paths, Forgetful, judge).counts != explore(paths, Forgetful, judge, prune=False).counts
        assert explore(paths, Forgetful, judge, prune=False).counts == explore(paths, Doors, judge).counts

    def test_states_grow_slower_than_schedules(self) -> None:
        pruned = explore([add_alone] * 3, Doors, accept, records=ZERO, faults=Faults(1, 0, 1))
        assert pruned.schedules > 5 * pruned.states

    def test_what_became_of_the_service_is_part_of_a_state(self) -> None:
        """The callers met the same in both orders, and yet these are two ends."""

        class Last:
            path = ""

            def answer(self, request: Request) -> Response:
                self.path = request.path
                return Response(204)

            def state(self) -> Hashable:
                return self.path

        explored = explore([sending("/a"), sending("/b")], Last, lambda end: end.world.path)
        assert explored.counts == {"/a": 1, "/b": 1}


class TestCounts:
    def test_what_the_judge_calls_an_end_is_counted_and_shown(self) -> None:
        def judge(end: End[Doors]) -> str | None:
            return "an addition is lost" if Conflict in map(type, end.outcomes) else None

        explored = explore([add, add], Doors, judge, records=ZERO)
        assert explored.counts == {"an addition is lost": 4}
        assert explored.schedules == 6
        assert (
            "  4. caller 2 saves 'counter' over version 1, 1 byte: Conflict" in explored.examples["an addition is lost"]
        )


class TestMistakes:
    def test_more_states_than_allowed(self) -> None:
        @operation
        def poll() -> Steps[None]:
            while (yield from Load(KEY)) is None:
                yield from Sleep(5)

        with pytest.raises(TooManyStates, match=r"more than 100 states: .* unless an operation never ends") as caught:
            explore([poll], Doors, accept, limit=100)
        assert str(caught.value).splitlines()[-3:] == [
            "100. caller 1 loads 'counter': nothing",
            "     caller 1 sleeps 5 s",
            "     the store holds nothing",
        ]
        assert explore([poll], Doors, accept, limit=2, records=ZERO).states == 2

    def test_an_operation_that_is_not_the_same_in_every_run(self) -> None:
        numbers = itertools.count()

        @operation
        def count() -> Steps[None]:
            for _ in range(3):
                yield from get(f"/{next(numbers)}")

        @operation
        def change() -> Steps[None]:
            if next(numbers) % 2:
                yield from get("/")

        with pytest.raises(LocalProtocolError, match=r"not the same in every run.* asked for Send first, and for Send"):
            explore([count], Doors, accept)
        numbers = itertools.count(1)
        with pytest.raises(LocalProtocolError, match="for Send first, and for nothing later"):
            explore([change], Doors, accept)

    def test_a_world_that_shares_its_state_with_the_next(self) -> None:
        shared = Doors()
        with pytest.raises(LocalProtocolError, match="the world is not the same after the same requests"):
            explore([pass_through], lambda: shared, accept)

    def test_what_gives_no_operation(self) -> None:
        with pytest.raises(LocalProtocolError, match="callables that give an Operation, not generator"):
            explore([lambda: iter(add())], Doors, accept)  # type: ignore[arg-type,return-value]

    @pytest.mark.parametrize("budget", [-1, 0.5, None])
    def test_budgets_are_whole_numbers(self, budget: Any) -> None:
        with pytest.raises(ValueError, match="whole number"):
            Faults(deaths=budget)


class TestWhatIsShown:
    def test_a_transcript_shows_no_secret(self) -> None:
        @operation
        def leaky() -> Steps[str]:
            request = Request("POST", "https://service.example/a?token=SECRET", {"authorization": "SECRET"}, b"SECRET")
            yield from Send(request)
            yield from Save("k", b"SECRET", None)
            yield from Load("k")
            yield from Save("mem:k", b"SECRET", None)
            return "SECRET"

        @operation
        def raising() -> Steps[None]:
            yield from get("/")
            raise ValueError("SECRET")

        class Teller(Doors):
            def answer(self, request: Request) -> Response:
                return Response(200, {"x": "SECRET"}, b"SECRET")

        explored = explore([leaky, raising], Teller, lambda end: "end", faults=ALL)
        with pytest.raises(ScheduleFailed) as caught:
            explore([leaky, raising], Teller, lambda end: str(1 / len(end.faults)))
        for told in (*explored.examples.values(), str(caught.value)):
            assert "SECRET" not in told
            assert "caller 2 is raising" in told
        assert "sends POST /a: answer 200" in str(caught.value)

    def test_long_keys_are_shown_by_their_first_part_where_that_tells_them_apart(self) -> None:
        long, alike, other = ("tokens/" + "x" * 20, "tokens/" + "y" * 20, "claims/" + "z" * 20)

        def told(*keys: str) -> list[str]:
            loads = doing(*map(Load, keys))
            return explore([loads], Doors, lambda end: "end").examples["end"].splitlines()

        assert told(long, other, KEY)[:6] == [
            f"     'claims/...' is '{other}'",
            f"     'tokens/...' is '{long}'",
            "     caller 1 is do",
            "  1. caller 1 loads 'tokens/...': nothing",
            "  2. caller 1 loads 'claims/...': nothing",
            "  3. caller 1 loads 'counter': nothing",
        ]
        assert f"  1. caller 1 loads '{long}': nothing" in told(long, alike)

    def test_a_caller_without_a_name_is_named_after_its_type(self) -> None:
        class Begin:
            def __call__(self) -> Operation[int]:
                return add()

        assert "caller 1 is Begin" in explore([Begin()], Doors, lambda end: "end", records=ZERO).examples["end"]


@pytest.mark.parametrize("module", ["exploring", "replay", "schedules", "surroundings", "transcript"])
def test_the_explorer_needs_nothing_of_the_world(module: str) -> None:
    assert imported_names(CORE / "testing" / f"{module}.py").isdisjoint(FORBIDDEN)


def test_every_name_is_the_one_that_type_checkers_see() -> None:
    assert all(getattr(sansauth.testing, name).__name__ == name for name in sansauth.testing.__all__)
