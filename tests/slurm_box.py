"""A SLURM of one node on this machine, from Debian's packages unpacked into a folder.

Nothing is installed and no service is needed: authentication is off, the controller and the node
listen on this machine alone, and both end with the block that started them.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PACKAGES = (
    *("slurmctld", "slurmd", "slurm-client", "slurm-wlm-basic-plugins"),
    *("munge", "libmunge2", "libhwloc15", "libltdl7"),
)
"""Of Debian 12; SLURM 22.05."""

CONFIGURATION = """
ClusterName=box
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
PluginDir={plugins}
MpiDefault=none
KillWait=30
MailProg=/bin/true
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=4000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@dataclass(frozen=True)
class Slurm:
    """A running SLURM: the environment its commands need, and its one node."""

    env: dict[str, str]
    node: str

    def call(self, *command: str) -> str:
        """What a command prints."""
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, check=True)
        return done.stdout

    def jobs(self) -> dict[str, str]:
        """State of every task of all arrays that has not ended: `RUNNING`, `PENDING`, …."""
        told = self.call("squeue", "--all", "--array", "--noheader", "--format=%i %T")
        return dict(line.split() for line in told.splitlines())

    def wait(self, seconds: float) -> None:
        """Until no job is left."""
        until = time.monotonic() + seconds
        while left := self.jobs():
            assert time.monotonic() < until, left
            time.sleep(1)


def unpack(folder: Path) -> Path:
    """Fetches the packages and unpacks them below `folder`.

    Raises:
        RuntimeError: they are not to be had here.
    """
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise RuntimeError("needs Debian's package tools")
    folder.mkdir(parents=True, exist_ok=True)
    fetch = ["apt-get", "download", *PACKAGES]
    if subprocess.run(fetch, cwd=folder, capture_output=True).returncode:
        subprocess.run(["apt-get", "update"], capture_output=True)
        again = subprocess.run(fetch, cwd=folder, capture_output=True, text=True)
        if again.returncode:
            raise RuntimeError(f"packages of SLURM: {again.stderr.strip().splitlines()[-1]}")
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, folder / "root"], check=True)
    return folder / "root"


@contextmanager
def running(root: Path, folder: Path) -> Iterator[Slurm]:
    """Starts controller and node, and ends them and all jobs."""
    [plugins] = root.glob("usr/lib/*/slurm-wlm")
    host = socket.gethostname().partition(".")[0]
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    ports = _free_ports(2)
    (folder / "slurm.conf").write_text(
        CONFIGURATION.format(
            host=host,
            controller_port=ports[0],
            node_port=ports[1],
            user=getpass.getuser(),
            folder=folder,
            plugins=plugins,
            cpus=os.cpu_count(),
        )
    )
    env = {
        **os.environ,
        "SLURM_CONF": str(folder / "slurm.conf"),
        "LD_LIBRARY_PATH": f"{plugins.parent}:{plugins}",
        "PATH": f"{root / 'usr/bin'}:{os.environ['PATH']}",
    }
    sbin = root / "usr/sbin"
    commands = (
        [sbin / "slurmctld-wlm", "-D"],
        [sbin / "slurmd-wlm", "-D", "-d", sbin / "slurmstepd-wlm"],
    )
    daemons = []
    try:
        with (folder / "daemons.log").open("w") as log:
            for command in commands:
                daemons.append(subprocess.Popen(command, env=env, stdout=log, stderr=log))
        slurm = Slurm(env, host)
        _wait_until_idle(slurm)
        yield slurm
        subprocess.run(["scancel", "--user", getpass.getuser()], env=env, capture_output=True)
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait(timeout=60)


def _wait_until_idle(slurm: Slurm) -> None:
    for _ in range(60):
        told = subprocess.run(
            ["sinfo", "--noheader", "--format=%T"], env=slurm.env, capture_output=True, text=True
        )
        if told.stdout.strip() == "idle":
            return
        time.sleep(0.5)
    raise RuntimeError(f"SLURM did not start: {told.stdout} {told.stderr}")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return found
