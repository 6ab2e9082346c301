"""HTTP as values: what stands in a Request is what goes on the wire."""

from __future__ import annotations

import copy
import pickle

import pytest

from sansauth import AwaitingUser, Flow, Headers, Request, Response, Secret, build_request
from sansauth.errors import InvalidHeader, InvalidParameter, InvalidURL, LocalProtocolError, RemoteProtocolError
from sansauth.http import FORM, JSON
from sansauth.oauth1 import Signer


class TestHeaders:
    def test_names_are_compared_without_case(self) -> None:
        headers = Headers({"Content-Type": "text/plain"})
        assert headers["CONTENT-TYPE"] == headers.get("content-type") == "text/plain"
        assert "cOnTent-tYpe" in headers
        assert headers == Headers([("content-type", "text/plain")])

    def test_iterating_gives_lower_case_names_in_order(self) -> None:
        headers = Headers([("B", "1"), ("A", "2"), ("b", "3")])
        assert list(headers) == list(headers.items()) == [("b", "1"), ("a", "2"), ("b", "3")]
        assert len(headers) == 3

    def test_a_repeated_field_is_kept_and_joined_when_asked_for_as_one(self) -> None:
        headers = Headers([("Set-Cookie", "a=1"), ("set-cookie", "b=2")])
        assert headers.get_all("SET-COOKIE") == ["a=1", "b=2"]
        assert headers["set-cookie"] == "a=1, b=2"

    def test_an_absent_field_is_none_or_a_key_error(self) -> None:
        headers = Headers()
        assert headers.get("accept") is None
        assert headers.get_all("accept") == []
        assert "accept" not in headers
        assert 1 not in headers
        with pytest.raises(KeyError):
            headers["accept"]

    def test_an_empty_value_is_present(self) -> None:
        assert Headers({"accept": ""}).get("accept") == ""

    def test_white_space_around_a_value_is_no_part_of_it(self) -> None:
        assert Headers({"accept": " \t*/* \t"})["accept"] == "*/*"

    def test_replacing_leaves_one_field_and_the_original_alone(self) -> None:
        headers = Headers([("a", "1"), ("b", "2"), ("A", "3")])
        assert list(headers.replacing("A", "4")) == [("b", "2"), ("a", "4")]
        assert list(headers.replacing_checked("a", "4")) == [("b", "2"), ("a", "4")]
        assert len(headers) == 3

    def test_replacing_checks_as_making_does(self) -> None:
        with pytest.raises(InvalidHeader):
            Headers().replacing("a", "b\r\nc: d")

    @pytest.mark.parametrize(
        "value", ["a\rb", "a\nb", "a\r\nb", "a\x00b", "a\x7fb", "a\x1bb", "token\n", "é☃", "\u2028"]
    )
    def test_a_value_that_would_break_the_message_is_refused_and_not_shown(self, value: str) -> None:
        with pytest.raises(InvalidHeader, match="the value of header 'authorization'") as caught:
            Headers({"authorization": f"hunter2{value}"})
        assert "hunter2" not in str(caught.value)
        assert isinstance(caught.value, ValueError)

    @pytest.mark.parametrize("value", ["", "a", "a\tb c", "é", "\x80\xff", '"quoted"'])
    def test_a_latin_1_value_is_kept(self, value: str) -> None:
        assert Headers({"a": value})["a"] == value

    @pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\n", "é", "(a)", "a\x00", " a", "a/b", None, b"a"])
    def test_a_name_is_a_token(self, name: object) -> None:
        with pytest.raises(InvalidHeader, match="a header's name is"):
            Headers([(name, "value")])  # type: ignore[list-item]

    @pytest.mark.parametrize("value", [1, None, b"x", ["x"]])
    def test_a_value_is_a_str(self, value: object) -> None:
        with pytest.raises(InvalidHeader, match=f"a str, not {type(value).__name__}"):
            Headers({"a": value})  # type: ignore[dict-item]

    @pytest.mark.parametrize(
        "name",
        [
            "Authorization",
            "proxy-authorization",
            "Cookie",
            "Set-Cookie",
            "X-Api-Key",
            "X-Auth-Token",
            "Location",
            "DPoP",
        ],
    )
    def test_the_repr_masks_what_carries_credentials(self, name: str) -> None:
        shown = repr(Headers({name: "hunter2", "accept": "*/*"}))
        assert "hunter2" not in shown
        assert "('accept', '*/*')" in shown

    def test_equal_headers_hash_alike(self) -> None:
        assert hash(Headers({"A": "1"})) == hash(Headers({"a": "1"}))
        assert Headers({"a": "1"}) != Headers({"a": "2"})
        assert Headers({"a": "1"}) != {"a": "1"}

    def test_headers_survive_pickle_and_copy(self) -> None:
        headers = Headers([("a", "1"), ("a", "2")])
        assert pickle.loads(pickle.dumps(headers)) == copy.deepcopy(headers) == headers


