import APISchema
import NIOHTTP1
import Testing

/// What a project does with the identities of another project's things, in every path and in every field that takes one: it is answered as if
/// they did not exist, learns nothing of them, and changes nothing.
@Suite("Another project's objects")
struct ForeignObjectTests {
    /// Every name of the other project's things begins so: no answer may hold it.
    private static let mark = "hidden-"

    /// The identities of one project's things, by what they are.
    private typealias Things = [String: String]

    /// A request that names a foreign identity.
    private struct Attempt {
        var method: HTTPMethod
        var path: String
        var body: JSONValue?
        var expected: Set<Int>

        init(_ method: HTTPMethod, _ path: String, _ body: JSONValue? = nil, _ expected: Set<Int> = [404]) {
            self.method = method
            self.path = path
            self.body = body
            self.expected = expected
        }
    }

    /// One of each thing that a project can have.
    private func make(_ cloud: IdentityCloud, external: String, prefix: String) async throws -> Things {
        var things: Things = [:]
        func make(_ kind: String, _ path: String, _ members: [String: JSONValue]) async throws {
            var members = members
            if !["rule", "forwarding", "helper"].contains(kind) { members["name"] = .string(Self.mark + kind) }
            let singular = String(path.split(separator: "/").last?.dropLast() ?? "").replacing("-", with: "_")
            let answer = try await cloud.network(.POST, path, .object([singular: .object(members)]))
            try #require(answer.status == 201, "\(path): \(answer)")
            things[kind] = answer.id
        }
        func id(_ kind: String) -> JSONValue { .string(things[kind] ?? "") }
        try await make("network", "networks", [:])
        try await make("subnet", "subnets", ["network_id": id("network"), "ip_version": 4, "cidr": .string("\(prefix).0.0/24")])
        try await make("scope", "address-scopes", ["ip_version": 4])
        try await make("pool", "subnetpools", ["prefixes": [.string("\(prefix).128.0/17")], "address_scope_id": id("scope")])
        try await make("group", "security-groups", [:])
        try await make("rule", "security-group-rules", ["security_group_id": id("group"), "direction": "ingress"])
        try await make("addresses", "address-groups", ["addresses": ["192.0.2.1/32"]])
        try await make("port", "ports", ["network_id": id("network")])
        try await make("router", "routers", ["external_gateway_info": ["network_id": .string(external)]])
        let added = try await cloud.network(.PUT, "routers/\(things["router"] ?? "")/add_router_interface", ["subnet_id": id("subnet")])
        try #require(added.status == 200, "\(added)")
        things["interface"] = added["port_id"]?.stringValue ?? ""
        let floating = try await cloud.network(.POST, "floatingips", ["floatingip": ["floating_network_id": .string(external)]])
        try #require(floating.status == 201, "\(floating)")
        things["floating"] = floating.id
        let forwarding: JSONValue = [
            "port_forwarding": [
                "protocol": "tcp", "external_port": 80, "internal_port": 80, "internal_port_id": id("port"),
                "internal_ip_address": .string("\(prefix).0.77"),
            ]
        ]
        let moved = try await cloud.network(
            .PUT, "ports/\(things["port"] ?? "")", ["port": ["fixed_ips": [["ip_address": .string("\(prefix).0.77")]]]])
        try #require(moved.status == 200, "\(moved)")
        let forwarded = try await cloud.network(.POST, "floatingips/\(floating.id)/port_forwardings", forwarding)
        try #require(forwarded.status == 201, "\(forwarded)")
        things["forwarding"] = forwarded.id
        let free = try await cloud.network(.POST, "floatingips", ["floatingip": ["floating_network_id": .string(external)]])
        things["free floating"] = free.id
        return things
    }

