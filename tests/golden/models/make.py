"""Makes the golden model folders beside this script: tiny random checkpoints, and what transformers computes with them.

    python make.py            # needs torch and transformers; versions are written into each golden.json

Weights are far larger than at the start of training, biases and norms are random too: a mistake anywhere shows.
"""
import json
import os
import sys

import torch
import transformers
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))
PROMPT_LENGTH, NEW_TOKENS = 12, 64
LLAMA = dict(vocab_size=96, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=96, rms_norm_eps=1e-5, pad_token_id=None)
CASES = {
    "gpt2-tied": (GPT2LMHeadModel, GPT2Config(vocab_size=96, n_positions=96, n_embd=32, n_layer=2, n_head=4,
                                              bos_token_id=0, eos_token_id=0)),
    "llama-untied": (LlamaForCausalLM, LlamaConfig(**LLAMA, tie_word_embeddings=False)),
    "llama-tied": (LlamaForCausalLM, LlamaConfig(**LLAMA, tie_word_embeddings=True, rope_parameters={
        "rope_type": "llama3", "rope_theta": 50000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 16})),
}


def randomise(model, seed):
    generator = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=generator)
        p.data = 1 + 0.3 * noise if p.dim() == 1 and name.endswith("weight") else 0.25 * noise


@torch.no_grad()
def golden(model, prompt):
    model = model.double().eval()
    ids = torch.tensor([prompt])
    hidden = model.base_model(ids).last_hidden_state[0]
    logits = model(ids).logits[0]
    greedy, margin = [], float("inf")
    for _ in range(NEW_TOKENS):
        top = model(torch.tensor([prompt + greedy])).logits[0, -1].topk(2)
        margin = min(margin, (top.values[0] - top.values[1]).item())
        greedy.append(top.indices[0].item())
    rounded = lambda x: [float(f"{v:.9g}") for v in x.flatten().tolist()]
    return {"prompt": prompt, "hidden": rounded(hidden), "logits": rounded(logits), "greedy": greedy, "smallestMargin": margin}


for seed, (name, (cls, config)) in enumerate(CASES.items()):
    folder = os.path.join(HERE, name)
    model = cls(config)
    randomise(model, seed)
    model.tie_weights()
    model.save_pretrained(folder)
    os.remove(os.path.join(folder, "generation_config.json"))
    prompt = torch.randint(96, (PROMPT_LENGTH,), generator=torch.Generator().manual_seed(100 + seed)).tolist()
    result = golden(cls.from_pretrained(folder), prompt)
    versions = {"python": sys.version.split()[0], "torch": torch.__version__, "transformers": transformers.__version__}
    with open(os.path.join(folder, "golden.json"), "w") as file:
        json.dump({"versions": versions, **result}, file)
    print(name, "smallest margin", result["smallestMargin"], "distinct", len(set(result["greedy"])))
