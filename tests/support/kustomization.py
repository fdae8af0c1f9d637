"""What `kubectl kustomize` makes of a folder, for as much of kustomize as deploy/k8s uses: a test compares the two.

Resources, a namespace, image tags, and two kinds of patches: a ConfigMap's data by its name, and JSON patches that add
to what a target selects. Whatever else a kustomization says is refused, so that nothing is passed over in silence.
"""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

Manifest = dict[str, Any]

_KNOWN = {"apiVersion", "kind", "namespace", "resources", "images", "patches"}
_WITHOUT_NAMESPACE = {"Namespace"}


def render(folder: Path) -> list[Manifest]:
    """Every manifest of the folder's kustomization.

    Raises:
        ValueError: it asks for something that is not read here.
    """
    wanted = yaml.safe_load((folder / "kustomization.yaml").read_text())
    if strange := wanted.keys() - _KNOWN:
        raise ValueError(f"{folder}: {sorted(strange)} is not read here")
    found: list[Manifest] = []
    for name in wanted["resources"]:
        path = (folder / name).resolve()
        found += render(path) if path.is_dir() else _documents(path)
    for patch in wanted.get("patches", []):
        _apply(patch, yaml.safe_load((folder / patch["path"]).read_text()), found)
    for manifest in found:
        if "namespace" in wanted:
            _set_namespace(manifest, wanted["namespace"])
        for container in containers_of(manifest):
            _set_tag(container, wanted.get("images", []))
    return found


def containers_of(manifest: Manifest) -> list[Manifest]:
    """All containers of a workload, those that run first included; none of anything else."""
    pod = pod_of(manifest)
    return [*pod.get("initContainers", []), *pod["containers"]] if pod else []


def pod_of(manifest: Manifest) -> Manifest:
    """The specification of a workload's pods; empty of anything else."""
    pod: Manifest = template_of(manifest).get("spec", {})
    return pod


def template_of(manifest: Manifest) -> Manifest:
    """What a workload makes its pods of, labels included; empty of anything else."""
    spec = manifest.get("spec", {})
    template: Manifest = spec.get("jobTemplate", {}).get("spec", spec).get("template", {})
    return template


def _documents(path: Path) -> list[Manifest]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def _apply(entry: Mapping[str, Any], patch: Any, manifests: list[Manifest]) -> None:
    if isinstance(patch, dict):
        is_data = patch["kind"] == "ConfigMap" and patch.keys() == {"apiVersion", "kind", "metadata", "data"}
        if not is_data or "target" in entry:
            raise ValueError(f"{entry}: only the data of a ConfigMap is merged here")
        (target,) = [m for m in manifests if _name(m) == _name(patch)]
        target["data"] |= patch["data"]
        return
    targets = [manifest for manifest in manifests if _is_selected(manifest, entry["target"])]
    if not targets:
        raise ValueError(f"{entry}: nothing is selected")
    for operation in patch:
        for manifest in targets:
            _add(manifest, operation)


def _is_selected(manifest: Manifest, target: Mapping[str, str]) -> bool:
    if target.keys() != {"kind", "labelSelector"}:
        raise ValueError(f"{target}: only kind and labelSelector are read here")
    label, value = target["labelSelector"].split("=")
    labels: Mapping[str, str] = manifest["metadata"].get("labels", {})
    return bool(manifest["kind"] == target["kind"]) and labels.get(label) == value


def _add(manifest: Manifest, operation: Mapping[str, Any]) -> None:
    *path, last = operation["path"].strip("/").split("/")
    if operation["op"] != "add" or last != "-":
        raise ValueError(f"{operation}: only adding to the end of a list is read here")
    at: Any = manifest
    for step in path:
        at = at[int(step)] if isinstance(at, list) else at[step]
    at.append(copy.deepcopy(operation["value"]))


def _set_namespace(manifest: Manifest, namespace: str) -> None:
    if manifest["kind"] not in _WITHOUT_NAMESPACE:
        manifest["metadata"]["namespace"] = namespace


def _set_tag(container: Manifest, images: list[Mapping[str, str]]) -> None:
    for image in images:
        if container["image"] == image["name"]:
            container["image"] = f"{image['name']}:{image['newTag']}"


def _name(manifest: Manifest) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"]["name"]
