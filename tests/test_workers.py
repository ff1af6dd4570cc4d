"""A training gives the same bytes for any number of workers; whatever happens to one of them, all end, and it goes on.

Those that kill use real processes, of Python and of torchrun; see `Project.fresh`.
"""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from stages.train.launch import GRACE_SECONDS, IS_FIRST, PARENT, STORE_FILE
from stages.train.reports import FOLDER
from stages.train.workers import ANSWER_SECONDS
from tests.project import NUM_EPOCHS, Once, Project
from tests.remotes import MAKE
from tests.test_crash import forget_training, repro_at_epoch, wait_for_end
from tests.tools.test_hosts import run_or_skip

NETWORK = {"name": "conv_blocks", "stem": {"kernel_size": 3, "stride": 1}, "widths": [[8], [16]], "head": "average"}
NUM_LONG_EPOCHS = 40
LINK = "veth-workers"
GO_ON = "start the training again: it goes on after its last whole epoch"


def set_up(project: Project) -> None:
    """Batches of 32 images, distorted, in four shards, the last one smaller; batch norm."""
    project.set_param("recipes.demo.network", NETWORK)
    project.set_param("recipes.demo.shards", 4)
    project.commit()


@pytest.fixture(scope="module")
def by_one(once: Once) -> Project:
    """A project that one worker trained, committed; to be read."""

    def make(project: Project) -> None:
        set_up(project)
        project.repro("train")
        project.commit()

    return once("workers", make)


@pytest.fixture
def untrained(by_one: Project, tmp_path: Path) -> Project:
    """The same project with its training forgotten, and the data in place."""
    project = by_one.copy(tmp_path / "workers")
    forget_training(project)
    return project


def train(project: Project, workers: int, check: bool = True, **variables: str) -> str:
    """Run the stage, and return what it printed."""
    command = ("dvc", "repro", "--force", "--single-item", "train")
    return project.run(*command, check=check, PET_NPROC_PER_NODE=str(workers), **variables).stdout


def refusal(printed: str) -> str:
    """The only line that says why it ended."""
    [line] = re.findall(r"^train: .*", printed, flags=re.MULTILINE)
    assert "Traceback" not in printed
    assert isinstance(line, str)
    return line


@pytest.mark.parametrize("workers", [2, 3, 4])
def test_bytes_do_not_depend_on_the_number_of_workers(by_one: Project, untrained: Project, workers: int) -> None:
    assert f"{workers} workers share 4 shards of each batch" in train(untrained, workers)
    assert untrained.results() == by_one.results()
    untrained.run("git", "diff", "--exit-code", "dvc.lock")  # Which does not know how many there were.


def test_what_some_workers_began_others_go_on_with(by_one: Project, untrained: Project) -> None:
    untrained.set_param("recipes.demo.epochs", 1)
    train(untrained, 2)
    untrained.set_param("recipes.demo.epochs", 2)
    assert "continuing at epoch 2" in train(untrained, 1)
    untrained.set_param("recipes.demo.epochs", NUM_EPOCHS)
    assert "continuing at epoch 3" in train(untrained, 3)
    assert untrained.results() == by_one.results()


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        (
            {"PET_NPROC_PER_NODE": "5", "PET_STANDALONE": "1"},
            "train: there are 5 workers, and params.yaml cuts each batch into 4 parts (recipes.demo.shards), each for "
            "one worker at most: start fewer workers",
        ),
        (
            {"PET_NPROC_PER_NODE": "many"},
            "train: PET_NPROC_PER_NODE is 'many'; expected a whole number above 0",
        ),
        (
            {"PET_NPROC_PER_NODE": "0"},
            "train: PET_NPROC_PER_NODE is '0'; expected a whole number above 0",
        ),
        (
            {"PET_NNODES": "2"},
            "train: PET_NNODES is 2; name the first of them, too: PET_RDZV_ENDPOINT=HOST:PORT",
        ),
        (
            {"PET_NNODES": "2", "PET_RDZV_ENDPOINT": "127.0.0.1:29400", "PET_LOCAL_ADDR": "127.0.0.1"},
            r"train: GLOO_SOCKET_IFNAME is ''; expected the network interface by which this machine reaches the "
            r"others, one of (\w+, )*lo.*",
        ),
    ],
    ids=["more-than-shards", "no-number", "none", "no-endpoint", "no-interface"],
)
def test_wrong_number_or_place_of_workers_is_refused_in_one_line(
    untrained: Project, variables: dict[str, str], line: str
) -> None:
    done = untrained.run("python", "-m", "stages.train", check=False, **variables)
    assert done.returncode == 1
    assert re.fullmatch(line if "\\w" in line else re.escape(line), refusal(done.stdout)), done.stdout


def test_worker_ends_if_torchrun_has_ended_before_it_could_look(untrained: Project) -> None:
    done = untrained.run("python", "-m", "stages.train", check=False, **{IS_FIRST: "yes", PARENT: "1"})
    assert (done.returncode, done.stdout) == (1, "the parent has ended\n")


