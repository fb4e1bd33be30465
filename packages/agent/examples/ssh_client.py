"""Give an agent on another machine a task, over SSH, and print what it says: ssh_client.py HOST SOCKET TASK."""

import json
import subprocess
import sys

host, socket, task = sys.argv[1:]
command = ["ssh", host, "beyond-ai-agent", "attach", socket]
with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as agent:
    assert agent.stdin
    assert agent.stdout
    for request in ({"type": "attach", "id": 1}, {"type": "prompt", "id": 2, "message": task}):
        print(json.dumps(request), file=agent.stdin, flush=True)
    for line in agent.stdout:
        frame = json.loads(line)
        if frame["type"] == "event" and frame["event"].get("type") == "text_delta":
            print(frame["event"]["text"], end="", flush=True)
        elif frame["type"] == "event" and frame["event"]["kind"] == "tool_start":
            print(f"\n[{frame['event']['name']}] {frame['event']['input']}")
        elif frame["type"] == "response" and frame["id"] == 2:
            sys.exit(0 if frame["success"] else frame["error"])
sys.exit("the connection ended before the answer was there")
