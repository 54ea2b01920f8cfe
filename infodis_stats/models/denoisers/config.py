"""The architecture of a denoiser."""

from dataclasses import asdict, dataclass
from functools import cached_property

from estimators import Blocks, InputError
from infodis_stats.models.denoisers.symbols import BytePairs, Characters, Symbols

__all__ = ["UNIFORM", "DenoiserConfig"]

UNIFORM = "uniform"


@dataclass(frozen=True)
class DenoiserConfig:
    """The architecture of a `Denoiser` or a `UniformDenoiser`.

    Parameters
    ----------
    alphabet : str, default ""
        Distinct characters; a token is the index of a character.
    length : int, default 128
        Longest sequence in tokens, context included.
    layers, width, heads : int, default 4, 128 and 4
        Size of the transformer; ``width`` must be a multiple of ``2 * heads``.
    block_size : int, optional
        Of a block-diffusion model: tokens are predicted from the unmasked ones of their block and all earlier ones.
    tokenizer : str, default ""
        In place of an alphabet: a byte-level byte-pair encoding of the library ``tokenizers``, as JSON.
    noise : {"", "uniform"}, default ""
        The noise of a `UniformDenoiser`; a `Denoiser` has none.
    time : bool, default False
        Whether the network is shown the amount of uniform noise.

    Raises
    ------
    InputError
        If there is not one of an alphabet and a tokenizer, the alphabet repeats a character, a size is not positive,
        the width does not fit the heads, or noise comes with blocks.

    Examples
    --------
    >>> from infodis_stats.models import Denoiser
    >>> config = DenoiserConfig("ACGT", length=64, layers=2, width=32, heads=2)
    >>> config.symbols.size, Denoiser(config).describe()
    (4, 'denoiser 25,508 parameters')
    """

    alphabet: str = ""
    length: int = 128
    layers: int = 4
    width: int = 128
    heads: int = 4
    block_size: int | None = None
    tokenizer: str = ""
    noise: str = ""
    time: bool = False

    def __post_init__(self) -> None:
        if self.alphabet and self.tokenizer:
            raise InputError("a denoiser has either an alphabet or a tokenizer")
        _ = self.symbols
        if min(self.length, self.layers, self.width, self.heads) < 1 or self.width % (2 * self.heads):
            raise InputError(
                "a denoiser needs positive sizes and a width that is a multiple of 2 x heads, got length "
                f"{self.length}, layers {self.layers}, width {self.width}, heads {self.heads}"
            )
        if self.block_size is not None and Blocks(self.block_size).size > self.length:
            raise InputError(f"block_size must be at most the length, {self.length}, got {self.block_size}")
        if self.noise not in ("", UNIFORM):
            raise InputError(f"the noise of a denoiser is {UNIFORM!r} or left out for masks, got {self.noise!r}")
        if self.time and not self.noise:
            raise InputError("time is for uniform noise: a masked denoiser sees how much is masked")
        if self.noise and self.block_size is not None:
            raise InputError("blocks are for masks: leave out block_size under uniform noise")

    @cached_property
    def symbols(self) -> Symbols:
        """What tokens stand for."""
        return BytePairs(self.tokenizer) if self.tokenizer else Characters(self.alphabet)

    def as_dict(self) -> dict[str, str | int | bool]:
        """Return the parameters, those left out excepted: what is stored with the weights."""
        return {name: value for name, value in asdict(self).items() if value}
