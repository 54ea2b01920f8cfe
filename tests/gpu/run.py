"""Check and measure on an accelerator, and print a table in Markdown.

It needs a Python with torch, numpy and transformers, and nothing else: ``PYTHONPATH=. python tests/gpu/run.py``. With
``--device cpu --small`` everything runs in tiny form, which tests the script. It takes less than six minutes.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from estimators import Job, estimator, evaluate, make_targets
from estimators.batches import CudaMemory, memory_of
from infodis_stats.models import Denoiser, DenoiserConfig, MaskedLanguageModel, acceleration

ESTIMATORS = ("auto", "uniform-count+stratified", "published-llada")
CHECKED = (*ESTIMATORS, "systematic", "block-chain", "time-integral+sobol")
SHARE_OF_MEMORY = 0.7  # that weights may take


@dataclass(frozen=True)
class Shape:
    """Sizes of a network without causal mask; the default is that of LLaDA-8B."""

    vocabulary: int = 126_464
    mask_id: int = 126_336
    width: int = 4096
    inner: int = 12_288
    heads: int = 32
    layers: int = 32
    length: int = 512
    passes: int = 64

    def parameters(self) -> int:
        """Return the number of weights of embedding, head and layers."""
        return 2 * self.vocabulary * self.width + self.layers * (4 * self.width**2 + 3 * self.width * self.inner)


SMALL = Shape(vocabulary=64, mask_id=63, width=16, inner=32, heads=2, layers=2, length=12, passes=8)


def llada_like(shape: Shape, dtype: torch.dtype, device: torch.device) -> MaskedLanguageModel:
    """Return a network of random weights in the layout of LLaDA, behind the adapter."""
    from transformers import LlamaConfig, LlamaForCausalLM  # noqa: PLC0415  takes seconds

    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=max(64, shape.length),
        use_cache=False,
    )
    torch.manual_seed(0)
    with torch.device(device):
        network = LlamaForCausalLM(config).to(dtype) if dtype == torch.float32 else _in_half(LlamaForCausalLM, config)
    for layer in network.model.layers:
        layer.self_attn.is_causal = False
    return MaskedLanguageModel(network, "llada", mask_id=shape.mask_id, length=max(64, shape.length))


def _in_half(kind: Callable[[object], nn.Module], config: object) -> nn.Module:
    """Build a network in bfloat16 at once, because the weights in float32 would take twice the memory."""
    torch.set_default_dtype(torch.bfloat16)
    try:
        return kind(config)
    finally:
        torch.set_default_dtype(torch.float32)


class Watched:
    """A model whose rows, batches and time are watched."""

    def __init__(self, model: MaskedLanguageModel, device: torch.device) -> None:
        self.model, self.device = model, device
        self.rows, self.inside = 0, 0.0
        self.batches: list[tuple[Tensor, Tensor]] = []

    def token_nll(self, tokens: Tensor, masked: Tensor) -> Tensor:
        """Return the losses of the model."""
        synchronise(self.device)
        started = time.perf_counter()
        losses = self.model.token_nll(tokens, masked)
        synchronise(self.device)
        self.inside += time.perf_counter() - started
        self.rows += len(tokens)
        self.batches.append((tokens, masked))
        return losses


def synchronise(device: torch.device) -> None:
    """Wait for the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(call: Callable[[], object], device: torch.device) -> float:
    """Return the wall-clock time of a call, with what it started on the device."""
    synchronise(device)
    started = time.perf_counter()
    call()
    synchronise(device)
    return time.perf_counter() - started


# Checks: each raises where a number is wrong.


def check_sampling(device: torch.device) -> str:
    """Check that estimates on the device are those on the CPU: the same masks, losses equal up to rounding."""
    torch.manual_seed(0)
    model = Denoiser(DenoiserConfig("abcd", length=24, layers=2, width=16, heads=2)).eval()
    tokens = [np.random.default_rng(length).integers(0, 4, length) for length in (5, 9, 9, 24)]
    arguments = {"passes": 16, "replicates": 2, "rng": 0, "context": 1}
    expected = [estimator(name).sample(model, tokens, **arguments) for name in CHECKED]
    model.to(device)
    for name, values in zip(CHECKED, expected, strict=True):
        for batch_size in (None, 3):
            found = estimator(name).sample(model, tokens, batch_size=batch_size, device=device, **arguments)
            np.testing.assert_allclose(found, values, rtol=1e-3, err_msg=name)
    return f"{len(CHECKED)} estimators equal those on the CPU, for any batch size"


