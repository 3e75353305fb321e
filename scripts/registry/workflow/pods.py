"""Run jobs as pods of Kubernetes, by Snakemake's executor for it, where that one waits for ever or loses a job.

It never gives up on a pod that cannot start, forgets a job whose state an API that fails could not tell, leaves jobs
behind when it gives up, and asks for the log of a pod that was there before this one, which there never is. Imported
only where the extra `kubernetes` is installed.
"""

import json
import os
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import urllib3
from kubernetes import client, config
from kubernetes.client.rest import ApiException
from kubernetes.config import ConfigException
from snakemake.exceptions import WorkflowError
from snakemake_executor_plugin_kubernetes import Executor

from registry.describe.run import run_of, variable_of
from registry.errors import RegistryError
from registry.workflow.bring import bring_logs
from registry.workflow.exchange import reaching, stored_as
from registry.workflow.failures import members
from registry.workflow.snakemake import patience

CONTAINER = "snakemake"
"""What the executor calls the container of a job."""
READ = 60
"""Seconds that the API may take for an answer."""
PAUSE = 2
"""Seconds between two questions to an API that does not answer."""
API_PATIENCE = 300
"""Seconds for which it is asked, unless REGISTRY_API_PATIENCE in the environment says how many."""
POD_PATIENCE = 1800
"""Seconds that a pod may take to start, unless REGISTRY_POD_PATIENCE says how many: nodes may have to be had first."""
IMAGE = {"ErrImageNeverPull", "ImageInspectError", "ImagePullBackOff", "InvalidImageName"}
"""Why a container waits whose image cannot be had."""
BROKEN = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
"""Why one waits that can never start."""


