"""`keygen`, `mint` and `inspect`: an operator's signing keys and the managed keys signed with them.

A private key comes from a 0600 file or from standard input and a managed key likewise, never from argv, which every
user of the machine can read. The gateway itself needs none of this: it holds public keys only.
"""

import os
import stat
import sys
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import msgspec
from nacl.signing import VerifyKey

from beyond_gateway import managed_key
from beyond_gateway.config_load import load
from beyond_gateway.errors import OperatorError
from beyond_gateway.managed_key import Identity

# Longer than any key file or managed key; the rest of a file given by mistake is not read.
_MOST_BYTES = 4096


def keygen(kid: int, out: Path | None, *, as_json: bool) -> int:
    """Write a new private key file, 0600, and print the public key as lines for config.toml.

    Refuses, with OperatorError, to overwrite: that would orphan every key signed with the old one.
    """
    path = out or Path(f"beyond-ai-{kid}.key")
    seed = os.urandom(32)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(b64encode(seed) + b"\n")
    except FileExistsError:
        raise OperatorError(f"{path}: exists and is not overwritten; give another name with --out") from None
    except OSError as error:
        raise OperatorError(f"{path}: cannot be written: {error.strerror}") from None
    public = b64encode(managed_key.signing_key(seed).verify_key.encode()).decode()
    if as_json:
        _print_json({"kid": kid, "public_key": public, "key_file": str(path)})
        return 0
    print(f'[signing_keys]\n{kid} = "{public}"')
    _hint(f"private key: {path}, mode 0600; it signs managed keys, no gateway needs it")
    _hint("next: paste the lines above into config.toml, only the second where it has [signing_keys] already, then")
    _hint(f"      beyond-ai mint --key-file {path} --kid {kid} --tenant 1 --vpc 1")
    return 0


def mint(key_file: str, claims: Identity, *, as_json: bool) -> int:
    """Print a managed key for `claims`, signed with the private key in `key_file` (`-` is standard input)."""
    text = _read_stdin() if key_file == "-" else _read_private(Path(key_file))
    try:
        seed = managed_key.decode_key(text)
    except ValueError:
        raise OperatorError(f"{_name(key_file)}: not a private key; make one with `beyond-ai keygen`") from None
    token = managed_key.mint(seed, claims.kid, claims.tenant, claims.vpc, claims.key_id)
    if as_json:
        _print_json({"token": token} | _fields(claims))
    else:
        print(token)
    return 0


def inspect(source: str, config: Path | None, public_key: str | None, *, as_json: bool) -> int:
    """Print what the managed key in `source` says; return 1 where its signature was checked and does not hold."""
    if source.startswith("bai_v"):
        raise OperatorError("a key in the arguments is visible to every user; pipe it: beyond-ai inspect < FILE")
    text = _read_stdin() if source == "-" else _read(Path(source))
    key = managed_key.parse(text.strip().encode())
    if key is None:
        raise OperatorError(f"{_name(source)}: not a managed key; expected bai_v1... or bai_v2... as mint prints it")
    keyring = _keyring(key.identity.kid, config, public_key)
    if keyring is None:
        verdict = "not checked"
    elif key.identity.kid not in keyring:
        verdict = "unknown kid"
    else:
        verdict = "holds" if managed_key.signature_holds(key, keyring) else "does not hold"
    shown = {"version": 1 if key.identity.key_id is None else 2} | _fields(key.identity) | {"signature": verdict}
    if as_json:
        _print_json(shown)
    else:
        for name, value in shown.items():
            print(f"{name:<10}{value}")
        if keyring is None:
            _hint("check the signature with -c config.toml or --public-key")
    return 0 if verdict in {"holds", "not checked"} else 1


def _keyring(kid: int, config: Path | None, public_key: str | None) -> Mapping[int, VerifyKey] | None:
    if config is not None:
        return managed_key.keyring(load(config, os.environ).signing_keys)
    if public_key is None:
        return None
    try:
        return managed_key.keyring({kid: managed_key.decode_key(public_key)})
    except ValueError as error:
        raise OperatorError(f"--public-key: {error}") from None


def _read_private(path: Path) -> str:
    """Return the text of a file that only its owner can read; OperatorError says how to mend one that others can."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise OperatorError(f"{path}: others can read it (mode {mode:04o}); mend it: chmod 600 {path}")
            return file.read(_MOST_BYTES).decode("ascii", "replace")
    except OSError as error:
        _unreadable(path, error)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode("ascii", "replace")
    except OSError as error:
        _unreadable(path, error)


def _unreadable(path: Path, error: OSError) -> NoReturn:
    raise OperatorError(f"{path}: cannot be read: {error.strerror}") from None


def _read_stdin() -> str:
    return sys.stdin.buffer.read(_MOST_BYTES).decode("ascii", "replace")


def _name(source: str) -> str:
    return "stdin" if source == "-" else source


def _fields(identity: Identity) -> dict[str, object]:
    fields: dict[str, object] = {"kid": identity.kid, "tenant": identity.tenant, "vpc": identity.vpc}
    return fields if identity.key_id is None else fields | {"key_id": identity.key_id}


def _print_json(shown: dict[str, object]) -> None:
    print(msgspec.json.encode(shown).decode())


def _hint(line: str) -> None:
    print(line, file=sys.stderr)
