"""nginx as a mock provider and as the yardstick proxy."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.servers import Server, free_port, started

if TYPE_CHECKING:
    from collections.abc import Generator

    from bench.setting import Setting

# One worker, as the gateway gets one core. Files, not buffers, would decide the 76 KB request: hence 128 KiB in memory.
FRAME = """\
user root;
worker_processes 1;
worker_rlimit_nofile 16384;
pid {pid};
error_log stderr crit;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  client_max_body_size 0;
  client_body_buffer_size 128k;
  client_body_temp_path {tmp}/body; proxy_temp_path {tmp}/proxy; fastcgi_temp_path {tmp}/fastcgi;
  uwsgi_temp_path {tmp}/uwsgi; scgi_temp_path {tmp}/scgi;
  tcp_nodelay on;
{body}
}}
"""

# A row of the size and content of a usage row without the tokens, which nginx cannot read; unbuffered.
LOG = """\
  log_format row escape=json '{{"timestamp":"$time_iso8601","level":"INFO","fields":{{"message":"usage",'
    '"request_id":"$request_id","provider":"openai","latency_ms":"$request_time","ttft_ms":"$upstream_header_time",'
    '"upstream_status":"$upstream_status","outcome":"ok","bytes":"$bytes_sent"}},"target":"ai.usage"}}';
  access_log {tmp}/access.log row;
"""

PROXY = """\
  upstream provider {{ server 127.0.0.1:{upstream}; keepalive 4096; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096 reuseport;
    location / {{
      rewrite ^/[^/]+(/.*)$ $1 break;
      proxy_pass http://provider;
      proxy_http_version 1.1;
      proxy_request_buffering off;
      proxy_buffering off;
      proxy_set_header Connection "";
      proxy_set_header Authorization "Bearer sk-pool";
      proxy_set_header x-api-key "";
    }}
  }}
"""

MOCK = """\
  server {{
    listen 127.0.0.1:{port} backlog=4096 reuseport;
    location / {{ default_type application/json; return 200 '{answer}'; }}
  }}
"""

# 500 bytes or so: what a provider answers to a one-line question.
ANSWER = (
    '{"id":"chatcmpl-BenchBenchBenchBenchBench","object":"chat.completion","created":1760000000,'
    '"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant",'
    '"content":"Hello! How can I help you today?","refusal":null},"logprobs":null,"finish_reason":"stop"}],'
    '"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,'
    '"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}},'
    '"service_tier":"default","system_fingerprint":"fp_0000000000"}'
)


@contextmanager
def json_mock(setting: Setting) -> Generator[Server]:
    """A provider that answers every request with the same chat completion, on the load core."""
    port = free_port()
    with _nginx(setting, "nginx-mock", port, setting.load_core, MOCK.format(port=port, answer=ANSWER)) as server:
        yield server


@contextmanager
def proxy(setting: Setting, upstream: int, *, log: bool = False) -> Generator[Server]:
    """`proxy_pass` with a header swap on the proxy core, unbuffered; `log` adds a JSON row a request."""
    port, name = free_port(), "nginx-log" if log else "nginx"
    home = setting.tmp / f"{name}-{port}"
    rows = LOG.format(tmp=home) if log else ""
    with _nginx(setting, name, port, setting.proxy_core, rows + PROXY.format(port=port, upstream=upstream)) as server:
        yield server


@contextmanager
def _nginx(setting: Setting, name: str, port: int, core: int, body: str) -> Generator[Server]:
    home = setting.tmp / f"{name}-{port}"
    home.mkdir(parents=True, exist_ok=True)
    config = home / "nginx.conf"
    config.write_text(FRAME.format(pid=home / "pid", tmp=home, body=body), encoding="utf-8")
    command = ["nginx", "-p", str(home), "-c", str(config), "-g", "daemon off;"]
    with started(name, command, port=port, core=core, tmp=setting.tmp) as server:
        yield server