class TestRequest:
    def test_the_parts_that_go_on_the_wire(self) -> None:
        request = Request("post", "HTTPS://API.x.com:443/a%2fb?c=%7e#d", {"Accept": "*/*"}, b"body")
        assert request.method == "POST"
        assert request.url == "https://api.x.com/a%2Fb?c=%7E"
        assert (request.scheme, request.host, request.port) == ("https", "api.x.com", 443)
        assert request.origin == "https://api.x.com"
        assert request.target == "/a%2Fb?c=%7E"
        assert (request.path, request.query) == ("/a%2Fb", "c=%7E")
        assert request.headers["accept"] == "*/*"
        assert request.body == b"body"

    def test_a_request_without_query_headers_or_body(self) -> None:
        request = Request("GET", "https://api.x.com")
        assert (request.path, request.query, len(request.headers), request.body) == ("/", "", 0, b"")

    @pytest.mark.parametrize("method", ["", "GET ", "GET\r\nX: y", "G E T", "é", None, b"GET"])
    def test_the_method_is_a_token(self, method: object) -> None:
        with pytest.raises(LocalProtocolError, match="not an HTTP method"):
            Request(method, "https://api.x.com/")  # type: ignore[arg-type]

    @pytest.mark.parametrize("body", ["text", None, bytearray(b"x"), memoryview(b"x")])
    def test_the_body_is_bytes(self, body: object) -> None:
        with pytest.raises(LocalProtocolError, match="body is bytes"):
            Request("POST", "https://api.x.com/", (), body)  # type: ignore[arg-type]

    def test_the_url_obeys_the_grammar(self) -> None:
        with pytest.raises(InvalidURL):
            Request("GET", "http://evil.test\\@api.x.com/")

    @pytest.mark.parametrize("name", ["method", "parsed", "headers", "body", "url", "new"])
    def test_a_request_is_immutable(self, name: str) -> None:
        request = Request("GET", "https://api.x.com/")
        with pytest.raises(AttributeError, match="immutable"):
            setattr(request, name, "x")
        with pytest.raises(AttributeError, match="immutable"):
            delattr(request, name)

    def test_with_header_makes_another_request(self) -> None:
        request = Request("GET", "https://api.x.com/", [("Authorization", "a"), ("authorization", "b")], b"x")
        changed = request.with_header("Authorization", "c")
        assert changed.headers.get_all("authorization") == ["c"]
        assert request.headers.get_all("authorization") == ["a", "b"]
        assert (changed.method, changed.url, changed.body) == (request.method, request.url, request.body)
        assert changed == request.with_checked_header("authorization", "c")

    def test_equal_requests_hash_alike(self) -> None:
        one = Request("GET", "https://api.x.com:443/", {"A": "1"}, b"x")
        assert one == Request("get", "https://API.x.com", Headers({"a": "1"}), b"x")
        assert hash(one) == hash(Request("GET", "https://api.x.com", {"a": "1"}, b"x"))
        assert one != Request("GET", "https://api.x.com/", {"A": "1"}, b"y")
        assert one != "GET https://api.x.com/"

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_a_request_survives_pickle(self, protocol: int) -> None:
        request = Request("POST", "https://api.x.com/?a=%7e", [("a", "1"), ("a", "2")], b"\x00\xff")
        assert pickle.loads(pickle.dumps(request, protocol)) == request
        assert copy.copy(request) == copy.deepcopy(request) == request

    def test_a_request_can_be_matched(self) -> None:
        match Request("GET", "https://api.x.com/a"):
            case Request(method, url, _, body):
                assert (method, url, body) == ("GET", "https://api.x.com/a", b"")

    @pytest.mark.parametrize(
        ("kind", "is_form"),
        [
            (FORM, True),
            (f"{FORM};charset=UTF-8", True),
            (f"{FORM.upper()} ; charset=x", True),
            (JSON, False),
            ("multipart/form-data; boundary=x", False),
            ("", False),
            (None, False),
        ],
    )
    def test_a_form_is_known_by_its_content_type(self, kind: str | None, is_form: bool) -> None:
        headers = {} if kind is None else {"content-type": kind}
        assert Request("POST", "https://api.x.com/", headers).has_form is is_form

    def test_the_repr_masks_header_query_and_body(self) -> None:
        request = Request(
            "POST",
            "https://api.x.com/a?access_token=hunter2&q=cats&oauth_signature=hunter3&state&token=",
            {"authorization": "Bearer hunter4", "accept": "*/*"},
            b"password=hunter5",
        )
        shown = repr(request)
        assert "hunter" not in shown
        assert "a?access_token=***&q=cats&oauth_signature=***&state&token='" in shown
        assert "('accept', '*/*')" in shown
        assert "<16 bytes>" in shown

    def test_the_repr_of_a_plain_request(self) -> None:
        shown = repr(Request("GET", "https://api.x.com/2/users/me"))
        assert shown == "Request('GET', 'https://api.x.com/2/users/me', Headers([]), <0 bytes>)"


