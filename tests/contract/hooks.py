"""A check that schemathesis does not bring: see tests/contract/schemathesis.toml."""

import schemathesis
from schemathesis.specs.openapi.checks import negative_data_rejection


def is_blank(value):
    return value is None or value == ""


def is_as_described(body):
    """Whether a body has the shape that the document describes, be its data right or wrong.

    docs/api.md, Envelope, has the others: fields without `data`, and without `action` the function's first. What is
    blank is absent, and a `uniIdToken` that is no text is none: the credential in the header decides.
    """
    if not isinstance(body, dict):
        return True
    data = body.get("data")
    if is_blank(body.get("action")) or is_blank(data) or not isinstance(body.get("uniIdToken", ""), str):
        return False
    return not (isinstance(data, dict) and any(is_blank(value) for value in data.values()))


@schemathesis.check
def wrong_data_is_refused(ctx, response, case):
    """What the document does not allow is refused."""
    return negative_data_rejection(ctx, response, case) if is_as_described(case.body) else None
