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


@dataclass(frozen=True)
class Job:
    """What an engine is told.

    Attributes:
        name: of the job: small letters, digits and hyphens.
        shards: of the sweep.
        command: a worker's, as its arguments.
        out: folder of the results, the same for all workers.
        setup: shell command that comes first.
        image: container image; of `aws-batch` the job definition, of `tpu-vm` the runtime version.
        volume: claim, bucket or store that is mounted at `out`.
        parallel: workers at once; 0 for one per shard.
        hours: of a worker at most.
        cpus, memory, gpus: of a worker; memory in GiB.
        accelerator: machine or accelerator type, as the engine calls it.
        topology: of a TPU slice, e.g. `2x4`.
        hosts, chips: of a TPU slice, and chips of a host.
        queue: of Kueue or AWS Batch.
        zone: of `tpu-vm`, or the location of `gcp-batch`.
    """

    name: str
    shards: int
    command: tuple[str, ...]
    out: str
    setup: str = "true"
    image: str = ""
    volume: str = ""
    parallel: int = 0
    hours: float = 24.0
    cpus: int = 4
    memory: int = 16
    gpus: int = 0
    accelerator: str = ""
    topology: str = ""
    hosts: int = 1
    chips: int = 4
    queue: str = ""
    zone: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"name={self.name!r}: expected small letters, digits and hyphens, at most 63"
            )
        for name in ("shards", "cpus", "memory", "hosts", "chips"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: expected at least 1")
        if self.hours <= 0:
            raise ValueError(f"hours={self.hours}: expected more than 0")


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
    missing = [name for name in _NEEDED[engine] if not getattr(job, name)]
    if missing:
        raise ValueError(f"{engine} needs {', '.join('--' + name for name in missing)}")
    values = _values(job, file)
    unknown = set(re.findall(r"\{\{(\w+)\}\}", template)) - set(values)
    if unknown:
        raise ValueError(f"template of {engine}: {sorted(unknown)} are not known")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], template)


def submission(engine: str, job: Job, file: str) -> list[str]:
    """The command that hands the file to its engine."""
    return [part.format(file=file, name=job.name, zone=job.zone) for part in SUBMITS[engine]]


def _values(job: Job, file: str) -> dict[str, str]:
    command = shlex.join(job.command)
    whole = f"{job.setup} && {command}"
    log = shlex.quote(f"{job.out}/logs")
    background = f"mkdir -p {log}; nohup {command} >> {log}/$(hostname).log 2>&1"
    parallel = job.parallel or job.shards
    values = {
        "name": job.name,
        "file": file,
        "shards": job.shards,
        "last": job.shards - 1,
        "parallel": parallel,
        "last_parallel": parallel - 1,
        "command": command,
        "quoted": json.dumps(whole),
        "background_quoted": shlex.quote(background),
        "setup": job.setup,
        "setup_quoted": shlex.quote(job.setup),
        "out": job.out,
        "out_quoted": json.dumps(job.out),
        "minutes": math.ceil(job.hours * 60),
        "seconds": math.ceil(job.hours * 3600),
        "cpu_milli": 1000 * job.cpus,
        "memory_mib": 1024 * job.memory,
    }
    for name in ("image", "volume", "accelerator", "queue", "name"):
        values[f"{name}_quoted"] = json.dumps(getattr(job, name))
    for name in ("image", "volume", "cpus", "memory", "gpus", "accelerator", "topology"):
        values[name] = getattr(job, name)
    for name in ("hosts", "chips", "queue", "zone"):
        values[name] = getattr(job, name)
    return {name: str(value) for name, value in values.items()}
