import APISchema
import HostModel
import NetworkModel
import TestSupport
import Testing

@Suite("Subnet pools, address scopes and QoS over HTTP", .timeLimit(.minutes(15)))
struct PoolAndQoSTests {
    @Test("A network's subnets come from a pool, whose scope it shows", arguments: Backend.allCases)
    func pools(_ backend: Backend) async throws {
        try await withServer(backend) { client in
            let scope = try await client.make("address-scopes", ["name": "s", "ip_version": 4])
            let pool = try await client.make(
                "subnetpools",
                ["name": "p", "prefixes": ["10.0.0.0/16"], "default_prefixlen": 24, "address_scope_id": .string(scope)])
            let shown = try await client.get("subnetpools/\(pool)")
            #expect(shown["ip_version"] == 4 && shown["default_prefixlen"] == "24" && shown["min_prefixlen"] == "8")
            #expect(shown["default_quota"] == .some(.null) && shown["is_default"] == false && shown["tags"] == [])
            let network = try await client.make("networks")
            let subnet = try await client.post(
                "subnets", ["subnet": ["network_id": .string(network), "ip_version": 4, "subnetpool_id": .string(pool)]])
            #expect(subnet.status == 201 && subnet["cidr"] == "10.0.0.0/24" && subnet["subnetpool_id"] == .string(pool), "\(subnet)")
            #expect(subnet["prefixlen"] == nil && subnet["use_default_subnetpool"] == nil)
            let answer = try await client.get("networks/\(network)")
            #expect(answer["ipv4_address_scope"] == .string(scope) && answer["ipv6_address_scope"] == .some(.null))
            #expect(try await client.list("subnets", "?subnetpool_id=\(pool)").count == 1)

            let added = try await client.put("subnetpools/\(pool)/add_prefixes", ["prefixes": ["10.1.0.0/16"]])
            #expect(added.status == 200 && added.body == ["prefixes": ["10.0.0.0/15"]], "\(added)")
            let removed = try await client.put("subnetpools/\(pool)/remove_prefixes", ["prefixes": ["10.1.0.0/16"]])
            #expect(removed.body == ["prefixes": ["10.0.0.0/16"]])
            let other = try await client.make("networks")
            let joining = try await client.subnet(on: other, "192.168.0.0/24")
            let joined = try await client.put("subnetpools/\(pool)/onboard_network_subnets", ["network_id": .string(other)])
            #expect(joined.status == 200 && joined.body == [["id": .string(joining), "cidr": "192.168.0.0/24"]], "\(joined)")

            let inUse = try await client.delete("subnetpools/\(pool)")
            #expect(inUse.status == 400 && inUse.errorType == "SubnetPoolDeleteError")
            #expect(try await client.delete("address-scopes/\(scope)").errorType == "AddressScopeInUse")
            #expect(try await client.put("subnetpools/\(pool)/tags", ["tags": ["blue"]]).status == 200)
            #expect(try await client.list("subnetpools", "?tags=blue&sort_key=name&sort_dir=asc&limit=1").count == 1)
            let refused = try await client.post("subnetpools", ["subnetpool": ["name": "x"]])
            #expect(refused.message == "Failed to parse request. Required attribute 'prefixes' not specified")
            for id in [network, other] { #expect(try await client.delete("networks/\(id)").status == 204) }
            #expect(try await client.delete("subnetpools/\(pool)").status == 204)
            #expect(try await client.delete("address-scopes/\(scope)").status == 204)
        }
    }

    @Test("Rules are driven below their policy and by their aliases")
    func rules() async throws {
        try await withServer { client in
            let policy = try await client.post("qos/policies", ["policy": ["name": "gold"]]).id
            let rules = "qos/policies/\(policy)/bandwidth_limit_rules"
            let made = try await client.post(rules, ["bandwidth_limit_rule": ["max_kbps": 1000]])
            let rule = made.id
            #expect(made.status == 201, "\(made)")
            #expect(
                made.body["bandwidth_limit_rule"] == ["id": .string(rule), "max_kbps": 1000, "max_burst_kbps": 0, "direction": "egress"])
            let listed = try await client.get("\(rules)?direction=egress&fields=max_kbps")
            #expect(listed.body == ["bandwidth_limit_rules": [["max_kbps": 1000]]])
            let changed = try await client.put("\(rules)/\(rule)", ["bandwidth_limit_rule": ["max_burst_kbps": 5]])
            #expect(changed.status == 200 && changed["max_burst_kbps"] == 5, "\(changed)")
            let alias = "qos/alias-bandwidth-limit-rules/\(rule)"
            let again = try await client.put(alias, ["alias_bandwidth_limit_rule": ["max_kbps": 7]])
            #expect(again.body["alias_bandwidth_limit_rule"]?["max_kbps"] == 7, "\(again)")
            let shown = try await client.get("qos/policies/\(policy)")
            #expect(shown["rules"]?.arrayValue?.first?["type"] == "bandwidth_limit" && shown["rules"]?.arrayValue?.first?["max_kbps"] == 7)
            #expect(try await client.put("qos/policies/\(policy)", ["policy": ["name": "new"]])["name"] == "new")
            let large = try await client.post(rules, ["bandwidth_limit_rule": ["max_kbps": 2_147_483_648]])
            #expect(
                large.message
                    == "Invalid input for max_kbps. Reason: '2147483648' is too large - must be no larger than '2147483647'.")
            let mark = try await client.post("qos/policies/\(policy)/dscp_marking_rules", ["dscp_marking_rule": ["dscp_mark": 26]])
            #expect(mark.status == 201 && mark["dscp_mark"] == 26)
            for path in ["qos/policies/\(policy)/tags", "policies/\(policy)/tags"] {
                #expect(try await client.put(path, ["tags": ["a"]]).body == ["tags": ["a"]])
            }
            #expect(try await client.delete(alias).status == 204)
            let gone = try await client.get("\(rules)/\(rule)")
            #expect(gone.status == 404 && gone.message == "QoS rule \(rule) for policy \(policy) could not be found.")
            for filter in ["", "?all_supported=True", "?all_rules=True"] {
                let types = try await client.get("qos/rule-types\(filter)").body["rule_types"]?.arrayValue
                #expect(types?.map { $0["type"] } == ["bandwidth_limit", "dscp_marking", "packet_rate_limit"])
            }
            #expect(try await client.get("qos/rule-types/dscp_marking")["type"] == "dscp_marking")
            let packets = "qos/policies/\(policy)/packet_rate_limit_rules"
            let rate = try await client.post(packets, ["packet_rate_limit_rule": ["max_kpps": 5]])
            #expect(
                rate.body["packet_rate_limit_rule"]
                    == ["id": .string(rate.id), "max_kpps": 5, "max_burst_kpps": 0, "direction": "egress"])
            let faster = try await client.put("\(packets)/\(rate.id)", ["packet_rate_limit_rule": ["max_kpps": 6]])
            #expect(faster["max_kpps"] == 6, "\(faster)")
            #expect(try await client.delete("\(packets)/\(rate.id)").status == 204)
            let type = try await client.get("qos/rule-types/bandwidth_limit")
            #expect(type["drivers"]?.arrayValue?.first?["supported_parameters"]?.arrayValue?.count == 3)
            #expect(try await client.get("qos/rule-types/minimum_bandwidth").status == 404)
            #expect(try await client.delete("qos/policies/\(policy)").status == 204)
        }
    }

    @Test("A changed rule of a network's policy reaches the host of its port, which stays ACTIVE", arguments: Backend.allCases)
    func portProjection(_ backend: Backend) async throws {
        try await withServer(backend) { client in
            let agent = HostAgent(client: client, host: "h1")
            try await agent.report()
            let policy = try await client.post("qos/policies", ["policy": [:]]).id
            let rules = "qos/policies/\(policy)/bandwidth_limit_rules"
            let rule = try await client.post(rules, ["bandwidth_limit_rule": ["max_kbps": 1000]]).id
            let network = try await client.make("networks", ["qos_policy_id": .string(policy)])
            _ = try await client.subnet(on: network)
            let port = try await client.make(
                "ports", ["network_id": .string(network), "binding:host_id": "h1", "device_owner": "compute:nova"])
            let shown = try await client.get("ports/\(port)")
            #expect(shown["qos_policy_id"] == .some(.null) && shown["qos_network_policy_id"] == .string(policy), "\(shown)")
            #expect(try await client.get("networks/\(network)")["qos_policy_id"] == .string(policy))
            try await agent.follow { feed in
                try await feed.read { $0.port?.quality?.egress.bandwidth?.kilobitsPerSecond == 1000 }
                _ = try await client.put("\(rules)/\(rule)", ["bandwidth_limit_rule": ["max_kbps": 2000]])
                try await feed.read { $0.port?.quality?.egress.bandwidth?.kilobitsPerSecond == 2000 }
                let mark = "qos/policies/\(policy)/dscp_marking_rules"
                #expect(try await client.post(mark, ["dscp_marking_rule": ["dscp_mark": 10]]).status == 201)
                try await feed.read { $0.port?.quality?.dscpMark == 10 }
                _ = try await client.put("networks/\(network)", ["network": ["qos_policy_id": nil]])
                try await feed.read { $0.port != nil && $0.port?.quality == nil }
            }
        }
    }

    @Test("A changed rule and a moved pool reach the host of the router", arguments: Backend.allCases)
    func projection(_ backend: Backend) async throws {
        try await withServer(backend) { client in
            let agent = HostAgent(client: client, host: "h1")
            try await agent.report()
            let scopes = [
                try await client.make("address-scopes", ["ip_version": 4]), try await client.make("address-scopes", ["ip_version": 4]),
            ]
            let pool = try await client.make(
                "subnetpools", ["name": "p", "prefixes": ["10.0.0.0/16"], "address_scope_id": .string(scopes[0])])
            let network = try await client.make("networks")
            let subnet = try await client.make(
                "subnets",
                ["network_id": .string(network), "ip_version": 4, "prefixlen": 24, "subnetpool_id": .string(pool)])
            let (external, _) = try await client.externalNetwork()
            let policy = try await client.post("qos/policies", ["policy": [:]]).id
            let rules = "qos/policies/\(policy)/bandwidth_limit_rules"
            let rule = try await client.post(rules, ["bandwidth_limit_rule": ["max_kbps": 1000]]).id
            let router = try await client.make(
                "routers", ["external_gateway_info": ["network_id": .string(external), "qos_policy_id": .string(policy)]])
            #expect(try await client.put("routers/\(router)/add_router_interface", ["subnet_id": .string(subnet)]).status == 200)
            let port = try await client.port(on: network)
            let floating = try await client.post(
                "floatingips",
                [
                    "floatingip": [
                        "floating_network_id": .string(external), "port_id": .string(port), "qos_policy_id": .string(policy),
                    ]
                ])
            #expect(floating.status == 201 && floating["qos_policy_id"] == .string(policy), "\(floating)")
            #expect(
                try await client.get("routers/\(router)")["external_gateway_info"]?["qos_policy_id"] == .string(policy))
            try await agent.follow { feed in
                try await feed.read { $0.router?.floatingIPs.first?.limits?.egress?.kilobitsPerSecond == 1000 }
                #expect(feed.router?.gatewayLimits?.egress?.kilobitsPerSecond == 1000)
                #expect(feed.router?.interfaces.first?.scope4?.description == scopes[0])
                _ = try await client.put("\(rules)/\(rule)", ["bandwidth_limit_rule": ["max_kbps": 2000]])
                try await feed.read { $0.router?.gatewayLimits?.egress?.kilobitsPerSecond == 2000 }
                #expect(feed.router?.floatingIPs.first?.limits?.egress?.kilobitsPerSecond == 2000)
                _ = try await client.put("subnetpools/\(pool)", ["subnetpool": ["address_scope_id": .string(scopes[1])]])
                try await feed.read { $0.router?.interfaces.first?.scope4?.description == scopes[1] }
            }
            let used = try await client.delete("qos/policies/\(policy)")
            #expect(used.status == 409 && used.errorType == "QosPolicyInUse")
        }
    }
}

extension FeedReader {
    /// The host's port, where there is one.
    fileprivate var port: HostPort? {
        items.values.lazy.compactMap { if case .port(let port) = $0 { port } else { nil } }.first
    }

    /// The host's router, where there is one.
    var router: HostRouter? {
        items.values.lazy.compactMap { if case .router(let router) = $0 { router } else { nil } }.first
    }
}