    /// What only managers and administrators make, in a project that has the rest: a QoS policy with a rule, a default, a helper, a grant.
    private func makeMore(_ cloud: IdentityCloud, _ owner: IdentityCloud, project: String, called name: String, into things: inout Things)
        async throws
    {
        let user = try await cloud.make("user", ["name": .string("manager of \(name)"), "password": "secret"])
        let role = try await cloud.id(ofRole: "manager")
        let assigned = try await cloud.send(.PUT, "projects/\(project)/users/\(user)/roles/\(role)")
        try #require(assigned.status == 204, "\(assigned)")
        var manager = cloud
        manager.token = try await cloud.logIn("manager of \(name)", "secret", project: name)
        func make(as maker: IdentityCloud, _ path: String, _ body: JSONValue) async throws -> String {
            let answer = try await maker.network(.POST, path, body)
            try #require(answer.status == 201, "\(path): \(answer)")
            return answer.id
        }
        let quality = try await make(
            as: manager, "qos/policies", ["policy": ["name": .string(Self.mark + "quality")]])
        things["quality"] = quality
        things["limit"] = try await make(
            as: manager, "qos/policies/\(quality)/bandwidth_limit_rules", ["bandwidth_limit_rule": ["max_kbps": 1000]])
        things["statefulness"] = try await make(
            as: manager, "security-groups-default-statefulness",
            ["security_groups_default_statefulness": ["stateful": true]])
        things["helper"] = try await make(
            as: owner, "routers/\(things["router"] ?? "")/conntrack_helpers",
            ["conntrack_helper": ["protocol": "udp", "port": 69, "helper": "tftp"]])
        things["grant"] = try await make(
            as: owner, "rbac-policies",
            [
                "rbac_policy": [
                    "object_type": "network", "object_id": .string(things["network"] ?? ""), "action": "access_as_shared",
                    "target_tenant": "somebody",
                ]
            ])
        let segments = try await cloud.network(.GET, "segments?network_id=\(things["network"] ?? "")")
        things["segment"] = segments.body["segments"]?.arrayValue?.first?["id"]?.stringValue ?? ""
    }

    /// Those by their own paths, as far as a member may ask for them at all.
    private func furtherPaths(_ own: Things, _ other: Things, otherProject: String) -> [Attempt] {
        let policy = "qos/policies/\(other["quality"] ?? "")"
        let rule = "\(policy)/bandwidth_limit_rules/\(other["limit"] ?? "")"
        let alias = "qos/alias-bandwidth-limit-rules/\(other["limit"] ?? "")"
        let limit: JSONValue = ["bandwidth_limit_rule": ["max_kbps": 1]]
        let quality: [Attempt] = [
            Attempt(.GET, policy), Attempt(.PUT, policy, ["policy": ["name": "x"]]), Attempt(.DELETE, policy),
            Attempt(.GET, "\(policy)/tags"), Attempt(.PUT, "\(policy)/tags", ["tags": ["x"]]), Attempt(.DELETE, "\(policy)/tags"),
            Attempt(.GET, "\(policy)/bandwidth_limit_rules"), Attempt(.POST, "\(policy)/bandwidth_limit_rules", limit, [403, 404]),
            Attempt(.GET, rule), Attempt(.PUT, rule, limit), Attempt(.DELETE, rule),
            Attempt(.GET, alias), Attempt(.PUT, alias, ["alias_bandwidth_limit_rule": ["max_kbps": 1]]), Attempt(.DELETE, alias),
            // A part that belongs to another whole.
            Attempt(.GET, "qos/policies/\(own["quality"] ?? "")/bandwidth_limit_rules/\(other["limit"] ?? "")"),
        ]
        let port = "ports/\(other["port"] ?? "")/bindings"
        let bindings: [Attempt] = [
            Attempt(.POST, port, ["binding": ["host": "h1"]], [403, 404]), Attempt(.GET, "\(port)/h1", nil, [403, 404]),
            Attempt(.PUT, "\(port)/h1", ["binding": ["host": "h2"]], [403, 404]), Attempt(.DELETE, "\(port)/h1", nil, [403, 404]),
            Attempt(.PUT, "\(port)/h1/activate", nil, [403, 404]),
        ]
        let helper = "routers/\(other["router"] ?? "")/conntrack_helpers/\(other["helper"] ?? "")"
        let statefulness = "security-groups-default-statefulness/\(other["statefulness"] ?? "")"
        let grant = "rbac-policies/\(other["grant"] ?? "")"
        let topology = "auto-allocated-topology/\(otherProject)"
        let rest: [Attempt] = [
            Attempt(.GET, helper), Attempt(.PUT, helper, ["conntrack_helper": ["port": 70]]), Attempt(.DELETE, helper),
            Attempt(.GET, "routers/\(own["router"] ?? "")/conntrack_helpers/\(other["helper"] ?? "")"),
            Attempt(.GET, statefulness), Attempt(.DELETE, statefulness),
            Attempt(.PUT, statefulness, ["security_groups_default_statefulness": ["stateful": false]]),
            Attempt(.GET, grant), Attempt(.PUT, grant, ["rbac_policy": ["target_tenant": "x"]]), Attempt(.DELETE, grant),
            Attempt(.GET, topology, nil, [403, 404]), Attempt(.GET, "\(topology)?fields=dry-run", nil, [403, 404]),
            Attempt(.DELETE, topology, nil, [403, 404]),
            Attempt(.GET, "segments/\(other["segment"] ?? "")", nil, [403, 404]),
            Attempt(.PUT, "subnetpools/\(other["pool"] ?? "")/remove_prefixes", ["prefixes": ["198.18.0.0/15"]]),
            Attempt(.PUT, "address-groups/\(other["addresses"] ?? "")/remove_addresses", ["addresses": ["192.0.2.1/32"]]),
        ]
        return quality + bindings + rest
    }

