"""What differs between the vendors around an answer: error bodies, header names, where the credential stands."""

from typing import Literal
from urllib.parse import parse_qs

from beyond_gateway.mock.frames import Json

Vendor = Literal["openai", "anthropic"]
Headers = list[tuple[str, str]]

_OPENAI_TYPES = {429: "requests", 500: "server_error", 502: "server_error", 503: "server_error", 504: "server_error"}
_OPENAI_CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}
_ANTHROPIC_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def error_body(vendor: Vendor, status: int, message: str, request_id: str) -> Json:
    """Return the vendor's own error object for this status."""
    server_side = status >= 500
    if vendor == "anthropic":
        kind = _ANTHROPIC_TYPES.get(status, "api_error" if server_side else "invalid_request_error")
        return {"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id}
    kind = _OPENAI_TYPES.get(status, "server_error" if server_side else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": _OPENAI_CODES.get(status)}}


def error_message(status: int) -> str:
    """Return a plausible sentence for an error that was asked for."""
    if status == 429:
        return "Rate limit reached for requests."
    if status == 529:
        return "Overloaded"
    return f"The mock provider was asked for status {status}."


def missing_key_message(vendor: Vendor) -> str:
    """Return what the vendor says to a request without a credential."""
    if vendor == "anthropic":
        return "x-api-key header is required"
    return "You didn't provide an API key. Send it in an Authorization header: Authorization: Bearer YOUR_KEY."


def answer_headers(vendor: Vendor, request_id: str) -> Headers:
    """Request id and rate-limit headers, which SDKs and users read."""
    if vendor == "anthropic":
        limits = {"requests-limit": "1000", "requests-remaining": "999", "tokens-limit": "80000"}
        return [("request-id", request_id)] + [(f"anthropic-ratelimit-{name}", value) for name, value in limits.items()]
    limits = {"limit-requests": "1000", "remaining-requests": "999", "reset-requests": "60ms", "limit-tokens": "80000"}
    return [
        ("x-request-id", request_id),
        ("openai-processing-ms", "1"),
        *((f"x-ratelimit-{name}", value) for name, value in limits.items()),
    ]


def credential(headers: dict[str, str], query: str) -> str:
    """Return the credential as it arrived, empty when there is none; `headers` has lower-case names."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    for name in ("x-api-key", "api-key", "x-goog-api-key"):
        if value := headers.get(name, "").strip():
            return value
    return parse_qs(query).get("key", [""])[0]
