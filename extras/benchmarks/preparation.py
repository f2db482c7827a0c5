"""What cases.yaml calls: ten times the data, and the size of a download."""

import hashlib
import json
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import yaml
from packaging.pylock import Pylock

from common.config import PARAMS
from common.datasets import DATASETS
from support.command_line import echo
from support.yaml_file import read_yaml


def repeat_dataset(times: int) -> None:
    """Repeat every example of the raw data in this folder, and adapt the settings."""
    params, datasets = read_yaml(PARAMS), read_yaml(DATASETS)
    params["flatten"]["validation_examples"] *= times
    files = datasets[params["dataset"]]["files"]
    for name in files:
        path = Path("data/raw", name)
        content = repeat_examples(path.read_bytes(), times)
        path.write_bytes(content)
        files[name] = hashlib.sha256(content).hexdigest()
    PARAMS.write_text(yaml.safe_dump(params), encoding="utf-8")
    DATASETS.write_text(yaml.safe_dump(datasets), encoding="utf-8")


def repeat_examples(content: bytes, times: int) -> bytes:
    """Return an IDX file that has the examples of another one several times."""
    header, count = 4 + 4 * content[3], times * int.from_bytes(content[4:8], "big")
    return content[:4] + count.to_bytes(4, "big") + content[8:header] + times * content[header:]


def print_download_size(lock: str) -> None:
    """Print the size of all packages of a lock file for this machine; nothing is downloaded."""
    command = ["uv", "pip", "compile", "--quiet", "--no-deps", "--format=pylock.toml", lock]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    packages: Any = Pylock.from_dict(tomllib.loads(output)).select()
    echo(json.dumps({"bytes": sum(package.size for _, package in packages)}))
