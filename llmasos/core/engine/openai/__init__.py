"""The model that talks, on a server that speaks OpenAI's protocol: llama.cpp, vLLM, Ollama, LM Studio, hosted ones."""
