"""Job files: goldens, published schemas, and what engines do with them."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from dataclasses import fields, replace
from pathlib import Path

import pytest
from test_sweep import SMALL

from jaxagent.cli import main
from jaxagent.study.config import plan_folder
from jaxagent.sweep.batch import ENGINES, Job, job_name, render, submissions, workers
from jaxagent.sweep.resources import NEEDED, USED, Resources, check_needs

SWEEP = {"name": "demo", "plan": "train", "axes": {"train.entropy": [0.0, 0.1]}}
ALL = {
    "setup": ". .venv/bin/activate",
    "image": "registry/jaxagent:1",
    "volume": "results",
    "parallel": 4,
    "hours": 2.5,
    "gpus": 1,
    "accelerator": "v5litepod-4",
    "topology": "2x2",
    "queue": "default",
    "zone": "europe-west4-b",
    "partition": "gpu",
    "account": "lab",
    "qos": "long",
    "constraint": "a100&nvlink",
}
HARD = """it's a "b": {c} # d, $(touch pwned) $HOME `touch pwned` \\n é~!*"""
"""What breaks a shell, YAML, JSON and `#SBATCH` lines that do not quote."""


def needs_of(engine: str, **others) -> Resources:
    """What an engine takes of `ALL`."""
    given = {name: value for name, value in ALL.items() if name in USED[engine].split()}
    if engine == "tpu-vm":
        given["volume"] = "10.0.0.2:/share"
    return Resources(**{**given, **others})


def job_of(engine: str, **others) -> Job:
    """The job of the goldens."""
    sweep = json.dumps(SWEEP, separators=(",", ":"))
    given = {"name": "demo", "shards": 12, "program": "jaxagent", "sweep": sweep}
    return Job(**{**given, "out": "/results/demo", "needs": needs_of(engine), **others})


def template(engine: str) -> str:
    """The engine's template."""
    return (plan_folder() / "engines" / ENGINES[engine]).read_text()


def rendered(engine: str, **others) -> str:
    """The engine's file for `job_of`."""
    return render(engine, template(engine), job_of(engine, **others), f"demo.{engine}")


def documents(engine: str, text: str) -> list[dict]:
    """What a file of YAML or JSON says."""
    if ENGINES[engine].endswith("json"):
        return [json.loads(text)]
    yaml = pytest.importorskip("yaml")
    return list(yaml.safe_load_all(text))


def expanded(text: str) -> str:
    """A command as Kubernetes passes it on where no variable of its own is set: `$$` is a dollar
    sign (k8s.io/kubernetes/third_party/forked/golang/expansion)."""
    return text.replace("$$", "$")


def shell_of(engine: str, text: str) -> str:
    """What a worker's shell is told."""
    if engine in ("slurm", "tpu-vm"):
        return text
    content = documents(engine, text)[0]
    if engine == "k8s":
        [container] = content["spec"]["template"]["spec"]["containers"]
    elif engine == "jobset":
        [each] = content["spec"]["replicatedJobs"]
        [container] = each["template"]["spec"]["template"]["spec"]["containers"]
    elif engine == "gcp-batch":
        [runnable] = content["taskGroups"][0]["taskSpec"]["runnables"]
        container = {"command": ["bash", *runnable["container"]["commands"]]}
    elif engine == "aws-batch":
        container = content["containerOverrides"]
    else:
        return content["run"]
    assert container["command"][:2] == ["bash", "-c"]
    [script] = container["command"][2:]
    return expanded(script) if engine in ("k8s", "jobset") else script


