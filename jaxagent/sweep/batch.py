"""Job files: a sweep handed to engines that exist, which start, restart and count its workers.

Templates are plain files with `{{name}}` in them; what fills them in is here, quoted by the rules
of the file's format. A line with a placeholder that is empty is left out. The sweep itself travels
in the job file, so that a worker needs its image and the folder of the results, and nothing else.
Nothing of a cloud is needed to render them.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import shlex
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import MappingProxyType

from jaxagent.sweep.resources import Resources, check_needs, check_text

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
        "skypilot": ("sky", "jobs", "launch", "-y", "-d", "--env", "WORKER={worker}", "{file}"),
        "tpu-vm": ("bash", "{file}"),
    }
)
"""Engine -> the command that takes its file."""

HOSTS = "JAXAGENT_HOSTS"
"""Variable that tells a worker how many hosts it has, where no engine's does."""

MOST_WORKERS = MappingProxyType(
    {
        "slurm": 1000,  # MaxArraySize is 1001 unless the administrator says otherwise
        "k8s": 100_000,
        "jobset": 1000,
        "gcp-batch": 10_000,
        "aws-batch": 10_000,
        "skypilot": 1000,
        "tpu-vm": 1000,
    }
)
"""Engine -> elements of an array, or workers, at most."""

LONGEST = MappingProxyType({"slurm": 2_000_000, "aws-batch": 7000})
"""Engine -> characters of a worker's command at most: SLURM's script has 4 MiB, AWS takes 8 KiB of
overrides, and Linux 128 KiB as one argument."""

_LONGEST = 120_000
_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")
_BY_INDEX = ("k8s", "gcp-batch", "aws-batch")
_MOUNTING = ("k8s", "jobset", "gcp-batch", "skypilot", "tpu-vm")
_SHARE = re.compile(r"(?!\w+://)([A-Za-z0-9.:\[\]-]+):(/.*)")
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?")


@dataclass(frozen=True)
class Job:
    """What an engine is told.

    Attributes:
        name: of the job: see `job_name`.
        shards: of the sweep, or of its first round.
        program: that a worker runs.
        sweep: the sweep as JSON, which the program reads from its standard input.
        out: folder of the results as workers see it, the same for all of them.
        needs: of every worker.
        rounds: whether further shards follow from results, so that workers have to claim them.
    """

    name: str
    shards: int
    program: str
    sweep: str
    out: str
    needs: Resources = Resources()
    rounds: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"name={self.name!r}: expected small letters, digits and hyphens, at most 40"
            )
        if self.shards < 1:
            raise ValueError(f"shards={self.shards}: expected at least 1")
        for name in ("program", "out"):
            if not getattr(self, name).strip():
                raise ValueError(f"--{name}={getattr(self, name)!r}: expected a text")
            check_text(f"--{name}", getattr(self, name), 1000)


def job_name(name: str) -> str:
    """Return a name for jobs of any engine: a DNS label of up to 40 characters.

    Small letters, digits and hyphens stay, `_` and `.` become hyphens; where more is changed, a
    hash keeps different names different.
    """
    plain = re.sub("[_.]", "-", name.lower())
    kept = re.sub("[^a-z0-9]+", "-", plain).strip("-")
    label = kept if kept[:1].isalpha() else f"sweep-{kept}".strip("-")
    if label != plain or len(label) > 40:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:6]
        label = f"{label[:33].strip('-')}-{digest}"
    return label


def render(engine: str, template: str, job: Job, file: str) -> str:
    """Fill in the job file of an engine.

    Args:
        engine: one of `ENGINES`.
        template: its text.
        job: what fills it in.
        file: where it will lie.

    Raises:
        ValueError: something that the engine needs is missing, or it has no use for something.
    """
    check_needs(engine, job.needs)
    check_text("--job", file, 3000)
    _check_places(engine, job)
    # Slices are files of their own in one, so that each begins anew by itself.
    count = workers(engine, job) if engine == "jobset" else 1
    parts = [_filled(engine, template, _values(engine, job, file, i)) for i in range(count)]
    return "---\n".join(parts)


