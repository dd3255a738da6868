import APISchema

/// What the parts about packets are measured in: as the demonstration's, with an instance on each host and a floating IP for each instance.
struct BenchmarkCloud: Sendable {
    /// The project of callers that name none.
    static let project = "default"
    static let agentTimeoutMilliseconds = 60_000
    static let masterTimeoutMilliseconds = 60_000
    static let prefix = "10.0.0.0/24"

    let lab: Lab
    let narrator: Narrator
    var external: String
    var network: String
    var group: String
    var router: String
    var gatewayAddress: String
    /// The floating addresses of instances, by their names.
    var floating: [String: String] = [:]

    var instances: [Instance] { lab.instances.filter { floating[$0.name] != nil } }

    static func build(_ lab: Lab, narrator: Narrator) async throws -> BenchmarkCloud {
        try await waitForAgents(lab)
        try await liftQuota(lab)
        let api = lab.api
        let external = try await makeExternalNetwork(lab)
        let network = try await api.create("networks", ["name": "private"]).text("id")
        let subnet = try await makeSubnet(lab, network: network, prefix: prefix, hasDHCP: true)
        let router = try await api.create(
            "routers", ["name": "r1", "ha": true, "external_gateway_info": ["network_id": .string(external)]])
        let routerID = try router.text("id")
        try await api.call("PUT", "/v2.0/routers/\(routerID)/add_router_interface", ["subnet_id": .string(subnet)])
        guard let fixed = router["external_gateway_info"]?["external_fixed_ips"]?.arrayValue?.first else {
            throw LabError("The router has no external address: \(router.text)")
        }
        var cloud = BenchmarkCloud(
            lab: lab, narrator: narrator, external: external, network: network, group: "", router: routerID,
            gatewayAddress: try fixed.text("ip_address"))
        for host in lab.hosts { try await cloud.addInstance("vm\(host.number)", on: host.name) }
        _ = try await cloud.allowPings()
        _ = try await cloud.settledMaster()
        for instance in cloud.instances {
            try await lab.waitForReply(from: lab.outside, to: cloud.floating[instance.name] ?? "")
            try await lab.waitForReply(from: instance.place, to: Underlay.outsideAddress)
        }
        narrator.say("the cloud is up: an HA router on three hosts, an instance with a floating IP on each")
        return cloud
    }

    private mutating func addInstance(_ name: String, on host: String) async throws {
        let instance = try await lab.createInstance(name, host: host, network: network)
        let port = try await lab.api.show("ports", instance.portID)
        group = port["security_groups"]?.arrayValue?.first?.stringValue ?? ""
        let address = try await lab.api.create(
            "floatingips", ["floating_network_id": .string(external), "port_id": .string(instance.portID)])
        floating[name] = try address.text("floating_ip_address")
    }

    /// Adds the rule that lets pings in, and answers its id.
    func allowPings() async throws -> String {
        try await lab.api.create(
            "security-group-rules",
            ["security_group_id": .string(group), "direction": "ingress", "ethertype": "IPv4", "protocol": "icmp"]
        ).text("id")
    }

    // MARK: The master

    /// Waits until exactly one router has the gateway address, and the API says the same and that the others stand by.
    func settledMaster() async throws -> String {
        try await waitFor("one master and standbys beside it", timeoutMilliseconds: Self.masterTimeoutMilliseconds) {
            let holders = try await lab.hosts(withAddress: gatewayAddress, router: router)
            let states = try await lab.api.agents(ofRouter: router).compactMap { $0["ha_state"]?.stringValue }.sorted()
            let active = try await lab.activeHosts(router: router)
            let isSettled = holders.count == 1 && holders == active && states == ["active", "standby", "standby"]
            return isSettled ? holders.first : nil
        }
    }

    /// Waits until another host than the given one has taken over.
    func successor(of master: String) async throws -> String {
        try await waitFor("another master than \(master)", timeoutMilliseconds: Self.masterTimeoutMilliseconds) {
            let holders = try await lab.hosts(withAddress: gatewayAddress, router: router).filter { $0 != master }
            let active = try await lab.activeHosts(router: router).filter { $0 != master }
            return holders.count == 1 && holders == active ? holders.first : nil
        }
    }

    // MARK: Parts

    static func waitForAgents(_ lab: Lab) async throws {
        let names = Set(lab.hosts.map(\.name))
        try await waitUntil("an L3 agent on each host", timeoutMilliseconds: agentTimeoutMilliseconds) {
            let agents = try await lab.api.list("agents").filter { $0["alive"]?.boolValue == true }
            return Set(agents.filter { $0["agent_type"]?.stringValue == "L3 agent" }.compactMap { $0["host"]?.stringValue }) == names
        }
    }

    /// Takes away the limits that measurements reach.
    static func liftQuota(_ lab: Lab) async throws {
        let limits: JSONValue = ["port": -1, "network": -1, "subnet": -1, "router": -1]
        try await lab.api.call("PUT", "/v2.0/quotas/\(project)", ["quota": limits])
    }

    /// A network with a subnet of 65,533 addresses, no DHCP, and no limit for ports.
    static func makeLargeNetwork(_ lab: Lab) async throws -> String {
        try await liftQuota(lab)
        let network = try await lab.api.create("networks", ["name": "large"]).text("id")
        _ = try await makeSubnet(lab, network: network, prefix: "10.1.0.0/16", hasDHCP: false)
        return network
    }

    static func makeSubnet(_ lab: Lab, network: String, prefix: String, hasDHCP: Bool) async throws -> String {
        let attributes: JSONValue = [
            "network_id": .string(network), "ip_version": 4, "cidr": .string(prefix), "enable_dhcp": .bool(hasDHCP),
        ]
        return try await lab.api.create("subnets", attributes).text("id")
    }

    private static func makeExternalNetwork(_ lab: Lab) async throws -> String {
        let network: JSONValue = [
            "name": "public", "router:external": true, "provider:network_type": "flat",
            "provider:physical_network": .string(Underlay.physicalNetwork),
        ]
        let id = try await lab.api.create("networks", network).text("id")
        let subnet: JSONValue = [
            "network_id": .string(id), "ip_version": 4, "cidr": .string(Underlay.outsidePrefix), "enable_dhcp": false,
            "gateway_ip": .string(Underlay.outsideAddress), "allocation_pools": [["start": "203.0.113.100", "end": "203.0.113.199"]],
        ]
        _ = try await lab.api.create("subnets", subnet)
        return id
    }
}
