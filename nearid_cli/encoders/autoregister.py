"""Making `AutoConfig` and `AutoModel` know NearID checkpoints, without importing transformers for it.

`install` registers the configuration at once when transformers' auto classes are imported already, and
otherwise leaves a finder on `sys.meta_path` that does so when, and if, something imports them. The model
follows when the first configuration is made (`NearIDConfig`): while transformers' modules import each
other, its vision tower may not exist yet.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

_AUTO = "transformers.models.auto.configuration_auto"


def install() -> None:
    """Register now or on import. Calling it again changes nothing."""
    if _AUTO in sys.modules:
        _register()
    elif not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def _register() -> None:
    # The module registers its class at its end. Nothing of it is named here, because it may itself be what
    # imports transformers, and is not finished then.
    import nearid_cli.encoders.nearid_config  # noqa: F401


class _Finder:
    """Finds the module as every other finder would, and adds the registration to its loading."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module's own spec with a loader that registers, or None for all other modules."""
        if name != _AUTO:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        spec = next(filter(None, (finder.find_spec(name, path, target) for finder in others)), None)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_register(module: ModuleType) -> None:
                execute(module)
                _register()

            spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return spec
