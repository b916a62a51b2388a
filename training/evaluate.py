"""Greedy decoding without a grammar over sentence files: python -m training.evaluate FILE... [--wrong].

A lower bound of what the system does: the running interpreter adds a grammar that knows every syscall and argument,
and that free text is a span of the sentence.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from llmasos.core.engine.native import native
from llmasos.services.interpreter import notation
from training.compare import same
from training.example import Call, turn_of
from training.files import ADAPTER, default_base
from training.tokens import Tokenizer

LIMIT = 160
"""Tokens of an answer."""
LANES = 16
"""Sentences decoded together."""


class Greedy:
    """Base and adapter in llama.cpp, many sentences at once."""

    def __init__(self, base: Path, adapter: Path | None, threads: int) -> None:
        prepared = native()
        self._api = llama_cpp = prepared.api
        self.tokenizer = Tokenizer(base)
        model = llama_cpp.llama_model_default_params()
        model.use_extra_bufts = prepared.extra_buffers
        self._model = llama_cpp.llama_model_load_from_file(str(base).encode(), model)
        params = llama_cpp.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = 1024 * LANES, 4096, 512
        params.n_seq_max = params.n_outputs_max = LANES
        params.kv_unified = True
        params.n_threads = params.n_threads_batch = threads
        self._context = llama_cpp.llama_init_from_model(self._model, params)
        if adapter:
            lora = llama_cpp.llama_adapter_lora_init(self._model, str(adapter).encode())
            if not lora:
                raise ValueError(f"llama.cpp can't load the adapter {adapter}")
            adapters = (llama_cpp.llama_adapter_lora_p_ctypes * 1)(lora)
            llama_cpp.llama_set_adapters_lora(self._context, adapters, 1, (ctypes.c_float * 1)(1.0))
        vocab = llama_cpp.llama_model_get_vocab(self._model)
        self._width = llama_cpp.llama_vocab_n_tokens(vocab)
        self._vocab = vocab
        self._end = self.tokenizer.encode(notation.END)[0]

    def logits(self, text: str) -> np.ndarray:
        """Next-token scores after a text."""
        self._clear()
        return self._step([(0, 0, self.tokenizer.encode(text))])[0]

    def answers(self, prompts: list[str]) -> list[str]:
        """The model's answer to each prompt, without the end mark."""
        self._clear()
        parts = [(lane, 0, self.tokenizer.encode(prompt)) for lane, prompt in enumerate(prompts)]
        at = [len(tokens) for _, _, tokens in parts]
        out: list[list[int]] = [[] for _ in prompts]
        alive = list(range(len(prompts)))
        rows = self._step(parts)
        while alive:
            going: list[int] = []
            for lane, row in zip(alive, rows, strict=True):
                token = int(row.argmax())
                if token != self._end and len(out[lane]) < LIMIT:
                    out[lane].append(token)
                    going.append(lane)
            alive = going
            if alive:
                rows = self._step([(lane, at[lane] + len(out[lane]) - 1, out[lane][-1:]) for lane in alive])
        return [self._text(tokens) for tokens in out]

    def _clear(self) -> None:
        self._api.llama_memory_clear(self._api.llama_get_memory(self._context), True)

    def _step(self, parts: list[tuple[int, int, list[int]]]) -> list[np.ndarray]:
        """Decode (lane, position, tokens) together; scores after the last token of each."""
        count = sum(len(tokens) for _, _, tokens in parts)
        batch = self._api.llama_batch_init(count, 0, 1)
        last: list[int] = []
        for lane, start, tokens in parts:
            for offset, token in enumerate(tokens):
                at = batch.n_tokens
                batch.token[at], batch.pos[at] = token, start + offset
                batch.n_seq_id[at] = 1
                batch.seq_id[at][0] = lane
                batch.logits[at] = offset == len(tokens) - 1
                batch.n_tokens += 1
            last.append(batch.n_tokens - 1)
        status = self._api.llama_decode(self._context, batch)
        if status:
            raise RuntimeError(f"llama_decode answered {status}")
        rows = [
            np.ctypeslib.as_array(self._api.llama_get_logits_ith(self._context, at), (self._width,)).copy() for at in last
        ]
        self._api.llama_batch_free(batch)
        return rows

    def _text(self, tokens: Iterable[int]) -> str:
        pieces = b""
        buffer = ctypes.create_string_buffer(256)
        for token in tokens:
            size = self._api.llama_token_to_piece(self._vocab, token, buffer, 256, 0, True)
            pieces += buffer.raw[:size]
        return pieces.decode(errors="replace")


def read(answer: str) -> list[Call] | None:
    """The program in an answer, every value a string; None where it can't be read."""
    try:
        return notation.read(answer, lambda _name, _argument: True)
    except ValueError:
        return None


def score(file: Path, greedy: Greedy, *, wrong: bool) -> dict[str, Any]:
    """Figures of one file."""
    turns = [turn_of(json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    names = exact = 0
    began = time.monotonic()
    for start in range(0, len(turns), LANES):
        group = turns[start : start + LANES]
        for turn, answer in zip(group, greedy.answers([notation.prompt(t.sentence) for t in group]), strict=True):
            calls = read(answer)
            right_names = calls is not None and [n for n, _ in calls] == [n for n, _ in turn.calls]
            right = right_names and same(calls or [], turn.calls)
            names += right_names
            exact += right
            if wrong and not right:
                mark = "ARGS" if right_names else "NAME"
                print(f"{mark} {turn.sentence}\n  want {turn.calls}\n  got  {calls if calls is not None else answer!r}")
    return {
        "file": file.name,
        "rows": len(turns),
        "syscall": round(100 * names / len(turns), 1),
        "exact": round(100 * exact / len(turns), 1),
        "seconds": round(time.monotonic() - began, 1),
    }


def main() -> None:
    """Score each file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--base", type=Path)
    parser.add_argument("--adapter", type=Path, default=ADAPTER)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--wrong", action="store_true", help="list the wrong answers")
    options = parser.parse_args()
    greedy = Greedy(options.base or default_base(), options.adapter, options.threads)
    for file in options.files:
        print(json.dumps(score(file, greedy, wrong=options.wrong)), flush=True)


if __name__ == "__main__":
    main()