def check_memory(device: torch.device) -> str:
    """Check that running out of memory halves the batch and changes no number."""
    if device.type != "cuda":
        return "not run: for CUDA only"
    memory = memory_of(device)
    assert isinstance(memory, CudaMemory)
    free = memory.free()
    memory.watch()
    held = torch.empty(2**28, dtype=torch.uint8, device=device)
    assert 0 <= memory.taken() < 2**28 <= free - memory.free() + 2**21
    del held

    class Greedy:
        """A model that fits two rows."""

        def token_nll(self, tokens: Tensor, masked: Tensor) -> Tensor:
            torch.empty(len(tokens) * int(0.4 * free), dtype=torch.uint8, device=device)
            return masked * (1.0 + tokens)

    target = make_targets([[0, 1, 2, 3, 1]])[0]
    plan = estimator("time-integral").plan(5, 16, 2, np.random.default_rng(0))
    (found,) = evaluate(Greedy(), [Job(target, plan)], batch_size=16, device=device)
    np.testing.assert_allclose(found.losses, plan.masks * (1.0 + target.tokens))
    return "free and used memory are measured; a batch too large is halved"


def check_adapter(device: torch.device) -> str:
    """Check that the adapter gives the losses of plain logits, on the device as on the CPU, from tokens on either."""
    model = llada_like(SMALL, torch.float32, torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(SMALL.mask_id, (4, SMALL.length), generator=generator)
    masked = torch.rand(tokens.shape, generator=generator) < 0.5
    expected = plain_losses(model, tokens, masked)
    torch.testing.assert_close(model.token_nll(tokens, masked), expected, rtol=1e-4, atol=1e-4)
    changed = tokens.clone()
    changed[:, -1] = (changed[:, -1] + 1) % SMALL.mask_id
    first = torch.zeros_like(masked)
    first[:, 0] = True
    assert (model.token_nll(changed, first) != model.token_nll(tokens, first)).any()  # the future is seen
    moved = MaskedLanguageModel(model.network.to(device), "llada", mask_id=SMALL.mask_id, length=64)
    for place in (torch.device("cpu"), device):
        found = moved.token_nll(tokens.to(place), masked.to(place))
        assert found.device.type == place.type
        torch.testing.assert_close(found.cpu(), expected, rtol=1e-3, atol=1e-3)
    assert moved.lean
    half = llada_like(SMALL, torch.bfloat16, device).token_nll(tokens, masked)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half.cpu()[masked].mean(), expected[masked].mean(), rtol=0.05, atol=0)
    return "losses equal those of plain logits, on the device and on the CPU; bfloat16 is near"


@torch.no_grad()
def plain_losses(model: MaskedLanguageModel, tokens: Tensor, masked: Tensor) -> Tensor:
    """Return the losses from the logits of all positions."""
    logs = model.network(torch.where(masked, model.mask_id, tokens)).logits.float().log_softmax(dim=-1)
    return torch.where(masked, -logs.gather(-1, tokens[..., None])[..., 0], 0.0)