class PodExecutor(Executor):
    """The executor of the profile `kubernetes`."""

    def __post_init__(self) -> None:
        for variable in ("REGISTRY_POD_PATIENCE", "REGISTRY_API_PATIENCE"):
            patience(variable, 0)
        self._waiting: dict[str, float] = {}
        self._live: set[str] = set()
        if not len(self.workflow.dag):
            self.wait = False
        try:
            super().__post_init__()
        except (ConfigException, WorkflowError) as error:
            self.workflow.cleanup_source_archive()
            if isinstance(error, WorkflowError):
                raise
            hint = "let KUBECONFIG name the file that says where the cluster is, or run it in a pod"
            raise WorkflowError(str(RegistryError(f"no cluster is known: {error}", hint=hint))) from None

    def envvars(self) -> dict[str, str]:
        """Return the variables that jobs get: those that the profile names, and what is said of this run."""
        return super().envvars() | {variable_of(fact): value for fact, value in run_of(os.environ).items()}

    def register_secret(self) -> None:
        """Give the cluster what jobs need of this environment, if there are jobs."""
        self._connect()
        if len(self.workflow.dag):
            self._kubernetes_retry(super().register_secret, limit=0)

    def _connect(self) -> None:
        """Speak to the API so that no answer is waited for for ever, and no job that was asked for is forgotten."""
        self.kubeapi, self.batchapi = client.CoreV1Api(), client.BatchV1Api()
        for api in (self.kubeapi, self.batchapi):
            _bound(api.api_client.rest_client)
        create = self.batchapi.create_namespaced_job

        def remember(namespace: str, body: Any) -> Any:
            self._live.add(body.metadata.name)
            return create(namespace, body)

        self.batchapi.create_namespaced_job = remember

    def unregister_secret(self) -> None:
        """Take that away again. An API that does not answer any more keeps no run from ending."""
        with suppress(ApiException, urllib3.exceptions.HTTPError):
            self.kubeapi.delete_namespaced_secret(self.run_namespace, self.namespace)

    def run_job(self, job: Any) -> None:
        """Hand over a job, of which no log of an earlier run is left that could be taken for its own."""
        for one in members(job):
            for stored in filter(None, map(stored_as, one.log)):
                with reaching(stored.query):
                    stored.remove()
        super().run_job(job)

    def shutdown(self) -> None:
        """End, and leave no job behind."""
        for name in [*self._live]:
            self._delete(name, limit=0)
        super().shutdown()

    def cancel_jobs(self, active_jobs: Sequence[Any]) -> None:
        """Delete jobs, each whatever becomes of the others."""
        for one in active_jobs:
            self._delete(one.external_jobid, limit=0)

    async def check_active_jobs(self, active_jobs: list[Any]) -> AsyncGenerator[Any, None]:
        """Yield the jobs that go on, and report those that have ended or never start."""
        left = [*active_jobs]
        try:
            while left:
                async with self.status_rate_limiter:
                    if self._goes_on(left[0]):
                        yield left[0]
                left.pop(0)
        except WorkflowError as error:
            self.workflow.scheduler.executor_error_callback(error)
            for one in left:
                yield one

    def _goes_on(self, one: Any) -> bool:
        """Tell whether a job goes on, and report it if it has ended. Raises WorkflowError where none ever can start."""
        pod = self._pod(one)
        state = _container(pod)
        ended = state and state.terminated
        if pod is not None and (pod.status.phase == "Succeeded" or (ended and ended.exit_code == 0)):
            self.report_job_success(one)
            self._delete(one.external_jobid)
            return False
        if pod is not None and (pod.status.phase == "Failed" or ended):
            self._fail(one, _why_failed(pod, ended), logs=self._save_log(one, pod))
            return False
        # On a node that went away a pod stays, and is to be deleted for as long as the node does not come back.
        if (pod is None or pod.metadata.deletion_timestamp) and self._is_lost(one):
            self._fail(one, "its pod was deleted, or its node went away")
            return False
        if pod is not None and pod.status.phase == "Running":
            if self._waiting.pop(one.external_jobid, None):
                # Where pods start, the others may only have to wait for them.
                self._waiting.clear()
            return True
        return self._may_start(one, pod, state and state.waiting)

    def _is_lost(self, one: Any) -> bool:
        """Tell whether a job without a pod had one, or is gone itself."""

        def failed() -> bool:
            try:
                job = self.batchapi.read_namespaced_job_status(one.external_jobid, self.namespace)
            except ApiException as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise
                return True
            return bool(job.status.failed)

        return self._kubernetes_retry(failed)

    def _pod(self, one: Any) -> Any:
        """Return the pod of a job, None where it has none yet, or none any more."""
        label = f"job-name={one.external_jobid}"
        found = self._kubernetes_retry(lambda: self.kubeapi.list_namespaced_pod(self.namespace, label_selector=label))
        return found.items[-1] if found.items else None

    def _may_start(self, one: Any, pod: Any, waiting: Any) -> bool:
        """Tell whether a pod that has not started may do so. Raises WorkflowError where no other could, either."""
        if waiting is not None and waiting.reason in IMAGE | BROKEN:
            key = "container-image in the profile names it" if waiting.reason in IMAGE else "see envvars in the profile"
            what = f"no container of {self.container_image} starts: {_said(waiting)}"
            raise WorkflowError(str(RegistryError(what, hint=f"put it right: {key}")))
        since = self._waiting.setdefault(one.external_jobid, time.monotonic())
        limit = patience("REGISTRY_POD_PATIENCE", POD_PATIENCE)
        if time.monotonic() - since < limit:
            return True
        # It would wait as long once more.
        one.job.attempt = one.job.restart_times + 1
        self._fail(one, f"its pod did not start in {limit:g} s: {_why_unstarted(pod, waiting)}")
        return False

    def _fail(self, one: Any, why: str, *, logs: Sequence[str] = ()) -> None:
        """Report a job that failed, once its logs are here: they tell whether it is worth another try."""
        for job in members(one.job):
            with suppress(RegistryError, OSError):
                bring_logs(job)
        self.report_job_error(one, msg=why, aux_logs=[*logs])
        self._delete(one.external_jobid)

    def _save_log(self, one: Any, pod: Any) -> list[str]:
        """Save what a pod has printed; one that was evicted has left nothing."""
        path = self.log_path / f"{one.external_jobid}.log"
        with suppress(ApiException, urllib3.exceptions.HTTPError):
            text = self.kubeapi.read_namespaced_pod_log(pod.metadata.name, self.namespace, container=CONTAINER)
            path.write_text(text, encoding="utf-8")
            return [os.path.relpath(path)]
        return []

    def _delete(self, name: str, *, limit: float | None = None) -> None:
        """Delete a job; Kubernetes deletes its pod with it."""
        self._live.discard(name)
        if self.workflow.executor_settings.omit_job_cleanup:
            return

        def delete() -> None:
            try:
                self.batchapi.delete_namespaced_job(name, self.namespace, propagation_policy="Background")
            except ApiException as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise

        try:
            self._kubernetes_retry(delete, limit=limit)
        except WorkflowError as error:
            self.logger.error(f"a job may be left: kubectl delete job {name}\n{error}")

    def _kubernetes_retry(self, func: Callable[[], Any], *, limit: float | None = None) -> Any:
        """Ask the API, and again while it does not answer. Raises WorkflowError where it refuses, or stays away."""
        limit = patience("REGISTRY_API_PATIENCE", API_PATIENCE) if limit is None else limit
        deadline = time.monotonic() + limit
        renewed = False
        while True:
            try:
                return func()
            except ApiException as error:
                if error.status == HTTPStatus.UNAUTHORIZED and not renewed:
                    # Tokens end; the configuration says how to have a new one.
                    renewed = True
                    with suppress(ConfigException):
                        config.load_kube_config()
                        self._connect()
                    continue
                if error.status < 500 and error.status != HTTPStatus.TOO_MANY_REQUESTS:
                    raise WorkflowError(str(_refused(error, self.namespace))) from None
                said = f"{error.status} {error.reason}"
            except urllib3.exceptions.HTTPError as error:
                said = str(error)
            if time.monotonic() > deadline:
                host = self.kubeapi.api_client.configuration.host
                what = f"the Kubernetes API at {host} does not answer{f' for {limit:g} s' if limit else ''}: {said}"
                raise WorkflowError(str(RegistryError(what, hint="run the same command again once it does")))
            time.sleep(PAUSE)


