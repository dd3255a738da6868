"""Gives random requests something to find: half of the ids in paths and bodies are those of things that are there. Beside another project
(FUZZ_PROJECTS, see fuzz_projects.py) some are the other's: no answer may tell of these what its request did not say, and each must be the
same as if there were nothing with that id."""

import json
import os
import random
import threading
import urllib.request
import uuid

import requests
import schemathesis

URL = os.environ["FUZZ_URL"]
PROJECTS = os.environ.get("FUZZ_PROJECTS")
# By the word before them in a path: the ids of a path to each thing, one for each placeholder from there on.
SEEDS = {}
FOREIGN = {}
# What an answer to the member must not hold, unless its request does.
SECRETS = []
# For each id of the other project's things one of nothing.
NOTHING = {}
SEEDING = threading.Lock()
# Things of a kind that are remembered; the oldest of those that requests made are forgotten first.
MAXIMUM_SEEDS = 12

# Attributes that Neutron's rules keep from members.
HIDDEN_ATTRIBUTES = [
    "provider:network_type",
    "provider:physical_network",
    "provider:segmentation_id",
    "segment_id",
    "binding:vif_type",
    "binding:vif_details",
    "binding:host_id",
    "binding:profile",
    "resource_request",
    "hints",
    "ha",
]


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
        if SEEDS:
            return
        if PROJECTS:
            read_projects()
        else:
            make_seeds()


def read_projects():
    with open(PROJECTS, encoding="utf-8") as file:
        projects = json.load(file)
    SEEDS.update(projects["own"])
    FOREIGN.update(projects["foreign"])
    SECRETS.extend([projects["mark"], projects["project"]])
    foreign = {identity for things in FOREIGN.values() for thing in things for identity in thing}
    SECRETS.extend(foreign)
    NOTHING.update({identity: str(uuid.uuid4()) if "-" in identity else uuid.uuid4().hex for identity in foreign})


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
            "networks": [[network], [external]],
            "subnets": [[subnet]],
            "ports": [[post("ports", {"port": instance})] for _ in range(3)],
            "routers": [[post("routers", {"router": {"external_gateway_info": {"network_id": external}}})]],
            "floatingips": [[post("floatingips", {"floatingip": {"floating_network_id": external}})]],
            "security-groups": [[group]],
            "policies": [[policy]],
            "subnetpools": [[post("subnetpools", {"subnetpool": {"name": "seed", "prefixes": ["10.9.0.0/16"]}})]],
            "address-scopes": [[post("address-scopes", {"address_scope": {"name": "seed", "ip_version": 4}})]],
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
    "remote_address_group_id": "address-groups",
    "qos_policy_id": "policies",
    "subnetpool_id": "subnetpools",
    "address_scope_id": "address-scopes",
    "segment_id": "segments",
    "object_id": "networks",
    "security_groups": "security-groups",
}


# Of hundred values that could be ids, how many become those of things that are there; and of these, how many are the other project's.
KNOWN_PERCENT = 50
FOREIGN_PERCENT = 30


class Choice:
    """Chooses for one request. The same request chooses the same, so that what fails can be made again; Hypothesis sets the random numbers
    of everybody to the same before each request, which would always choose alike."""

    def __init__(self, case):
        self.random = random.Random(repr((case.method, case.path_parameters, case.query, case.body)))

    def known(self, collection):
        """The ids of a path to a thing; nil as often as not, and where there is none."""
        things = SEEDS.get(collection, [])
        if self.random.randrange(100) < FOREIGN_PERCENT:
            things = FOREIGN.get(collection, things)
        return self.random.choice(things) if things and self.random.randrange(100) < KNOWN_PERCENT else None

    def replaced(self, value, name=None):
        """What a body or a query holds, with other ids in it."""
        if name in REFERENCES and not isinstance(value, (dict, list)):
            ids = self.known(REFERENCES[name])
            return ids[-1] if ids else value
        if isinstance(value, dict):
            return {key: self.replaced(member, key) for key, member in value.items()}
        if isinstance(value, list):
            return [self.replaced(element, name) for element in value]
        return value