class Machine:
    """A folder with programs that stand for a worker's, and what they were told."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bin = folder, folder / "bin"
        self.bin.mkdir(parents=True)
        self.program = str(folder / f"in {HARD.replace('/', '')}" / "jax agent")
        Path(self.program).parent.mkdir()
        self.write(
            self.program,
            "import json, os, sys, time\n"
            "told = {'arguments': sys.argv[1:], 'input': sys.stdin.read()}\n"
            "told |= {'environment': dict(os.environ)}\n"
            f"open({str(folder / 'told')!r}, 'a').write(json.dumps(told) + '\\n')\n"
            "time.sleep(float(os.environ.get('SECONDS_OF_WORK', '0')))\n"
            "sys.exit(int(os.environ.get('LEAVES', '0')))\n",
        )

    def write(self, path: Path | str, code: str) -> None:
        """A program in Python, or a shell script that begins with `#!`."""
        head = "" if code.startswith("#!") else f"#!{sys.executable}\n"
        Path(path).write_text(head + code)
        Path(path).chmod(0o755)

    def run(self, script: str, **variables: str) -> subprocess.CompletedProcess:
        """Runs a script where nothing but these programs is known."""
        path = self.folder / "script"
        path.write_text(script)
        known = {"PATH": f"{self.bin}:{os.environ['PATH']}", "HOME": "/nowhere", **variables}
        return subprocess.run(
            ["bash", str(path)], env=known, cwd=self.folder, capture_output=True, text=True
        )

    @property
    def told(self) -> list[dict]:
        """What every start of the program was told."""
        path = self.folder / "told"
        return list(map(json.loads, path.read_text().splitlines())) if path.exists() else []


@pytest.fixture
def machine(tmp_path):
    """A machine with what a TPU's hosts have, and a `gcloud` that runs commands on it."""
    made = Machine(tmp_path / "machine")
    for name in ("mount", "mount.nfs"):
        made.write(made.bin / name, f'#!/bin/bash\necho "{name} $*" >> {made.folder}/mounts\n')
    made.write(made.bin / "mountpoint", "#!/bin/bash\nexit 1\n")
    made.write(made.bin / "sudo", '#!/bin/bash\n[ "$1" = mkdir ] && exit 0\nexec "$@"\n')
    made.write(
        made.bin / "gcloud",
        "import json, os, subprocess, sys, time\n"
        "what, vm = sys.argv[4:6]\n"
        f"path = {str(made.folder)!r} + '/vm-' + vm\n"
        f"open({str(made.folder / 'gcloud')!r}, 'a').write(json.dumps(sys.argv[4:]) + '\\n')\n"
        "if what == 'describe':\n"
        "    print(open(path).read()) if os.path.exists(path) else sys.exit(1)\n"
        "elif what == 'create':\n"
        "    time.sleep(1)\n"
        "    open(path, 'w').write('READY')\n"
        "elif what == 'delete':\n"
        "    os.unlink(path)\n"
        "else:\n"
        "    [told] = [a for a in sys.argv if a.startswith('--command=')]\n"
        "    sys.exit(subprocess.call(['bash', '-c', told.removeprefix('--command=')]))\n",
    )
    return made


