"""Published OAuth 1.0a signatures, each recomputed: X's documents, RFC 5849, OAuth Core 1.0, oauthlib's own tests.

Where a vector's parameters went into a query or into a form was the source's choice; the signature is the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Vector:
    """The inputs of one signature and the signature; parameters are decoded, `protocol` without the prefix `oauth_`."""

    name: str
    method: str
    url: str
    consumer: tuple[str, str]
    nonce: str
    timestamp: str
    signature: str
    parameters: Pairs = ()
    token: tuple[str, str] | None = None
    hash: str = "HMAC-SHA1"
    version: str | None = "1.0"
    extra: dict[str, str] = field(default_factory=dict)
    base_string: str | None = None

    def __str__(self) -> str:
        return self.name


# X, "Creating a signature" and "Authorizing a request"
_STATUS_PARAMETERS = (("include_entities", "true"), ("status", "Hello Ladies + Gentlemen, a signed OAuth request!"))
_STATUS_CONSUMER = ("xvz1evFS4wEEPTGEFPHBog", "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw")
_STATUS_TOKEN = (
    "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb",
    "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
)
_STATUS_NONCE = "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg"


def _status(name: str, url: str, signature: str, base_string: str | None = None) -> Vector:
    return Vector(
        name, "POST", url, _STATUS_CONSUMER, _STATUS_NONCE, "1318622958", signature,
        _STATUS_PARAMETERS, _STATUS_TOKEN, base_string=base_string,
    )  # fmt: skip


# X, "Log in with X"
_LOGIN_CONSUMER = ("cChZNFj6T5R0TigYB9yd1w", "L8qq9PZyRg6ieKGEKhZolGC0vJWLw8iEJ88DRdyOg")
_LOGIN_TOKEN = ("NPcudxy0yU5T3tBzho7iCotZ3cnetKwcTIRlX0iwRl0", "veNRnAWe6inFuo8o2u8SLLZLjolYDmDP7SzL0YfYI")
_LOGIN_VERIFIER = (("oauth_verifier", "uw7NjWHT6OJ1MpJOXsHfNxoAhPKpgI8BlYDhxEjIBY"),)
_LOGIN_CALLBACK = {"oauth_callback": "http://localhost/sign-in-with-twitter/"}


def _login_request(name: str, host: str, signature: str) -> Vector:
    return Vector(
        name, "POST", f"https://{host}/oauth/request_token", _LOGIN_CONSUMER, "ea9ec8429b68d6b77cd5600adbbb0456",
        "1318467427", signature, extra=_LOGIN_CALLBACK,
    )  # fmt: skip


def _login_access(name: str, host: str, signature: str) -> Vector:
    return Vector(
        name, "POST", f"https://{host}/oauth/access_token", _LOGIN_CONSUMER, "a9900fe68e2573b27a37f10fbad6a755",
        "1318467427", signature, _LOGIN_VERIFIER, _LOGIN_TOKEN,
    )  # fmt: skip


# RFC 5849 section 1.2 and OAuth Core 1.0 appendix A
_PHOTOS_CONSUMER = ("dpf43f3p2l4k3l03", "kd94hf93k423kf44")
_PHOTOS_TOKEN = ("nnch734d00sl2jdk", "pfkkdhi9sl3r4s00")
_PHOTOS = (("file", "vacation.jpg"), ("size", "original"))

# RFC 5849 section 3.4.1.1
_RFC = (("b5", "=%3D"), ("a3", "a"), ("c@", ""), ("a2", "r b"), ("c2", ""), ("a3", "2 q"))
_RFC_SECRETS = ("j49sk3j29djd", "dh893hdasih9")
_OAUTHLIB_SECRETS = ("ECrDNoq1VYzzzzzzzzzyAK7TwZNtPnkqatqZZZZ", "just-a-string    asdasd")
RFC_BASE_STRING = (
    "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2"
    "%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26"
    "oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
)


def _rfc(name: str, secrets: tuple[str, str], signature: str, hash: str = "HMAC-SHA1") -> Vector:
    return Vector(
        name, "POST", "http://example.com/request", ("9djdj82h48djs9d2", secrets[0]), "7d8f3e4a", "137131201",
        signature, _RFC, ("kkk9d7dh3k39sjv7", secrets[1]), hash, version=None,
        base_string=RFC_BASE_STRING.replace("HMAC-SHA1", hash),
    )  # fmt: skip


# oauthlib, tests/oauth1/rfc5849/test_client.py; requests-oauthlib, tests/test_oauth1_session.py
_CLIENT = ("client_key", "")
_CLIENT_NONCE = "14205877133089081931378988215"

VECTORS = [
    _status(
        "x-status-x.com",
        "https://api.x.com/1.1/statuses/update.json",
        "Ls93hJiZbQ3akF3HF3x1Bz8/zU4=",
        "POST&https%3A%2F%2Fapi.x.com%2F1.1%2Fstatuses%2Fupdate.json&include_entities%3Dtrue%26oauth_consumer_key%3D"
        "xvz1evFS4wEEPTGEFPHBog%26oauth_nonce%3DkYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg%26oauth_signature_method%3D"
        "HMAC-SHA1%26oauth_timestamp%3D1318622958%26oauth_token%3D370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb%26"
        "oauth_version%3D1.0%26status%3DHello%2520Ladies%2520%252B%2520Gentlemen%252C%2520a%2520signed%2520OAuth%2520"
        "request%2521",
    ),
    _status("x-status-1.1", "https://api.twitter.com/1.1/statuses/update.json", "hCtSmYh+iHYCEqBWrE7C7hYmtUk="),
    _status("x-status-1", "https://api.twitter.com/1/statuses/update.json", "tnnArxj06cWHq44gCs1OSKk/jLY="),
    _login_request("login-rt", "api.twitter.com", "F1Li3tvehgcraF8DMJ7OyxO4w9Y="),
    _login_request("login-rt-x.com", "api.x.com", "X9xhcB9d+NxXd/ThJ/n51vPhetM="),
    _login_access("login-at", "api.twitter.com", "39cipBtIOHEEnybAR4sATQTpl2I="),
    _login_access("login-at-x.com", "api.x.com", "G3DdousFWwxEepaZcmHguKqeBvs="),
    Vector(
        "reverse-step1",
        "POST",
        "https://api.twitter.com/oauth/request_token",
        ("JP3PyvG67rXRsnayOJOcQ", "ydC2yUbFaScbSlykO0PmrMjXFeLraSi3Q2HfTOlGxQM"),
        "1B7D865D-9E15-4ADD-8165-EF90D7A7D3D2",
        "1322697052",
        "03EyxBdr6bwBAx8M0Qq0R0F8CKY=",
        (("x_auth_mode", "reverse_auth"),),
        base_string=(
            "POST&https%3A%2F%2Fapi.twitter.com%2Foauth%2Frequest_token&oauth_consumer_key%3DJP3PyvG67rXRsnayOJOcQ%26"
            "oauth_nonce%3D1B7D865D-9E15-4ADD-8165-EF90D7A7D3D2%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp"
            "%3D1322697052%26oauth_version%3D1.0%26x_auth_mode%3Dreverse_auth"
        ),
    ),
    Vector(
        "xauth",
        "POST",
        "https://api.twitter.com/oauth/access_token",
        ("JvyS7DO2qd6NNTsXJ4E7zA", "9z6157pUbOBqtbm0A0q4r29Y2EYzIHlUwbF4Cl9c"),
        "6AN2dKRzxyGhmIXUKSmp1JcB4pckM8rD3frKMTmVAo",
        "1284565601",
        "1L1oXQmawZAkQ47FHLwcOV+kjwc=",
        (("x_auth_mode", "client_auth"), ("x_auth_password", "twitter-xauth"), ("x_auth_username", "oauth_test_exec")),
    ),
    Vector(
        "core-photos",
        "GET",
        "http://photos.example.net/photos",
        _PHOTOS_CONSUMER,
        "kllo9940pd9333jh",
        "1191242096",
        "tR3+Ty81lMeYAr/Fid0kMTYa/WM=",
        _PHOTOS,
        _PHOTOS_TOKEN,
        base_string=(
            "GET&http%3A%2F%2Fphotos.example.net%2Fphotos&file%3Dvacation.jpg%26oauth_consumer_key%3Ddpf43f3p2l4k3l03%26"
            "oauth_nonce%3Dkllo9940pd9333jh%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D1191242096%26"
            "oauth_token%3Dnnch734d00sl2jdk%26oauth_version%3D1.0%26size%3Doriginal"
        ),
    ),
    Vector(
        "rfc-1.2-initiate",
        "POST",
        "https://photos.example.net/initiate",
        _PHOTOS_CONSUMER,
        "wIjqoS",
        "137131200",
        "74KNZJeDHnMBp0EMJ9ZHt/XKycU=",
        version=None,
        extra={"oauth_callback": "http://printer.example.com/ready"},
    ),
    Vector(
        "rfc-1.2-token",
        "POST",
        "https://photos.example.net/token",
        _PHOTOS_CONSUMER,
        "walatlh",
        "137131201",
        "gKgrFCywp7rO0OXSjdot/IHF7IU=",
        token=("hh5s93j4hdidpola", "hdhd0244k9j7ao03"),
        version=None,
        extra={"oauth_verifier": "hfdp7dh39dks9884"},
    ),
    Vector(
        "rfc-1.2-photos",
        "GET",
        "http://photos.example.net/photos",
        _PHOTOS_CONSUMER,
        "chapoH",
        "137131202",
        "MdpQcU8iPSUjWoN/UDMsK2sui9I=",
        _PHOTOS,
        _PHOTOS_TOKEN,
        version=None,
    ),
    _rfc("rfc-3.4", _RFC_SECRETS, "r6/TJjbCOr97/+UU0NsvSne7s5g="),
    _rfc("rfc-3.4-256", _RFC_SECRETS, "ypAxjNip++Dm0fTM+gCl8wAo6ufSnseu1WHxL7py3BU=", "HMAC-SHA256"),
    _rfc("ol-sig-sha1", _OAUTHLIB_SECRETS, "wsdNmjGB7lvis0UJuPAmjvX/PXw="),
    Vector("ol-client-sha1", "GET", "http://example.com", _CLIENT, "abc", "1234567890", "hH5BWYVqo7QI4EmPBUUe9owRUUQ="),
    Vector(
        "ol-client-sha256",
        "GET",
        "http://example.com",
        _CLIENT,
        "abc",
        "1234567890",
        "JzgJWBxX664OiMW3WE4MEjtYwOjI/paUWHqtdHe68Es=",
        hash="HMAC-SHA256",
    ),
    Vector(
        "ol-body",
        "POST",
        "http://i.b/path",
        _CLIENT,
        _CLIENT_NONCE,
        "1378988215",
        "2JAQomgbShqoscqKWBiYQZwWq94=",
        (("a", "b"),),
    ),
    Vector(
        "ol-nobody", "POST", "http://i.b/path", _CLIENT, _CLIENT_NONCE, "1378988215", "08G5Snvw+gDAzBF+CmT5KqlrPKo="
    ),
    Vector(
        "ol-cjk",
        "POST",
        "http://i.b/path",
        _CLIENT,
        "abc",
        "abc",
        "yrtSqp88m/c5UDaucI8BXK4oEtk=",
        (("status", "啦啦"),),
    ),
    Vector(
        "ol-latin",
        "POST",
        "http://i.b/path",
        _CLIENT,
        "abc",
        "abc",
        "oG5t3Eg/XO5FfQgUUlTtUeeZzvk=",
        (("status", "æåø"),),
    ),
]

# oauthlib keeps the method's name HMAC-SHA1 inside these base strings, so they are signatures of a text, not of a
# request: base string, consumer secret, token secret, method, signature.
TEXT_VECTORS = [
    ("bs", "cs", "", "HMAC-SHA1", "egQqG5AJep5sJ7anhXju1unge2I="),
    ("bs", "cs", "ts", "HMAC-SHA1", "VZVjXceV7JgPq/dOTnNmEfO0Fv8="),
    (RFC_BASE_STRING, *_OAUTHLIB_SECRETS, "HMAC-SHA1", "wsdNmjGB7lvis0UJuPAmjvX/PXw="),
    (RFC_BASE_STRING, *_OAUTHLIB_SECRETS, "HMAC-SHA256", "wdfdHUKXHbOnOGZP8WFAWMSAmWzN3EVBWWgXGlC/Eo4="),
    (
        RFC_BASE_STRING,
        *_OAUTHLIB_SECRETS,
        "HMAC-SHA512",
        "u/vlyZFDxOWOZ9UUXwRBJHvq8/T4jCA74ocRmn2ECnjUBTAeJiZIRU8hDTjS88Tz1fGONffMpdZxUkUTW3k1kg==",
    ),
]