def test_more_shards_than_the_last_batch_has_images_are_refused(untrained: Project) -> None:
    untrained.set_param("recipes.demo.shards", 21)
    done = untrained.run("python", "-m", "stages.train", check=False)
    assert refusal(done.stdout) == (
        "train: params.yaml: recipes.demo.shards is 21, but the last batch of the 500 training images has 20; take no "
        "more shards than that, or another batch_size"
    )


def change_code(project: Project) -> None:
    project.append("stages/train/step.py", "#")


def change_data(project: Project) -> None:
    path = project.folder / "data/raw/MNIST/raw/train-images-idx3-ubyte"
    content = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def change_params(project: Project) -> None:
    project.set_param("recipes.demo.optimizer.learning_rate", 0.02)


def change_epochs(project: Project) -> None:
    project.set_param("recipes.demo.epochs", NUM_EPOCHS + 1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (change_code, "has another stages/train/step.py than worker 0 on .*: bring all machines to the same commit, "),
        (change_params, r"has another recipes\.demo\.optimizer\.learning_rate than worker 0 on "),
        (change_epochs, "has another epochs than worker 0 on "),
    ],
)
def test_worker_with_another_job_is_named_with_what_differs(
    untrained: Project, tmp_path: Path, change: Callable[[Project], None], said: str
) -> None:
    other = untrained.copy(tmp_path / "other")
    change(other)
    for reason in reasons_of_two(untrained, other, tmp_path / "store", ("yes", "")):
        assert re.match(f"worker 1 on {os.uname().nodename} {said}", reason)
    assert not list(untrained.folder.glob("data/.resume/*/epoch*"))


def test_worker_whose_data_is_damaged_is_named(untrained: Project, tmp_path: Path) -> None:
    other = untrained.copy(tmp_path / "other")
    change_data(other)
    for reason in reasons_of_two(untrained, other, tmp_path / "store", ("yes", "")):
        named = "data/raw/MNIST/raw/train-images-idx3-ubyte is damaged: its md5 is"
        assert reason.startswith(f"worker 1 on {os.uname().nodename}: {named}")


@pytest.mark.parametrize("are_first", [("", ""), ("yes", "yes")])
def test_training_is_recorded_on_one_machine(untrained: Project, tmp_path: Path, are_first: tuple[str, str]) -> None:
    other = untrained.copy(tmp_path / "other")
    for reason in reasons_of_two(untrained, other, tmp_path / "store", are_first):
        assert reason == "among the machines, one must run `dvc repro`, and all others `make join`"


def reasons_of_two(first: Project, second: Project, store: Path, are_first: tuple[str, str]) -> list[str]:
    """What two workers, in clones as on two machines, give as reasons not to train."""
    processes = []
    for rank, (project, is_first) in enumerate(zip((first, second), are_first, strict=True)):
        (project.folder / FOLDER).mkdir(parents=True)
        of_torchrun = {"RANK": str(rank), "LOCAL_RANK": "0", "GROUP_RANK": str(rank), "WORLD_SIZE": "2"}
        of_launch = {IS_FIRST: is_first, PARENT: str(os.getpid()), STORE_FILE: str(store)}
        environment = project.environment(**of_torchrun, **of_launch)
        command = ["python", "-m", "stages.train"]
        processes.append(subprocess.Popen(command, cwd=project.folder, env=environment))
    assert [process.wait(timeout=200) for process in processes] == [1, 1]
    return [path.read_text() for project in (first, second) for path in project.folder.glob(f"{FOLDER}/REFUSAL-*")]


def children(process_id: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process_id}/task/{process_id}/children").read_text().split()]


def worker_of_rank(rank: int, torchrun: int) -> int:
    """The process id of one of torchrun's workers."""
    [found] = [c for c in children(torchrun) if f"\0RANK={rank}\0" in Path(f"/proc/{c}/environ").read_text()]
    return found


# What happens to which process, what is said of it, and within how many seconds all ends; a busy machine gets 20 more.
FAULTS: list[tuple[str, signal.Signals, str, int]] = [
    ("worker 0", signal.SIGKILL, f"train: worker 0 was ended by SIGKILL: {GO_ON}", GRACE_SECONDS),
    ("worker 1", signal.SIGKILL, f"train: worker 1 was ended by SIGKILL: {GO_ON}", GRACE_SECONDS),
    ("torchrun", signal.SIGKILL, f"train: torchrun ended with status -9: {GO_ON}", 5),
    ("stage", signal.SIGINT, "train: interrupted", 5),
    ("stage", signal.SIGKILL, "", 5),
    ("dvc", signal.SIGKILL, "train: interrupted", 5),
    (
        "worker 1",
        signal.SIGSTOP,
        f"train: worker 0 cannot go on: the others are gone, or did not answer within {ANSWER_SECONDS} s: {GO_ON}",
        ANSWER_SECONDS + GRACE_SECONDS,
    ),
]