def check_acceleration(device: torch.device) -> str:
    """Check that autocast and compiled blocks change losses by rounding."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(SMALL.mask_id, (4, SMALL.length), generator=generator)
    masked = torch.rand(tokens.shape, generator=generator) < 0.5
    model = llada_like(SMALL, torch.float32, device)
    expected = model.token_nll(tokens, masked)
    cast = acceleration.accelerated(model, autocast=torch.bfloat16).token_nll(tokens, masked)
    assert (cast != expected).any()
    torch.testing.assert_close(cast, expected, rtol=0.05, atol=0.05)
    compiled = acceleration.accelerated(model, compile=True).token_nll(tokens, masked)
    torch.testing.assert_close(compiled, expected, rtol=1e-3, atol=1e-3)
    return "autocast and torch.compile change losses by rounding"


# Measurements


def sampling_rows(shape: Shape, device: torch.device) -> Iterator[list[str]]:
    """Yield rows per second of `Estimator.sample`, against bare passes of the same rows."""
    deep = shape
    if device.type == "cuda":
        room = SHARE_OF_MEMORY * torch.cuda.mem_get_info(device)[0]
        while deep.layers > 1 and 2 * deep.parameters() > room:
            deep = replace(deep, layers=deep.layers - 1)
    depth = f"{deep.layers} layers" + (f" of {shape.layers}, for lack of memory" if deep.layers < shape.layers else "")
    model = llada_like(deep, torch.bfloat16, device)
    tokens = np.random.default_rng(0).integers(0, shape.mask_id, (2, shape.length))
    estimator("uniform-count").sample(model, tokens, passes=2, replicates=1, rng=0, device=device)  # warms up
    for name in ESTIMATORS:
        watched = Watched(model, device)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        sample = partial(estimator(name).sample, watched, tokens, passes=shape.passes, replicates=1, rng=0)
        total = seconds(partial(sample, device=device), device)
        peak = f"{torch.cuda.max_memory_allocated(device) / 2**30:.1f}" if device.type == "cuda" else ""
        bare = seconds(partial(bare_passes, model, watched.batches, device), device)
        yield [
            f"`{name}`, {shape.length} tokens, {shape.passes} passes, bfloat16, {depth}",
            f"{watched.rows / total:.1f}",
            f"{bare / total:.2f}",
            f"{1 - watched.inside / total:.1%}",
            peak,
        ]


@torch.no_grad()
def bare_passes(model: MaskedLanguageModel, batches: Sequence[tuple[Tensor, Tensor]], device: torch.device) -> None:
    """Run the network, head included, on the rows of batches: eight at a time, whose logits fit beside the weights."""
    for tokens, masked in batches:
        for part, hidden in zip(tokens.split(8), masked.split(8), strict=True):
            model.network(torch.where(hidden, model.mask_id, part).to(device)).logits[..., 0].sum()


def acceleration_rows(shape: Shape, device: torch.device) -> Iterator[list[str]]:
    """Yield the speed of autocast and of compiled blocks, on a part of the network."""
    part = replace(shape, layers=min(4, shape.layers))
    tokens = torch.randint(part.mask_id, (8, part.length), generator=torch.Generator().manual_seed(0)).to(device)
    masked = torch.rand(tokens.shape, generator=torch.Generator().manual_seed(1)).to(device) < 0.5
    for name, dtype, options in (
        ("autocast to bfloat16, float32 weights", torch.float32, {"autocast": torch.bfloat16}),
        ("torch.compile, bfloat16", torch.bfloat16, {"compile": True}),
    ):
        model = llada_like(part, dtype, device)
        plain = _median(partial(model.token_nll, tokens, masked), device)
        fast = acceleration.accelerated(model, **options)
        faster = _median(partial(fast.token_nll, tokens, masked), device)
        cell = f"{name}, {part.layers} layers, against the same without"
        yield [cell, f"{len(tokens) / faster:.1f}", f"{plain / faster:.2f}", "", ""]


def _median(call: Callable[[], object], device: torch.device) -> float:
    """Return the median time of a call after two to warm up."""
    for _ in range(2):
        call()
    return float(np.median([seconds(call, device) for _ in range(5)]))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the checks, then the measurements, and print both."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cuda", help="torch device (default cuda)")
    parser.add_argument("--small", action="store_true", help="run everything in tiny form, to test this script")
    options = parser.parse_args(arguments)
    device, shape = torch.device(options.device), SMALL if options.small else Shape()
    if device.type == "cuda" and not torch.cuda.is_available():
        sys.exit("there is no CUDA device here; --device cpu --small tests the script")
    if options.small:
        acceleration.COMPILER = "eager"  # compiles in no time
    named = torch.cuda.get_device_name(device) if device.type == "cuda" else "a CPU"
    print(f"# On an accelerator\n\nOn {named}, torch {torch.__version__}{', in tiny form' * options.small}.\n")
    checks = (check_sampling, check_memory, check_adapter, check_acceleration)
    print(table(["check", "finding"], [[check.__name__[6:], check(device)] for check in checks]), flush=True)
    print(
        "\nA network of random weights in the layout of LLaDA-8B. Own time is what `Estimator.sample` takes outside "
        "the model; bare passes run the same rows through the network and its head, eight at a time.\n"
    )
    columns = ["measured", "rows per second", "speed, bare passes = 1", "own time", "peak, GiB"]
    print(table(columns, [*sampling_rows(shape, device), *acceleration_rows(shape, device)]))


if __name__ == "__main__":
    main()