def placeholders(parts):
    return [name.strip("{}") for name in parts if name.startswith("{")]


@schemathesis.hook
def before_call(context, case, kwargs):
    seed()
    choice = Choice(case)
    parts = case.operation.path.split("/")
    names = placeholders(parts)
    if case.path_parameters and names:
        # A part with its whole, else what the first placeholder is of.
        if len(names) > 1 and (ids := choice.known(parts[-2])):
            case.path_parameters.update(zip(names, ids))
        elif ids := choice.known(parts[parts.index("{" + names[0] + "}") - 1]):
            case.path_parameters[names[0]] = ids[0]
    if isinstance(case.query, dict):
        own = {"id": parts[-1], "marker": parts[-1]} if not names else {}
        for name in list(case.query):
            ids = choice.known(own[name]) if name in own else None
            case.query[name] = ids[-1] if ids else choice.replaced(case.query[name], name)
    if isinstance(case.body, (dict, list)):
        case.body = choice.replaced(case.body)


@schemathesis.hook
def after_call(context, case, response):
    """Remembers what a request made: it is there until another deletes it."""
    parts = case.operation.path.split("/")
    if response.status_code != 201 or case.method.upper() != "POST" or not parts or parts[-1].startswith("{"):
        return
    answer = json.loads(response.content or b"null")
    made = next(iter(answer.values()), None) if isinstance(answer, dict) else None
    for thing in made if isinstance(made, list) else [made]:
        identity = isinstance(thing, dict) and (thing.get("id") or thing.get("host"))
        if identity:
            remember(parts[-1], [case.path_parameters[name] for name in placeholders(parts)] + [identity])


def remember(collection, ids):
    things = SEEDS.setdefault(collection, [])
    things.append(ids)
    # The first are those that everything else belongs to.
    if len(things) > MAXIMUM_SEEDS:
        del things[MAXIMUM_SEEDS // 2]


@schemathesis.check
def reveals_nothing(ctx, response, case):
    """No answer tells the member of another project's things, or has attributes that are not for members."""
    if not PROJECTS:
        return
    text = response.content.decode(errors="replace")
    headers = " ".join(value for values in response.headers.values() for value in values)
    asked = f"{response.request.url} {(response.request.body or b'')!r}"
    told = [secret for secret in SECRETS if secret in text + headers and secret not in asked]
    assert not told, f"the answer tells of another project: {told}"
    shown = [name for name in HIDDEN_ATTRIBUTES if f'"{name}":' in text.replace('": ', '":')]
    assert not shown, f"the answer has attributes that are not for members: {shown}"


def of_nothing(text):
    for identity, nothing in NOTHING.items():
        text = text.replace(identity, nothing)
    return text


@schemathesis.check
def is_as_of_nothing(ctx, response, case):
    """A request with ids of another project's things is answered as one with ids of nothing, to the letter. What changed something is not
    asked twice."""
    request = response.request
    body = request.body.decode(errors="surrogateescape") if isinstance(request.body, bytes) else request.body or ""
    is_same = of_nothing(request.url) == request.url and of_nothing(body) == body
    if is_same or (request.method != "GET" and response.status_code < 400):
        return
    twin = request.copy()
    twin.url, twin.body = of_nothing(request.url), of_nothing(body).encode(errors="surrogateescape") if body else request.body
    answer = requests.Session().send(twin, timeout=20)
    given = (response.status_code, of_nothing(response.content.decode(errors="replace")), {name.lower() for name in response.headers})
    expected = (answer.status_code, answer.content.decode(errors="replace"), {name.lower() for name in answer.headers})
    assert given == expected, f"the answer tells what there is: {given}, and of nothing: {expected}"