class TestResponse:
    def test_the_parts_of_an_answer(self) -> None:
        response = Response(200, [("Content-Type", "Application/JSON; charset=utf-8")], b'{"a":1}')
        assert (response.status, response.media_type, response.text) == (200, "application/json", '{"a":1}')
        assert response.json() == {"a": 1}

    def test_an_answer_without_content_type(self) -> None:
        assert Response(204).media_type == ""

    def test_text_that_is_not_utf_8_is_replaced(self) -> None:
        assert Response(200, (), b"a\xffb").text == "a\ufffdb"

    @pytest.mark.parametrize(
        "body", [b"", b"{", b'{"a":', b"hunter2", b"\xff\xfe\x00", b"[" * 100_000, b"1" * 5000, b"{'a': 1}"]
    )
    def test_what_is_no_json_is_the_peers_fault_and_not_shown(self, body: bytes) -> None:
        with pytest.raises(RemoteProtocolError, match=rf"expected JSON, got {len(body)} bytes") as caught:
            Response(200, {"content-type": "text/html"}, body).json()
        assert "hunter2" not in str(caught.value)
        assert caught.value.__suppress_context__  # the original error carries the document
        assert "text/html" in str(caught.value)

    def test_no_json_and_no_content_type(self) -> None:
        with pytest.raises(RemoteProtocolError, match="no content type, status 503"):
            Response(503).json()

    def test_json_may_come_with_a_byte_order_mark(self) -> None:
        assert Response(200, (), b'\xef\xbb\xbf{"a": 1}').json() == {"a": 1}

    @pytest.mark.parametrize("body", ["text", None, bytearray(b"x")])
    def test_the_body_is_bytes(self, body: object) -> None:
        with pytest.raises(LocalProtocolError, match="body is bytes"):
            Response(200, (), body)  # type: ignore[arg-type]

    def test_a_response_is_immutable(self) -> None:
        with pytest.raises(AttributeError):
            Response(200).status = 201  # type: ignore[misc]

    def test_equal_responses_hash_alike_and_survive_pickle(self) -> None:
        response = Response(200, Headers({"A": "1"}), b"x")
        assert response == Response(200, {"a": "1"}, b"x")
        assert hash(response) == hash(Response(200, {"a": "1"}, b"x"))
        assert pickle.loads(pickle.dumps(response)) == copy.deepcopy(response) == response

    def test_the_repr_shows_neither_body_nor_cookies(self) -> None:
        shown = repr(Response(200, {"set-cookie": "hunter2"}, b'{"access_token":"hunter3"}'))
        assert "hunter" not in shown
        assert shown == "Response(200, Headers([('set-cookie', '***')]), <26 bytes>)"


