"""What `--help` says beyond a line. A paragraph that begins with a \\b is shown as it stands."""

from __future__ import annotations

__all__ = ["EXPLAIN", "INVALIDATE_TOKEN", "OVERVIEW", "REQUEST", "REVERSE_TOKEN", "SANDBOX", "START", "TOKEN"]

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

\b
Exit codes:
  0  done
  1  the service refused, or stdout did not take the result
  2  wrong use: a flag, a variable, a port
  3  could not reach the service

\b
Try it without an account:
  sansauth demo

\b
With an application of your own, its secret kept out of the shell's history:
  read -r X_CONSUMER_KEY; read -rs X_CONSUMER_SECRET
  export X_CONSUMER_KEY X_CONSUMER_SECRET
  sansauth token

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
Needs X_CONSUMER_KEY and X_CONSUMER_SECRET.

\b
Example:
  export X_BEARER_TOKEN=$(sansauth token)
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

\b
Examples:
  sansauth request GET /2/users/me --as user
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
