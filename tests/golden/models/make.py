"""Makes the golden model folders beside this script: tiny random checkpoints, and what transformers computes with them.

    python make.py [NAME...]   # needs torch and transformers; versions are written into each golden.json

Weights are far larger than at the start of training, biases and norms are random too: a mistake anywhere shows. Prompts are
longer than the windows of the families that have them, and with their continuations pass the context that scaled rotary
positions were trained with (original_max_position_embeddings).
"""
import json
import os
import sys

import torch
import transformers
from transformers import (AutoModelForCausalLM, Gemma2Config, Gemma3Config, Gemma3TextConfig, GPT2Config, LlamaConfig, MistralConfig, Phi3Config, Qwen2Config, Qwen3Config,
                          SmolLM3Config)

HERE = os.path.dirname(os.path.abspath(__file__))
PROMPT_LENGTH, NEW_TOKENS, VOCABULARY = 12, 64, 96
SMALL = dict(vocab_size=VOCABULARY, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=96, rms_norm_eps=1e-5, pad_token_id=None, bos_token_id=1,
             eos_token_id=2)
LLAMA3 = {"rope_type": "llama3", "rope_theta": 50000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 16}
YARN = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 24}
LONGROPE = {"rope_type": "longrope", "rope_theta": 10000.0, "short_factor": [1.0, 1.05, 1.2, 1.5],
            "long_factor": [1.1, 2.0, 4.5, 8.0]}
GEMMA3_ROPE = {"full_attention": {"rope_type": "linear", "rope_theta": 50000.0, "factor": 8.0},
               "sliding_attention": {"rope_type": "default", "rope_theta": 1000.0}}
# Cases keep their places: a case's seed is its place.
CASES = {
    "gpt2-tied": lambda: GPT2Config(vocab_size=VOCABULARY, n_positions=96, n_embd=32, n_layer=2, n_head=4, bos_token_id=0,
                                    eos_token_id=0),
    "llama-untied": lambda: LlamaConfig(**SMALL, tie_word_embeddings=False),
    "llama-tied": lambda: LlamaConfig(**SMALL, tie_word_embeddings=True, rope_parameters=LLAMA3),
    "llama-linear-biases": lambda: LlamaConfig(**SMALL, attention_bias=True, mlp_bias=True, rope_parameters={
        "rope_type": "linear", "rope_theta": 10000.0, "factor": 2.5}),
    "llama-dynamic": lambda: LlamaConfig(**SMALL, rope_parameters={
        "rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0}),
    "llama-yarn": lambda: LlamaConfig(**SMALL, rope_parameters=YARN | {
        "beta_fast": 4.0, "beta_slow": 0.5, "mscale": 1.0, "mscale_all_dim": 0.5}),
    "mistral": lambda: MistralConfig(**SMALL, sliding_window=7),
    "qwen2": lambda: Qwen2Config(**SMALL, use_sliding_window=True, sliding_window=5, max_window_layers=1,
                                 tie_word_embeddings=True),
    "qwen2-yarn": lambda: Qwen2Config(**SMALL, rope_parameters=YARN),
    "qwen3": lambda: Qwen3Config(**SMALL, head_dim=16),
    "qwen3-yarn": lambda: Qwen3Config(**SMALL, head_dim=12, attention_bias=True, use_sliding_window=True, sliding_window=6,
                                      max_window_layers=1, rope_parameters=YARN | {"truncate": False}),
    "phi3": lambda: Phi3Config(**SMALL, sliding_window=9, rope_parameters={
        "rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.75}),
    # Which divisors hold goes by the length so far in transformers, by the run's here: these two lie on one side of it.
    "phi3-long": lambda: Phi3Config(**SMALL, original_max_position_embeddings=8, rope_parameters=LONGROPE),
    "phi3-short": lambda: Phi3Config(**SMALL, original_max_position_embeddings=80, rope_parameters=LONGROPE),
    "smollm3": lambda: SmolLM3Config(**SMALL, no_rope_layers=[1, 0], use_sliding_window=True, sliding_window=8,
                                     attention_bias=True),
    "smollm3-yarn": lambda: SmolLM3Config(**SMALL | {"num_hidden_layers": 4}, tie_word_embeddings=False,
                                          rope_parameters=YARN | {"rope_theta": 2e6}),
    "gemma2": lambda: Gemma2Config(**SMALL, head_dim=12, query_pre_attn_scalar=20, sliding_window=5,
                                   attn_logit_softcapping=1.5, final_logit_softcapping=2.0, tie_word_embeddings=False),
    "gemma3-text": lambda: Gemma3TextConfig(**SMALL | {"num_hidden_layers": 4}, head_dim=8, query_pre_attn_scalar=12, sliding_window=6,
                                            sliding_window_pattern=3, rope_parameters=GEMMA3_ROPE, tie_word_embeddings=False,
                                            final_logit_softcapping=3.0),
    # A model with images, of which the text part is read.
    "gemma3-images": lambda: Gemma3Config(
        text_config=dict(SMALL, head_dim=8, query_pre_attn_scalar=8, sliding_window=4,
                         layer_types=["full_attention", "sliding_attention"], rope_parameters=GEMMA3_ROPE),
        vision_config=dict(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2, image_size=8,
                           patch_size=4), mm_tokens_per_image=4),
}


def randomise(model, seed):
    generator = torch.Generator().manual_seed(seed)
    gemma = model.config.model_type.startswith("gemma")
    for name, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=generator)
        # Gemma's norms count from one; its embeddings, multiplied by the root of the width, would outweigh all layers.
        scale = 0.06 if gemma and "embed_tokens" in name else 0.25
        p.data = 1 + 0.3 * noise if p.dim() == 1 and name.endswith("weight") and not gemma else scale * noise


@torch.no_grad()
def golden(model, prompt):
    model = model.double().eval()
    ids = torch.tensor([prompt])
    hidden = model.base_model(input_ids=ids).last_hidden_state[0]
    logits = model(input_ids=ids).logits[0]
    greedy, margin = [], float("inf")
    for _ in range(NEW_TOKENS):
        last = model(input_ids=torch.tensor([prompt + greedy])).logits[0, -1]
        top = last.topk(2)
        margin = min(margin, (top.values[0] - top.values[1]).item())
        greedy.append(top.indices[0].item())
    rounded = lambda x: [float(f"{v:.9g}") for v in x.flatten().tolist()]
    # `last`: the logits from which the last token was chosen, at the end of all those positions.
    return {"prompt": prompt, "hidden": rounded(hidden), "logits": rounded(logits), "greedy": greedy, "last": rounded(last),
            "smallestMargin": margin}


for seed, (name, config) in enumerate(CASES.items()):
    if len(sys.argv) > 1 and name not in sys.argv[1:]:
        continue
    folder = os.path.join(HERE, name)
    # "eager": the fused attention of torch leaves out what caps scores.
    model = AutoModelForCausalLM.from_config(config(), attn_implementation="eager")
    randomise(model, seed)
    model.tie_weights()
    model.save_pretrained(folder)
    if os.path.exists(generation := os.path.join(folder, "generation_config.json")):
        os.remove(generation)
    prompt = torch.randint(VOCABULARY, (PROMPT_LENGTH,), generator=torch.Generator().manual_seed(100 + seed)).tolist()
    result = golden(AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager"), prompt)
    versions = {"python": sys.version.split()[0], "torch": torch.__version__, "transformers": transformers.__version__}
    with open(os.path.join(folder, "golden.json"), "w") as file:
        json.dump({"versions": versions, **result}, file)
    print(name, "smallest margin", result["smallestMargin"], "distinct", len(set(result["greedy"])))
