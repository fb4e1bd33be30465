"""Entry point of `beyond-ai`: parse, dispatch, turn an operator's mistake into one line and exit status 2."""

import errno
import os
import sys
from argparse import Namespace
from collections.abc import Sequence

from beyond_gateway.cli.arguments import DevArguments, default_state_dir, parse

# ruff: noqa: PLC0415 -- each command imports only what it needs, when it is the one asked for

_CANNOT_WRITE = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 the answer is no, 2 bad input, 130 interrupted."""
    closed = _closed_streams() if argv is None else []
    try:
        try:
            return _run(sys.argv[1:] if argv is None else argv, closed)
        finally:
            sys.stdout.flush()
    except OSError as error:
        if error.errno not in _CANNOT_WRITE:
            raise
        # Whoever read our output is gone, or the disk is full. Nothing more may be written at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            sys.stderr.write(f"beyond-ai: the output cannot be written: {error.strerror}\n")
        return 1


def _run(argv: Sequence[str], closed: list[str]) -> int:
    arguments = parse(argv)
    from beyond_gateway.errors import OperatorError

    try:
        return _dispatch(arguments, closed)
    except OperatorError as error:
        sys.stderr.write(f"beyond-ai: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130


def _closed_streams() -> list[str]:
    """Return the standard streams that a parent has closed, and open them: else the next socket takes their place."""
    closed: list[str] = []
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(descriptor, "r+" if descriptor else "r", closefd=False))  # noqa: SIM115 - to the end
            closed.append(name)
    return closed


def _dispatch(arguments: Namespace, closed: list[str]) -> int:
    match arguments.command:
        case "dev":
            return _dev(arguments)
        case "deny":
            return _deny(arguments)
        case "doctor":
            from beyond_gateway.cli.doctor import doctor

            return doctor(arguments.config, as_json=arguments.json, timeout_s=arguments.timeout, every=arguments.all)
        case "keygen":
            from beyond_gateway.cli import keys

            return keys.keygen(arguments.kid, arguments.out, as_json=arguments.json)
        case "mint":
            from beyond_gateway.cli import keys
            from beyond_gateway.managed_key import Identity

            claims = Identity(arguments.kid, arguments.tenant, arguments.vpc, arguments.key_id)
            return keys.mint(arguments.key_file, claims, as_json=arguments.json)
        case "inspect":
            from beyond_gateway.cli import keys

            return keys.inspect(arguments.source, arguments.config, arguments.public_key, as_json=arguments.json)
        case _:
            from beyond_gateway.cli.run import run
            from beyond_gateway.errors import OperatorError

            if "stdout" in closed:
                raise OperatorError("stdout is closed, and usage rows go there: give it a file, a pipe or /dev/null")
            return run(arguments.config)


def _deny(arguments: Namespace) -> int:
    from beyond_gateway.cli import deny

    config, as_json = arguments.config, arguments.json
    if arguments.change == "list":
        return deny.listing(config, as_json=as_json)
    target = deny.Target(arguments.tenant, arguments.key_id)
    if arguments.change == "remove":
        return deny.remove(config, target, as_json=as_json)
    return deny.add(config, target, arguments.reason, arguments.ttl, as_json=as_json)


def _dev(arguments: Namespace) -> int:
    from beyond_gateway.cli.dev import dev
    from beyond_gateway.config import parse_authority
    from beyond_gateway.errors import OperatorError

    try:
        host, port = parse_authority(arguments.listen)
    except ValueError as error:
        raise OperatorError(f"--listen: {error}") from None
    state_dir = arguments.state_dir or default_state_dir(os.environ)
    return dev(DevArguments(host, port, state_dir, arguments.script))


if __name__ == "__main__":
    sys.exit(main())
