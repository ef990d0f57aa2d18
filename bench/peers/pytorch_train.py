"""PyTorch as a peer in training: whole steps (forward, loss, backward, clip to norm 1, AdamW) of a case of cases.json.

By hand:  python pytorch_train.py --case char-4x128 --precision bf16 --mode compile --seconds 10
In the bench: the same with --serve; see line_server.py. {"seconds": s} runs steps for about s seconds and answers
{"values": [tokens a second, step by step], "loss": …, "rss": …, "peakRss": …}.

fp32 is plain; bf16 is autocast over fp32 weights, PyTorch's own recipe for mixed precision.
"""

import argparse
import json
import pathlib
import statistics
import time

import torch

from line_server import memory_bytes, serve
from pytorch_model import Decoder


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--case", required=True)
    p.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    p.add_argument("--mode", choices=["eager", "compile"], default="eager")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--optimizer", choices=["fused", "foreach"], default="fused")
    p.add_argument("--seconds", type=float, default=10)
    p.add_argument("--serve", action="store_true")
    return p.parse_args()


class Trainer:
    def __init__(self, options):
        torch.set_num_threads(options.threads)
        torch.manual_seed(1)
        self.idle = memory_bytes()["rss"]
        case = json.loads((pathlib.Path(__file__).parent.parent / "cases.json").read_text())[options.case]
        self.autocast = torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bf16")
        self.model = Decoder(case)
        self.parameters = list(self.model.parameters())
        decayed = [p for p in self.parameters if p.dim() >= 2]
        plain = [p for p in self.parameters if p.dim() < 2]
        groups = [{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=1e-4, betas=(0.9, 0.95), **{options.optimizer: True})
        self.forward = torch.compile(self.model) if options.mode == "compile" else self.model
        shape = (case["batch"], case["context"])
        self.batches = [torch.randint(case["vocabulary"], shape) for _ in range(9)]
        self.tokens = case["batch"] * case["context"]
        self.count = 0
        self.loss = 0.0
        self.slow = []

    def step(self):
        tokens, targets = self.batches[self.count % 8], self.batches[self.count % 8 + 1]
        self.count += 1
        with self.autocast:
            loss = self.forward(tokens, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0, foreach=True)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item()

    def warm_up(self):
        """Compilation, allocator and caches: up to four steps. One that takes 20 s (compiling
        apart) is enough of them, and is then the measurement too: bf16 without AVX-512 takes minutes a step."""
        begin = time.perf_counter()
        for done in range(4):
            took = self.timed()
            self.slow = [took] if took > 20 and (done >= 1 or self.forward is self.model) else []
            if self.slow or done >= 1 and time.perf_counter() - begin > 5:
                break

    def timed(self):
        begin = time.perf_counter()
        self.loss = self.step()
        return time.perf_counter() - begin

    def run(self, seconds):
        """Steps until the time is over; at least one."""
        times, end = list(self.slow), time.perf_counter() + seconds
        while not times or not self.slow and time.perf_counter() < end:
            times.append(self.timed())
        return {"values": [self.tokens / t for t in times], "loss": self.loss, "idleRss": self.idle, **memory_bytes()}


def main():
    options = parse()
    trainer = Trainer(options)

    def ready():
        trainer.warm_up()
        return {"version": torch.__version__, "threads": torch.get_num_threads(), "slow": bool(trainer.slow)}

    if options.serve:
        serve(ready, lambda request: trainer.run(request["seconds"]))
        return
    ready()
    result = trainer.run(options.seconds)
    median = statistics.median(result.pop("values"))
    print(json.dumps({"case": options.case, "precision": options.precision, "mode": options.mode,
                      "tokensPerSecond": round(median, 1), "version": torch.__version__, **result}))


if __name__ == "__main__":
    main()
