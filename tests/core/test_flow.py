"""Flow: the state machine that every driver steps."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable

import pytest

from sansauth import Exclusive, Flow, Load, Operation, Request, Response, Save, Send, Sleep, State, Stored
from sansauth.effects import Steps, operation
from sansauth.errors import Conflict, LocalProtocolError, ReadError
from sansauth.flow import TRANSITIONS, Outcome

REQUEST = Request("GET", "https://api.x.com/2/users/me")


@operation
def send() -> Steps[int]:
    response = yield from Send(REQUEST)
    return response.status


@operation
def raising() -> Steps[int]:
    yield from Send(REQUEST)
    raise RuntimeError("broke")


def waiting() -> Flow[int]:
    return Flow(send())


def done() -> Flow[int]:
    flow = waiting()
    flow.receive(Response(200))
    return flow


def failed() -> Flow[int]:
    flow = Flow(raising())
    with pytest.raises(RuntimeError):
        flow.receive(Response(200))
    return flow


def closed() -> Flow[int]:
    flow = waiting()
    flow.close()
    return flow


MAKE: dict[State, list[Callable[[], Flow[int]]]] = {
    State.WAITING: [waiting],
    State.DONE: [done],
    State.FAILED: [failed, closed],
}
STEPS: dict[str, Callable[[Flow[int]], object]] = {
    "resume": lambda flow: flow.resume(Response(200)),
    "receive": lambda flow: flow.receive(Response(200)),
    "fail": lambda flow: flow.fail(ReadError("broke")),
    "effect": lambda flow: flow.effect,
    "request": lambda flow: flow.request,
    "body": lambda flow: flow.body(),
    "result": lambda flow: flow.result,
}
REFUSED = {
    State.WAITING: {"result", "body"},  # it waits for a Send, which has no body
    State.DONE: {"resume", "receive", "fail", "effect", "request", "body"},
    State.FAILED: {"resume", "receive", "fail", "effect", "request", "body", "result"},
}


@pytest.mark.parametrize(
    ("make", "step"),
    [(make, step) for state, steps in REFUSED.items() for make in MAKE[state] for step in sorted(steps)],
)
def test_a_step_that_the_state_does_not_allow_is_refused_and_changes_nothing(
    make: Callable[[], Flow[int]], step: str
) -> None:
    flow = make()
    before = (flow.state, repr(flow))
    with pytest.raises(LocalProtocolError):
        STEPS[step](flow)
    assert (flow.state, repr(flow)) == before


def test_every_state_has_a_row_of_transitions_and_no_flow_leaves_its_end() -> None:
    assert set(TRANSITIONS) == set(State)
    assert set(TRANSITIONS[State.WAITING]) == set(Outcome)
    assert {state for row in (State.DONE, State.FAILED) for state in TRANSITIONS[row].values()} == {
        State.DONE,
        State.FAILED,
    }
    assert TRANSITIONS[State.DONE] == {Outcome.CLOSED: State.DONE}
    assert TRANSITIONS[State.FAILED] == {Outcome.CLOSED: State.FAILED}


def test_waiting_and_asking_again_stays_waiting() -> None:
    @operation
    def two() -> Steps[str]:
        yield from Send(REQUEST)
        yield from Sleep(1.5)
        return "result"

    flow = Flow(two())
    assert (flow.state, flow.effect) == (State.WAITING, Send(REQUEST))
    flow.receive(Response(200))
    assert (flow.state, flow.effect) == (State.WAITING, Sleep(1.5))
    flow.resume(None)
    assert (flow.state, flow.result) == (State.DONE, "result")


def test_an_operation_without_effects_is_done_at_once() -> None:
    @operation
    def immediate() -> Steps[str]:
        return "result"
        yield

    assert Flow(immediate()).result == "result"


def test_a_result_of_none_is_a_result() -> None:
    @operation
    def nothing() -> Steps[None]:
        yield from Sleep(0)

    flow = Flow(nothing())
    flow.resume(None)
    assert flow.state is State.DONE
    assert flow.result is None


def test_making_a_flow_raises_what_the_first_step_raises() -> None:
    @operation
    def broken() -> Steps[None]:
        raise KeyError("at once")
        yield

    with pytest.raises(KeyError):
        Flow(broken())


def test_a_flow_takes_a_bare_generator_too() -> None:
    def steps() -> Steps[int]:
        return (yield from send())

    flow = Flow(steps())
    flow.receive(Response(201))
    assert flow.result == 201


def test_an_error_thrown_in_is_caught_by_the_operation_or_comes_out() -> None:
    @operation
    def patient() -> Steps[str]:
        try:
            yield from Send(REQUEST)
        except ReadError:
            yield from Sleep(1)
        return "recovered"

    flow = Flow(patient())
    flow.fail(ReadError("broke"))
    assert flow.effect == Sleep(1)
    with pytest.raises(Conflict):
        flow.fail(Conflict("not caught"))
    assert flow.state is State.FAILED


def test_an_operation_that_returns_after_an_error_is_done() -> None:
    @operation
    def content() -> Steps[str]:
        with contextlib.suppress(ReadError):
            yield from Send(REQUEST)
        return "fine"

    flow = Flow(content())
    flow.fail(ReadError("broke"))
    assert flow.result == "fine"


@pytest.mark.parametrize("error", ["text", None, 1, ReadError])
def test_only_an_exception_is_thrown_in(error: object) -> None:
    flow = waiting()
    with pytest.raises(LocalProtocolError, match="takes an exception"):
        flow.fail(error)  # type: ignore[arg-type]
    assert flow.state is State.WAITING
    flow.receive(Response(200))
    assert flow.result == 200


def test_a_stop_iteration_thrown_in_is_no_result() -> None:
    flow = waiting()
    with pytest.raises(RuntimeError, match="StopIteration"):
        flow.fail(StopIteration("smuggled"))
    assert flow.state is State.FAILED


ANSWERS = [
    (Send(REQUEST), Response(200), [None, b"", {"status": 200}, Request("GET", "https://api.x.com/"), Stored(b"", 1)]),
    (Sleep(1.0), None, [0, False, 1.0, Response(200)]),
    (Load("key"), Stored(b"x", 1), [b"x", (b"x", 1), 1, Response(200)]),
    (Load("key"), None, [False, 0, ""]),
    (Save("key", b"x", None), 1, [None, "1", 1.0, Stored(b"x", 1)]),
]


@pytest.mark.parametrize(("effect", "right", "wrong"), ANSWERS)
def test_an_answer_that_does_not_fit_changes_nothing(effect: Send, right: object, wrong: list[object]) -> None:
    @operation
    def ask() -> Steps[object]:
        return (yield from effect)

    flow = Flow(ask())
    for answer in wrong:
        with pytest.raises(
            LocalProtocolError, match=f"{type(effect).__name__} is answered by .*{type(answer).__name__}"
        ):
            flow.resume(answer)
        assert (flow.state, flow.effect) == (State.WAITING, effect)
    flow.resume(right)
    assert flow.result is right


def test_a_refused_answer_is_not_shown() -> None:
    with pytest.raises(LocalProtocolError) as caught:
        waiting().resume("hunter2")
    assert "hunter2" not in str(caught.value)


def test_receive_answers_a_send_only() -> None:
    @operation
    def load() -> Steps[None]:
        yield from Load("key")

    flow = Flow(load())
    with pytest.raises(LocalProtocolError, match="no request to send: this flow waits for Load"):
        flow.receive(Response(200))
    with pytest.raises(LocalProtocolError, match="no request to send"):
        _ = flow.request
    assert flow.effect == Load("key")


class TestExclusive:
    @staticmethod
    @operation
    def body() -> Steps[str]:
        stored = yield from Load("key")
        return "nothing" if stored is None else stored.data.decode()

    @operation
    def _outer(self) -> Steps[str]:
        return (yield from Exclusive("key", self.body())) + "!"

    def test_the_body_is_a_flow_of_its_own_and_its_result_the_answer(self) -> None:
        flow = Flow(self._outer())
        body = flow.body()
        assert body.effect == Load("key")
        body.resume(Stored(b"record", 1))
        flow.resume(body.result)
        assert flow.result == "record!"

    def test_any_answer_fits_an_exclusive(self) -> None:
        @operation
        def outer() -> Steps[object]:
            return (yield from Exclusive("key", self.body()))

        for answer in (None, 1, Response(200), object()):
            flow = Flow(outer())
            flow.resume(answer)
            assert flow.result is answer

    def test_a_body_error_is_thrown_in_like_any_other(self) -> None:
        flow = Flow(self._outer())
        with pytest.raises(Conflict):
            flow.fail(Conflict("lost"))

    @pytest.mark.parametrize("inner_key", ["key", "another"])
    def test_an_exclusive_inside_another_is_refused_whatever_the_key(self, inner_key: str) -> None:
        @operation
        def nested() -> Steps[str]:
            return (yield from Exclusive(inner_key, self.body()))

        @operation
        def outer() -> Steps[str]:
            return (yield from Exclusive("key", nested()))

        flow = Flow(outer())
        with pytest.raises(
            LocalProtocolError, match=rf"Exclusive\('{inner_key}'\) inside Exclusive\('key'\) is refused"
        ):
            flow.body()
        assert flow.state is State.WAITING

    def test_it_is_refused_at_the_yield_where_a_finally_clause_can_still_run(self) -> None:
        happened: list[str] = []

        @operation
        def nested() -> Steps[str]:
            yield from Load("key")
            try:
                return (yield from Exclusive("key", self.body()))
            except LocalProtocolError:
                happened.append("refused")
                yield from Sleep(0)
                return "recovered"

        @operation
        def outer() -> Steps[str]:
            return (yield from Exclusive("key", nested()))

        body = Flow(outer()).body()
        body.resume(None)
        assert happened == ["refused"]
        assert body.effect == Sleep(0)
        body.resume(None)
        assert body.result == "recovered"

    def test_one_after_the_other_is_allowed(self) -> None:
        @operation
        def twice() -> Steps[str]:
            first = yield from Exclusive("a", self.body())
            return first + (yield from Exclusive("b", self.body()))

        flow = Flow(twice())
        flow.resume("1")
        assert isinstance(flow.effect, Exclusive)
        assert flow.effect.key == "b"
        flow.resume("2")
        assert flow.result == "12"


@pytest.mark.parametrize("wrong", [None, 1, "text", Request("GET", "https://api.x.com/"), Send])
def test_an_operation_that_yields_no_effect_is_told_at_the_yield(wrong: object) -> None:
    @operation
    def careless() -> Steps[None]:
        yield wrong  # type: ignore[misc]

    with pytest.raises(LocalProtocolError, match=f"yields effects, not {type(wrong).__name__}; write `yield from`"):
        Flow(careless())


class TestClose:
    def test_the_finally_clauses_run(self) -> None:
        happened: list[str] = []

        @operation
        def careful() -> Steps[None]:
            try:
                yield from Send(REQUEST)
            finally:
                happened.append("finally")

        flow = Flow(careful())
        flow.close()
        assert happened == ["finally"]
        assert flow.state is State.FAILED

    def test_closing_what_has_ended_is_harmless(self) -> None:
        flow = done()
        flow.close()
        flow.close()
        assert (flow.state, flow.result) == (State.DONE, 200)
        for flow in (failed(), closed()):
            flow.close()
            assert flow.state is State.FAILED

    def test_an_operation_that_will_not_end_is_failed_all_the_same(self) -> None:
        @operation
        def stubborn() -> Steps[None]:
            try:
                yield from Send(REQUEST)
            finally:
                yield from Sleep(1)

        flow = Flow(stubborn())
        with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
            flow.close()
        assert flow.state is State.FAILED


def test_the_repr_shows_the_state_and_no_secret() -> None:
    @operation
    def secretive(password: str) -> Steps[str]:
        yield from Send(Request("GET", "https://api.x.com/", {"authorization": password}))
        return password

    flow = Flow(secretive("hunter2"))
    assert repr(flow) == "<Flow waiting for the answer to its effect of Send>"
    flow.receive(Response(200))
    assert repr(flow) == "<Flow done>"
    assert repr(failed()) == "<Flow failed>"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (send, "function; call send(...) first"),
        (functools.partial(send), "partial; call it(...) first"),
        (Operation, "type; call Operation(...) first"),
        ("planted", "str"),
        ([send()], "list"),
        (None, "NoneType"),
    ],
)
def test_only_an_operation_or_its_steps_can_be_run(wrong: object, said: str) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        Flow(wrong)  # type: ignore[arg-type]
    assert str(caught.value) == f"run() and Flow() take an Operation, not {said}"
    assert Flow(iter(send())).request == REQUEST
