"""The core does no I/O: it opens nothing while it works, and imports nothing that could."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import sansauth

CORE = Path(sansauth.__file__).parent
TESTING = CORE / "testing"
SOURCES = [path for path in sorted(CORE.rglob("*.py")) if TESTING not in path.parents]
MODULES = [
    ".".join(("sansauth", *path.relative_to(CORE).with_suffix("").parts)).removesuffix(".__init__") for path in SOURCES
]

# What reads a clock, finds entropy, reaches the machine, or brings a socket along.
FORBIDDEN = {
    "anyio",
    "asyncio",
    "concurrent",
    "email",
    "ftplib",
    "getpass",
    "glob",
    "h11",
    "http.client",
    "http.cookiejar",
    "http.server",
    "httpcore",
    "httpx",
    "httpx2",
    "io",
    "logging",
    "multiprocessing",
    "os",
    "pathlib",
    "platform",
    "queue",
    "random",
    "requests",
    "sched",
    "secrets",
    "select",
    "selectors",
    "shutil",
    "signal",
    "smtplib",
    "socket",
    "socketserver",
    "sqlite3",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "trio",
    "urllib.request",
    "urllib3",
    "uuid",
    "webbrowser",
    "xml",
}
# Of these, the standard library itself may load some (`os`, `io`, `time`, `threading`), so absence proves nothing.
NEVER_LOADED = {
    "anyio",
    "asyncio",
    "concurrent.futures",
    "email",
    "email.utils",
    "h11",
    "http.client",
    "httpcore",
    "httpx",
    "httpx2",
    "logging",
    "multiprocessing",
    "oauthlib",
    "queue",
    "random",
    "requests",
    "sansauth_io",
    "secrets",
    "select",
    "selectors",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "tempfile",
    "trio",
    "urllib.request",
    "urllib3",
    "uuid",
    "xml",
}


def run_python(code: str) -> str:
    """Run code in a fresh interpreter that nobody measures; its standard output."""
    # A coverage tool that starts itself there opens files and imports modules of its own.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE", "COV_"))}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def imported_names(path: Path) -> set[str]:
    """Every module that a file imports, at whatever place."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            module = node.module or ""
            names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(CORE)))
def test_no_file_of_the_core_imports_what_reaches_the_world(path: Path) -> None:
    found = {name for name in imported_names(path) for part in FORBIDDEN if name == part or name.startswith(f"{part}.")}
    assert found == set()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(CORE)))
