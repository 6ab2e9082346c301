"""An explanation as one HTML page that needs nothing else: inline style, no scripts, no requests."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import TYPE_CHECKING

from sansauth.oauth1.explaining.facts import (
    about,
    header_lines,
    header_title,
    key_rows,
    parameter_lines,
    request_rows,
    signature_rows,
    visible,
)

if TYPE_CHECKING:
    from sansauth.oauth1.explaining.explanation import Explanation, Finding, Parameter

__all__ = ["render_page"]

STYLE = """
:root { color-scheme: light dark; --paper: #fbfbf9; --card: #fff; --ink: #1d2430; --faint: #5d6776; --line: #dfe3e8;
  --header: #0b6b7a; --query: #8a5300; --form: #8b2f80; --good: #17693a; --bad: #b3261e; --wash: #f3f4f6; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171c; --card: #1b1f26; --ink: #e4e8ee; --faint: #97a3b3;
  --line: #313842; --header: #63cbdc; --query: #e8b264; --form: #e39ad9; --good: #6fd39a; --bad: #ff8a80;
  --wash: #22272f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 1rem; }
h1.good { color: var(--good); } h1.bad { color: var(--bad); }
h2 { font-size: 1.05rem; margin: 2.25rem 0 .6rem; }
code, .code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .84rem; overflow-wrap: anywhere; }
.finding { background: var(--card); border: 1px solid var(--line); border-left: 5px solid var(--faint);
  border-radius: 6px; padding: .9rem 1.1rem; margin: 0 0 .8rem; }
.finding.certain { border-left-color: var(--bad); }
.finding p { margin: 0; } .finding .cause { font-weight: 600; font-size: 1.08rem; }
.finding .about { color: var(--faint); font-size: .85rem; margin: .1rem 0 .5rem; }
.card, table { background: var(--card); border: 1px solid var(--line); border-radius: 6px; width: 100%; }
.card { padding: .8rem 1rem; margin: 0; }
table { border-collapse: separate; border-spacing: 0; table-layout: fixed; }
th, td { text-align: left; vertical-align: top; padding: .38rem .7rem; border-top: 1px solid var(--line);
  overflow-wrap: anywhere; }
tr:first-child > * { border-top: 0; }
thead th { color: var(--faint); font-size: .82rem; font-weight: 600; }
.facts th { width: 12rem; color: var(--faint); font-weight: 500; }
.number { width: 2.8rem; } .from { width: 5.4rem; } .name { width: 25%; } .value { width: 28%; }
.header { color: var(--header); } .query { color: var(--query); } .form { color: var(--form); }
td.number, td.from { font-size: .84rem; } td.from { font-weight: 600; overflow-wrap: normal; }
.base span { display: block; padding: .05rem .3rem; border-radius: 3px; }
.base .part { color: var(--faint); font: .82rem system-ui, sans-serif; padding-top: .5rem; }
.base .part:first-child { padding-top: 0; }
.good { color: var(--good); } .bad { color: var(--bad); }
@media (max-width: 40rem) { .rows thead { display: none; } .rows tr, .rows td { display: block; width: auto; }
  .rows tr { border-top: 1px solid var(--line); padding: .4rem 0; } .rows td { border: 0; padding: .05rem .7rem; }
  .rows td.number { display: none; } .facts th { width: 8.5rem; } }
ul { margin: 0; padding-left: 1.2rem; } footer { color: var(--faint); font-size: .85rem; margin-top: 2.5rem; }
""".strip()

POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def render_page(explanation: Explanation) -> str:
    """The whole document, in UTF-8 when it is saved."""
    kind = {None: "", True: ' class="good"', False: ' class="bad"'}[explanation.matches]
    body = [
        f"<h1{kind}>{_text(explanation.verdict)}</h1>",
        *map(_finding, explanation.findings),
        _section("Request", _facts(request_rows(explanation))),
        _section("Parameters, as they are sorted and signed", _parameters(explanation.parameters)),
        _section("Not signed", _facts([(part.what, part.why) for part in explanation.not_signed])),
        _section(f"Base string, {len(explanation.base_string)} characters", _base_string(explanation)),
        _section("Key", _facts(key_rows(explanation))),
        _section("Signature", _facts(signature_rows(explanation))),
        _section(header_title(explanation), _header(explanation)),
        _section("What is right", _list(explanation.right)),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{_text(explanation.verdict)}</title>\n<style>\n{STYLE}\n</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(filter(None, body))
        + "\n<footer>Secrets are masked as ***. Explained by sansauth.</footer>\n</main>\n</body>\n</html>\n"
    )


def _text(text: str) -> str:
    return html.escape(visible(text))


def _section(title: str, content: str) -> str:
    return f"<section>\n<h2>{_text(title)}</h2>\n{content}\n</section>" if content else ""


def _finding(finding: Finding) -> str:
    kind = "finding certain" if finding.certain else "finding"
    return (
        f'<div class="{kind}">\n<p class="cause">{_text(finding.cause)}</p>\n'
        f'<p class="about">{_text(about(finding))}</p>\n<p>{_text(finding.advice)}</p>\n</div>'
    )


def _facts(rows: Iterable[tuple[str, ...]]) -> str:
    """A table of label and text; a third entry of a row is its class."""
    cells = [
        f'<tr><th scope="row">{_text(label)}</th><td class="{" ".join(["code", *kind])}">{_text(text)}</td></tr>'
        for label, text, *kind in rows
    ]
    return '<table class="facts">\n' + "\n".join(cells) + "\n</table>" if cells else ""


def _parameters(parameters: tuple[Parameter, ...]) -> str:
    rows = [
        f'<tr><td class="number">{parameter.position}</td>'
        f'<td class="from {parameter.source}">{parameter.source}</td>'
        f'<td class="code {parameter.source}">{_text(parameter.name)}</td>'
        f'<td class="code">{_text(parameter.value)}</td>'
        f'<td class="code">{_text(parameter.encoded_name)}={_text(parameter.encoded_value)}</td></tr>'
        for parameter in parameters
    ]
    if not rows:
        return ""
    head = (
        '<thead><tr><th scope="col" class="number">#</th><th scope="col" class="from">from</th>'
        '<th scope="col" class="name">name</th><th scope="col" class="value">value</th>'
        '<th scope="col">encoded</th></tr></thead>'
    )
    return f'<table class="rows">\n{head}\n<tbody>\n' + "\n".join(rows) + "\n</tbody>\n</table>"


def _base_string(explanation: Explanation) -> str:
    method, uri, _ = explanation.base_string_parts
    spans = "".join(f'<span class="{source}">{_text(line)}</span>' for source, line in parameter_lines(explanation))
    return (
        '<div class="card base code">'
        f'<span class="part">the method</span><span>{_text(method)}</span>'
        f'<span class="part">the base URI, encoded</span><span>&amp;{_text(uri)}</span>'
        f'<span class="part">the parameters, joined and encoded once more</span>{spans}</div>'
    )


def _header(explanation: Explanation) -> str:
    spans = "".join(f"<span>{_text(line)}</span>" for line in header_lines(explanation))
    return f'<div class="card base code">{spans}</div>' if spans else ""


def _list(lines: tuple[str, ...]) -> str:
    return "<ul>\n" + "\n".join(f"<li>{_text(line)}</li>" for line in lines) + "\n</ul>" if lines else ""