def make_long(project: Project) -> None:
    """Some seconds of training, done by one worker."""
    set_up(project)
    project.set_param("recipes.demo.epochs", NUM_LONG_EPOCHS)
    project.repro("train")
    project.commit()


def test_whatever_ends_a_process_ends_all_and_the_next_run_goes_on(once: Once, tmp_path: Path) -> None:
    undisturbed = once("workers-long", make_long)
    project = undisturbed.copy(tmp_path / "long").fresh()
    forget_training(project)
    for number, (name, signal_number, line, seconds) in enumerate(FAULTS):
        begun = 3 * number + 2
        with repro_at_epoch(project, begun, PET_NPROC_PER_NODE="2") as (dvc, stage):
            [torchrun] = children(stage)
            workers = [worker_of_rank(rank, torchrun) for rank in (0, 1)]
            ids = {"dvc": dvc.pid, "stage": stage, "torchrun": torchrun, "worker 0": workers[0], "worker 1": workers[1]}
            os.kill(ids[name], signal_number)
            printed = dvc.communicate(timeout=seconds + 20)[0]
            for process_id in (dvc.pid, stage, torchrun, *workers):
                wait_for_end(process_id)
        assert re.findall(r"^train: .*", printed, flags=re.MULTILINE) == ([line] if line else []), printed
        assert "Traceback" not in printed
    printed = project.run("dvc", "repro", "train").stdout
    assert int(re.findall(r"continuing at epoch (\d+) of", printed)[0]) > begun, "each run added to those before"
    assert project.results() == undisturbed.results()


def netns(host: str, *command: str) -> list[str]:
    return ["ip", "netns", "exec", host, *command]


@pytest.fixture
def link() -> Iterator[tuple[str, str]]:
    """Two hosts made of network namespaces, 10.214.0.1 and 10.214.0.2, and a link whose ends are both called `LINK`."""
    hosts = f"mnist-c-{os.getpid()}", f"mnist-d-{os.getpid()}"
    with ExitStack() as stack:
        for host in hosts:
            run_or_skip("ip", "netns", "add", host)
            stack.callback(subprocess.run, ["ip", "netns", "delete", host], check=True)
            run_or_skip(*netns(host, "true"))
        veth = ["link", "add", LINK, "type", "veth", "peer", LINK, "netns", hosts[1]]
        subprocess.run(["ip", "-n", hosts[0], *veth], check=True)
        for number, host in enumerate(hosts, start=1):
            for words in (f"address add 10.214.0.{number}/24 dev {LINK}", f"link set {LINK} up", "link set lo up"):
                subprocess.run(["ip", "-n", host, *words.split()], check=True)
        yield hosts


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("ip") is None, reason="needs root and iproute2, for namespaces")
def test_two_machines_give_the_bytes_of_one_also_after_the_link_between_them_was_cut(
    once: Once, tmp_path: Path, link: tuple[str, str]
) -> None:
    undisturbed = once("workers-long", make_long)
    first, second = (undisturbed.copy(tmp_path / host).fresh() for host in link)
    for project in (first, second):
        forget_training(project)
    variables = {
        "PET_NNODES": "2",
        "PET_RDZV_ENDPOINT": "10.214.0.1:29400",
        "GLOO_SOCKET_IFNAME": LINK,
    }
    lost = rf"train: worker \d cannot go on: the others are gone, or did not answer within {ANSWER_SECONDS} s: {GO_ON}"

    def begin(project: Project, host: str, *command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            netns(host, *command),
            cwd=project.folder,
            env=project.environment(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    joined = begin(second, link[1], *MAKE, "join")
    repro = begin(first, link[0], "dvc", "repro", "train")
    assert repro.stdout is not None
    for line in repro.stdout:
        if line.startswith("epoch 2/"):
            break
    subprocess.run(["ip", "-n", link[1], "link", "set", LINK, "down"], check=True)
    for process in (repro, joined):
        printed, _ = process.communicate(timeout=ANSWER_SECONDS + GRACE_SECONDS + 20)
        assert process.returncode != 0
        assert re.fullmatch(lost, refusal(printed)), printed
    for host in link:
        assert subprocess.run(["ip", "netns", "pids", host], capture_output=True, text=True).stdout == ""

    subprocess.run(["ip", "-n", link[1], "link", "set", LINK, "up"], check=True)
    joined = begin(second, link[1], *MAKE, "join")
    repro = begin(first, link[0], "dvc", "repro", "train")
    printed, _ = repro.communicate(timeout=200)
    joined.communicate(timeout=60)
    assert "2 workers share 4 shards of each batch" in printed
    assert re.search(r"continuing at epoch ([2-9]|\d\d) of", printed), printed
    assert repro.returncode == joined.returncode == 0
    assert first.results() == undisturbed.results()
    assert not list(second.folder.glob("data/.resume/*")), "one machine alone writes"
