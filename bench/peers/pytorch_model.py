"""The two decoder families that the training bench compares, written as a careful PyTorch user would write them.

`Gpt2` follows nanoGPT's model.py (tied embeddings, scaled_dot_product_attention, no dropout); `Llama` has RMSNorm,
rotary positions, grouped-query attention and SwiGLU, its embeddings tied too. Shapes come from ../cases.json.
GELU is the exact one, nanoGPT's choice, and 10% of a small step faster in PyTorch than the tanh form of GPT-2.
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

# B batch, T time, C channels, H heads, K key/value heads, D head size


class Gpt2Block(nn.Module):
    def __init__(self, case, bias):
        super().__init__()
        width, self.heads = case["width"], case["heads"]
        self.ln_1 = nn.LayerNorm(width, bias=bias)
        self.qkv = nn.Linear(width, 3 * width, bias=bias)
        self.out = nn.Linear(width, width, bias=bias)
        self.ln_2 = nn.LayerNorm(width, bias=bias)
        self.up = nn.Linear(width, case["hidden"], bias=bias)
        self.down = nn.Linear(case["hidden"], width, bias=bias)

    def forward(self, x, _rotation):
        b, t, c = x.shape
        parts = self.qkv(self.ln_1(x)).split(c, dim=2)
        q, k, v = (p.view(b, t, self.heads, c // self.heads).transpose(1, 2) for p in parts)  # [B, H, T, D]
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(b, t, c))
        return x + self.down(F.gelu(self.up(self.ln_2(x))))


class LlamaBlock(nn.Module):
    def __init__(self, case, _bias):
        super().__init__()
        width, self.heads, self.kv_heads = case["width"], case["heads"], case["kvHeads"]
        self.size = width // self.heads
        self.norm_1 = nn.RMSNorm(width, eps=1e-5)
        self.qkv = nn.Linear(width, (self.heads + 2 * self.kv_heads) * self.size, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.norm_2 = nn.RMSNorm(width, eps=1e-5)
        self.gate_up = nn.Linear(width, 2 * case["hidden"], bias=False)
        self.down = nn.Linear(case["hidden"], width, bias=False)

    def forward(self, x, rotation):
        b, t, c = x.shape
        widths = [self.heads * self.size, self.kv_heads * self.size, self.kv_heads * self.size]
        parts = self.qkv(self.norm_1(x)).split(widths, dim=2)
        q, k, v = (p.view(b, t, -1, self.size).transpose(1, 2) for p in parts)  # [B, H or K, T, D]
        q, k = rotate(q, rotation), rotate(k, rotation)
        grouped = self.kv_heads != self.heads
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=grouped)
        x = x + self.out(mixed.transpose(1, 2).reshape(b, t, c))
        gate, up = self.gate_up(self.norm_2(x)).chunk(2, dim=2)
        return x + self.down(F.silu(gate) * up)


def rotate(x, rotation):
    """Rotary positions in halves, as Hugging Face's checkpoints have them."""
    cos, sin = rotation
    low, high = x.chunk(2, dim=-1)
    return torch.cat((low * cos - high * sin, high * cos + low * sin), dim=-1).to(x.dtype)


class Decoder(nn.Module):
    def __init__(self, case):
        super().__init__()
        width, context, bias = case["width"], case["context"], case.get("bias", False)
        is_llama = case["family"] == "llama"
        self.tokens = nn.Embedding(case["vocabulary"], width)
        self.positions = None if is_llama else nn.Embedding(case.get("positions", context), width)
        self.blocks = nn.ModuleList((LlamaBlock if is_llama else Gpt2Block)(case, bias) for _ in range(case["layers"]))
        self.norm = nn.RMSNorm(width, eps=1e-5) if is_llama else nn.LayerNorm(width, bias=bias)
        half = width // case["heads"] // 2
        angles = torch.outer(torch.arange(context).float(), 10000.0 ** (-torch.arange(half).float() / half))
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        self.register_buffer("index", torch.arange(context), persistent=False)
        for name, p in self.named_parameters():
            if p.dim() < 2:
                continue
            closes = name.endswith(("out.weight", "down.weight"))
            nn.init.normal_(p, std=0.02 / math.sqrt(2 * case["layers"]) if closes else 0.02)

    def forward(self, tokens, targets):
        x = self.tokens(tokens)
        if self.positions is not None:
            x = x + self.positions(self.index)
        for block in self.blocks:
            x = block(x, (self.cos, self.sin))
        logits = F.linear(self.norm(x), self.tokens.weight)  # [B, T, V]; tied with the embedding
        return F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))
