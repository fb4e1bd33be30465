"""Why a connection failed, in few words, made from the kind of error and never from text that the far side chose."""

from __future__ import annotations

import os
import socket
import ssl


def reason(error: Exception) -> str:
    """Return what happened, without an address: callers have said which, and event loops word theirs differently."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError):
        return (error.reason or "TLS failed").replace("_", " ").lower()
    if isinstance(error, socket.gaierror):
        return "the name does not resolve"
    if isinstance(error, TimeoutError):
        return "no answer"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return type(error).__name__