    /// The same in fields.
    private func furtherFields(_ own: Things, _ other: Things, external: String) -> [Attempt] {
        func foreign(_ kind: String) -> JSONValue { .string(other[kind] ?? "") }
        func mine(_ kind: String) -> JSONValue { .string(own[kind] ?? "") }
        let quality: JSONValue = ["qos_policy_id": foreign("quality")]
        let gateway: JSONValue = [
            "router": ["external_gateway_info": ["network_id": .string(external), "qos_policy_id": foreign("quality")]]
        ]
        let fixed: JSONValue = [
            "router": [
                "external_gateway_info": ["network_id": .string(external), "external_fixed_ips": [["subnet_id": foreign("subnet")]]]
            ]
        ]
        return [
            Attempt(.POST, "networks", ["network": quality]), Attempt(.PUT, "networks/\(own["network"] ?? "")", ["network": quality]),
            Attempt(.POST, "ports", ["port": ["network_id": mine("network"), "qos_policy_id": foreign("quality")]]),
            Attempt(.PUT, "ports/\(own["port"] ?? "")", ["port": quality]),
            Attempt(.POST, "floatingips", ["floatingip": ["floating_network_id": .string(external), "qos_policy_id": foreign("quality")]]),
            Attempt(.PUT, "floatingips/\(own["free floating"] ?? "")", ["floatingip": quality]),
            Attempt(.POST, "routers", gateway, [403, 404]), Attempt(.PUT, "routers/\(own["router"] ?? "")", gateway, [403, 404]),
            Attempt(.POST, "routers", fixed, [403, 404]), Attempt(.PUT, "routers/\(own["router"] ?? "")", fixed, [403, 404]),
            Attempt(
                .POST, "floatingips", ["floatingip": ["floating_network_id": .string(external), "subnet_id": foreign("subnet")]],
                [400, 403, 404]),
            Attempt(
                .POST, "subnets",
                ["subnet": ["network_id": mine("network"), "ip_version": 4, "cidr": "10.9.0.0/24", "segment_id": foreign("segment")]],
                [403, 404]),
            Attempt(.PUT, "subnets/\(own["subnet"] ?? "")", ["subnet": ["segment_id": foreign("segment")]], [403, 404]),
            Attempt(.POST, "routers", ["router": ["flavor_id": foreign("network")]], [403, 404]),
        ]
    }

