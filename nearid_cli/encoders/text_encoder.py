"""The loaded text half of a CLIP checkpoint: its tokenizer, the forward pass, the projection, the L2 norm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nearid_cli.encoders.libraries import quiet_transformers, torchvision_problem
from nearid_cli.encoders.numerics import forward_pass
from nearid_cli.encoders.spec import EncoderSpec
from nearid_cli.encoders.text import token_limit
from nearid_cli.encoders.tokenizer_files import passed_on
from nearid_cli.errors import ModelError
from nearid_cli.text import printable

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from nearid_cli.encoders.spec import Embeddings, Pixels

_HIGHEST = 2
"""What `eos_token_id` says in older configurations; their models end a text at its highest token."""


@dataclass(frozen=True)
class Tokens:
    """A text as the model takes it.

    Attributes:
        ids: integers [L], from the begin to the end token.
        cut: whether the text has more than the model takes.
    """

    ids: Pixels
    cut: bool


class TextEncoder:
    """Embeds texts.

    Args:
        spec: from `text_spec`.
        model: the loaded model.
        device: where it shall run.
        config: the content of the checkpoint's config.json.
        tokenizer: of its tokenizer, from `read_tokenizer`.

    Attributes:
        spec: what it is.
        most_tokens: what of a text is more is cut.

    Raises:
        ModelError: the tokenizer cannot be read, or does not go with the model.
    """

    def __init__(
        self,
        spec: EncoderSpec,
        model: PreTrainedModel,
        device: str,
        config: Mapping[str, Any],
        tokenizer: Mapping[str, bytes],
    ) -> None:
        assert spec.folder is not None
        self.spec = spec
        self._device = torch.device(device)
        self._model = model.to(self._device)
        self._tokenizer = _tokenizer(spec.folder, tokenizer)
        settings = model.config
        self.most_tokens = min(token_limit(config, tokenizer), settings.max_position_embeddings)
        self._end = self._tokenizer.eos_token_id
        self._by_highest = settings.eos_token_id == _HIGHEST
        if self._end is None or (not self._by_highest and self._end != settings.eos_token_id):
            raise self._misfit(
                f"ends a text with token {self._end}, and the model with {settings.eos_token_id}"
            )

    def prepare(self, text: str) -> Tokens:
        """A text as `embed` takes it.

        Raises:
            ModelError: the model does not know a token, or would not find the end of the text.
        """
        tokens = self._tokenizer(text, verbose=False)["input_ids"]
        cut = len(tokens) > self.most_tokens
        if cut:
            tokens = self._tokenizer(text, truncation=True, max_length=self.most_tokens)["input_ids"]
        ids = np.array(tokens, np.int64)
        if (highest := int(ids.max(initial=0))) >= (known := self._model.config.vocab_size):
            raise self._misfit(f"gives token {highest}, and the model knows {known:,}")
        ends = np.flatnonzero(ids == self._end)
        if not len(ends) or (self._by_highest and ids.argmax() != ends[0]):
            raise self._misfit(f'ends "{printable(text[:60])}" where the model does not look for the end')
        return Tokens(ids, cut)

    @torch.inference_mode()
    def embed(self, batch: Sequence[Pixels]) -> Embeddings:
        """Embed texts by their tokens: float32 [len(batch), D], rows of L2 norm 1."""
        longest = max(len(ids) for ids in batch)
        # What stands behind the end has no say: the model looks back only.
        tokens = torch.full((len(batch), longest), self._end)
        mask = torch.zeros((len(batch), longest), dtype=torch.long)
        for row, ids in enumerate(batch):
            tokens[row, : len(ids)] = torch.from_numpy(ids)
            mask[row, : len(ids)] = 1
        with forward_pass(self._device, self.spec.folder or ""):
            outputs = self._model(input_ids=tokens.to(self._device), attention_mask=mask.to(self._device))
            features = outputs.text_embeds.float()
            rows: Embeddings = (features / features.norm(dim=-1, keepdim=True)).cpu().numpy()
        return rows

    def _misfit(self, why: str) -> ModelError:
        return ModelError(
            f"the tokenizer in {printable(self.spec.folder or '')} {why}: they are not of one model"
        )


def _tokenizer(folder: Path, contents: Mapping[str, bytes]) -> Any:
    """The tokenizer of a checkpoint, from its own files and running none of its code."""
    from transformers import AutoTokenizer

    # Of copies, since what is in the folder may have become another by now.
    with quiet_transformers(), TemporaryDirectory() as copies:
        for name, content in {**passed_on(contents), "config.json": b'{"model_type": "clip"}'}.items():
            (Path(copies) / name).write_bytes(content)
        try:
            return AutoTokenizer.from_pretrained(copies, local_files_only=True, trust_remote_code=False)
        except Exception as error:  # whatever a library says of files from anywhere
            if problem := torchvision_problem():
                raise ModelError(problem) from error
            raise ModelError(
                f"cannot make a tokenizer of {', '.join(contents)} in {printable(folder)}: "
                f"{printable(' '.join(str(error).split())[:200]) or type(error).__name__}"
            ) from error
