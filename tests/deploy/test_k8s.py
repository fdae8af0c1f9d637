"""The manifests of deploy/k8s: valid, what kustomize makes of them, and what they promise of keys, rights and doors."""

import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from common.messages.subjects import STREAM_LIMITS
from local_stack.demo import SCENARIOS
from local_stack.ports import SERVICE_PORTS
from support.kustomization import Manifest, containers_of, pod_of, render, template_of
from venue_sim.scenario import load_scenario

K8S = Path(__file__).parents[2] / "deploy" / "k8s"
OVERLAYS = ("demo", "paper", "live")
SERVICES = {name.replace("_", "-"): port for name, port in SERVICE_PORTS.items()}
SPEAK_TO_VENUES = {"signal-ingest", "executor", "position-monitor"}
KEYS = "tandem-venue-keys"

RENDERED = {overlay: render(K8S / "overlays" / overlay) for overlay in OVERLAYS}
WORKLOADS = [
    pytest.param(overlay, manifest, id=f"{overlay}-{manifest['metadata']['name']}")
    for overlay, manifests in RENDERED.items()
    for manifest in manifests
    if pod_of(manifest)
]


def of_kind(overlay: str, kind: str) -> dict[str, Manifest]:
    """The overlay's manifests of one kind by name."""
    return {found["metadata"]["name"]: found for found in RENDERED[overlay] if found["kind"] == kind}


def references(value: Any, kind: str) -> Iterator[str]:
    """The names behind every `secretRef`, `secretKeyRef`, `configMapRef`, ... inside."""
    if isinstance(value, dict):
        if kind in value:
            yield value[kind]["name"]
        for inner in value.values():
            yield from references(inner, kind)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner, kind)


def secrets_of(manifest: Manifest) -> set[str]:
    """The names of all Secrets that a workload's pods see."""
    pod = pod_of(manifest)
    mounted = [volume["secret"]["secretName"] for volume in pod.get("volumes", []) if "secret" in volume]
    return {*references(pod, "secretRef"), *references(pod, "secretKeyRef"), *mounted}


def selects(selector: Manifest, labels: Manifest) -> bool:
    """Whether a pod selector means pods with these labels."""
    is_labelled = selector.get("matchLabels", {}).items() <= labels.items()
    expressions = selector.get("matchExpressions", [])
    assert {one["operator"] for one in expressions} <= {"In"}
    return is_labelled and all(labels.get(one["key"]) in one["values"] for one in expressions)


def rules(overlay: str, app: str, direction: str) -> list[Manifest]:
    """Everything that network policies allow the pods of one app, `ingress` or `egress`."""
    workloads = [found for found in RENDERED[overlay] if pod_of(found) and found["metadata"]["name"] == app]
    labels = template_of(workloads[0])["metadata"]["labels"]
    policies = [one["spec"] for one in of_kind(overlay, "NetworkPolicy").values()]
    return list(
        itertools.chain.from_iterable(
            policy.get(direction, []) for policy in policies if selects(policy["podSelector"], labels)
        )
    )


