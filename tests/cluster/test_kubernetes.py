"""The profile `kubernetes`: real runs whose pods share no files, on a stand-in for Kubernetes and a real S3 server."""

import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
from kubernetes import client

from clone import Clone, under_git
from fake_kubernetes import NAMESPACE, FakeKubernetes, Pod
from project import copy_folder, copy_repository
from registry.workflow import pods
from s3 import S3Server
from support import PATIENCE, wait_until

PROFILE = "workflow/profiles/kubernetes"
BUCKET = "registry-exchange"


@pytest.fixture(scope="module")
def s3(tmp_path_factory) -> Iterator[S3Server]:
    with S3Server(tmp_path_factory.mktemp("s3"), buckets=(BUCKET,)) as server:
        yield server


@pytest.fixture
def kubernetes(tmp_path) -> Iterator[FakeKubernetes]:
    """A cluster; whatever becomes of a run, nothing of it is left there."""
    with FakeKubernetes(tmp_path / "kubernetes") as cluster:
        yield cluster
        assert cluster.left() == []


@pytest.fixture(scope="module")
def fresh(tmp_path_factory) -> Clone:
    """A clone in which nothing was built, to copy."""
    return under_git(copy_repository(tmp_path_factory.mktemp("fresh") / "registry"))


class Cluster:
    """A clone whose runs take the profile, and what they run on."""

    def __init__(self, clone: Clone, kubernetes: FakeKubernetes, s3: S3Server) -> None:
        self.clone, self.kubernetes, self.s3 = clone, kubernetes, s3
        clone.edit(f"{PROFILE}/config.yaml", "seconds-between-status-checks: 5", "seconds-between-status-checks: 1")
        clone.edit(f"{PROFILE}/config.yaml", "latency-wait: 30", "latency-wait: 3")
        prefix = f"s3://{BUCKET}/{clone.folder.parent.name}"
        clone.edit(f"{PROFILE}/config.yaml", "s3://registry-exchange/runs", prefix)
        endpoint = "# storage-s3-endpoint-url: https://s3.example.org"
        clone.edit(f"{PROFILE}/config.yaml", endpoint, f"storage-s3-endpoint-url: {s3.url}")
        self.bucket = s3.client()
        self.prefix = f"{clone.folder.parent.name}/"

    def environment(self, **extra: str) -> dict[str, str]:
        return {
            **self.clone.environment(),
            **self.s3.environment(self.s3.admin),
            "KUBECONFIG": str(self.kubernetes.config),
            **extra,
        }

    def run(self, *arguments: str, code: int = 0, option: str = "--workflow-profile", **extra: str) -> str:
        """Run snakemake with the profile and return what it printed."""
        done = self.start(*arguments, option=option, **extra)
        printed, _ = done.communicate(timeout=PATIENCE)
        assert done.returncode == code, printed
        assert "Traceback" not in printed
        return printed

    def start(self, *arguments: str, option: str = "--workflow-profile", **extra: str) -> subprocess.Popen:
        return subprocess.Popen(
            ["snakemake", option, PROFILE, *arguments],
            cwd=self.clone.folder,
            env=self.environment(**extra),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def stored(self) -> list[str]:
        """Return what is in the bucket, without the run's prefix."""
        listed = self.bucket.list_objects_v2(Bucket=BUCKET, Prefix=self.prefix)
        return [one["Key"].removeprefix(self.prefix) for one in listed.get("Contents", [])]

    def asked(self, rule: str) -> list[dict[str, Any]]:
        """Return the jobs of a rule that Kubernetes was asked for."""
        return [job for job in self.kubernetes.sent if f"{rule}:" in _container(job)["args"][1]]


def _container(job: dict[str, Any]) -> dict[str, Any]:
    return job["spec"]["template"]["spec"]["containers"][0]


@pytest.fixture
def cluster(fresh, kubernetes, s3, tmp_path) -> Cluster:
    copy_folder(fresh.folder, tmp_path / "registry")
    return Cluster(Clone(tmp_path / "registry"), kubernetes, s3)


def test_what_pods_make_is_brought_released_once_and_done_for_a_local_run(cluster, tmp_path):
    targets = ["wine_quality", "tabular", "radiology_mini"]
    local = Clone(tmp_path / "local")
    copy_folder(cluster.clone.folder, local.folder)
    local.run("snakemake", "--cores", "2", *targets, REGISTRY_RUN_ID="4711")

    cluster.run(*targets, REGISTRY_RUN_ID="4711")

    assert cluster.clone.products() == local.products()
    assert cluster.clone.git("rev-parse", "HEAD^{tree}:data") == local.git("rev-parse", "HEAD^{tree}:data")
    assert cluster.clone.tags() == local.tags() != []
    assert '"id": "4711"' in cluster.clone.git("show", "tabular-v1.0.0:data/tabular/provenance.json")
    assert cluster.clone.git("rev-list", "--count", "HEAD") == local.git("rev-list", "--count", "HEAD")
    assert "Nothing to be done" in cluster.clone.run("snakemake", "-n", *targets)
    for script in (cluster.clone.folder / "scripts").rglob("*.py"):
        script.touch()
    for option in ("--workflow-profile", "--profile"):
        assert "Nothing to be done" in cluster.run(*targets, option=option)
    assert not [key for key in cluster.stored() if key.startswith("snakemake-workflow-sources")]


TABULAR = "tabular"


def only(cluster: Cluster, rule: str, fate: Any) -> None:
    """Let `fate` befall the pods of a rule, and no other."""

    def befall(pod: Pod) -> None:
        if f"{rule}:" in _container(pod.job)["args"][1]:
            fate(pod)

    cluster.kubernetes.fate = befall


def test_a_pod_asks_for_what_its_rule_declares_and_gets_only_the_secrets_that_are_named(cluster):
    cluster.clone.edit(f"{PROFILE}/config.yaml", '# - machine_type="e2-standard-4"', '- machine_type="e2-standard-4"')
    account = "# kubernetes-service-account-name: registry"
    cluster.clone.edit(f"{PROFILE}/config.yaml", account, account.removeprefix("# "))
    cluster.run("tabular_generate", SECRET_OF_ANOTHER="not for pods", REGISTRY_RUN_ID="4711", REGISTRY_RUN_OTHER="no")

    [job] = cluster.kubernetes.sent
    pod, container = job["spec"]["template"]["spec"], _container(job)
    assert container["resources"]["requests"] == {"cpu": "950m", "memory": "800M", "ephemeral-storage": "2000M"}
    assert pod["nodeSelector"] == {"node.kubernetes.io/instance-type": "e2-standard-4"}
    assert pod["serviceAccountName"] == "registry"
    assert container["image"] == "registry.example.org/data-registry-kubernetes:latest"
    names = {variable["name"] for variable in container["env"]}
    assert names >= {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "REGISTRY_RUN_ID"}
    assert not names & {"SECRET_OF_ANOTHER", "REGISTRY_RUN_OTHER", "REGISTRY_RUN_URL"}
    assert cluster.s3.admin.secret not in str(job)
    assert "pip install" not in container["args"][1]


def test_a_job_that_fails_says_why_and_nothing_of_its_dataset_is_brought(cluster):
    cluster.clone.edit("config/datasets/tabular.yaml", "generated: {all: {min: 100", "generated: {all: {min: 2000")
    printed = cluster.run(TABULAR, code=1)
    assert len(cluster.asked("tabular_analyze")) == 1
    assert "tabular_analyze failed (logs/tabular/analyze.log):\nerror: " in printed
    [found] = [one for one in cluster.clone.record()["datasets"] if one["dataset"] == TABULAR]
    assert (found["state"], len(found["breaches"])) == ("failed", 1)
    assert not (cluster.clone.folder / "data" / TABULAR).exists()
    assert cluster.clone.tags() == []


def test_a_pod_that_was_evicted_is_tried_again_with_more(cluster):
    fates = ["The node was low on resource: memory.", None, None]

    def befall(pod: Pod) -> None:
        pod.evicted = fates.pop(0)

    only(cluster, "tabular_generate", befall)
    printed = cluster.run("tabular_generate")
    assert "Evicted: The node was low on resource: memory." in printed
    memory = [_container(job)["resources"]["requests"]["memory"] for job in cluster.asked("tabular_generate")]
    assert memory == ["800M", "1600M"]


def test_a_pod_that_is_gone_is_tried_again(cluster):
    fates = [True, False]

    def befall(pod: Pod) -> None:
        pod.gone = fates.pop(0)

    only(cluster, "tabular_generate", befall)
    assert "its pod was deleted, or its node went away" in cluster.run("tabular_generate")
    assert len(cluster.asked("tabular_generate")) == 2


def test_a_pod_that_no_node_takes_is_given_up_after_a_time_and_the_others_go_on(cluster):
    def befall(pod: Pod) -> None:
        pod.condition = {"reason": "Unschedulable", "message": "0/3 nodes are available: 3 Insufficient memory."}

    only(cluster, "wine_quality_download", befall)
    printed = cluster.run("wine_quality_download", TABULAR, "--keep-going", code=1, REGISTRY_POD_PATIENCE="1")
    why = "its pod did not start in 1 s: Unschedulable: 0/3 nodes are available: 3 Insufficient memory."
    assert printed.count(why) == 1
    assert len(cluster.asked("wine_quality_download")) == 1
    assert cluster.clone.tags() == ["tabular-v1.0.0"]


def test_an_image_that_cannot_be_had_ends_the_run_with_one_message(cluster):
    def befall(pod: Pod) -> None:
        pod.waiting = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "registry.example.org/..."'}

    cluster.kubernetes.fate = befall
    printed = cluster.run(TABULAR, "wine_quality", code=1)
    assert printed.count("ImagePullBackOff: Back-off pulling image") == 1
    assert "container-image in the profile" in printed


def test_an_api_that_fails_for_a_while_loses_no_job(cluster):
    refused = []

    def refuses(method: str, path: str) -> int | None:
        if "pods" in path and len(refused) < 3:
            refused.append(path)
            return 503
        return None

    cluster.kubernetes.refuses = refuses
    cluster.run("tabular_generate")
    assert len(refused) == 3


def test_an_api_that_stays_away_ends_the_run(cluster):
    cluster.kubernetes.refuses = lambda method, path: 503 if method == "GET" else None
    printed = cluster.run("tabular_generate", code=1, REGISTRY_API_PATIENCE="1")
    assert printed.count("does not answer for 1 s: 503") == 1


def test_quota_that_is_used_up_ends_the_run_with_one_message(cluster):
    cluster.kubernetes.refuses = lambda method, path: 403 if path.endswith("/jobs") else None
    printed = cluster.run("tabular_generate", code=1)
    assert printed.count("Kubernetes refuses (403): refused") == 1
    assert "kubernetes-namespace in the profile" in printed


@pytest.mark.parametrize(
    ("old", "new", "environment", "said"),
    [
        (
            f"namespace: {NAMESPACE}",
            "namespace: nowhere",
            {},
            ['namespaces "nowhere" not found', "kubernetes-namespace"],
        ),
        (
            f"s3://{BUCKET}/",
            "s3://no-such-bucket/",
            {},
            ["s3://no-such-bucket/", "default-storage-prefix in the profile"],
        ),
        ("", "", {"AWS_SECRET_ACCESS_KEY": "of-another"}, ["envvars in the profile: these credentials"]),
        ("  - AWS_ACCESS_KEY_ID", "  - OF_NOBODY", {}, ["environment variables are requested", "OF_NOBODY"]),
        ("", "", {"KUBECONFIG": "/nowhere"}, ["no cluster is known", "let KUBECONFIG name"]),
        ("", "", {"KUBECONFIG": "away"}, ["the Kubernetes API at http://127.0.0.1:1 does not answer"]),
    ],
    ids=["namespace", "bucket", "secret", "variable", "no cluster", "away"],
)
def test_what_is_missing_is_named_before_any_pod_is_asked_for(cluster, old, new, environment, said):
    if old:
        cluster.clone.edit(f"{PROFILE}/config.yaml", old, new)
    away = cluster.kubernetes.config.read_text(encoding="utf-8")
    cluster.clone.write("away", re.sub(r"127.0.0.1:\d+", "127.0.0.1:1", away))
    printed = cluster.run(TABULAR, code=1, **environment)
    assert all(text in printed for text in said), printed
    assert printed.count(said[0]) == 1
    assert cluster.kubernetes.sent == []
    assert cluster.stored() == []


def test_rights_that_end_are_renewed_and_a_run_whose_are_gone_ends(cluster):
    ended = []

    def refuses(method: str, path: str) -> int | None:
        if method == "GET" and not ended:
            ended.append(path)
            return 401
        return None

    cluster.kubernetes.refuses = refuses
    cluster.run("tabular_generate")
    assert ended
    cluster.kubernetes.refuses = lambda method, path: 401 if method == "GET" else None
    assert cluster.run("tabular_process", code=1).count("Kubernetes refuses (401)") == 1


def test_what_nothing_makes_is_refused_as_it_is_here(cluster):
    assert "perhaps you mean tabular" in cluster.run("tabullar", code=1)
    assert "perhaps you mean tabular" in cluster.run("data/tabullar/metadata.json", code=1)
    assert "tabular_analyze" in cluster.run("-n", "data/tabular/metadata.json")


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_leaves_no_job_behind(cluster, sign):
    run = cluster.start(TABULAR)
    wait_until(lambda: cluster.kubernetes.pods)
    run.send_signal(sign)
    printed, _ = run.communicate(timeout=PATIENCE)
    assert run.returncode != 0, printed


def test_a_run_that_was_killed_before_it_brought_anything_is_completed_by_the_next(cluster):
    cluster.run(TABULAR, "--no-hooks")
    assert not (cluster.clone.folder / "data" / TABULAR).exists()
    printed = cluster.run(TABULAR)
    assert "built and not released: tabular" in printed
    assert len(cluster.kubernetes.sent) == 1, "the rules of a dataset share a pod, and none ran again"
    assert "Nothing to be done" in cluster.clone.run("snakemake", "-n", TABULAR)


def test_what_changed_in_the_bucket_stays_out(cluster):
    cluster.run("wine_quality", "--no-hooks")
    key = f"{cluster.prefix}data/wine-quality/processed/wine-quality.csv"
    cluster.bucket.put_object(Bucket=BUCKET, Key=key, Body=b"of another")
    printed = cluster.run("wine_quality", "--retries", "0", code=1)
    assert "data/wine-quality/processed: changed by hand since it was made" in printed
    assert not (cluster.clone.folder / "data" / "wine-quality").exists()


def test_no_answer_of_the_api_is_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr(pods, "READ", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"http://127.0.0.1:{silent.getsockname()[1]}"
        api = client.CoreV1Api(client.ApiClient(client.Configuration(host=host)))
        pods._bound(api.api_client.rest_client)
        with pytest.raises(urllib3.exceptions.HTTPError):
            api.list_namespaced_pod("registry")