    /// Each of the other project's things by its own path.
    private func paths(_ other: Things) -> [Attempt] {
        let items = [
            ("networks", "network", "network"), ("subnets", "subnet", "subnet"), ("ports", "port", "port"), ("routers", "router", "router"),
            ("floatingips", "floatingip", "floating"), ("security-groups", "security_group", "group"),
            ("subnetpools", "subnetpool", "pool"),
            ("address-scopes", "address_scope", "scope"), ("address-groups", "address_group", "addresses"),
        ]
        var attempts: [Attempt] = []
        for (collection, singular, kind) in items {
            let path = "\(collection)/\(other[kind] ?? "")"
            let name: JSONValue = singular == "floatingip" ? ["description": "x"] : ["name": "x"]
            attempts += [
                Attempt(.GET, path), Attempt(.PUT, path, .object([singular: name])), Attempt(.DELETE, path),
            ]
            guard collection != "address-scopes" else { continue }
            attempts += [
                Attempt(.GET, "\(path)/tags"), Attempt(.PUT, "\(path)/tags", ["tags": ["x"]]), Attempt(.PUT, "\(path)/tags/x"),
                Attempt(.DELETE, "\(path)/tags"),
            ]
        }
        let (router, floating) = ("routers/\(other["router"] ?? "")", "floatingips/\(other["floating"] ?? "")")
        let forwarding = "\(floating)/port_forwardings/\(other["forwarding"] ?? "")"
        let parts: [Attempt] = [
            Attempt(.GET, "security-group-rules/\(other["rule"] ?? "")"), Attempt(.DELETE, "security-group-rules/\(other["rule"] ?? "")"),
            Attempt(.PUT, "\(router)/add_extraroutes", ["router": ["routes": []]]),
            Attempt(.PUT, "\(router)/remove_extraroutes", ["router": ["routes": []]]),
            Attempt(.PUT, "\(router)/add_external_gateways", ["router": ["external_gateways": []]]),
            Attempt(.PUT, "\(router)/update_external_gateways", ["router": ["external_gateways": []]]),
            Attempt(.PUT, "\(router)/remove_external_gateways", ["router": ["external_gateways": []]]),
            Attempt(.GET, "\(router)/conntrack_helpers"),
            Attempt(
                .POST, "\(router)/conntrack_helpers", ["conntrack_helper": ["protocol": "udp", "port": 69, "helper": "tftp"]], [403, 404]),
            Attempt(.GET, "\(router)/l3-agents", nil, [403, 404]),
            Attempt(.GET, "\(floating)/port_forwardings"), Attempt(.GET, forwarding), Attempt(.DELETE, forwarding),
            Attempt(.PUT, forwarding, ["port_forwarding": ["external_port": 81]]),
        ]
        let others: [Attempt] = [
            Attempt(.PUT, "subnetpools/\(other["pool"] ?? "")/add_prefixes", ["prefixes": ["198.18.0.0/15"]]),
            Attempt(.PUT, "address-groups/\(other["addresses"] ?? "")/add_addresses", ["addresses": ["192.0.2.9/32"]]),
            Attempt(.GET, "ports/\(other["port"] ?? "")/bindings", nil, [403, 404]),
            Attempt(.GET, "networks/\(other["network"] ?? "")/dhcp-agents", nil, [403, 404]),
            Attempt(.GET, "network-ip-availabilities/\(other["network"] ?? "")", nil, [403, 404]),
        ]
        return attempts + parts + others
    }

