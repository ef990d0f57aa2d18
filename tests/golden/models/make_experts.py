"""Makes the golden model folders with experts: as make.py, which holds the method.

    python make_experts.py [NAME...]   # needs torch and transformers; versions are written into each golden.json

Checkpoints hold each expert's matrices apart, as published ones do (transformers joins them in memory only). The buffer that
corrects DeepSeek's choice of experts is random too, and large enough to change the choice.
"""
import json
import os
import sys

import torch
import transformers
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, DeepseekV3Config, Qwen3MoeConfig

HERE = os.path.dirname(os.path.abspath(__file__))
PROMPT_LENGTH, NEW_TOKENS, VOCABULARY = 12, 64, 96
SMALL = dict(vocab_size=VOCABULARY, hidden_size=32, intermediate_size=40, num_attention_heads=4, max_position_embeddings=96,
             rms_norm_eps=1e-5, pad_token_id=None, bos_token_id=1, eos_token_id=2)
LATENT = SMALL | dict(num_key_value_heads=4, kv_lora_rank=12, qk_nope_head_dim=6, qk_rope_head_dim=4, v_head_dim=8,
                      moe_intermediate_size=10, num_mtp_layers=0)
YARN = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 24, "beta_fast": 4.0,
        "beta_slow": 0.5, "mscale": 1.0, "mscale_all_dim": 0.5}
# Its grouped products take no float64.
EAGER = dict(attn_implementation="eager", experts_implementation="eager")
# Cases keep their places: a case's seed is its place.
CASES = {
    "qwen3_moe": lambda: Qwen3MoeConfig(**SMALL, num_hidden_layers=3, num_key_value_heads=2, head_dim=8, num_experts=6,
                                        num_experts_per_tok=2, moe_intermediate_size=16, norm_topk_prob=True,
                                        mlp_only_layers=[1]),
    "qwen3_moe-sparse-step": lambda: Qwen3MoeConfig(**SMALL, num_hidden_layers=2, num_key_value_heads=4, num_experts=5,
                                                    num_experts_per_tok=3, moe_intermediate_size=12, norm_topk_prob=False,
                                                    decoder_sparse_step=2, attention_bias=True, use_sliding_window=True,
                                                    sliding_window=7, tie_word_embeddings=True),
    "deepseek_v3": lambda: DeepseekV3Config(**LATENT, num_hidden_layers=3, first_k_dense_replace=1, q_lora_rank=14,
                                            n_routed_experts=8, num_experts_per_tok=3, n_group=4, topk_group=2,
                                            n_shared_experts=2, norm_topk_prob=True, routed_scaling_factor=2.5,
                                            rope_parameters=YARN),
    "deepseek_v3-direct": lambda: DeepseekV3Config(**LATENT, num_hidden_layers=2, first_k_dense_replace=0, q_lora_rank=None,
                                                   n_routed_experts=6, num_experts_per_tok=2, n_group=1, topk_group=1,
                                                   n_shared_experts=1, norm_topk_prob=False, routed_scaling_factor=1.5,
                                                   rope_interleave=False, attention_bias=True),
}


def randomise(model, seed):
    generator = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=generator)
        p.data = 1 + 0.3 * noise if p.dim() == 1 and name.endswith("weight") else 0.25 * noise
    for name, buffer in model.named_buffers():
        if name.endswith("e_score_correction_bias"):
            buffer.copy_(0.1 * torch.randn(buffer.shape, generator=generator))


@torch.no_grad()
def golden(model, prompt):
    model = model.double().eval()
    ids = torch.tensor([prompt])
    hidden = model.base_model(ids).last_hidden_state[0]
    logits = model(ids).logits[0]
    greedy, margin = [], float("inf")
    for _ in range(NEW_TOKENS):
        last = model(torch.tensor([prompt + greedy])).logits[0, -1]
        top = last.topk(2)
        margin = min(margin, (top.values[0] - top.values[1]).item())
        greedy.append(top.indices[0].item())
    rounded = lambda x: [float(f"{v:.9g}") for v in x.flatten().tolist()]
    # `last`: the logits from which the last token was chosen, at the end of all those positions.
    return {"prompt": prompt, "hidden": rounded(hidden), "logits": rounded(logits), "greedy": greedy, "last": rounded(last),
            "smallestMargin": margin}


for place, (name, make) in enumerate(CASES.items()):
    if sys.argv[1:] and name not in sys.argv[1:]:
        continue
    seed, folder, config = 300 + place, os.path.join(HERE, name), make()
    model = AutoModelForCausalLM.from_config(config, **EAGER)
    randomise(model, seed)
    model.tie_weights()
    model.save_pretrained(folder)
    os.remove(os.path.join(folder, "generation_config.json"))
    stored = load_file(os.path.join(folder, "model.safetensors"))
    assert any(".mlp.experts.0.gate_proj.weight" in tensor for tensor in stored), sorted(stored)
    prompt = torch.randint(VOCABULARY, (PROMPT_LENGTH,), generator=torch.Generator().manual_seed(100 + seed)).tolist()
    result = golden(AutoModelForCausalLM.from_pretrained(folder, **EAGER), prompt)
    versions = {"python": sys.version.split()[0], "torch": torch.__version__, "transformers": transformers.__version__}
    with open(os.path.join(folder, "golden.json"), "w") as file:
        json.dump({"versions": versions, **result}, file)
    size = os.path.getsize(os.path.join(folder, "model.safetensors"))
    print(name, "bytes", size, "smallest margin", result["smallestMargin"], "distinct", len(set(result["greedy"])))
