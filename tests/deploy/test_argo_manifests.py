"""The manifests for Argo Workflows and Ray: known fields only, least rights, no parameter in the text of a shell."""

import os
import re
import shutil
import subprocess
from typing import Any
from urllib.parse import urlsplit

import kubernetes_validate
import pytest
import yaml
from hera.workflows import models

from argo_pods import ARGO, KUBERNETES, OVERLAYS, TAG, filled, named, rendered
from support import ROOT

PAGE = (ROOT / "docs" / "argo.md").read_text(encoding="utf-8")
RAY_JOB = yaml.safe_load((ROOT / "deploy" / "ray" / "rayjob.yaml").read_text(encoding="utf-8"))
# Of KubeRay's types in ray-operator/apis/ray/v1, rayjob_types.go and raycluster_types.go; its CRD is too large to keep.
RAY_FIELDS = {
    "RayJobSpec": "activeDeadlineSeconds backoffLimit rayClusterSpec submitterPodTemplate metadata clusterSelector "
    "submitterConfig managedBy deletionStrategy entrypoint runtimeEnvYAML jobId submissionMode entrypointResources "
    "entrypointNumCpus entrypointNumGpus ttlSecondsAfterFinished shutdownAfterJobFinishes suspend",
    "RayClusterSpec": "headGroupSpec workerGroupSpecs rayVersion enableInTreeAutoscaling autoscalerOptions "
    "headServiceAnnotations suspend",
    "HeadGroupSpec": "serviceType headService enableIngress rayStartParams template",
    "WorkerGroupSpec": "groupName replicas minReplicas maxReplicas numOfHosts rayStartParams template scaleStrategy",
    "AutoscalerOptions": "resources image imagePullPolicy env envFrom volumeMounts securityContext idleTimeoutSeconds "
    "upscalingMode",
}


@pytest.fixture(scope="module", params=OVERLAYS)
def manifests(request) -> list[dict[str, Any]]:
    return rendered(request.param)


def keys(value: Any, where: str = "") -> set[str]:
    """Return the paths of all keys in a document."""
    if isinstance(value, dict):
        return {path for key, each in value.items() for path in {f"{where}.{key}", *keys(each, f"{where}.{key}")}}
    if isinstance(value, list):
        return {path for number, each in enumerate(value) for path in keys(each, f"{where}[{number}]")}
    return set()


def validate(pod: dict[str, Any]) -> None:
    """Check what is in a pod against Kubernetes' own schema, without any field that it does not know."""
    document = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": pod}
    kubernetes_validate.validate(document, KUBERNETES, strict=True)