    /// The other project's identities in the bodies of requests for things of one's own.
    private func fields(_ own: Things, _ other: Things, external: String, ownProject: String) -> [Attempt] {
        func foreign(_ kind: String) -> JSONValue { .string(other[kind] ?? "") }
        func mine(_ kind: String) -> JSONValue { .string(own[kind] ?? "") }
        let (port, router) = ("ports/\(own["port"] ?? "")", "routers/\(own["router"] ?? "")")
        let fixed: JSONValue = [["subnet_id": foreign("subnet")]]
        let forwarding: JSONValue = [
            "protocol": "tcp", "external_port": 90, "internal_port": 90, "internal_port_id": foreign("port"),
            "internal_ip_address": "10.2.0.77",
        ]
        let objects = [
            ("network", "network"), ("security_group", "group"), ("address_scope", "scope"), ("subnetpool", "pool"),
            ("address_group", "addresses"), ("qos_policy", "quality"),
        ]
        let grants = objects.map { type, kind in
            Attempt(
                .POST, "rbac-policies",
                [
                    "rbac_policy": [
                        "object_type": .string(type), "object_id": foreign(kind), "action": "access_as_shared",
                        "target_tenant": .string(ownProject),
                    ]
                ])
        }
        let ports: [Attempt] = [
            Attempt(.POST, "ports", ["port": ["network_id": foreign("network")]]),
            Attempt(.POST, "ports", ["port": ["network_id": mine("network"), "fixed_ips": fixed]], [400, 403, 404]),
            Attempt(.PUT, port, ["port": ["fixed_ips": fixed]], [400, 403, 404]),
            Attempt(.POST, "ports", ["port": ["network_id": mine("network"), "security_groups": [foreign("group")]]]),
            Attempt(.PUT, port, ["port": ["security_groups": [foreign("group")]]]),
            Attempt(
                .POST, "ports",
                ["port": ["network_id": mine("network"), "device_owner": "network:router_interface", "device_id": foreign("router")]],
                [403, 404, 409]),
        ]
        let subnets: [Attempt] = [
            Attempt(.POST, "subnets", ["subnet": ["network_id": foreign("network"), "ip_version": 4, "cidr": "10.9.0.0/24"]]),
            Attempt(
                .POST, "subnets", ["subnet": ["network_id": mine("network"), "ip_version": 4, "subnetpool_id": foreign("pool")]]),
            Attempt(
                .POST, "subnetpools", ["subnetpool": ["name": "p", "prefixes": ["10.9.0.0/16"], "address_scope_id": foreign("scope")]]),
            Attempt(.PUT, "subnetpools/\(own["pool"] ?? "")", ["subnetpool": ["address_scope_id": foreign("scope")]]),
            Attempt(
                .PUT, "subnetpools/\(own["pool"] ?? "")/onboard_network_subnets",
                ["network_id": foreign("network")], [400, 404]),
        ]
        let routers: [Attempt] = [
            Attempt(.POST, "routers", ["router": ["external_gateway_info": ["network_id": foreign("network")]]]),
            Attempt(.PUT, router, ["router": ["external_gateway_info": ["network_id": foreign("network")]]]),
            Attempt(.PUT, "\(router)/add_router_interface", ["subnet_id": foreign("subnet")]),
            Attempt(.PUT, "\(router)/add_router_interface", ["port_id": foreign("port")]),
            Attempt(.PUT, "\(router)/remove_router_interface", ["subnet_id": foreign("subnet")]),
            Attempt(.PUT, "\(router)/remove_router_interface", ["port_id": foreign("interface")]),
        ]
        let floatingIPs: [Attempt] = [
            Attempt(.POST, "floatingips", ["floatingip": ["floating_network_id": foreign("network")]]),
            Attempt(.POST, "floatingips", ["floatingip": ["floating_network_id": .string(external), "port_id": foreign("port")]]),
            Attempt(.PUT, "floatingips/\(own["free floating"] ?? "")", ["floatingip": ["port_id": foreign("port")]]),
            Attempt(.POST, "floatingips/\(own["floating"] ?? "")/port_forwardings", ["port_forwarding": forwarding]),
            Attempt(
                .PUT, "floatingips/\(own["floating"] ?? "")/port_forwardings/\(own["forwarding"] ?? "")",
                ["port_forwarding": ["internal_port_id": foreign("port"), "internal_ip_address": "10.2.0.77"]]),
            // A part that belongs to another whole.
            Attempt(.GET, "floatingips/\(own["floating"] ?? "")/port_forwardings/\(other["forwarding"] ?? "")"),
        ]
        let rules: [Attempt] = [
            Attempt(
                .POST, "security-group-rules",
                ["security_group_rule": ["security_group_id": foreign("group"), "direction": "ingress", "protocol": "tcp"]]),
            Attempt(
                .POST, "security-group-rules",
                ["security_group_rule": ["security_group_id": mine("group"), "direction": "ingress", "remote_group_id": foreign("group")]]),
            Attempt(
                .POST, "security-group-rules",
                [
                    "security_group_rule": [
                        "security_group_id": mine("group"), "direction": "ingress", "remote_address_group_id": foreign("addresses"),
                    ]
                ]),
        ]
        return grants + ports + subnets + routers + floatingIPs + rules
    }

