"""Two projects beside each other for `make fuzz`: one that asks, and another whose things must stay unknown to it and unchanged.

usage: fuzz_projects.py make URL FILE       makes them, writes FILE and prints the token of a member of the one that asks
       fuzz_projects.py compare URL FILE    fails when the other's things are not what they were
"""

import json
import sys
import urllib.error
import urllib.request

# All names of the other project's things begin so.
MARK = "hidden-of-another"
PASSWORD = "fuzz"
DOMAIN = {"id": "default"}


class Cloud:
    def __init__(self, url, token=None):
        self.url = url
        self.token = token

    def send(self, method, path, body=None):
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["X-Auth-Token"] = self.token
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/{path}", data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                text = response.read()
                return (json.loads(text) if text else None), response.headers
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{method} {path}: {error.code} {error.read().decode()}")

    def make(self, path, singular, **members):
        answer, _ = self.send("POST", path, {singular: members})
        return answer[singular]["id"]

    def log_in(self, user, project):
        identity = {"methods": ["password"], "password": {"user": {"name": user, "domain": DOMAIN, "password": PASSWORD}}}
        scope = {"project": {"name": project, "domain": DOMAIN}}
        answer, headers = Cloud(self.url).send("POST", "identity/v3/auth/tokens", {"auth": {"identity": identity, "scope": scope}})
        return Cloud(self.url, headers["X-Subject-Token"]), answer["token"]["project"]["id"]


def member_of(admin, project):
    """A new project, and a user with the role member in it."""
    identity = admin.make("identity/v3/projects", "project", name=project)
    user = admin.make("identity/v3/users", "user", name=f"{project}-member", password=PASSWORD)
    roles, _ = admin.send("GET", "identity/v3/roles?name=member")
    admin.send("PUT", f"identity/v3/projects/{identity}/users/{user}/roles/{roles['roles'][0]['id']}")
    return admin.log_in(f"{project}-member", project)


def things(cloud, admin, project, external, name, prefix):
    """One of each thing that a project can have, by the collections' last words; parts stand with what they are parts of."""

    def make(path, singular, by=cloud, **members):
        return by.make(f"v2.0/{path}", singular, **members)

    network = make("networks", "network", name=name)
    subnet = make("subnets", "subnet", name=name, network_id=network, cidr=f"{prefix}.0.0/24", ip_version=4)
    scope = make("address-scopes", "address_scope", name=name, ip_version=4)
    pool = make("subnetpools", "subnetpool", name=name, prefixes=[f"{prefix}.128.0/17"], address_scope_id=scope)
    group = make("security-groups", "security_group", name=name)
    addresses = make("address-groups", "address_group", name=name, addresses=[f"{prefix}.0.9/32"])
    rule = make("security-group-rules", "security_group_rule", security_group_id=group, direction="ingress", description=name)
    policy = make("qos/policies", "policy", by=admin, name=name, project_id=project)
    limit = make(f"qos/policies/{policy}/bandwidth_limit_rules", "bandwidth_limit_rule", by=admin, max_kbps=1000)
    fixed = f"{prefix}.0.77"
    port = make("ports", "port", name=name, network_id=network, fixed_ips=[{"ip_address": fixed}], security_groups=[group])
    router = make("routers", "router", name=name, external_gateway_info={"network_id": external})
    cloud.send("PUT", f"v2.0/routers/{router}/add_router_interface", {"subnet_id": subnet})
    helper = make(f"routers/{router}/conntrack_helpers", "conntrack_helper", protocol="udp", port=69, helper="tftp")
    floating = make("floatingips", "floatingip", floating_network_id=external, description=name)
    forwarding = make(
        f"floatingips/{floating}/port_forwardings",
        "port_forwarding",
        **{"protocol": "tcp", "external_port": 80, "internal_port": 80, "internal_port_id": port, "internal_ip_address": fixed},
    )
    grant = make(
        "rbac-policies",
        "rbac_policy",
        **{"object_type": "network", "object_id": network, "action": "access_as_shared", "target_tenant": "somebody"},
    )
    segments, _ = admin.send("GET", f"v2.0/segments?network_id={network}")
    return {
        "networks": [[network]],
        "subnets": [[subnet]],
        "ports": [[port]],
        "routers": [[router]],
        "floatingips": [[floating]],
        "security-groups": [[group]],
        "security-group-rules": [[rule]],
        "policies": [[policy]],
        "subnetpools": [[pool]],
        "address-scopes": [[scope]],
        "address-groups": [[addresses]],
        "rbac-policies": [[grant]],
        "segments": [[segment["id"]] for segment in segments["segments"]],
        "bandwidth_limit_rules": [[policy, limit]],
        "alias-bandwidth-limit-rules": [[limit]],
        "conntrack_helpers": [[router, helper]],
        "port_forwardings": [[floating, forwarding]],
    }


# What the paths of collections are that do not stand directly under the version.
PATHS = {
    "policies": "qos/policies/{}",
    "bandwidth_limit_rules": "qos/policies/{}/bandwidth_limit_rules/{}",
    "alias-bandwidth-limit-rules": "qos/alias-bandwidth-limit-rules/{}",
    "conntrack_helpers": "routers/{}/conntrack_helpers/{}",
    "port_forwardings": "floatingips/{}/port_forwardings/{}",
}


def state(admin, things):
    return {
        path: admin.send("GET", f"v2.0/{path}")[0]
        for collection, ids in things.items()
        for path in (PATHS.get(collection, collection + "/{}").format(*each) for each in ids)
    }


def make(url, file):
    admin, _ = Cloud(url).log_in("admin", "admin")
    flat = {"provider:network_type": "flat", "provider:physical_network": "physnet1"}
    external = admin.make("v2.0/networks", "network", **{"name": "external", "router:external": True, **flat})
    admin.make("v2.0/subnets", "subnet", network_id=external, cidr="198.18.0.0/16", ip_version=4)
    shared = admin.make("v2.0/networks", "network", name="shared", shared=True)
    shared_subnet = admin.make("v2.0/subnets", "subnet", network_id=shared, cidr="10.6.0.0/16", ip_version=4)
    asking, project = member_of(admin, "fuzz")
    other, other_project = member_of(admin, "another")
    own = things(asking, admin, project, external, "seed", "10.7")
    foreign = things(other, admin, other_project, external, MARK, "10.8")
    own["networks"] += [[external], [shared]]
    own["subnets"] += [[shared_subnet]]
    # Paths with a project in them.
    for paths in ("quotas", "auto-allocated-topology"):
        own[paths], foreign[paths] = [[project]], [[other_project]]
    known = {key: ids for key, ids in foreign.items() if key not in ("quotas", "auto-allocated-topology")}
    with open(file, "w", encoding="utf-8") as output:
        json.dump({"own": own, "foreign": foreign, "mark": MARK, "project": other_project, "state": state(admin, known)}, output)
    print(asking.token)


def compare(url, file):
    with open(file, encoding="utf-8") as known:
        before = json.load(known)["state"]
    admin, _ = Cloud(url).log_in("admin", "admin")
    changed = False
    for path, was in before.items():
        now, _ = admin.send("GET", f"v2.0/{path}")
        if now != was:
            print(f"{path}\n  was {json.dumps(was)}\n  is  {json.dumps(now)}", file=sys.stderr)
            changed = True
    if changed:
        raise SystemExit(1)


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("make", "compare"):
        raise SystemExit(__doc__)
    {"make": make, "compare": compare}[sys.argv[1]](*sys.argv[2:])
