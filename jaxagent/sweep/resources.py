"""What an engine gives a worker, and which of it each engine can be told."""

from __future__ import annotations

from dataclasses import dataclass, fields
from types import MappingProxyType

MOST = MappingProxyType(
    {
        "parallel": (0, 100_000),
        "cpus": (1, 4096),
        "memory": (1, 65_536),
        "gpus": (0, 64),
        "hosts": (1, 10_000),
        "chips": (1, 64),
        "hours": (0, 8760),
    }
)
"""Option -> its least and its largest value; hours are more than the least."""

LONGEST = 1000
"""Characters of an option at most."""


@dataclass(frozen=True)
class Resources:
    """What an engine gives a worker."""

    setup: str = ""
    """Shell command that comes first on a worker, e.g. `. .venv/bin/activate`."""
    image: str = ""
    """Container image; of aws-batch the job definition, of tpu-vm the runtime version."""
    volume: str = ""
    """Claim (k8s, jobset), bucket (gcp-batch, skypilot) or NFS share HOST:/PATH (gcp-batch, tpu-vm)
    that is mounted at the folder above the results."""
    parallel: int = 0
    """Workers at once; 0 for one per shard, as far as the engine allows."""
    hours: float = 24.0
    """Of a worker at most."""
    cpus: int = 4
    """Of a worker."""
    memory: int = 16
    """Of a worker, GiB."""
    gpus: int = 0
    """Of a worker."""
    accelerator: str = ""
    """Machine or accelerator type, as the engine calls it."""
    topology: str = ""
    """Of a TPU slice, e.g. 2x4."""
    hosts: int = 1
    """Of a TPU slice."""
    chips: int = 4
    """Of a host of it."""
    queue: str = ""
    """Of Kueue or AWS Batch."""
    zone: str = ""
    """Of tpu-vm, or the location of gcp-batch."""
    partition: str = ""
    """Of SLURM."""
    account: str = ""
    """That SLURM charges."""
    qos: str = ""
    """Quality of service, of SLURM."""
    constraint: str = ""
    """Features that a node has to have, of SLURM."""

    def __post_init__(self) -> None:
        for name, (least, most) in MOST.items():
            value = getattr(self, name)
            too_few = value <= least if name == "hours" else value < least
            if too_few or not value <= most:  # NaN is refused too
                start = f"more than {least}, up to" if name == "hours" else f"{least} to"
                raise ValueError(f"--{name}={value}: expected {start} {most:,}")
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, str):
                check_text(f"--{each.name}", value, LONGEST)


def check_text(field: str, text: str, most: int) -> None:
    """Raise `ValueError` unless a text is one line that can be seen, of `most` characters at most.

    What is refused has no place in a job file, however it is quoted: line breaks and controls.
    """
    if len(text) > most or not text.isprintable():
        shown = ascii(text if len(text) <= 80 else f"{text[:79]}…")
        raise ValueError(f"{field}={shown}: expected one line of up to {most:,} visible characters")


USED = MappingProxyType(
    {
        "slurm": "setup parallel hours cpus memory gpus partition account qos constraint",
        "k8s": "setup image volume parallel cpus memory gpus",
        "jobset": "setup image volume parallel accelerator topology hosts chips queue",
        "gcp-batch": "setup image volume parallel hours cpus memory accelerator zone",
        "aws-batch": "setup image hours cpus memory gpus queue",
        "skypilot": "setup image volume parallel cpus memory accelerator",
        "tpu-vm": "setup image volume parallel accelerator hosts zone",
    }
)
"""Engine -> the options that its job file makes use of."""

NEEDED = MappingProxyType(
    {
        "slurm": "",
        "k8s": "image volume",
        "jobset": "image volume accelerator topology",
        "gcp-batch": "image volume accelerator zone",
        "aws-batch": "image queue",
        "skypilot": "volume accelerator",
        "tpu-vm": "setup image volume accelerator zone",
    }
)
"""Engine -> those of them that it cannot do without."""


def check_needs(engine: str, needs: Resources) -> None:
    """Raise `ValueError` naming what an engine lacks, or was given and makes no use of."""
    missing = [name for name in NEEDED[engine].split() if not getattr(needs, name)]
    if missing:
        raise ValueError(f"{engine} needs {_options(missing)}")
    used = USED[engine].split()
    idle = [f.name for f in fields(needs) if getattr(needs, f.name) != f.default]
    idle = [name for name in idle if name not in used]
    if idle:
        raise ValueError(f"{engine} makes no use of {_options(idle)}; it takes {_options(used)}")


def _options(names: list[str]) -> str:
    return ", ".join(f"--{name}" for name in names)