    /// Things that are asked for in the other project's name.
    private func names(_ own: Things, external: String, project: String) -> [Attempt] {
        let theirs = JSONValue.string(project)
        let network = JSONValue.string(own["network"] ?? "")
        let bodies: [(String, [String: JSONValue])] = [
            ("network", [:]), ("subnet", ["network_id": network, "ip_version": 4, "cidr": "10.9.0.0/24"]),
            ("port", ["network_id": network]),
            ("router", [:]), ("floatingip", ["floating_network_id": .string(external)]), ("security_group", ["name": "g"]),
            ("subnetpool", ["name": "p", "prefixes": ["10.9.0.0/16"]]), ("address_scope", ["name": "s", "ip_version": 4]),
            ("address_group", [:]),
            (
                "security_group_rule",
                ["security_group_id": .string(own["group"] ?? ""), "direction": "egress", "protocol": "udp"]
            ),
        ]
        var attempts: [Attempt] = []
        for (singular, members) in bodies {
            for key in ["project_id", "tenant_id"] {
                let body: JSONValue = .object([singular: .object(members.merging([key: theirs]) { $1 })])
                attempts.append(Attempt(.POST, "\(singular.replacing("_", with: "-"))s", body, [400]))
            }
        }
        let quotas: [Attempt] = [
            Attempt(.GET, "quotas/\(project)", nil, [403]), Attempt(.PUT, "quotas/\(project)", ["quota": ["network": 1]], [403]),
            Attempt(.DELETE, "quotas/\(project)", nil, [403]), Attempt(.GET, "quotas/\(project)/details", nil, [403]),
        ]
        return attempts + quotas
    }

    @Test("An identity of another project is as good as none in every path and field, and as a filter finds nothing")
    func foreign() async throws {
        try await withIdentity { cloud in
            let external = try await cloud.network(
                .POST, "networks",
                [
                    "network": [
                        "router:external": true, "provider:network_type": "flat", "provider:physical_network": "physnet1", "name": "public",
                    ]
                ]
            ).id
            let range: JSONValue = [
                "subnet": ["network_id": .string(external), "ip_version": 4, "cidr": "203.0.113.0/24", "enable_dhcp": false]
            ]
            #expect(try await cloud.network(.POST, "subnets", range).status == 201)
            let (anna, _, blue) = try await cloud.member("anna", of: "blue")
            let (bert, _, red) = try await cloud.member("bert", of: "red")
            var own = try await make(anna, external: external, prefix: "10.1")
            var other = try await make(bert, external: external, prefix: "10.2")
            try await makeMore(cloud, anna, project: blue, called: "blue", into: &own)
            try await makeMore(cloud, bert, project: red, called: "red", into: &other)
            let collections = [
                "networks", "subnets", "ports", "routers", "floatingips", "security-groups", "security-group-rules", "subnetpools",
                "address-scopes", "address-groups", "rbac-policies", "qos/policies", "security-groups-default-statefulness",
                "routers/\(other["router"] ?? "")/conntrack_helpers",
            ]
            func everything() async throws -> [JSONValue] {
                var all: [JSONValue] = []
                for collection in collections { all.append(try await cloud.network(.GET, collection).body) }
                return all
            }
            let before = try await everything()
            let attempts =
                paths(other) + fields(own, other, external: external, ownProject: blue) + names(own, external: external, project: red)
                + furtherPaths(own, other, otherProject: red) + furtherFields(own, other, external: external)
            let twins = NothingTwins(of: other.values)
            for attempt in attempts {
                let answer = try await anna.network(attempt.method, attempt.path, attempt.body)
                #expect(
                    attempt.expected.contains(answer.status), "\(attempt.method) \(attempt.path) \(attempt.body?.text ?? ""): \(answer)")
                #expect(!answer.text.contains(Self.mark), "\(attempt.method) \(attempt.path) tells a name: \(answer)")
                try await twins.expectSame(answer, to: attempt.method, attempt.path, attempt.body, anna)
            }
            for (kind, collection, key) in [
                ("network", "ports", "network_id"), ("network", "subnets", "network_id"), ("port", "floatingips", "port_id"),
                ("router", "ports", "device_id"), ("group", "security-group-rules", "security_group_id"),
                ("scope", "subnetpools", "address_scope_id"),
                ("group", "ports", "security_groups"), ("network", "networks", "id"),
            ] {
                let answer = try await anna.network(.GET, "\(collection)?\(key)=\(other[kind] ?? "")")
                let found = answer.body[collection.replacing("-", with: "_")]?.arrayValue
                #expect(answer.status == 200 && found == [], "\(collection)?\(key): \(answer)")
            }
            #expect(try await everything() == before)
        }
    }
}
