"""The configuration: one TOML file, typed, with environment overrides; secrets only by file."""

from keeper.config.loading import ConfigError, Problem, load_config
from keeper.config.settings import Settings

__all__ = ["ConfigError", "Problem", "Settings", "load_config"]
