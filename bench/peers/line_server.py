"""A peer's side of the bench: one JSON request a line on standard input, one JSON answer a line on standard output.

The first line out says that the peer is ready (imports, warm-up and compilation are over), so that the harness can
run the peers' repetitions and ours in turn. {"quit": true} or the end of input ends the process.
"""

import json
import os
import sys


def serve(ready, answer):
    """Runs `answer(request)` for each request. What libraries print goes to standard error, not among the answers."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(value):
        out.write(json.dumps(value) + "\n")
        out.flush()

    try:
        say({"ready": True, **ready()})
        for line in sys.stdin:
            request = json.loads(line)
            if request.get("quit"):
                return
            say(answer(request))
    except Exception as error:  # the harness names the reason; a traceback would only hide it
        say({"error": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"})
        raise


def memory_bytes():
    """Resident bytes now and at their highest since the process began (Linux; zeros elsewhere)."""
    found = {"VmRSS": 0, "VmHWM": 0}
    try:
        with open("/proc/self/status") as status:
            for line in status:
                name, _, value = line.partition(":")
                if name in found:
                    found[name] = int(value.split()[0]) * 1024
    except OSError:
        pass
    return {"rss": found["VmRSS"], "peakRss": found["VmHWM"]}
