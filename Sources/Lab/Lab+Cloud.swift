import APISchema

/// A router as a lab's user sees it.
public struct LabRouter: Hashable, Sendable {
    public var id: String
    /// Its first IPv4 address in the external network; empty without a gateway.
    public var gatewayAddress: String
}

/// What nearly every demonstration, test and measurement builds first, through the API.
extension Lab {
    /// A flat external network on physnet1, whose gateway is the outside host. Answers its id.
    public func createExternalNetwork(_ networkName: String = "public") async throws -> String {
        let network = try await api.create(
            "networks",
            [
                "name": .string(networkName), "router:external": true, "provider:network_type": "flat",
                "provider:physical_network": .string(Underlay.physicalNetwork),
            ])
        let id = try network.text("id")
        _ = try await api.create(
            "subnets",
            [
                "name": .string("\(networkName)-subnet"), "network_id": .string(id), "ip_version": 4,
                "cidr": .string(Underlay.outsidePrefix),
                "gateway_ip": .string(Underlay.outsideAddress), "enable_dhcp": false,
                "allocation_pools": [["start": "203.0.113.100", "end": "203.0.113.199"]],
            ])
        return id
    }

    /// A project network with a subnet, with DHCP or without. Answers the network as the API shows it, and the subnet's id.
    public func createNetwork(_ networkName: String, prefix: String, hasDHCP: Bool = true) async throws -> (
        network: JSONValue, subnetID: String
    ) {
        let network = try await api.create("networks", ["name": .string(networkName)])
        let subnet = try await api.create(
            "subnets",
            [
                "name": .string("\(networkName)-subnet"), "network_id": .string(try network.text("id")), "ip_version": 4,
                "cidr": .string(prefix), "enable_dhcp": .bool(hasDHCP),
            ])
        return (network, try subnet.text("id"))
    }

    /// A router with a gateway and interfaces.
    public func createRouter(
        _ routerName: String, isHighlyAvailable: Bool = true, externalNetwork: String?, subnets: [String]
    ) async throws -> LabRouter {
        var request: [String: JSONValue] = ["name": .string(routerName), "ha": .bool(isHighlyAvailable)]
        if let externalNetwork { request["external_gateway_info"] = ["network_id": .string(externalNetwork)] }
        let router = try await api.create("routers", .object(request))
        let id = try router.text("id")
        for subnet in subnets { try await api.call("PUT", "/v2.0/routers/\(id)/add_router_interface", ["subnet_id": .string(subnet)]) }
        let fixed = router["external_gateway_info"]?["external_fixed_ips"]?.arrayValue ?? []
        let addresses = fixed.compactMap { $0["ip_address"]?.stringValue }
        return LabRouter(id: id, gatewayAddress: addresses.first(where: SocketAddress.isIPv4) ?? "")
    }

    /// Lets everybody ping the instances of a port's security groups. Answers the rule's id.
    @discardableResult
    public func allowPings(toPort portID: String) async throws -> String { try await allow("icmp", toPort: portID) }

    /// Lets everybody reach the instances of a port's security groups by a protocol (`icmp`, `tcp`). Answers the rule's id.
    @discardableResult
    public func allow(_ protocolName: String, toPort portID: String) async throws -> String {
        let groups = try await api.show("ports", portID)["security_groups"]?.arrayValue?.compactMap(\.stringValue) ?? []
        guard let group = groups.first else { throw LabError("Port \(portID) is in no security group.") }
        return try await api.create(
            "security-group-rules",
            ["security_group_id": .string(group), "direction": "ingress", "ethertype": "IPv4", "protocol": .string(protocolName)]
        ).text("id")
    }

    /// A floating IP for a port. Answers its id and address.
    public func createFloatingIP(externalNetwork: String, portID: String) async throws -> (id: String, address: String) {
        let floating = try await api.create(
            "floatingips", ["floating_network_id": .string(externalNetwork), "port_id": .string(portID)])
        return (try floating.text("id"), try floating.text("floating_ip_address"))
    }

    /// Waits until every host has an L3 agent that is alive.
    public func waitForAgents(timeoutMilliseconds: Int = 60_000) async throws {
        let names = Set(hosts.map(\.name))
        try await waitUntil("an L3 agent on each host", timeoutMilliseconds: timeoutMilliseconds) {
            let agents = try await api.list("agents", "agent_type=L3%20agent").filter { $0["alive"]?.boolValue == true }
            return Set(agents.compactMap { $0["host"]?.stringValue }) == names
        }
    }

    /// Lets the scheduler use the L3 agent of a host, or moves its masters away (`openstack network agent set --disable`).
    public func setL3Agent(of host: String, isEnabled: Bool) async throws {
        let agents = try await api.list("agents", "agent_type=L3%20agent&host=\(host)")
        guard let id = agents.first?["id"]?.stringValue else { throw LabError("\(host) has no L3 agent.") }
        _ = try await api.update("agents", id, ["admin_state_up": .bool(isEnabled)])
    }
}