@pytest.mark.parametrize("engine", ENGINES)
def test_job_files_equal_their_goldens(engine):
    golden = Path(__file__).parent / "goldens" / ENGINES[engine]
    text = rendered(engine)
    if os.environ.get("RENEW_GOLDENS"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize("engine", ENGINES)
def test_the_very_arguments_and_the_sweep_reach_the_worker(engine, machine, tmp_path):
    """With texts that break what is not quoted, on a machine with nothing but the program."""
    sweep = {**SWEEP, "about": HARD, "axes": {"arms": [[HARD, "{{name}}", "null"]]}}
    place = HARD.replace("\\", "") if engine == "slurm" else HARD
    out = str(tmp_path / f"results {place}" / f"demo {place}")
    names = ("queue", "zone", "accelerator", "topology", "image", "volume")
    given = {name: HARD for name in names if name in USED[engine].split()}
    if engine == "tpu-vm":
        given["volume"] = f"10.0.0.2:/{HARD}"
    given["setup"] = f"export GREETING={shlex.quote(HARD)}"
    text = render(
        engine,
        template(engine),
        Job(
            name="demo",
            shards=3,
            program=machine.program,
            sweep=json.dumps(sweep),
            out=out,
            needs=Resources(**given),
        ),
        f"/jobs of {HARD}",
    )
    shell = shell_of(engine, text)
    assert subprocess.run(["bash", "-n"], input=shell, text=True).returncode == 0
    Path(out, "logs").mkdir(parents=True)
    done = machine.run(shell, WORKER="1", MEGASCALE_SLICE_ID="1", JOB_COMPLETION_INDEX="7")
    assert done.returncode == 0, done.stderr
    until = time.monotonic() + 20
    while not machine.told and time.monotonic() < until:
        time.sleep(0.05)
    told = machine.told[0]
    index = {"skypilot": "1/3", "k8s": "auto", "gcp-batch": "auto", "aws-batch": "auto"}
    expected = ["sweep", "run", "-", "--out", out, "--index", index.get(engine, "claim")]
    assert told["arguments"] == expected and json.loads(told["input"]) == sweep
    assert told["environment"]["GREETING"] == HARD
    assert ("MEGASCALE_SLICE_ID" in told["environment"]) == (engine != "jobset")
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize("engine", [e for e in ENGINES if e not in ("slurm", "tpu-vm")])
def test_what_is_given_arrives_whatever_it_holds(engine):
    """Every text of the options stands in the file, as it was given, once it is read."""
    given = {name: f"{name} {HARD}" for name in USED[engine].split() if name in ALL}
    given = {name: value for name, value in given.items() if isinstance(ALL[name], str)}
    text = rendered(engine, needs=Resources(**given), out=f"/results {HARD}/demo")
    commands = submissions(engine, job_of(engine, needs=Resources(**given)), "file")
    found = json.dumps([documents(engine, text), commands], ensure_ascii=False)
    for name, value in given.items():
        value = (
            value.replace("$", "$$") if name == "setup" and engine in ("k8s", "jobset") else value
        )
        assert json.dumps(value, ensure_ascii=False)[1:-1] in found, name


@pytest.mark.parametrize("word", ["2026", "null", "yes", "on", "1e3", "0x1f", "true", "Off", "1_0"])
@pytest.mark.parametrize("engine", ["k8s", "jobset", "skypilot"])
def test_words_of_yaml_stay_texts(engine, word):
    given = {name: word for name in USED[engine].split() if isinstance(ALL.get(name), str)}
    text = rendered(engine, name=job_name(word), needs=Resources(**given))
    first = documents(engine, text)[0]
    name = first["name"] if engine == "skypilot" else first["metadata"]["name"]
    assert isinstance(name, str) and name.startswith(job_name(word))
    assert f'"{word}"' in json.dumps(first)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("demo", "demo"),
        ("demo_1.b", "demo-1-b"),
        ("null", "null"),
        ("2026", r"sweep-2026-[0-9a-f]{6}"),
        ("my sweep", r"my-sweep-[0-9a-f]{6}"),
        ("模型", r"sweep-[0-9a-f]{6}"),
        ("é" * 80, r"sweep-[0-9a-f]{6}"),
        ("a" * 100, r"a{33}-[0-9a-f]{6}"),
        ("_", r"sweep-[0-9a-f]{6}"),
    ],
)
def test_every_name_of_a_sweep_gives_a_name_for_jobs(name, expected):
    found = job_name(name)
    assert re.fullmatch(expected, found) and len(found) <= 40
    assert Job(name=found, shards=1, program="p", sweep="{}", out="o").name == found
    assert job_name("my sweep") != job_name("my-sweep") != job_name("my  sweep")


def test_a_slice_of_several_hosts_is_told_how_many():
    text = rendered("tpu-vm", needs=needs_of("tpu-vm", hosts=4))
    assert "JAXAGENT_HOSTS=4 exec jaxagent sweep run" in text


@pytest.mark.parametrize("engine", ENGINES)
def test_what_an_engine_needs_is_asked_for(engine):
    for name in NEEDED[engine].split():
        with pytest.raises(ValueError, match=f"^{engine} needs --{name}$"):
            rendered(engine, needs=replace(needs_of(engine), **{name: ""}))


@pytest.mark.parametrize("engine", ENGINES)
def test_every_option_that_an_engine_takes_changes_its_file_and_others_are_refused(engine):
    def told(needs: Resources) -> tuple[str, list[list[str]]]:
        commands = submissions(engine, job_of(engine, needs=needs), "file")
        return rendered(engine, needs=needs), commands

    given = needs_of(engine, gpus=0)
    before = told(given)
    assert set(NEEDED[engine].split()) <= set(USED[engine].split())
    others = {int: lambda x: x + 1, float: lambda x: x + 1, str: lambda x: f"{x}b"}
    for field in fields(Resources):
        name, value = field.name, getattr(given, field.name)
        other = replace(given, **{name: others[type(value)](value)})
        if name == "volume" and engine == "tpu-vm":
            other = replace(given, volume="10.0.0.3:/share")
        if name in USED[engine].split():
            assert told(other) != before, name
        else:
            with pytest.raises(ValueError, match=f"{engine} makes no use of --{name}; it takes --"):
                told(other)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hours": float("inf")}, "--hours=inf: expected more than 0, up to 8,760"),
        ({"hours": float("nan")}, "--hours=nan: expected more than 0"),
        ({"hours": 0.0}, "--hours=0.0: expected more than 0"),
        ({"memory": 10**40}, "--memory=1000.*: expected 1 to 65,536"),
        ({"memory": 0}, "--memory=0: expected 1 to 65,536"),
        ({"cpus": -1}, "--cpus=-1: expected 1 to"),
        ({"gpus": 10**6}, "--gpus=1000000: expected 0 to 64"),
        ({"hosts": 0}, "--hosts=0: expected 1 to"),
        ({"parallel": -2}, "--parallel=-2: expected 0 to"),
        ({"image": "a\nb"}, r"--image='a\\nb': expected one line"),
        ({"setup": "a\x1b[31m"}, r"--setup='a\\x1b\[31m': expected one line"),
        ({"queue": "q\u2028"}, r"--queue='q\\u2028': expected one line"),
        ({"zone": "\ud800"}, r"--zone='\\ud800': expected one line"),
        ({"volume": "v" * 5000}, "--volume='vvv.*: expected one line of up to 1,000"),
    ],
)
def test_resources_that_cannot_be_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        Resources(**values)


