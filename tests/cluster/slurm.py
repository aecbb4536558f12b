"""A SLURM on this machine: a controller, and nodes that are hosts of their own (network, host name, processes). As root."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "ip", "unshare", "nsenter")
PACKAGES = ("munge", "slurm-wlm", "iproute2", "util-linux")
NODES = ("left", "right")
TASKS = 2  # at a time on each node
NET = "10.213.77"

CONF = """
ClusterName=bench
SlurmctldHost={host}({net}.254)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=10
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=2,bf_interval=2
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobRequeue=1
KillWait=30
ReturnToService=0
SlurmctldTimeout=60
SlurmdTimeout=60
"""


def missing() -> str:
    """What this machine lacks, after an attempt to install it; empty where nothing does."""
    if os.geteuid() != 0:
        return "the cluster is started as root"
    if lacking() and shutil.which("apt-get"):
        quiet = {"env": os.environ | {"DEBIAN_FRONTEND": "noninteractive"}, "stdout": subprocess.DEVNULL}
        subprocess.run(["apt-get", "update"], **quiet)
        subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", *PACKAGES], **quiet)
    return f"missing: {', '.join(found)}; Debian has them in {', '.join(PACKAGES)}" if (found := lacking()) else ""


def lacking() -> list[str]:
    return [name for name in PROGRAMS if not shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")]


class Cluster:
    """Two nodes and a controller. Use as a context, which leaves no process, network or file."""

    def __enter__(self) -> Cluster:
        self.stack = contextlib.ExitStack()
        with self.stack:
            made = tempfile.TemporaryDirectory(prefix="cluster-", ignore_cleanup_errors=True)
            self.folder = Path(self.stack.enter_context(made))
            self._write_conf()
            self.stack.enter_context(network())
            self._start("munged", "--foreground", "--force", f"--key-file={self._key()}", *self._munge_files())
            wait_for((self.folder / "munge.socket").exists, 20)
            self._start("slurmctld", "-D", "-i")
            self.nodes = {name: self._start_node(name) for name in NODES}
            wait_for(lambda: self.says("sinfo", "-h", "-t", "idle", "-o", "%D").strip() == str(len(NODES)), 60)
            self.stack = self.stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.says("scancel", "--full", "--signal=KILL", "--user=root", check=False)
        self.stack.close()

    @property
    def environment(self) -> dict[str, str]:
        path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
        return os.environ | {"SLURM_CONF": str(self.folder / "slurm.conf"), "OMP_NUM_THREADS": "1", "PATH": path}

    def says(self, *command: str, check: bool = True) -> str:
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60)
        assert not check or done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def kill(self, node: str, process: int) -> None:
        """SIGKILL to a process of a node, by its number there."""
        (init,) = Path(f"/proc/{self.nodes[node]}/task/{self.nodes[node]}/children").read_text().split()
        self.says("nsenter", "-t", init, "-p", "kill", "-KILL", str(process))

    def _write_conf(self) -> None:
        lines = [f"NodeName={name} NodeAddr={NET}.{i + 1} CPUs={TASKS} State=UNKNOWN" for i, name in enumerate(NODES)]
        lines += [f"PartitionName=all Nodes={','.join(NODES)} Default=YES MaxTime=INFINITE State=UP"]
        text = CONF.format(host=platform.node(), folder=self.folder, net=NET) + "\n".join(lines) + "\n"
        (self.folder / "slurm.conf").write_text(text)
        for name in ("state", *(f"spool-{node}" for node in NODES)):
            (self.folder / name).mkdir()

    def _key(self) -> Path:
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        return key

    def _munge_files(self) -> list[str]:
        kinds = ("socket", "pid-file", "log-file", "seed-file")
        return [f"--{kind}={self.folder}/munge.{kind.removesuffix('-file')}" for kind in kinds]

    def _start_node(self, name: str) -> int:
        """The number of the process whose child is the node's first: where it ends, so do all of the node."""
        own = ["unshare", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]
        return self._start("nsenter", f"--net=/run/netns/bench-{name}", *own, "sh", "-c", f"hostname {name}; slurmd -D -N {name}")

    def _start(self, *command: str) -> int:
        log = self.stack.enter_context((self.folder / "daemons.log").open("a"))
        process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, start_new_session=True)
        self.stack.callback(_end, process)
        return process.pid


def _end(process: subprocess.Popen) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
            return


@contextlib.contextmanager
def network() -> Iterator[None]:
    """A bridge on this machine, and a network for each node that is joined to it."""

    def ip(*words: str, check: bool = True) -> None:
        subprocess.run(["ip", *words], check=check, capture_output=not check)

    def remove() -> None:
        for name in NODES:
            ip("netns", "del", f"bench-{name}", check=False)
        ip("link", "del", "bench0", check=False)

    remove()
    try:
        ip("link", "add", "bench0", "type", "bridge")
        ip("addr", "add", f"{NET}.254/24", "dev", "bench0")
        ip("link", "set", "bench0", "up")
        for number, name in enumerate(NODES):
            ip("netns", "add", f"bench-{name}")
            ip("link", "add", f"b-{name}", "type", "veth", "peer", "name", "eth0", "netns", f"bench-{name}")
            ip("link", "set", f"b-{name}", "master", "bench0", "up")
            for words in (
                ("link", "set", "lo", "up"),
                ("addr", "add", f"{NET}.{number + 1}/24", "dev", "eth0"),
                ("link", "set", "eth0", "up"),
            ):
                ip("-n", f"bench-{name}", *words)
        yield
    finally:
        remove()


def wait_for(holds: Callable[[], object], seconds: float) -> None:
    """Until ``holds()``; AssertionError after so many seconds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.5)
