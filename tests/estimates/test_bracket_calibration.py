"""Brackets of learned models against exact values: minutes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import infodis_stats as ids

ROOT = Path(__file__).parents[2]
RECORDS = [json.loads(line) for line in (ROOT / "reports/texts/windows_16.jsonl").read_text().splitlines()]

pytestmark = pytest.mark.slow


class Known:
    """The losses of a model on one sequence, all of whose masks were run once, given by look-up."""

    def __init__(self, model, tokens, scored):
        self.block_size, self.block_start = getattr(model, "block_size", None), 0
        size = self.block_size or len(tokens)
        self.blocks = [np.intersect1d(scored, np.arange(start, start + size)) for start in range(0, len(tokens), size)]
        self.blocks = [block for block in self.blocks if len(block)]
        longest = max(len(block) for block in self.blocks)
        codes = np.arange(1, 2**longest)[:, None] >> np.arange(longest) & 1
        self.losses = np.zeros((2**longest, len(tokens)))
        masks = np.zeros((len(codes), len(tokens)), dtype=bool)
        for block in self.blocks:
            masks[:, block] = codes[:, : len(block)]
        for first in range(0, len(masks), 64):
            part = torch.from_numpy(masks[first : first + 64])
            rows = torch.from_numpy(tokens)[None].expand(len(part), -1)
            with torch.no_grad():
                self.losses[1 + first : 1 + first + len(part)] = model.token_nll(rows, part).numpy()

    def token_nll(self, tokens, masked):
        found = np.zeros(masked.shape)
        for block in self.blocks:
            code = masked[:, block].numpy() @ (1 << np.arange(len(block)))
            found[:, block] = self.losses[code][:, block]
        return torch.where(masked, torch.from_numpy(found), 0.0)


def austen(window):
    """12 characters after a prompt: the bundled model, 4,095 masks."""
    model, record = ids.load_model("austen"), RECORDS[window]
    tokens = np.concatenate([model.encode(record["prompt"]), model.encode(record["response"])[:12]])
    return model, tokens, np.arange(len(tokens)) < len(tokens) - 12


def austen_block(window):
    """The 12 characters of a block of 16, after two blocks: 4,095 masks."""
    model, record = ids.load_model("austen-block16"), RECORDS[window]
    return model, model.encode((record["prompt"] + record["response"])[:44]), np.arange(44) < 32


@pytest.mark.parametrize(("sequence", "window"), [(austen, 0), (austen, 2), (austen_block, 1)])
def test_maths_brackets_of_learned_models_contain_the_exact_value(sequence, window):
    """40 brackets, nominal 95 %: 5 misses are 2.2 deviations more than expected. The any-order value is the control."""
    model, tokens, given = sequence(window)
    known = Known(model, tokens, np.flatnonzero(~given))
    repeated, context = np.tile(tokens, (40, 1)), np.tile(given, (40, 1))
    exact = ids.bracket_nll(known, tokens[None], context=given[None], orders=400)
    assert exact["all_orders"].item()
    truth = exact["marginal_upper"].item()
    found = ids.bracket_nll(known, repeated, context=context, orders=64, names=[str(number) for number in range(40)])
    lower, upper = found["bracket"].values.T
    assert found["cautions"].sel(caution="wide-orders").sum() <= 10
    assert ((lower > truth) | (upper < truth)).sum() <= 5
    assert ((lower > exact["nll"].item()) | (upper < exact["nll"].item())).sum() > 5, "control"
    assert np.median(upper - lower) < exact["nll"].item() - truth, "narrower than the order gap"
