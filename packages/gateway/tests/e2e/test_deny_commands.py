"""`beyond-ai deny`: what it writes, what it prints, and the one line for each thing that cannot be done."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from deny_store import config, store, until, watching
from nats_server import NatsServer, free_port, serving

from beyond_gateway.cli import deny
from beyond_gateway.cli.deny import Target
from beyond_gateway.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

MOST = 2**64 - 1


@pytest.fixture(scope="module")
def server() -> Iterator[NatsServer]:
    with serving() as running:
        yield running


@pytest.fixture
def bucket(server: NatsServer, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """The name of a bucket of this test, which does not exist yet."""
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    monkeypatch.setenv("AI_NATS_URL", server.url)
    monkeypatch.setenv("AI_CONFIG_BUCKET", name)
    return name


def listed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert deny.listing(None, as_json=True) == 0
    return msgspec.json.decode(capsys.readouterr().out)


def test_an_entry_is_added_listed_and_removed(bucket: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The first entry makes the bucket; each change is confirmed with its revision."""
    assert bucket
    assert deny.add(None, Target(7, None), "spend", None, as_json=False) == 0
    assert capsys.readouterr().out == "tenant 7: denied, revision 1\n"
    assert deny.add(None, Target(None, MOST), "late again", "24h", as_json=True) == 0
    answer = msgspec.json.decode(capsys.readouterr().out)
    assert answer == {"key": f"blackhole.key.{MOST}", "revision": 2}
    assert deny.add(None, Target(0, None), "fraud", None, as_json=False) == 0
    entries = listed(capsys)
    now = time.time()  # noqa: TID251 - the store has wall time
    assert [(entry["tenant"], entry["key_id"], entry["reason"], entry["revision"]) for entry in entries] == [
        (0, None, "fraud", 3),
        (7, None, "spend", 1),
        (None, MOST, "late again", 2),
    ]
    assert all(now - 60 < entry["since"] <= now + 1 for entry in entries)
    assert [entry["until"] is None for entry in entries] == [True, True, False]
    assert entries[2]["until"] == pytest.approx(entries[2]["since"] + 86400)
    assert deny.listing(None, as_json=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["tenant 0", "tenant 7", f"key id {MOST}"]
    assert "until" in lines[2]
    assert deny.remove(None, Target(7, None), as_json=False) == 0
    assert capsys.readouterr().out == "tenant 7: no longer denied, revision 4\n"
    assert [entry["tenant"] for entry in listed(capsys)] == [0, None]


def test_what_is_added_is_enforced(server: NatsServer, bucket: str) -> None:
    """A gateway that watches has each change at once, and the end of a TTL by the bucket's marker."""

    async def scenario() -> None:
        async with watching(config(server.url, bucket)) as at:
            await asyncio.to_thread(deny.add, None, Target(1, None), "spend", None, as_json=True)
            await until(lambda: at.contents == ({1}, set()), "the entry")
            await asyncio.to_thread(deny.add, None, Target(None, 2), "other", "2s", as_json=True)
            await until(lambda: at.contents == ({1}, {~2}), "the entries")
            await until(lambda: at.contents == ({1}, set()), "the end of one")
            await asyncio.to_thread(deny.remove, None, Target(1, None), as_json=True)
            await until(lambda: len(at.denied) == 0, "the removal")

    asyncio.run(scenario())


def test_removing_what_is_not_denied_is_a_no(bucket: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 1 without a bucket, for a tenant that never was denied, and the second time."""
    assert bucket
    assert deny.remove(None, Target(7, None), as_json=False) == 1
    deny.add(None, Target(8, None), "spend", None, as_json=False)
    assert deny.remove(None, Target(7, None), as_json=False) == 1
    assert deny.remove(None, Target(8, None), as_json=False) == 0
    assert deny.remove(None, Target(8, None), as_json=False) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "tenant 8: was not denied"


def test_without_a_bucket_the_list_is_empty(bucket: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody is denied: no lines, or an empty array, and status 0."""
    assert bucket
    assert listed(capsys) == []
    assert deny.listing(None, as_json=False) == 0
    assert capsys.readouterr().out == ""


def test_a_bucket_of_other_tools_is_used_as_it_is(
    server: NatsServer, bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Entries without TTL go there; one with TTL is refused with the command that mends it. Other keys do not show."""

    async def make() -> None:
        async with store(server.url, bucket, create=False) as made:
            await made.js.add_stream(name=made.stream, subjects=[f"$KV.{bucket}.>"], max_msgs_per_subject=1)
            made.kv = await made.js.key_value(bucket)
            await made.kv.put("limits.7", b"1")
            await made.put(9, b"no reason")

    asyncio.run(make())
    deny.add(None, Target(7, None), "spend", None, as_json=False)
    with pytest.raises(OperatorError, match=r"takes no TTL; mend it: nats stream edit .* --allow-msg-ttl"):
        deny.add(None, Target(8, None), "spend", "24h", as_json=False)
    assert [(entry["tenant"], entry["reason"]) for entry in listed(capsys)] == [(7, "spend"), (9, None)]


def test_a_reason_cannot_move_the_cursor(bucket: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters of a stored text are shown escaped, on the entry's own line."""
    assert bucket
    deny.add(None, Target(7, None), "a\x1b[2J\nb", None, as_json=False)
    capsys.readouterr()
    deny.listing(None, as_json=False)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert "\x1b" not in out


@pytest.mark.parametrize("ttl", ["", "0s", "-1s", "1.5s", "soon", "1w", "d", "1d1d", "999999999999h"])
def test_a_ttl_that_is_none_is_refused(bucket: str, ttl: str) -> None:
    """Before anything is written."""
    assert bucket
    with pytest.raises(OperatorError, match="--ttl"):
        deny.add(None, Target(7, None), "spend", ttl, as_json=False)


@pytest.mark.parametrize("target", [Target(None, None), Target(1, 2)])
def test_exactly_one_is_meant(bucket: str, target: Target) -> None:
    """Neither or both is an operator's mistake."""
    assert bucket
    with pytest.raises(OperatorError, match="name one"):
        deny.remove(None, target, as_json=False)


def test_each_failure_is_one_line_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """No URL, nobody there, no JetStream, a server that hangs: told within seconds."""
    monkeypatch.delenv("AI_NATS_URL", raising=False)
    with pytest.raises(OperatorError, match="nats_url is not set"):
        deny.listing(None, as_json=False)
    monkeypatch.setenv("AI_NATS_URL", f"nats://u:S3CR3T@127.0.0.1:{free_port()}")
    with pytest.raises(OperatorError, match="cannot connect to NATS") as caught:
        deny.add(None, Target(7, None), "spend", None, as_json=False)
    assert "S3CR3T" not in str(caught.value)
    with serving(jetstream=False) as bare:
        monkeypatch.setenv("AI_NATS_URL", bare.url)
        with pytest.raises(OperatorError, match="JetStream is not enabled"):
            deny.add(None, Target(7, None), "spend", None, as_json=False)
        bare.freeze()
        began = time.monotonic()
        with pytest.raises(OperatorError, match="cannot connect to NATS") as caught:
            deny.remove(None, Target(7, None), as_json=False)
        assert "\n" not in str(caught.value)
        assert time.monotonic() - began < 10
