"""Workers run known jobs, said in JSON, and nothing else that somebody puts into Redis."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from django.conf import settings as django_settings
from rq import Queue
from rq.serializers import JSONSerializer, PickleSerializer

from outbox.jobs import drain_outbox
from outbox.known_jobs import KnownJob, UnknownJob
from tests.outbox.processes import STOP_SECONDS, WORKER, Start
from tests.outbox.world import World, wait_until

URL = django_settings.REDIS_URL
WORK_WORKER = ["manage.py", "rqworker", "work"]


class Touch:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.system, (f"touch {self.path}",)


def push_pickled(queue: str, server: redis.Redis, file: Path) -> None:
    """Put in a job whose function is harmless, and whose argument is not."""
    Queue(queue, connection=server, serializer=PickleSerializer).enqueue(drain_outbox, Touch(file))


def push_json(queue: str, server: redis.Redis, file: Path) -> None:
    """Put in a job that is said in JSON, of a function that no app has for a job."""
    Queue(queue, connection=server, serializer=JSONSerializer).enqueue("os.system", f"touch {file}")


PUSHES = [push_pickled, push_json]


def failed(queue: str, server: redis.Redis) -> int:
    return Queue(queue, connection=server, serializer=JSONSerializer).failed_job_registry.count


@pytest.mark.parametrize("push", PUSHES)
def test_a_worker_of_rq_does_the_harm(
    world: World,
    start: Start,
    redis_server: redis.Redis,
    tmp_path: Path,
    push: Callable[[str, redis.Redis, Path], None],
) -> None:
    push("work", redis_server, tmp_path / "harm")
    arguments = ["--worker-class", "rq.SimpleWorker", "--job-class", "rq.job.Job"]
    serializer = {push_pickled: "Pickle", push_json: "JSON"}[push]

    start([*WORK_WORKER, *arguments, "--serializer", f"rq.serializers.{serializer}Serializer"], URL)

    assert wait_until((tmp_path / "harm").exists, seconds=20)


@pytest.mark.parametrize("push", PUSHES)
@pytest.mark.parametrize(("queue", "command"), [("delivery", WORKER), ("work", WORK_WORKER)])
def test_a_foreign_job_is_not_run_and_the_worker_goes_on(
    world: World,
    start: Start,
    redis_server: redis.Redis,
    tmp_path: Path,
    queue: str,
    command: list[str],
    push: Callable[[str, redis.Redis, Path], None],
) -> None:
    push(queue, redis_server, tmp_path / "harm")
    worker = start(command, URL)
    assert wait_until(lambda: failed(queue, redis_server) == 1, seconds=20)

    world.commit((1, 1))
    job = Queue(queue, connection=redis_server, serializer=JSONSerializer).enqueue("outbox.jobs.drain_outbox")

    assert wait_until(lambda: world.versions() == {1: [1]}, seconds=20)
    assert wait_until(lambda: job.get_status(refresh=True) in {"started", "finished"}, seconds=20)
    assert not (tmp_path / "harm").exists()
    worker.terminate()
    worker.communicate(timeout=STOP_SECONDS)
    assert worker.returncode == 0


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "outbox.jobs.redis.Redis",
        "outbox.jobs.client",
        "outbox.jobs._redis",
        "outbox.bell.ring",
        "outbox.jobs.Engine",
        "rq.contrib.jobs.run",
        "tests.jobs.run",
        "jobs",
        "",
    ],
)
def test_only_what_a_module_of_jobs_defines_is_known(redis_server: redis.Redis, name: str) -> None:
    job = KnownJob.create(drain_outbox, connection=redis_server, serializer=JSONSerializer)
    job._func_name = name
    with pytest.raises(UnknownJob):
        _ = job.func


def test_a_job_of_an_app_is_known(redis_server: redis.Redis) -> None:
    job = KnownJob.create(drain_outbox, connection=redis_server, serializer=JSONSerializer)
    assert job.func is drain_outbox


def test_no_job_has_another_function_called(redis_server: redis.Redis) -> None:
    job = KnownJob.create(drain_outbox, connection=redis_server, serializer=JSONSerializer)
    job._failure_callback_name = job._success_callback_name = job._stopped_callback_name = "os.abort"
    assert (job.failure_callback, job.success_callback, job.stopped_callback) == (None, None, None)