def test_no_file_of_the_core_opens_prints_or_runs(path: Path) -> None:
    called = {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert called.isdisjoint({"open", "print", "input", "eval", "exec", "compile", "breakpoint", "__import__"})


def test_importing_the_whole_core_loads_no_socket_no_thread_pool_and_no_transport() -> None:
    code = f"""
import sys
before = set(sys.modules)
for name in {MODULES!r}:
    __import__(name)
print(*sorted(set(sys.modules) - before))
"""
    loaded = set(run_python(code).split())
    assert set(MODULES) <= loaded
    assert loaded.isdisjoint(NEVER_LOADED)


# Everything the core can do, once; `{name}` is filled in by nobody: this runs as it stands.
EXERCISE = """
import pickle
from sansauth import App, Bearer, Env, Flow, Load, OAuth1User, Request, Response, Save, State, build_request, errors
from sansauth.call import call
from sansauth.effects import Exclusive, Stored
from sansauth.lifecycle import forget_app_bearer
from sansauth.oauth1 import base_string, sign
from sansauth.refusal import read_refusal
from sansauth.x import X, invalidate_token, reverse_token, token

env = Env(clock=lambda: 1318622958.0, entropy=bytes)
app = App("CK", "CS")
user = OAuth1User(app, "t", "s")
json = {"content-type": "application/json"}


def after(operation, *responses):
    flow, records, answers = Flow(operation), {}, list(responses)
    while flow.state is State.WAITING:
        match flow.effect:
            case Load(key):
                flow.resume(records.get(key))
            case Save(key, data, expected):
                records[key] = Stored(data, (expected or 0) + 1)
                flow.resume((expected or 0) + 1)
            case _:
                flow.receive(answers.pop(0))
    assert not answers
    return flow.result


issued = Response(200, json, b'{"token_type":"bearer","access_token":"AAAA%2F"}')
assert after(token(app), issued) == "AAAA%2F"
assert after(token(app, provider=X.at("http://[::1]:8080")), issued) == "AAAA%2F"
assert after(invalidate_token(app, "AAAA%2F"), issued) == "AAAA%2F"
assert after(invalidate_token(user, "AAAA%2F", env=env), issued) == "AAAA%2F"
assert after(reverse_token(app, env=env), Response(200, (), b"OAuth a=b")) == "OAuth a=b"

post = build_request("POST", "https://api.x.com/a?q=\\u00e9", params={"a": [1, True, None]}, form={"s": "a b~!*'()"})
for method in ("HMAC-SHA1", "HMAC-SHA256", "HMAC-SHA512"):
    sign(post, user, timestamp=1, nonce="n", method=method)
base_string(Request("GET", "http://[2001:db8::1]:8080/\\u00e9|"), app, timestamp=1, nonce="n")
build_request("POST", "https://api.x.com/", json={"a": 1})
pickle.loads(pickle.dumps(post))

assert after(call(post, user, provider=X, env=env), Response(204)).status == 204
late = Response(401, {**json, "date": "Sun, 06 Nov 2011 08:49:37 GMT"}, b'{"errors":[{"code":135,"message":"late"}]}')
assert after(call(post, user, provider=X, env=env), late, Response(204)).status == 204
assert after(call(post, Bearer("b"), provider=X, env=env), Response(204)).status == 204

flow = Flow(call(post, app, provider=X, env=env))
flow.resume(None)
assert isinstance(flow.effect, Exclusive)
body = flow.body()
body.resume(None)
body.receive(issued)
body.resume(1)
flow.resume(body.result)
flow.receive(Response(401, json, b'{"errors":[{"code":89,"message":"gone"}]}'))
flow.resume(Stored(b'{"schema":1,"kind":"app-token","access_token":"new"}', 2))
flow.receive(Response(200))
assert flow.result.status == 200
repr(flow)

flow = Flow(forget_app_bearer(app, X, "new"))
body = flow.body()
body.resume(Stored(b'{"schema":1,"kind":"app-token","access_token":"new"}', 2))
body.close()
flow.close()

for status in (200, 302, 400, 401, 403, 404, 429, 500, 503):
    for content in (b"", b"{", b"null", b"[1]", b'"x"', b"<errors><error code='89'>x</error>", b"<title>x", b"caf\\xe9",
                    b'{"errors":[{"code":99,"message":"x"}]}', b'{"type":"https://x/problems/y","title":"z"}'):
        for kind in ("application/json", "text/html", "text/plain; charset=latin-1", "application/xml"):
            headers = {"content-type": kind, "x-rate-limit-limit": "1", "x-transaction": "id"}
            str(read_refusal(Response(status, headers, content), X, request=post))

for url in ("http://evil.test\\\\@api.x.com/", "https://[::x]/", "", "https://a:99999/"):
    try:
        Request("GET", url)
    except errors.InvalidURL:
        pass
    else:
        raise AssertionError(url)
"""


def test_the_core_opens_nothing_while_it_works() -> None:
    """Not a file, not a socket, not a process; not even a module is looked for once all are imported."""
    code = f"""
import sys
for name in {MODULES!r}:
    __import__(name)
import encodings.latin_1, encodings.utf_8_sig, ipaddress, pickle  # loaded on first use
code = compile({EXERCISE!r}, "exercise", "exec")
events = []
# What is no I/O: pickle announces its classes, and exec and compile themselves.
harmless = ("import", "exec", "compile", "pickle.find_class", "object.__", "sys._getframe", "marshal.", "builtins.id")
sys.addaudithook(lambda event, args: events.append((event, str(args)[:200])))
exec(code, {{"__name__": "exercise"}})
seen = [event for event in events if not event[0].startswith(harmless)]
assert not seen, seen
print("done", len(events))
"""
    assert run_python(code).startswith("done")


def test_the_hook_sees_what_it_must() -> None:
    """The test above can fail."""
    code = """
import sys, socket
events = []
sys.addaudithook(lambda event, args: events.append(event))
open("/dev/null").close()
socket.socket().close()
print(*events)
"""
    assert {"open", "socket.__new__"} <= set(run_python(code).split())