def test_every_manifest_is_what_kubernetes_expects() -> None:
    distinct = {
        json.dumps({**found, "metadata": {**found["metadata"], "namespace": "any"}}, sort_keys=True)
        for manifests in RENDERED.values()
        for found in manifests
    }
    for manifest in distinct:
        kubernetes_validate.validate(json.loads(manifest), "1.29", strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_these_tests_read_is_what_kustomize_makes(overlay: str) -> None:
    known = (("kustomize", "build"), ("kubectl", "kustomize"))
    kustomize = next((words for words in known if shutil.which(words[0])), None)
    if kustomize is None:
        pytest.skip("neither kustomize nor kubectl is on this machine")
    made = subprocess.run([*kustomize, str(K8S / "overlays" / overlay)], check=True, capture_output=True, text=True)

    def key(manifest: Manifest) -> tuple[str, str]:
        return manifest["kind"], manifest["metadata"]["name"]

    assert sorted(yaml.safe_load_all(made.stdout), key=key) == sorted(RENDERED[overlay], key=key)


@pytest.mark.parametrize(("overlay", "workload"), WORKLOADS)
def test_nobody_is_root_writes_to_the_image_or_may_become_more(overlay: str, workload: Manifest) -> None:
    pod = pod_of(workload)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert all("hostPath" not in volume for volume in pod["volumes"])
    for container in containers_of(workload):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


@pytest.mark.parametrize(("overlay", "workload"), WORKLOADS)
def test_nobody_has_a_token_of_the_cluster(overlay: str, workload: Manifest) -> None:
    pod = pod_of(workload)
    assert pod["automountServiceAccountToken"] is False
    account = of_kind(overlay, "ServiceAccount")[pod["serviceAccountName"]]
    assert account["automountServiceAccountToken"] is False
    assert not {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"} & {m["kind"] for m in RENDERED[overlay]}


@pytest.mark.parametrize(("overlay", "workload"), WORKLOADS)
def test_every_container_has_requests_and_limits_and_a_tag(overlay: str, workload: Manifest) -> None:
    for container in containers_of(workload):
        assert {"cpu", "memory"} == container["resources"]["requests"].keys() == container["resources"]["limits"].keys()
        tag = container["image"].rpartition(":")[2]
        assert "/" not in tag
        assert tag not in ("", "latest", container["image"])


@pytest.mark.parametrize(("overlay", "workload"), WORKLOADS)
def test_every_server_is_probed_at_start_for_readiness_and_for_life(overlay: str, workload: Manifest) -> None:
    wanted = set() if workload["kind"] in ("Job", "CronJob") else {"startupProbe", "readinessProbe", "livenessProbe"}
    for container in pod_of(workload)["containers"]:
        assert {name for name in container if name.endswith("Probe")} == wanted


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_services_listen_where_their_probes_ports_and_addresses_say(overlay: str) -> None:
    for name, port in SERVICES.items():
        (container,) = pod_of(of_kind(overlay, "Deployment")[name])["containers"]
        variables = {one["name"]: one.get("value") for one in container["env"]}
        assert variables["HTTP_PORT"] == str(port)
        assert container["ports"] == [{"name": "http", "containerPort": port}]
        assert container["readinessProbe"]["httpGet"] == {"path": "/health/ready", "port": "http"}
        assert container["livenessProbe"]["httpGet"] == {"path": "/health/live", "port": "http"}
        assert of_kind(overlay, "Service")[name]["spec"]["ports"][0]["port"] == port
    gateway = pod_of(of_kind(overlay, "Deployment")["api-gateway"])["containers"][0]
    told = {one["name"]: one.get("value") for one in gateway["env"]}
    for name in SPEAK_TO_VENUES:
        assert told[f"{name.replace('-', '_').upper()}_URL"] == f"http://{name}:{SERVICES[name]}"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_of_the_services_only_the_executor_sees_the_venues_keys(overlay: str) -> None:
    holders = {m["metadata"]["name"] for m in RENDERED[overlay] if pod_of(m) and KEYS in secrets_of(m)}
    wanted = {"demo": {"executor", "venue-binance", "venue-bybit"}, "live": {"executor"}, "paper": set()}
    assert holders == wanted[overlay]
    executor = of_kind(overlay, "Deployment")["executor"]
    assert all(KEYS not in references(container, "secretRef") for container in pod_of(executor)["initContainers"])


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_who_is_spoken_to_from_outside_knows_its_tokens_and_access_is_never_off(overlay: str) -> None:
    knows = {m["metadata"]["name"] for m in RENDERED[overlay] if pod_of(m) and "tandem-access" in secrets_of(m)}
    assert knows == {"api-gateway", "signal-ingest"}
    assert "ACCESS_REQUIRED" not in of_kind(overlay, "ConfigMap")["tandem-settings"]["data"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_service_sees_its_own_database_address_alone(overlay: str) -> None:
    for name in SERVICES:
        for container in containers_of(of_kind(overlay, "Deployment")[name]):
            asked = [one["valueFrom"]["secretKeyRef"] for one in container["env"] if "valueFrom" in one]
            assert [one["key"] for one in asked if one["name"] == "tandem-database"] == [name]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_secret_is_in_the_manifests(overlay: str) -> None:
    assert of_kind(overlay, "Secret") == {}
    for workload in (found for found in RENDERED[overlay] if pod_of(found)):
        for container in containers_of(workload):
            for variable in container.get("env", []):
                if re.search("PASSWORD|SECRET|KEY|TOKEN|DATABASE_URL|ALERT_URLS", variable["name"]):
                    assert variable.keys() == {"name", "valueFrom"}, variable["name"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_is_not_allowed_does_not_connect(overlay: str) -> None:
    everybody = of_kind(overlay, "NetworkPolicy")["nothing-by-itself"]["spec"]
    assert everybody == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_only_the_gateway_is_reachable_by_anybody(overlay: str) -> None:
    workloads = [found["metadata"]["name"] for found in RENDERED[overlay] if pod_of(found)]
    open_to_all = {name for name in workloads if any("from" not in rule for rule in rules(overlay, name, "ingress"))}
    assert open_to_all == {"api-gateway"}
    types = {found["spec"].get("type", "ClusterIP") for found in of_kind(overlay, "Service").values()}
    assert types == {"ClusterIP"}


@pytest.mark.parametrize("overlay", ["paper", "live"])
def test_venues_and_alerts_are_reached_outside_of_the_cluster_and_nothing_else_is(overlay: str) -> None:
    ports = {}
    for name in (found["metadata"]["name"] for found in RENDERED[overlay] if pod_of(found)):
        out = [rule for rule in rules(overlay, name, "egress") if any("ipBlock" in to for to in rule.get("to", []))]
        ports[name] = {port["port"] for rule in out for port in rule["ports"]}
        for block in (to["ipBlock"] for rule in out for to in rule["to"]):
            assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"} <= set(block["except"])
    https = {443}
    mail = {465, 587}
    wanted = {**dict.fromkeys(SPEAK_TO_VENUES, https), "api-gateway": https | mail}
    assert {name: found for name, found in ports.items() if found} == wanted


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_gateway_alone_knows_where_alerts_go_and_starts_without_it(overlay: str) -> None:
    knows = [m["metadata"]["name"] for m in RENDERED[overlay] if pod_of(m) and "tandem-alerts" in secrets_of(m)]
    assert knows == ["api-gateway"]
    (container,) = pod_of(of_kind(overlay, "Deployment")["api-gateway"])["containers"]
    (variable,) = [one for one in container["env"] if one["name"] == "ALERT_URLS"]
    assert variable["valueFrom"]["secretKeyRef"] == {"name": "tandem-alerts", "key": "urls", "optional": True}


def test_nothing_of_the_demo_leaves_its_namespace() -> None:
    for found in RENDERED["demo"]:
        if pod_of(found):
            for rule in rules("demo", found["metadata"]["name"], "egress"):
                assert all("ipBlock" not in to for to in rule.get("to", []))


def test_live_does_not_start_before_somebody_confirms_it_outside_of_the_manifests() -> None:
    assert "LIVE_TRADING_CONFIRM_LIVE" not in of_kind("live", "ConfigMap")["tandem-settings"]["data"]
    assert of_kind("live", "ConfigMap")["tandem-settings"]["data"]["LIVE_TRADING_MODE"] == "live"
    wanted = {"configMapRef": {"name": "tandem-live-confirmation", "optional": False}}
    for name in SERVICES:
        assert wanted in pod_of(of_kind("live", "Deployment")[name])["containers"][0]["envFrom"]
    assert "tandem-live-confirmation" not in of_kind("live", "ConfigMap")
    assert of_kind("paper", "ConfigMap")["tandem-settings"]["data"]["LIVE_TRADING_MODE"] == "paper"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_service_waits_for_the_schema_survives_a_drain_and_a_rollout(overlay: str) -> None:
    for name in SERVICES:
        deployment = of_kind(overlay, "Deployment")[name]
        (first,) = pod_of(deployment)["initContainers"]
        assert first["command"] == ["python", "-m", "common.persistence.wait_for_schema"]
        assert deployment["spec"]["strategy"] == {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
        assert of_kind(overlay, "PodDisruptionBudget")[name]["spec"]["minAvailable"] == 1
        scaled = of_kind(overlay, "HorizontalPodAutoscaler").get(name)
        assert (scaled["spec"]["minReplicas"] if scaled else deployment["spec"]["replicas"]) >= 2


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_only_what_grows_with_its_callers_is_scaled(overlay: str) -> None:
    scaled = of_kind(overlay, "HorizontalPodAutoscaler")
    assert set(scaled) == {"api-gateway", "signal-ingest"}
    for name in scaled:
        assert "replicas" not in of_kind(overlay, "Deployment")[name]["spec"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_three_servers_keep_three_copies_of_each_stream_and_have_room_for_them(overlay: str) -> None:
    nats = of_kind(overlay, "StatefulSet")["nats"]
    assert nats["spec"]["replicas"] == 3
    configuration = of_kind(overlay, "ConfigMap")["nats"]["data"]["nats.conf"]
    assert re.findall(r"nats://(nats-\d)\.nats-routes:6222", configuration) == ["nats-0", "nats-1", "nats-2"]
    for name in SERVICES:
        (container,) = pod_of(of_kind(overlay, "Deployment")[name])["containers"]
        assert {"name": "NATS_STREAM_REPLICAS", "value": "3"} in container["env"]
    match = re.search(r"max_file_store: (\d+)GB", configuration)
    assert match is not None
    assert sum(limits.size_bytes for limits in STREAM_LIMITS.values()) < int(match[1]) * 10**9
    claim = nats["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"]
    assert int(match[1]) < int(claim.removesuffix("Gi"))


def test_the_demo_plays_the_scenario_with_its_own_settings() -> None:
    scenario = load_scenario(SCENARIOS / "oct-10-2025-sol.toml")
    given = of_kind("demo", "ConfigMap")["tandem-settings"]["data"]
    assert scenario.settings.items() <= given.items()
    clock = {
        "CLOCK_EPOCH": scenario.clock.starts_at.isoformat(),
        "CLOCK_SPEED": f"{scenario.clock.speed:g}",
        "CLOCK_STARTED_FILE": "/clock/started",
    }
    assert clock.items() <= given.items()
    for venue in scenario.venues:
        (container,) = pod_of(of_kind("demo", "Deployment")[f"venue-{venue}"])["containers"]
        assert container["args"] == ["--venue", venue, "--scenario", "/scenarios/oct-10-2025-sol.toml"]
        assert clock.items() <= {one["name"]: one.get("value") for one in container["env"]}.items()
        assert given[f"VENUE_{venue.upper()}_URL"] == f"http://venue-{venue}:4020"
