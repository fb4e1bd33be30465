"""Who is denied: a sparse set in memory, kept equal to a NATS KV bucket, read by every managed request.

- `entries`: the set itself; keys, values, expiry
- `feed`, `lifetime`: what a consumer delivers, applied in order; notices a gap, knows when a scan is complete
- `stream`: what the bucket's stream says of itself; whether a watch may resume, whether the set may have drifted
- `watch`, `backoff`: connection after connection, for as long as the worker lives
- `follow`: over one connection: scan or resume, follow, look for what nobody announces
- `nats_client`, `nats_credentials`: the connection, and the proof of who we are; the first alone imports nats
- `snapshot`, `snapshot_format`: the set on disk, enforced before NATS answers
- `bucket`: an operator's changes

Requests never wait for any of it: they look into memory, and what cannot be learned leaves the set as it was.
"""
