"""Job files: goldens, published schemas, and what engines do with them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
from test_sweep import SMALL

from jaxagent.cli import main
from jaxagent.study.config import plan_folder
from jaxagent.study.sweep_plan import load_sweep
from jaxagent.sweep.batch import ENGINES, Job, Resources, render, submission

JOB = Job(
    name="demo",
    shards=12,
    command=("jaxagent", "sweep", "run", "my sweep.json", "--out", "/results/demo"),
    out="/results/demo",
    needs=Resources(
        setup=". .venv/bin/activate",
        image="registry/jaxagent:1",
        volume="results",
        parallel=4,
        hours=2.5,
        gpus=1,
        accelerator="v5litepod-4",
        topology="2x2",
        queue="default",
        zone="europe-west4-b",
    ),
)


def template(engine: str) -> str:
    """The engine's template."""
    return (plan_folder() / "engines" / ENGINES[engine]).read_text()


@pytest.mark.parametrize("engine", ENGINES)
def test_job_files_equal_their_goldens(engine):
    golden = Path(__file__).parent / "goldens" / ENGINES[engine]
    text = render(engine, template(engine), JOB, f"demo.{engine}")
    if os.environ.get("RENEW_GOLDENS"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text()


def test_a_slice_of_several_hosts_is_told_how_many():
    job = replace(JOB, needs=replace(JOB.needs, hosts=4))
    assert "JAXAGENT_HOSTS=4 nohup jaxagent sweep run" in render(
        "tpu-vm", template("tpu-vm"), job, "file"
    )


@pytest.mark.parametrize("engine", [e for e, name in ENGINES.items() if not name.endswith("json")])
def test_job_files_are_well_formed(engine):
    text = render(engine, template(engine), JOB, "file")
    if ENGINES[engine].endswith(".yaml"):
        yaml = pytest.importorskip("yaml")
        content = yaml.safe_load(text)
        assert "demo" in json.dumps(content) and "jaxagent sweep run" in json.dumps(content)
    else:
        assert subprocess.run(["bash", "-n"], input=text, text=True).returncode == 0


@pytest.mark.parametrize("engine", ["gcp-batch", "aws-batch"])
def test_json_job_files_say_how_many_and_what(engine):
    content = json.loads(render(engine, template(engine), JOB, "file"))
    text = json.dumps(content)
    assert "jaxagent sweep run 'my sweep.json' --out /results/demo" in text and "12" in text


@pytest.mark.parametrize("engine", ENGINES)
def test_what_an_engine_needs_is_asked_for(engine):
    bare = Job(name="demo", shards=2, command=("jaxagent",), out="o")
    if engine == "slurm":
        assert "--array=0-1%2" in render(engine, template(engine), bare, "f")
        return
    with pytest.raises(ValueError, match=f"{engine} needs --"):
        render(engine, template(engine), bare, "f")


def test_submissions_name_the_file():
    assert submission("slurm", JOB, "a.sbatch") == ["sbatch", "a.sbatch"]
    assert submission("gcp-batch", JOB, "a.json")[-1] == "a.json"
    assert submission("gcp-batch", JOB, "a.json")[6] == "europe-west4-b"


def test_bad_jobs_are_named():
    with pytest.raises(ValueError, match="name='Demo_1': expected small letters"):
        Job(name="Demo_1", shards=1, command=(), out="o")
    with pytest.raises(ValueError, match="shards=0: expected at least 1"):
        Job(name="demo", shards=0, command=(), out="o")


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
    job = Job(name="demo", shards=4, command=(str(worker),), out=str(tmp_path))
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
    assert "--array=0-1%2" in text and re.search(r"--gpus=1$", text, re.M)
    assert load_sweep(path).name == "demo" and list(tmp_path.iterdir()) == [path]
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit):
        main(["sweep", "submit", str(path)])
    assert "sbatch: not found; submit" in capsys.readouterr().err
    assert (tmp_path / "demo.slurm.sbatch").exists()


def rendered(engine: str) -> str:
    """The engine's file for `JOB`."""
    return render(engine, template(engine), JOB, "file")


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
    content = yaml.safe_load(rendered("jobset"))
    assert content["kind"] == "JobSet"
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
    assert job.task_groups[0].task_count == JOB.shards
    with pytest.raises(Exception, match="no field"):
        batch.Job.from_json(json.dumps({"taskGroup": []}))


def test_skypilot_takes_the_task():
    """Its own loader; not among what `make test-slow` installs."""
    sky = pytest.importorskip("sky")
    yaml = pytest.importorskip("yaml")
    task = sky.Task.from_yaml_config(yaml.safe_load(rendered("skypilot")))
    assert "jaxagent sweep run" in task.run