@pytest.mark.parametrize(
    ("engine", "values", "message"),
    [
        ("k8s", {"out": "runs/demo"}, "--out='runs/demo': k8s mounts the volume at the folder"),
        ("jobset", {"out": "/demo"}, "--out='/demo': jobset mounts the volume at the folder"),
        ("aws-batch", {"out": "demo"}, "--out='demo': expected a path below what the job"),
        ("slurm", {"out": "a/../../b"}, "--out='a/../../b': expected a path without '..'"),
        ("slurm", {"out": "100%"}, "--out='100%': expected a path without '%' and backslashes"),
        ("slurm", {"out": " "}, "--out=' ': expected a text"),
        ("slurm", {"program": ""}, "--program='': expected a text"),
        ("slurm", {"program": "a\nb"}, r"--program='a\\nb': expected one line"),
        (
            "slurm",
            {"needs": Resources(parallel=1001)},
            "--parallel=1001: slurm takes at most 1,000",
        ),
        ("aws-batch", {"shards": 10_001}, "aws-batch: 10,001 shards, expected at most 10,000"),
        ("aws-batch", {"sweep": "x" * 9000}, "aws-batch takes a sweep of up to 7,000 characters"),
        ("k8s", {"sweep": "x" * 130_000}, "k8s takes a sweep of up to 120,000 characters"),
        ("skypilot", {"rounds": True}, "skypilot mounts a bucket, where a sweep of several"),
        (
            "skypilot",
            {"needs": Resources(volume="v", accelerator="H100:1")},
            "skypilot needs --image, or --setup",
        ),
        (
            "tpu-vm",
            {"needs": needs_of("tpu-vm", volume="gs://bucket")},
            "--volume='gs://bucket': expected an NFS share as HOST:/PATH",
        ),
    ],
)
def test_jobs_that_could_not_run_are_named(engine, values, message):
    with pytest.raises(ValueError, match=message):
        rendered(engine, **values)


def test_an_array_has_workers_not_shards_and_stays_within_slurms_limit():
    many = rendered("slurm", shards=1250, needs=Resources())
    assert "#SBATCH --array=0-999\n" in many and "--index claim" not in many.split("<<<")[1]
    assert "#SBATCH --array=0-3\n" in rendered("slurm")
    assert "#SBATCH --array=0-1\n" in rendered("slurm", shards=2, needs=Resources())
    assert "partition" not in many and "--gpus" not in many
    assert workers("k8s", job_of("k8s", shards=1250)) == 1250


def test_sweeps_of_several_rounds_claim_on_every_engine():
    for engine in ENGINES:
        if engine != "skypilot":
            job = job_of(engine, rounds=True)
            assert workers(engine, job) == (12 if engine == "aws-batch" else 4)
            text = render(engine, template(engine), job, "file")
            assert re.search(r'--index .{0,6}"claim', text)


def test_a_single_shard_is_no_array_on_aws():
    assert "arrayProperties" not in json.loads(rendered("aws-batch", shards=1))
    assert json.loads(rendered("aws-batch"))["arrayProperties"] == {"size": 12}


def test_buckets_and_shares_are_mounted_above_the_results():
    [group] = json.loads(rendered("gcp-batch"))["taskGroups"]
    bucket = {"gcs": {"remotePath": "results"}, "mountPath": "/results"}
    assert group["taskSpec"]["volumes"] == [bucket]
    shared = needs_of("gcp-batch", volume="10.0.0.2:/a:/b")
    [group] = json.loads(rendered("gcp-batch", needs=shared))["taskGroups"]
    share = {"nfs": {"server": "10.0.0.2", "remotePath": "/a:/b"}, "mountPath": "/results"}
    assert group["taskSpec"]["volumes"] == [share]