def _bound(rest: Any) -> None:
    """Let no request of a client wait for more than READ seconds for its answer."""
    request = rest.request

    def bound(*arguments: Any, **named: Any) -> Any:
        return request(*arguments, **named | {"_request_timeout": named.get("_request_timeout") or READ})

    rest.request = bound


def _container(pod: Any) -> Any:
    """Return the state of the container of a pod that runs the job; clusters may add containers of their own."""
    statuses = (pod and pod.status.container_statuses) or []
    return next((status.state for status in statuses if status.name == CONTAINER), None)


def _why_failed(pod: Any, ended: Any) -> str:
    if pod.status.reason:
        return _said(pod.status)
    if ended is None:
        return "its pod failed"
    if ended.reason == "OOMKilled":
        return "OOMKilled: it took more memory than its rules declare, or than its node had"
    return f"its container ended with exit code {ended.exit_code}"


def _why_unstarted(pod: Any, waiting: Any) -> str:
    if waiting is not None:
        return _said(waiting)
    conditions = (pod and pod.status.conditions) or []
    said = [_said(condition) for condition in conditions if condition.status == "False" and condition.message]
    return "; ".join(said) or "nothing says why"


def _said(state: Any) -> str:
    return ": ".join(filter(None, (state.reason, state.message)))


def _refused(error: ApiException, namespace: str) -> RegistryError:
    """Return what a refusal of the API means."""
    with suppress(ValueError, TypeError):
        error.reason = json.loads(error.body)["message"]
    what = f"Kubernetes refuses ({error.status}): {error.reason}"
    if error.status == HTTPStatus.NOT_FOUND:
        return RegistryError(what, hint=f"make the namespace {namespace}, or set kubernetes-namespace in the profile")
    if error.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        may = f"to make secrets and jobs in {namespace}, kubernetes-namespace in the profile"
        return RegistryError(what, hint=f"ask for the right {may}, or for quota")
    return RegistryError(what, hint="put it right: the profile and the resources of the rule say what is asked for")
