"""The five effects, and Operation."""

from __future__ import annotations

import gc
import inspect
import pickle
import warnings

import pytest

from sansauth import Exclusive, Flow, Load, Operation, Request, Response, Save, Send, Sleep, State, Stored, Timeouts
from sansauth.call import call
from sansauth.effects import Steps, operation
from sansauth.errors import LocalProtocolError
from sansauth.x import invalidate_token, reverse_token, token

REQUEST = Request("GET", "https://api.x.com/", {"authorization": "Bearer hunter2"})


@operation
def fetch(url: str, *, attempts: int = 1, password: str = "") -> Steps[int]:
    """Fetch, and say the status."""
    del password
    status = 0
    for _ in range(attempts):
        response = yield from Send(Request("GET", url))
        status = response.status
    return status


def test_an_effect_yields_itself_and_returns_its_answer() -> None:
    body = fetch("https://api.x.com/")
    for effect, answer in [
        (Send(REQUEST), Response(200)),
        (Sleep(1.0), None),
        (Load("key"), Stored(b"", 1)),
        (Load("key"), None),
        (Save("key", b"", None), 1),
        (Exclusive("key", body), object()),
    ]:
        steps = iter(effect)
        assert next(steps) is effect
        with pytest.raises(StopIteration) as stop:
            steps.send(answer)
        assert stop.value.value is answer


def test_effects_are_values() -> None:
    assert Load("a") == Load("a")
    assert Save("a", b"x", 1) == Save("a", b"x", 1) != Save("a", b"x", None)
    assert hash(Send(REQUEST)) == hash(Send(REQUEST))
    with pytest.raises(AttributeError):
        Load("a").key = "b"  # type: ignore[misc]
    for value in (Send(REQUEST), Sleep(1), Load("a"), Save("a", b"x", 1), Stored(b"x", 1), Timeouts(1, 2, 3)):
        assert pickle.loads(pickle.dumps(value)) == value


def test_no_effect_shows_what_it_carries() -> None:
    shown = [
        repr(Send(REQUEST)),
        repr(Save("key", b"hunter2", 1)),
        repr(Stored(b"hunter2", 1)),
        repr(Exclusive("key", fetch("https://api.x.com/", password="hunter2"))),
    ]
    assert not [text for text in shown if "hunter2" in text]
    assert repr(Save("key", b"hunter2", 1)) == "Save('key', <7 bytes>, expected=1)"
    assert repr(Save("key", None, 1)) == "Save('key', <delete>, expected=1)"
    assert repr(Stored(b"hunter2", 1)) == "Stored(<7 bytes>, version=1)"


@pytest.mark.parametrize("field", ["connect", "read", "total"])
@pytest.mark.parametrize("limit", [0, -1, float("inf"), float("nan"), 0.0])
def test_every_timeout_is_finite_and_above_zero(field: str, limit: float) -> None:
    with pytest.raises(ValueError, match="finite number of seconds above zero"):
        Timeouts(**{field: limit})


@pytest.mark.parametrize("limit", [None, "5"])
def test_a_timeout_that_is_no_number_is_refused_the_same_way(limit: object) -> None:
    with pytest.raises(ValueError, match="finite number of seconds above zero"):
        Timeouts(connect=limit)  # type: ignore[arg-type]


def test_what_is_sent_is_a_request_within_timeouts() -> None:
    with pytest.raises(LocalProtocolError, match="Send takes a Request, not str") as caught:
        Send("https://api.x.com/?planted")  # type: ignore[arg-type]
    assert "planted" not in str(caught.value)
    with pytest.raises(LocalProtocolError, match="Send takes timeouts as Timeouts or None, not int"):
        Send(REQUEST, 5)  # type: ignore[arg-type]


def test_timeouts_are_finite_by_default() -> None:
    assert Timeouts() == Timeouts(connect=5, read=30, total=30)


def test_an_operation_can_be_run_any_number_of_times() -> None:
    once = fetch("https://api.x.com/")
    for status in (200, 404):
        flow = Flow(once)
        flow.receive(Response(status))
        assert flow.result == status


def test_two_runs_of_one_operation_do_not_meet() -> None:
    once = fetch("https://api.x.com/", attempts=2)
    first, second = Flow(once), Flow(once)
    first.receive(Response(200))
    first.receive(Response(201))
    assert (first.state, first.result) == (State.DONE, 201)
    assert second.state is State.WAITING


def test_nothing_happens_until_an_operation_is_stepped() -> None:
    happened: list[str] = []

    @operation
    def act() -> Steps[None]:
        happened.append("acted")
        yield from Sleep(0)

    made = act()
    assert happened == []
    Flow(made)
    assert happened == ["acted"]


def test_a_forgotten_operation_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fetch("https://api.x.com/")
        gc.collect()


def test_the_repr_says_that_an_operation_was_not_run_and_shows_no_argument() -> None:
    shown = repr(fetch("https://hunter2.test/", password="hunter2"))
    assert shown.startswith("<Operation ")
    assert "test_effects.fetch, not run: give it to a client's run() or to Flow()" in shown
    assert "hunter2" not in shown


def test_an_operation_function_shows_its_real_parameters() -> None:
    assert list(inspect.signature(fetch).parameters) == ["url", "attempts", "password"]
    assert fetch.__name__ == "fetch"
    assert fetch.__doc__ == "Fetch, and say the status."
    assert str(inspect.signature(token)).startswith("(app: 'App', *, provider: 'Provider' = ")
    assert list(inspect.signature(reverse_token).parameters) == ["app", "env", "provider"]
    assert list(inspect.signature(call).parameters) == ["request", "identity", "provider", "env", "timeouts"]
    names = ["identity", "access_token", "provider", "env", "auth", "options"]
    assert list(inspect.signature(invalidate_token).parameters) == names


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {}), (("a", "b"), {}), (("a",), {"wrong": 1}), (("a",), {"url": "b"}), ((), {"attempts": 1})],
)
def test_wrong_arguments_are_a_type_error_where_they_are_given(args: tuple[str, ...], kwargs: dict[str, int]) -> None:
    with pytest.raises(TypeError, match=r"fetch\(\)"):
        fetch(*args, **kwargs)  # type: ignore[arg-type]


def test_only_a_generator_function_becomes_an_operation() -> None:
    def plain() -> Steps[int]:
        return iter(fetch("https://api.x.com/"))

    async def coroutine() -> int:
        return 1

    for function in (plain, coroutine, lambda: None):
        with pytest.raises(LocalProtocolError, match=r"@operation takes a generator function; .* no `yield from`"):
            operation(function)  # type: ignore[arg-type]


def test_an_operation_is_made_of_a_name_and_a_beginning() -> None:
    def begin() -> Steps[int]:
        yield from Sleep(0)
        return 1

    made = Operation("mine", begin)
    flow = Flow(made)
    flow.resume(None)
    assert flow.result == 1
    assert "<Operation mine, not run" in repr(made)