def _filled(engine: str, template: str, values: dict[str, str]) -> str:
    lines = []
    for line in template.splitlines(keepends=True):
        names = _PLACEHOLDER.findall(line)
        unknown = sorted(set(names) - set(values))
        if unknown:
            raise ValueError(f"template of {engine}: {unknown} are not known")
        if all(values[name] for name in names):
            lines.append(_PLACEHOLDER.sub(lambda match: values[match[1]], line))
    return "".join(lines)


def submissions(engine: str, job: Job, file: str) -> list[list[str]]:
    """Return the commands that hand the file to its engine."""
    count = workers(engine, job) if engine == "skypilot" else 1
    known = {"file": file, "name": job.name, "zone": job.needs.zone}
    parts = SUBMITS[engine]
    return [[part.format(**known, worker=i) for part in parts] for i in range(count)]


def workers(engine: str, job: Job) -> int:
    """Return how many workers an engine starts, at once or one after the other.

    Raises:
        ValueError: more than it takes.
    """
    most = MOST_WORKERS[engine]
    if engine in _BY_INDEX and not job.rounds:
        if job.shards > most:
            raise ValueError(
                f"{engine}: {job.shards:,} shards, expected at most {most:,}; give the sweep more "
                "members to a shard"
            )
        return job.shards
    if job.needs.parallel > most:
        raise ValueError(f"--parallel={job.needs.parallel}: {engine} takes at most {most:,}")
    return job.needs.parallel or min(job.shards, most)


def worker_command(engine: str, job: Job) -> str:
    """Return the shell command of a worker, which reads the sweep from its standard input."""
    index = "claim"
    if engine == "skypilot":
        index = f"$WORKER/{workers(engine, job)}"
    elif engine in _BY_INDEX and not job.rounds:
        index = "auto"
    command = shlex.join([job.program, "sweep", "run", "-", "--out", job.out, "--index"])
    # In double quotes for the one variable; nothing else is in an index.
    command = f'{command} "{index}" <<< {shlex.quote(job.sweep)}'
    most = LONGEST.get(engine, _LONGEST)
    if len(json.dumps(command)) > most:
        raise ValueError(f"{engine} takes a sweep of up to {most:,} characters; name fewer values")
    return command


def _check_places(engine: str, job: Job) -> None:
    """Raises `ValueError` where the results could not be shared."""
    path, volume = PurePosixPath(job.out), job.needs.volume
    if engine == "aws-batch" and not path.is_absolute():
        raise ValueError(
            f"--out={job.out!r}: expected a path below what the job definition mounts, such as "
            f"/results/{job.name}"
        )
    if engine in _MOUNTING and (not path.is_absolute() or len(path.parts) < 3):
        raise ValueError(
            f"--out={job.out!r}: {engine} mounts the volume at the folder above; expected a path "
            f"such as /results/{job.name}"
        )
    if engine == "slurm" and set(job.out) & set("%\\"):
        raise ValueError(
            f"--out={job.out!r}: expected a path without '%' and backslashes, which SLURM "
            "takes for patterns"
        )
    if ".." in path.parts:
        raise ValueError(f"--out={job.out!r}: expected a path without '..'")
    if engine == "tpu-vm" and not _SHARE.fullmatch(volume):
        raise ValueError(
            f"--volume={volume!r}: expected an NFS share as HOST:/PATH, since workers claim shards "
            "by files that only one can make, and a bucket has none"
        )
    if engine == "skypilot" and not (job.needs.image or job.needs.setup):
        raise ValueError("skypilot needs --image, or --setup that installs jaxagent")
    if engine == "skypilot" and job.rounds:
        raise ValueError("skypilot mounts a bucket, where a sweep of several rounds cannot claim")