def test_slices_are_jobs_of_their_own():
    """One that is preempted leaves the others alone, and 75 is no failure."""
    found = documents("jobset", rendered("jobset", needs=needs_of("jobset", hosts=2)))
    assert [each["metadata"]["name"] for each in found] == [f"demo-{i}" for i in range(4)]
    for each in found:
        topology = each["metadata"]["annotations"]["alpha.jobset.sigs.k8s.io/exclusive-topology"]
        assert topology == "cloud.google.com/gke-nodepool"
        [rule] = each["spec"]["failurePolicy"]["rules"]
        assert rule["action"] == "FailJobSet" and rule["onJobFailureReasons"] == [
            "PodFailurePolicy"
        ]
        [slices] = each["spec"]["replicatedJobs"]
        assert slices["replicas"] == 1 and slices["template"]["spec"]["completions"] == 2
        rules = slices["template"]["spec"]["podFailurePolicy"]["rules"]
        codes = {r["action"]: r["onExitCodes"]["values"] for r in rules if "onExitCodes" in r}
        assert codes == {"Ignore": [75], "FailJob": [2]}
    plain = documents("jobset", rendered("jobset", needs=needs_of("jobset", queue="")))
    assert "labels" not in plain[0]["metadata"]


def test_tpu_slices_are_made_side_by_side_and_never_get_a_second_worker(machine, tmp_path):
    needs = Resources(
        **{"setup": "true", "image": "v2", "accelerator": "v5litepod-4", "zone": "z"},
        **{"volume": "10.0.0.2:/share", "parallel": 3},
    )
    job = replace(job_of("tpu-vm"), program=machine.program, out=f"{tmp_path}/r/demo", needs=needs)
    script = render("tpu-vm", template("tpu-vm"), job, "f")
    before = time.monotonic()
    assert machine.run(script, SECONDS_OF_WORK="6").returncode == 0
    took = time.monotonic() - before
    calls = [json.loads(line) for line in (machine.folder / "gcloud").read_text().splitlines()]
    made = [call[1] for call in calls if call[0] == "create"]
    assert sorted(made) == ["demo-0", "demo-1", "demo-2"] and took < 2.8  # a second each
    assert "mount -t nfs -o hard 10.0.0.2:/share" in (machine.folder / "mounts").read_text()
    until = time.monotonic() + 20
    while not machine.told and time.monotonic() < until:
        time.sleep(0.05)
    assert machine.run(script, SECONDS_OF_WORK="6").returncode == 0
    time.sleep(0.5)
    assert len(machine.told) == 1  # all three slices are this one machine, with one lock
    (machine.folder / "vm-demo-1").write_text("PREEMPTED")
    assert machine.run(script).returncode == 0
    calls = [json.loads(line) for line in (machine.folder / "gcloud").read_text().splitlines()]
    assert [call[1] for call in calls if call[0] == "delete"] == ["demo-1"]


def test_submissions_name_the_file():
    assert submissions("slurm", job_of("slurm"), "a.sbatch") == [["sbatch", "a.sbatch"]]
    [google] = submissions("gcp-batch", job_of("gcp-batch"), "a.json")
    assert google[-1] == "a.json" and google[6] == "europe-west4-b"
    sky = submissions("skypilot", job_of("skypilot"), "a.yaml")
    assert [command[-2] for command in sky] == [f"WORKER={i}" for i in range(4)]


def test_bad_jobs_are_named():
    with pytest.raises(ValueError, match="name='Demo_1': expected small letters"):
        job_of("slurm", name="Demo_1")
    with pytest.raises(ValueError, match="shards=0: expected at least 1"):
        job_of("slurm", shards=0)
    with pytest.raises(ValueError, match="slurm makes no use of --queue, --image|--image, --queue"):
        check_needs("slurm", Resources(queue="q", image="i"))


