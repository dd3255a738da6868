"""Gives random requests something to find: half of the ids in paths and bodies are those of resources that are there."""

import json
import os
import random
import threading
import urllib.request

import schemathesis

URL = os.environ["FUZZ_URL"]
SEEDS = {}
SEEDING = threading.Lock()


def post(path, body):
    request = urllib.request.Request(
        f"{URL}/v2.0/{path}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "X-Project-Id": "fuzz"},
    )
    with urllib.request.urlopen(request, timeout=20) as response:
        return next(iter(json.load(response).values()))["id"]


def seed():
    with SEEDING:
        if not SEEDS:
            make_seeds()


def make_seeds():
    network = post("networks", {"network": {"name": "seed"}})
    external = post(
        "networks",
        {
            "network": {
                "router:external": True,
                "provider:network_type": "flat",
                "provider:physical_network": "physnet1",
            }
        },
    )
    subnet = post("subnets", {"subnet": {"network_id": network, "cidr": "10.0.0.0/24", "ip_version": 4}})
    post("subnets", {"subnet": {"network_id": external, "cidr": "203.0.113.0/24", "ip_version": 4}})
    instance = {"network_id": network, "device_owner": "compute:nova", "device_id": "5a1f7c4e-0f4f-4a86-a4a5-3a1e6b1d8a11"}
    group = post("security-groups", {"security_group": {"name": "seed"}})
    policy = post("qos/policies", {"policy": {"name": "seed"}})
    SEEDS.update(
        {
            "networks": [network, external],
            "subnets": [subnet],
            "ports": [post("ports", {"port": instance}) for _ in range(3)],
            "routers": [post("routers", {"router": {"external_gateway_info": {"network_id": external}}})],
            "floatingips": [post("floatingips", {"floatingip": {"floating_network_id": external}})],
            "security-groups": [group],
            "policies": [policy],
            "subnetpools": [post("subnetpools", {"subnetpool": {"name": "seed", "prefixes": ["10.9.0.0/16"]}})],
            "address-scopes": [post("address-scopes", {"address_scope": {"name": "seed", "ip_version": 4}})],
        }
    )


# The attributes of bodies that hold ids, and of what.
REFERENCES = {
    "network_id": "networks",
    "floating_network_id": "networks",
    "subnet_id": "subnets",
    "port_id": "ports",
    "internal_port_id": "ports",
    "router_id": "routers",
    "security_group_id": "security-groups",
    "remote_group_id": "security-groups",
    "qos_policy_id": "policies",
    "subnetpool_id": "subnetpools",
    "address_scope_id": "address-scopes",
}


def known(collection):
    return random.choice(SEEDS[collection]) if collection in SEEDS and random.random() < 0.5 else None


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    seed()
    parts = context.operation.path.split("/") if context.operation else []
    if path_parameters and "{id}" in parts:
        identity = known(parts[parts.index("{id}") - 1])
        if identity:
            path_parameters["id"] = identity
    return path_parameters


def replaced(value):
    if isinstance(value, dict):
        return {
            name: (known(REFERENCES[name]) or member) if name in REFERENCES else replaced(member)
            for name, member in value.items()
        }
    if isinstance(value, list):
        return [replaced(element) for element in value]
    return value


@schemathesis.hook
def map_body(context, body):
    seed()
    return replaced(body)
