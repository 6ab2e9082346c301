"""Why a signature is refused: what is signed, laid out, and what a received signature was made of instead.

From the bottom: `authorization` and `curl` read what somebody pasted, `carried` says which parameters a request
carries and where, `drafts` signs as a client with a mistake would, `mistakes` is the table of those mistakes,
`diagnosis` searches it, `checks` finds what shows without guessing, `explanation` holds the result.
"""
