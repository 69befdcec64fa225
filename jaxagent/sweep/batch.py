"""Job files: a sweep handed to engines that exist, which start, restart and count its workers.

Templates are plain files with `{{name}}` in them; what fills them in is here. Nothing of a cloud is
needed to render them.
"""

from __future__ import annotations

import json
import math
import re
import shlex
from dataclasses import dataclass
from types import MappingProxyType

ENGINES = MappingProxyType(
    {
        "slurm": "slurm.sbatch",
        "k8s": "k8s.yaml",
        "jobset": "jobset.yaml",
        "gcp-batch": "gcp-batch.json",
        "aws-batch": "aws-batch.json",
        "skypilot": "skypilot.yaml",
        "tpu-vm": "tpu-vm.sh",
    }
)
"""Engine -> its template."""

SUBMITS = MappingProxyType(
    {
        "slurm": ("sbatch", "{file}"),
        "k8s": ("kubectl", "apply", "-f", "{file}"),
        "jobset": ("kubectl", "apply", "-f", "{file}"),
        "gcp-batch": (
            *("gcloud", "batch", "jobs", "submit", "{name}"),
            *("--location", "{zone}", "--config", "{file}"),
        ),
        "aws-batch": ("aws", "batch", "submit-job", "--cli-input-json", "file://{file}"),
        "skypilot": ("sky", "jobs", "launch", "-y", "-d", "{file}"),
        "tpu-vm": ("bash", "{file}"),
    }
)
"""Engine -> the command that takes its file."""

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


HOSTS = "JAXAGENT_HOSTS"
"""Variable that tells a worker how many hosts it has, where no engine's does."""


@dataclass(frozen=True)
class Resources:
    """What an engine gives a worker."""

    setup: str = "true"
    """Shell command that comes first on a worker, e.g. `. .venv/bin/activate`."""
    image: str = ""
    """Container image; of aws-batch the job definition, of tpu-vm the runtime version."""
    volume: str = ""
    """Claim, bucket or store that is mounted at the folder of the results."""
    parallel: int = 0
    """Workers at once; 0 for one per shard."""
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

    def __post_init__(self) -> None:
        for name in ("cpus", "memory", "hosts", "chips"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: expected at least 1")
        if self.hours <= 0:
            raise ValueError(f"hours={self.hours}: expected more than 0")


@dataclass(frozen=True)
class Job:
    """What an engine is told.

    Attributes:
        name: of the job: small letters, digits and hyphens.
        shards: of the sweep.
        command: a worker's, as its arguments.
        out: folder of the results, the same for all workers.
        needs: of every worker.
    """

    name: str
    shards: int
    command: tuple[str, ...]
    out: str
    needs: Resources = Resources()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"name={self.name!r}: expected small letters, digits and hyphens, at most 63"
            )
        if self.shards < 1:
            raise ValueError(f"shards={self.shards}: expected at least 1")


_NEEDED = {
    "slurm": (),
    "k8s": ("image", "volume"),
    "jobset": ("image", "volume", "accelerator", "topology", "queue"),
    "gcp-batch": ("image", "volume", "accelerator", "zone"),
    "aws-batch": ("image", "queue"),
    "skypilot": ("volume", "accelerator"),
    "tpu-vm": ("image", "accelerator", "zone"),
}


def render(engine: str, template: str, job: Job, file: str) -> str:
    """The job file of an engine.

    Args:
        engine: one of `ENGINES`.
        template: its text.
        job: what fills it in.
        file: where it will lie.

    Raises:
        ValueError: something that the engine needs is missing.
    """
    missing = [name for name in _NEEDED[engine] if not getattr(job.needs, name)]
    if missing:
        raise ValueError(f"{engine} needs {', '.join('--' + name for name in missing)}")
    values = _values(job, file)
    unknown = set(re.findall(r"\{\{(\w+)\}\}", template)) - set(values)
    if unknown:
        raise ValueError(f"template of {engine}: {sorted(unknown)} are not known")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], template)


def submission(engine: str, job: Job, file: str) -> list[str]:
    """The command that hands the file to its engine."""
    return [part.format(file=file, name=job.name, zone=job.needs.zone) for part in SUBMITS[engine]]


def _values(job: Job, file: str) -> dict[str, str]:
    needs, command = job.needs, shlex.join(job.command)
    log = shlex.quote(f"{job.out}/logs")
    # Cloud TPU tells its machines of a slice about each other, but not by a variable.
    together = f"{HOSTS}={needs.hosts} " if needs.hosts > 1 else ""
    background = f"mkdir -p {log}; {together}nohup {command} >> {log}/$(hostname).log 2>&1"
    parallel = needs.parallel or job.shards
    values = {
        **vars(needs),
        "name": job.name,
        "file": file,
        "shards": job.shards,
        "last": job.shards - 1,
        "parallel": parallel,
        "last_parallel": parallel - 1,
        "command": command,
        "quoted": json.dumps(f"{needs.setup} && {command}"),
        "background_quoted": shlex.quote(background),
        "setup_quoted": shlex.quote(needs.setup),
        "out": job.out,
        "minutes": math.ceil(needs.hours * 60),
        "seconds": math.ceil(needs.hours * 3600),
        "cpu_milli": 1000 * needs.cpus,
        "memory_mib": 1024 * needs.memory,
    }
    quoted = ("image", "volume", "accelerator", "queue", "name", "out")
    values |= {f"{name}_quoted": json.dumps(values[name]) for name in quoted}
    return {name: str(value) for name, value in values.items()}
