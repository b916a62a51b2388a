"""Training LoRA adapters on a CPU, against the weights of a GGUF file. All but rows.py needs torch: the extra `train`."""