def steps(manifests: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return every step that has a container, each after the spec of its workflow."""
    specs = [each["spec"] for each in manifests if each["kind"] == "WorkflowTemplate"]
    return [(spec, template) for spec in specs for template in spec["templates"] if "container" in template]


def test_argo_knows_every_field(manifests):
    kinds = {"WorkflowTemplate": models.WorkflowTemplate, "CronWorkflow": models.CronWorkflow}
    checked = [each for each in manifests if each["kind"] in kinds]
    assert [each["metadata"]["name"] for each in checked] == ["nightly", "data-pipeline", "embeddings-pipeline"]
    for each in checked:
        read = kinds[each["kind"]].model_validate(each)
        # Types that Argo takes as text or number come back as what they are: only their keys are compared.
        assert keys(read.model_dump(by_alias=True, exclude_unset=True)) == keys(each), each["metadata"]["name"]


def test_kubernetes_knows_every_field(manifests):
    core = [each for each in manifests if each["kind"] not in ("WorkflowTemplate", "CronWorkflow")]
    assert {each["kind"] for each in core} >= {"ConfigMap", "PersistentVolumeClaim", "Role", "RoleBinding"}
    for each in core:
        kubernetes_validate.validate(each, KUBERNETES, strict=True)
    for spec, template in steps(manifests):
        patch = yaml.safe_load(filled(template["podSpecPatch"], {"workflow.parameters.cores": "3"}))
        container = template["container"] | {"name": "main"}
        for change in patch.pop("containers", []):
            container["resources"]["requests"] |= change["resources"]["requests"]
        volumes = {"volumes": spec["volumes"], "securityContext": spec["securityContext"]}
        validate({"containers": [container], **volumes, **patch, "nodeSelector": spec["nodeSelector"]})


def test_kuberay_knows_every_field():
    spec = RAY_JOB["spec"]
    cluster = spec["rayClusterSpec"]
    head, workers = cluster["headGroupSpec"], cluster["workerGroupSpecs"]
    parts = [("RayJobSpec", spec), ("RayClusterSpec", cluster), ("HeadGroupSpec", head)]
    parts += [("AutoscalerOptions", cluster["autoscalerOptions"]), *(("WorkerGroupSpec", each) for each in workers)]
    for kind, part in parts:
        assert part.keys() <= {*RAY_FIELDS[kind].split()}, kind
    for template in (spec["submitterPodTemplate"], head["template"], *(each["template"] for each in workers)):
        validate(template["spec"])
    assert (RAY_JOB["apiVersion"], RAY_JOB["kind"]) == ("ray.io/v1", "RayJob")
    assert f"ray=={cluster['rayVersion']} " in (ROOT / "envs" / "requirements-test.txt").read_text(encoding="utf-8")


def test_no_parameter_is_in_shell_text(manifests):
    for _, template in steps(manifests):
        text = "\n".join([*template["container"]["command"], *template["container"]["args"]])
        assert not TAG.search(text), template["name"]
    workflow = named(manifests, "WorkflowTemplate", "embeddings-pipeline")["spec"]
    (made,) = [each["resource"] for each in workflow["templates"] if "resource" in each]
    assert made["manifest"] == "{{inputs.parameters.ray-job}}"


@pytest.mark.parametrize("overlay", OVERLAYS[1:])
def test_an_overlay_says_where_the_repository_is(overlay, tmp_path):
    shutil.copytree(ARGO, tmp_path / "argo")
    edited = tmp_path / "argo" / overlay / "kustomization.yaml"
    text = edited.read_text(encoding="utf-8")
    edited.write_text(text.replace("https://git.example.org/data/registry.git", "https://git.example.org/ours.git"))
    made = rendered(overlay, tmp_path / "argo")
    for name in ("data-pipeline", "embeddings-pipeline"):
        parameters = named(made, "WorkflowTemplate", name)["spec"]["arguments"]["parameters"]
        addresses = [each["value"] for each in parameters if each["value"].startswith("https:")]
        assert addresses == ["https://git.example.org/ours.git"]


def test_no_image_of_minikube_is_asked_for_elsewhere():
    settings = named(rendered("overlays/minikube"), "ConfigMap", "registry")["data"]
    for name in ("REGISTRY_RUN_IMAGE", "RAY_IMAGE"):
        image, _, tag = settings[name].partition(":")
        assert image.startswith("localhost/")
        # Kubernetes pulls what has this tag, or none, although it is there.
        assert tag not in ("", "latest")
        assert f"podman save {settings[name]} | minikube image load -" in PAGE


def test_every_step_hears_of_sigterm(manifests):
    for _, template in steps(manifests):
        assert template["container"]["command"][:4] == ["tini", "-s", "-g", "--"]


@pytest.mark.parametrize("cores", ['1}}}],"hostNetwork":true', "$(id)", ""])
def test_cores_are_a_number(manifests, cores):
    patches = [template["podSpecPatch"] for _, template in steps(manifests)]
    assert {tag for patch in patches for tag in TAG.findall(patch)} == {"=asInt(workflow.parameters.cores)"}
    with pytest.raises(ValueError, match="invalid literal"):
        [filled(patch, {"workflow.parameters.cores": cores}) for patch in patches]


def test_every_pod_has_few_rights(manifests):
    for spec, template in steps(manifests):
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        least(template["container"])
    cluster = RAY_JOB["spec"]["rayClusterSpec"]
    pods = [RAY_JOB["spec"]["submitterPodTemplate"], cluster["headGroupSpec"]["template"]]
    for pod in [*pods, *(each["template"] for each in cluster["workerGroupSpecs"])]:
        assert pod["spec"]["securityContext"]["runAsNonRoot"]
        for container in pod["spec"]["containers"]:
            least(container)


def test_nobody_but_kuberay_reaches_ray(manifests):
    policy = named(manifests, "NetworkPolicy", "registry-ray")["spec"]
    labels = policy["podSelector"]["matchLabels"]
    job = RAY_JOB["spec"]
    cluster = job["rayClusterSpec"]
    for template in (job["submitterPodTemplate"], cluster["headGroupSpec"]["template"], *workers(cluster)):
        assert template["metadata"]["labels"] == labels
    assert policy["policyTypes"] == ["Ingress"]
    ours, kuberay = policy["ingress"]
    assert ours == {"from": [{"podSelector": {"matchLabels": labels}}]}
    assert [port["port"] for port in kuberay["ports"]] == [8265]
    assert kuberay["from"][0]["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "kuberay-operator"}


def workers(cluster: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the templates of the pods that compute."""
    return [group["template"] for group in cluster["workerGroupSpecs"]]


def least(container: dict[str, Any]) -> None:
    """Check that a container cannot do more than it has to, and takes no more memory than it says."""
    security = container["securityContext"]
    assert security["readOnlyRootFilesystem"]
    assert not security["allowPrivilegeEscalation"]
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert container["resources"]["limits"]["memory"]


def test_accounts_may_do_what_is_needed_and_no_more(manifests):
    ended = {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}
    assert named(manifests, "Role", "registry")["rules"] == [ended]
    of_ray, rays = named(manifests, "Role", "registry-ray")["rules"]
    assert of_ray == ended
    assert (rays["apiGroups"], rays["resources"]) == (["ray.io"], ["rayjobs"])
    workflow = named(manifests, "WorkflowTemplate", "embeddings-pipeline")["spec"]
    accounts = {each["name"]: each.get("serviceAccountName") for each in workflow["templates"]}
    assert {name for name, account in accounts.items() if account} == {"compute"}
    assert not [each for each in manifests if each["kind"] == "Secret"]


def test_who_may_push_is_told_where_it_is_needed(manifests):
    """What computes has no password of git's."""
    told = {
        template["name"]
        for _, template in steps(manifests)
        if {"secretRef": {"name": "registry-git", "optional": True}} in template["container"]["envFrom"]
    }
    assert told == {"prepare", "publish", "refresh"}
    assert "registry-git" not in str(RAY_JOB)


def test_the_password_of_git_is_for_the_host_of_the_repository_alone(manifests, tmp_path):
    settings = named(manifests, "ConfigMap", "registry")["data"]
    password = "-n \\t \"'$(id)"
    secret = {"GIT_USERNAME": "bot", "GIT_PASSWORD": password}
    env = {"PATH": os.environ["PATH"], **settings, **secret, "HOME": str(tmp_path)}

    def told(host: str) -> str:
        command, asked = ["git", "credential", "fill"], f"protocol=https\nhost={host}\n\n"
        return subprocess.run(command, cwd=tmp_path, input=asked, env=env, capture_output=True, text=True).stdout

    for name in ("data-pipeline", "embeddings-pipeline"):
        parameters = named(manifests, "WorkflowTemplate", name)["spec"]["arguments"]["parameters"]
        (repository,) = [each["value"] for each in parameters if each["name"] == "repository"]
        assert told(urlsplit(repository).netloc).splitlines()[-2:] == ["username=bot", f"password={password}"]
    for host in ("evil.example.org", "git.example.org.evil.example", "x.git.example.org"):
        assert "password" not in told(host)


def test_one_pipeline_works_at_a_time_and_none_for_ever(manifests):
    for name in ("data-pipeline", "embeddings-pipeline"):
        spec = named(manifests, "WorkflowTemplate", name)["spec"]
        assert spec["synchronization"]["mutexes"] == [{"name": "registry"}]
        assert spec["activeDeadlineSeconds"] > 0
    nightly = named(manifests, "CronWorkflow", "nightly")["spec"]
    assert nightly["concurrencyPolicy"] == "Forbid"
    assert nightly["workflowSpec"]["workflowTemplateRef"] == {"name": "data-pipeline"}
    assert nightly["workflowSpec"]["entrypoint"] == "refresh"


def test_our_own_errors_are_not_tried_again(manifests):
    expression = 'lastRetry.status == "Error" || !(asInt(lastRetry.exitCode) in [1, 2, 3])'
    for _, template in steps(manifests):
        assert template["retryStrategy"]["expression"] == expression
        assert template["retryStrategy"]["limit"] == "2"
    assert RAY_JOB["spec"]["backoffLimit"] == 0


def test_a_ray_job_that_is_stopped_or_fails_ends_the_workflow(manifests):
    """Argo ends a step where one of these matches; KubeRay says of a job that was stopped that it is complete."""
    workflow = named(manifests, "WorkflowTemplate", "embeddings-pipeline")["spec"]
    (made,) = [each["resource"] for each in workflow["templates"] if "resource" in each]
    ends = {"status.jobDeploymentStatus == Failed", "status.jobStatus == STOPPED"}
    assert {*made["failureCondition"].split(", ")} == ends


def test_all_pods_have_the_image_that_is_recorded(manifests):
    image = named(manifests, "ConfigMap", "registry")["data"]["REGISTRY_RUN_IMAGE"]
    assert {template["container"]["image"] for _, template in steps(manifests)} == {image}


def test_the_page_explains_every_parameter(manifests):
    for name in ("data-pipeline", "embeddings-pipeline"):
        parameters = named(manifests, "WorkflowTemplate", name)["spec"]["arguments"]["parameters"]
        section = re.search(rf"^## {name}\n(.*?)(?=^## )", PAGE, re.DOTALL | re.MULTILINE)
        assert section
        assert re.findall(r"^\| `([a-z-]+)` \|", section[1], re.MULTILINE) == [each["name"] for each in parameters]