class TestBuildRequest:
    def test_params_go_to_the_query(self) -> None:
        request = build_request("GET", "https://api.x.com/a", params={"q": "a b", "n": [1, 2]})
        assert request.target == "/a?q=a%20b&n=1&n=2"
        assert request.body == b""
        assert "content-type" not in request.headers

    @pytest.mark.parametrize(
        ("url", "target"),
        [
            ("https://api.x.com/a?b=c", "/a?b=c&d=e"),
            ("https://api.x.com/a?b=c#f?g", "/a?b=c&d=e"),
            ("https://api.x.com/a#f?g", "/a?d=e"),
            ("https://api.x.com", "/?d=e"),
        ],
    )
    def test_params_are_added_to_the_urls_own(self, url: str, target: str) -> None:
        assert build_request("GET", url, params={"d": "e"}).target == target

    @pytest.mark.parametrize("params", [{}, [], {"a": None}, None])
    def test_no_params_change_nothing(self, params: object) -> None:
        assert build_request("GET", "https://api.x.com/a", params=params).target == "/a"  # type: ignore[arg-type]

    def test_a_form_becomes_the_body(self) -> None:
        request = build_request("POST", "https://api.x.com/", form={"status": "a b+c", "x": True})
        assert request.body == b"status=a%20b%2Bc&x=true"
        assert request.headers["content-type"] == FORM

    def test_an_empty_form_is_a_form(self) -> None:
        request = build_request("POST", "https://api.x.com/", form={})
        assert (request.body, request.has_form) == (b"", True)

    @pytest.mark.parametrize(
        ("value", "body"),
        [({"a": [1, None, "é"]}, '{"a":[1,null,"é"]}'), ([], "[]"), (0, "0"), (False, "false"), ("", '""')],
    )
    def test_json_becomes_the_body(self, value: object, body: str) -> None:
        request = build_request("POST", "https://api.x.com/", json=value)
        assert request.body == body.encode()
        assert request.headers["content-type"] == JSON

    def test_bytes_are_the_body_without_a_content_type(self) -> None:
        request = build_request("PUT", "https://api.x.com/", body=b"\x00")
        assert (request.body, "content-type" in request.headers) == (b"\x00", False)

    def test_the_callers_content_type_stays(self) -> None:
        headers = Headers({"Content-Type": "application/problem+json"})
        request = build_request("POST", "https://api.x.com/", json={}, headers=headers)
        assert request.headers.get_all("content-type") == ["application/problem+json"]

    @pytest.mark.parametrize(
        "parts",
        [
            {"form": {}, "json": 1},
            {"form": {}, "body": b""},
            {"json": 1, "body": b""},
            {"form": [], "json": 0, "body": b""},
        ],
    )
    def test_a_request_has_one_body(self, parts: dict[str, object]) -> None:
        with pytest.raises(LocalProtocolError, match="one body"):
            build_request("POST", "https://api.x.com/", **parts)  # type: ignore[arg-type]

    def test_what_json_cannot_say_is_refused_and_not_shown(self) -> None:
        cyclic: list[object] = []
        cyclic.append(cyclic)
        for value in (float("nan"), float("inf"), {"hunter2"}, b"hunter2", object(), cyclic, "hunter2\ud800"):
            with pytest.raises(LocalProtocolError, match="cannot be encoded as JSON") as caught:
                build_request("POST", "https://api.x.com/", json=value)
            assert "hunter2" not in str(caught.value)
            assert caught.value.__suppress_context__

    def test_a_form_is_checked(self) -> None:
        with pytest.raises(InvalidParameter):
            build_request("POST", "https://api.x.com/", form={"a": 1.5})  # type: ignore[dict-item]


def test_a_secret_prints_when_told_to_and_not_by_accident() -> None:
    secret = Secret("hunter2")
    assert repr(secret) == repr([secret])[1:-1] == "Secret('***')"
    assert (str(secret), f"{secret}", secret + "") == ("hunter2", "hunter2", "hunter2")
    assert secret == "hunter2"
    assert hash(secret) == hash("hunter2")
    assert pickle.loads(pickle.dumps(secret)) == secret
    assert type(pickle.loads(pickle.dumps(secret))) is Secret
    assert type(copy.deepcopy(secret)) is Secret


def test_a_status_is_a_number() -> None:
    with pytest.raises(LocalProtocolError, match="status is an int, not str"):
        Response("200")


def test_a_name_that_is_no_header_name_is_not_shown() -> None:
    with pytest.raises(InvalidHeader) as raised:
        Headers({"Bearer planted-secret": "authorization"})
    assert "planted-secret" not in str(raised.value)


@pytest.mark.parametrize("kind", [Headers, Request, Response, Signer, Flow, AwaitingUser])
def test_what_is_half_built_has_a_repr(kind: type) -> None:
    """A traceback with locals shows it; a repr that raised would hide the real error."""
    assert kind.__name__ in repr(object.__new__(kind))