@pytest.mark.parametrize(("leaves", "requeued"), [(0, False), (75, True), (2, False)])
def test_the_slurm_script_saves_on_a_signal_and_is_queued_again(tmp_path, leaves, requeued):
    """The rendered script, with a worker that leaves as told once it is asked to save."""
    worker = tmp_path / "worker"
    worker.write_text(
        "#!/bin/bash\n"
        f"trap 'echo saved >> {tmp_path}/log; exit {leaves}' USR1\n"
        f'echo "shard $SLURM_ARRAY_TASK_ID" >> {tmp_path}/log\n'
        "for i in $(seq 100); do sleep 0.1; done\n"
    )
    (tmp_path / "scontrol").write_text(f'#!/bin/bash\necho "$@" >> {tmp_path}/scontrol.log\n')
    for name in ("worker", "scontrol"):
        (tmp_path / name).chmod(0o755)
    job = job_of("slurm", program=str(worker), out=str(tmp_path), needs=Resources())
    script = tmp_path / "job.sbatch"
    script.write_text(render("slurm", template("slurm"), job, str(script)))
    known = {**os.environ, "SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_JOB_ID": "77"}
    known["PATH"] = f"{tmp_path}:{known['PATH']}"
    process = subprocess.Popen(["bash", str(script)], env=known)
    until = time.monotonic() + 20
    while not (tmp_path / "log").exists() and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(10)  # SIGUSR1, as --signal=B:USR1@120 sends it to the script
    assert process.wait(timeout=30) == leaves
    assert (tmp_path / "log").read_text().split("\n")[:2] == ["shard 3", "saved"]
    told = tmp_path / "scontrol.log"
    assert told.exists() == requeued
    if requeued:
        assert told.read_text() == "requeue 77_3\n"


def test_submit_prints_or_writes_the_job_file(tmp_path, capsys, monkeypatch):
    path = tmp_path / "demo.json"
    values = {"name": "demo", "plan": "train", "axes": {"train.entropy": [0.0, 0.1]}}
    path.write_text(json.dumps({**values, "changes": SMALL, "members": 1}))
    main(["sweep", "submit", str(path), "--dry-run", "--gpus", "1"])
    text = capsys.readouterr().out
    assert "--array=0-1\n" in text and re.search(r"--gpus=1$", text, re.M)
    assert list(tmp_path.iterdir()) == [path]
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit):
        main(["sweep", "submit", str(path)])
    assert "sbatch: not found; submit" in capsys.readouterr().err
    assert (tmp_path / "demo.slurm.sbatch").exists()


def test_kubernetes_takes_the_indexed_job():
    """The schemas of Kubernetes itself."""
    schemas = pytest.importorskip("kubernetes_validate")
    yaml = pytest.importorskip("yaml")
    content = yaml.safe_load(rendered("k8s"))
    schemas.validate(content, "1.31", strict=True)
    content["spec"]["completionsMode"] = "Indexed"
    with pytest.raises(schemas.ValidationError):
        schemas.validate(content, "1.31", strict=True)


def test_kubernetes_takes_the_jobs_of_the_jobset():
    """A JobSet is no part of Kubernetes; the jobs that it makes are."""
    schemas = pytest.importorskip("kubernetes_validate")
    yaml = pytest.importorskip("yaml")
    content, *others = yaml.safe_load_all(rendered("jobset"))
    assert content["kind"] == "JobSet" and len(others) == 3
    for each in content["spec"]["replicatedJobs"]:
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": each["name"]}}
        schemas.validate({**job, **each["template"]}, "1.31", strict=True)


def test_aws_takes_the_job():
    """The service's own model, in its client."""
    loaders = pytest.importorskip("botocore.loaders")
    from botocore.model import ServiceModel
    from botocore.validate import ParamValidator

    model = ServiceModel(loaders.Loader().load_service_model("batch", "service-2"))
    shape = model.operation_model("SubmitJob").input_shape
    content = json.loads(rendered("aws-batch"))
    assert not ParamValidator().validate(content, shape).has_errors()
    assert ParamValidator().validate({**content, "jobName": 3}, shape).has_errors()
    assert not set(content) - set(shape.members)


def test_google_takes_the_job():
    """The messages of the service, in its client."""
    batch = pytest.importorskip("google.cloud.batch_v1")
    job = batch.Job.from_json(rendered("gcp-batch"))
    assert job.task_groups[0].task_count == 12
    with pytest.raises(Exception, match="no field"):
        batch.Job.from_json(json.dumps({"taskGroup": []}))


def test_skypilot_takes_the_task():
    """Its own loader; not among what `make test-slow` installs."""
    sky = pytest.importorskip("sky")
    yaml = pytest.importorskip("yaml")
    task = sky.Task.from_yaml_config(yaml.safe_load(rendered("skypilot")))
    assert "jaxagent sweep run" in task.run
