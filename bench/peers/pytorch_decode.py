"""PyTorch as a peer in decoding with a key/value cache: greedy, `--seqs` sequences at once, weights random.

{"seconds": s, "part": "prefill"}: prompts of --prompt tokens of one sequence. {"part": "decode"}: one token a sequence a step,
at positions from --prompt to twice that, over and over. Values are tokens a second.
Eager attends to the part of the cache that is filled; compiled code has one shape, so it attends to all of it, masked.
"""

import argparse
import json
import pathlib
import time

import torch
import torch.nn.functional as F

from line_server import memory_bytes, serve
from pytorch_model import Decoder, rotate

# S sequences, T new tokens, L positions of the cache, K key/value heads, D head size


class CachedDecoder(torch.nn.Module):
    def __init__(self, case, seqs, length, static):
        super().__init__()
        self.model, self.case, self.static = Decoder(case).eval(), case, static
        self.heads, self.kv_heads = case["heads"], case["kvHeads"]
        self.size = case["width"] // self.heads
        shape = (case["layers"], 2, seqs, self.kv_heads, length, self.size)
        self.register_buffer("cache", torch.zeros(shape))
        self.register_buffer("index", torch.arange(length))

    def forward(self, tokens, places, end):
        """tokens [S, T] at places [T]; end is one past the last. Logits of the last token, [S, V]."""
        m, (s, t) = self.model, tokens.shape
        x = m.tokens(tokens)
        if m.positions is not None:
            x = x + m.positions(places)
        rotation = (m.cos[places], m.sin[places])
        filled = self.index.size(0) if self.static else end
        mask = self.index[:filled] <= places[:, None] if self.static or t > 1 else None  # [T, L]
        for layer, block in enumerate(m.blocks):
            x = self.block(block, x, layer, places, rotation, filled, mask)
        return F.linear(m.norm(x[:, -1]), m.tokens.weight)

    def block(self, block, x, layer, places, rotation, filled, mask):
        s, t, c = x.shape
        is_llama = self.case["family"] == "llama"
        widths = [self.heads * self.size, self.kv_heads * self.size, self.kv_heads * self.size]
        parts = block.qkv((block.norm_1 if is_llama else block.ln_1)(x)).split(widths, dim=2)
        q, k, v = (p.view(s, t, -1, self.size).transpose(1, 2) for p in parts)  # [S, H or K, T, D]
        if is_llama:
            q, k = rotate(q, rotation), rotate(k, rotation)
        cached = []
        for part, fresh in enumerate((k, v)):
            self.cache[layer, part].index_copy_(2, places, fresh)
            cached.append(self.cache[layer, part, :, :, :filled])
        mixed = F.scaled_dot_product_attention(q, *cached, attn_mask=mask, enable_gqa=self.kv_heads != self.heads)
        x = x + block.out(mixed.transpose(1, 2).reshape(s, t, c))
        if is_llama:
            gate, up = block.gate_up(block.norm_2(x)).chunk(2, dim=2)
            return x + block.down(F.silu(gate) * up)
        return x + block.down(F.gelu(block.up(block.ln_2(x))))


class Runner:
    def __init__(self, options):
        torch.set_num_threads(options.threads)
        torch.manual_seed(1)
        case = json.loads((pathlib.Path(__file__).parent.parent / "cases.json").read_text())[options.case]
        self.prompt, self.seqs, self.place = options.prompt, options.seqs, options.prompt
        model = CachedDecoder(case, options.seqs, 2 * options.prompt, options.mode == "compile")
        self.model = torch.compile(model) if options.mode == "compile" else model
        self.tokens = torch.randint(case["vocabulary"], (options.seqs, options.prompt))
        self.next = self.tokens[:, :1]

    def prefill(self):
        self.model(self.tokens, torch.arange(self.prompt), self.prompt)[0].argmax().item()
        return self.prompt * self.seqs

    def decode(self):
        logits = self.model(self.next, torch.tensor([self.place]), self.place + 1)
        self.next = torch.tensor(logits.argmax(-1).tolist())[:, None]
        self.place = self.prompt + (self.place + 1 - self.prompt) % self.prompt
        return self.seqs

    def run(self, request):
        part, values = getattr(self, request["part"]), []
        with torch.inference_mode():
            part(), part()
            end = time.perf_counter() + request["seconds"]
            while not values or time.perf_counter() < end:
                begin = time.perf_counter()
                n = part()
                values.append(n / (time.perf_counter() - begin))
        return {"values": values, **memory_bytes()}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--case", required=True)
    p.add_argument("--mode", choices=["eager", "compile"], default="eager")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--seqs", type=int, default=1)
    p.add_argument("--prompt", type=int, default=128)
    p.add_argument("--serve", action="store_true", required=True)
    runner = Runner(p.parse_args())
    serve(lambda: {"version": torch.__version__}, runner.run)


if __name__ == "__main__":
    main()
