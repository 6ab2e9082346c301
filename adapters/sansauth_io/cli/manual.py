"""What `--help` says beyond a line. A paragraph that begins with a \\b is shown as it stands."""

from __future__ import annotations

__all__ = [
    "APPS",
    "DOCTOR",
    "EXPLAIN",
    "INVALIDATE_TOKEN",
    "LOGIN",
    "LOGOUT",
    "OVERVIEW",
    "REQUEST",
    "REVERSE_TOKEN",
    "SANDBOX",
    "START",
    "STATUS",
    "TOKEN",
]

OVERVIEW = """\
OAuth for X/Twitter, one core on every transport.

Results go to stdout, everything else to stderr. Credentials come from the environment, never from flags.
"""

START = """\
\b
Environment:
  X_CONSUMER_KEY, X_CONSUMER_SECRET      the application: its API key and secret
  X_ACCESS_TOKEN, X_ACCESS_TOKEN_SECRET  a user of it, by OAuth 1.0a
  X_BEARER_TOKEN                         a bearer token that you have already
  X_CLIENT_ID, X_CLIENT_SECRET           a client of OAuth 2, and its secret

\b
Exit codes:
  0  done
  1  the service or the user refused, or stdout did not take the result
  2  wrong use: a flag, a variable, a port
  3  could not reach the service
  130  Ctrl-C

\b
Try it without an account:
  sansauth demo

\b
With an application of your own, its secret kept out of the shell's history:
  read -r X_CONSUMER_KEY; read -rs X_CONSUMER_SECRET
  export X_CONSUMER_KEY X_CONSUMER_SECRET
  sansauth token

\b
As a user, by OAuth 2:
  read -r X_CLIENT_ID; export X_CLIENT_ID
  sansauth login --account me
  sansauth request GET /2/users/me --account me

The help of a command: sansauth help COMMAND
"""

SANDBOX = """\
\b
Example, in two terminals:
  sansauth sandbox --port 8080
  sansauth token --base-url http://127.0.0.1:8080

The second needs the key and the secret of the printed line, as X_CONSUMER_KEY and X_CONSUMER_SECRET in its environment.
They are new each time.

The clients of OAuth 2 are OAuth2Client(client_id, client_secret), by client_secret_basic, and the public
OAuth2Client(public_client_id). Users may come back to any redirect URI of https, of this machine or of a private
scheme. The base URL is the issuer: Provider.discover(base_url).
"""

TOKEN = """\
Needs X_CONSUMER_KEY and X_CONSUMER_SECRET; with --account what `sansauth help logout` says.

\b
Examples:
  export X_BEARER_TOKEN=$(sansauth token)
  sansauth token --account me
"""

INVALIDATE_TOKEN = """\
Needs X_CONSUMER_KEY and X_CONSUMER_SECRET; signs as the user if X_ACCESS_TOKEN and X_ACCESS_TOKEN_SECRET are set.

\b
Example:
  sansauth token | sansauth invalidate-token -
"""

REVERSE_TOKEN = """\
Needs X_CONSUMER_KEY and X_CONSUMER_SECRET.
"""

REQUEST = """\
\b
Who calls, and the variables that it needs:
  user    X_CONSUMER_KEY, X_CONSUMER_SECRET,
          X_ACCESS_TOKEN, X_ACCESS_TOKEN_SECRET
  bearer  X_BEARER_TOKEN
  app     X_CONSUMER_KEY, X_CONSUMER_SECRET, to fetch its bearer token
  auto    the first that is set; GET and HEAD try bearer, user, app, and the
          other methods user, bearer, app

With --account nothing of this: a stored account calls, by its own tokens, which are refreshed when they are due. It
needs what `sansauth help logout` says.

\b
Examples:
  sansauth request GET /2/users/me --as user
  sansauth request GET /2/users/me --account me
  sansauth request GET /1.1/followers/ids.json --param count=5
  sansauth request POST /2/tweets --json '{"text": "Hello"}'
"""

EXPLAIN = """\
\b
Exit codes: 0 laid out, or the signature that was received is right; 1 it is
wrong; 2 wrong use. Nothing is sent, and no secret is shown.

\b
Who signs, and the variables that it needs:
  user    X_CONSUMER_KEY, X_CONSUMER_SECRET,
          X_ACCESS_TOKEN, X_ACCESS_TOKEN_SECRET
  app     X_CONSUMER_KEY, X_CONSUMER_SECRET
  auto    user if it is set, else app

\b
Examples:
  sansauth explain POST /1.1/statuses/update.json --form status='Hello you'
  sansauth explain GET /2/users/me --header 'Authorization: OAuth oauth_...'
  sansauth explain --curl - --format html --output why.html < command.txt
"""

LOGIN = """\
Needs X_CLIENT_ID, and of a confidential client X_CLIENT_SECRET: OAuth 2's, which are not the API key and secret. With
--oauth1 it needs X_CONSUMER_KEY and X_CONSUMER_SECRET.

Register the redirect URI with the application, character by character as it stands above. Port 0 takes a free one,
for services that allow any.

A login replaces the tokens that are stored for the same account. Without offline.access among the scopes X gives no
refresh token, and the login ends after two hours.

\b
Exit codes: 0 logged in; 1 the user said no, took too long, or the service
refused; 2 wrong use; 3 could not reach the service; 130 Ctrl-C.

\b
Examples:
  sansauth login --account me
  sansauth login --scope 'tweet.read tweet.write users.read offline.access'
  sansauth login --paste --no-browser
"""

LOGOUT = """\
An account is found by its name and by the service, which --base-url says. Its client is X_CLIENT_ID; without that, the
client that the store knows. A confidential client needs X_CLIENT_SECRET, too.

\b
Example:
  sansauth logout --account me
"""

STATUS = """\
\b
With --json a list; of each account: account, client_id, service (its token
endpoint), scopes, expires_at and dead_since (Unix seconds), refreshable,
dead_reason, and trouble with a record that cannot be read. null where there
is nothing to say.

\b
Example:
  sansauth status --json | jq -r '.[] | select(.dead_since) | .account'
"""

APPS = """\
With --json a list; of each application: client_id or consumer_key, service, and for how many accounts.
"""

DOCTOR = """\
\b
Each line is ok, a warning or a problem. Exit codes: 0 no problem, 1 one or
more. With --json an object: ok, and checks, each with name, level and words.

\b
Example:
  sansauth doctor --base-url http://127.0.0.1:8080
"""
