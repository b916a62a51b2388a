"""Training LoRA adapters on a CPU, against the weights of a GGUF; all but rows.py needs torch, the extra `train`."""