def _values(engine: str, job: Job, file: str, number: int = 0) -> dict[str, str]:
    """What placeholders stand for; `number` is that of a worker with a file of its own."""
    needs, count = job.needs, workers(engine, job)
    mount, share = str(PurePosixPath(job.out).parent), _SHARE.fullmatch(needs.volume)
    command = worker_command(engine, job)
    # A shell that becomes the worker passes on every signal.
    steps = [needs.setup and f"set -e\n{needs.setup}", f"exec {command}"]
    if engine == "jobset":
        steps.insert(0, 'unset "${!MEGASCALE_@}"')
    script = "\n".join(step for step in steps if step)
    server, path = share.groups() if share else ("", "")
    names = "image setup zone accelerator topology queue partition account qos constraint"
    texts = {
        **{name: getattr(needs, name) for name in [*names.split(), "volume"]},
        **{"out": job.out, "mount": mount, "name": job.name, "file": file, "script": script},
        "slice": f"{job.name}-{number}",
        "kubernetes": _unexpanded(script),
        "docker": needs.image and f"docker:{needs.image}",
        "bucket": "" if share else needs.volume.removeprefix("gs://"),
        "server": server,
        "path": path,
        "background": _background(job, command, mount) if engine == "tpu-vm" else "",
        "log": f"{job.out}/logs/%A_%a.log",
    }
    numbers = {
        **{name: getattr(needs, name) or "" for name in ("cpus", "memory", "gpus")},
        **{"hosts": needs.hosts, "chips": needs.chips, "workers": count, "last": count - 1},
        "array": count if count > 1 else "",
        "parallel": min(needs.parallel or count, count),
        "minutes": math.ceil(needs.hours * 60),
        "seconds": math.ceil(needs.hours * 3600),
        "cpu_milli": 1000 * needs.cpus,
        "memory_mib": 1024 * needs.memory,
    }
    values = {name: str(value) for name, value in numbers.items()}
    for name, text in texts.items():
        values |= {f"{name}_{form}": quote(text) for form, quote in _QUOTES.items()}
    return {**values, "setup": needs.setup, "command": command}


def _background(job: Job, command: str, mount: str) -> str:
    """What a host of a TPU slice is told: to mount the share, and to start a worker unless one
    runs."""
    needs, log = job.needs, f"{job.out}/logs"
    # Cloud TPU tells its machines of a slice about each other, but not by a variable.
    together = f"{HOSTS}={needs.hosts} " if needs.hosts > 1 else ""
    lock = f"/tmp/jaxagent-{job.name}.lock"
    worker = shlex.quote(f"{together}exec {command}")
    steps = [
        "set -e",
        f"flock -n {lock} true || exit 0",
        "command -v mount.nfs > /dev/null || "
        "{ sudo apt-get -y update && sudo apt-get -y install nfs-common; }",
        f"sudo mkdir -p {shlex.quote(mount)}",
        f"mountpoint -q {shlex.quote(mount)} || "
        f"sudo mount -t nfs -o hard {shlex.quote(needs.volume)} {shlex.quote(mount)}",
        f"mkdir -p {shlex.quote(log)}",
        needs.setup,
        f"nohup flock -n {lock} bash -c {worker} "
        f'>> {shlex.quote(log)}/"$(hostname)".log 2>&1 < /dev/null &',
    ]
    return "\n".join(steps)


def _yaml(text: str) -> str:
    """A scalar of YAML: JSON's strings are, as long as nothing in them is a half of a pair."""
    return json.dumps(text, ensure_ascii=False) if text else ""


def _sbatch(text: str) -> str:
    """A value of an `#SBATCH` line: in double quotes where it is not plain. In a quoted one a
    backslash takes the next sign as it is (tried with SLURM 22.05)."""
    if re.fullmatch(r"[\w@%+=:,./-]*", text, flags=re.ASCII):
        return text
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def _unexpanded(text: str) -> str:
    """A command that Kubernetes passes on as it is: it takes `$(NAME)` for a variable, and `$$`
    for a dollar sign."""
    return text.replace("$", "$$")


_QUOTES = MappingProxyType(
    {
        "yaml": _yaml,
        "json": lambda text: json.dumps(text) if text else "",
        "shell": lambda text: shlex.quote(text) if text else "",
        "sbatch": _sbatch,
    }
)
"""Form of a placeholder -> how a text is written in it; nothing for an empty one."""
