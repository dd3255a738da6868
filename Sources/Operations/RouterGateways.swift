import APISchema
import Addressing
import NetworkModel
import Store

/// `external_gateway_info` of a request.
struct GatewayRequest: Sendable {
    var networkID: ResourceID
    var isSNATEnabled: Bool?
    /// Nil: the server chooses.
    var fixedIPs: [AddressRequest]?
    /// Nil: the gateway keeps what it has; inside that nil: none.
    var qosPolicyID: ResourceID??

    /// Nil for null and for the empty object: no gateway.
    init?(_ request: ResourceRequest<Router>) throws(APIError) {
        guard let members = request["external_gateway_info"]?.objectValue, !members.isEmpty else { return nil }
        guard let networkID = members["network_id"]?.stringValue.flatMap({ ResourceID($0) }) else {
            throw .invalidAttribute(
                "external_gateway_info",
                "Validation of dictionary's keys failed. Expected keys: {'network_id'} Provided keys: \(members.keys.sorted())")
        }
        self.networkID = networkID
        isSNATEnabled = members["enable_snat"]?.boolValue
        if let policy = members["qos_policy_id"] { qosPolicyID = .some(policy.stringValue.flatMap { ResourceID($0) }) }
        guard let entries = members["external_fixed_ips"]?.arrayValue, !entries.isEmpty else { return }
        fixedIPs = entries.map { entry in
            AddressRequest(
                subnetID: entry["subnet_id"]?.stringValue.flatMap { ResourceID($0) },
                address: entry["ip_address"]?.stringValue.flatMap { IPAddress($0) })
        }
    }
}

extension Verb {
    /// Sets, changes or clears the gateway of a router. The router's row is the caller's to write.
    func setGateway(of router: inout Router, _ wanted: GatewayRequest?) throws {
        guard let wanted else { return try clearGateway(of: &router) }
        let network = try visible(Network.self, wanted.networkID)
        guard network.isExternal else { throw APIError.badRouterRequest("Network \(network.id) is not an external network") }
        let policyID = try qosPolicy(wanted.qosPolicyID) ?? router.gateway?.qosPolicyID
        let external = try subnets(of: network)
        for request in wanted.fixedIPs ?? [] {
            guard let address = request.address, external.contains(where: { $0.gatewayAddress == address }) else { continue }
            throw APIError.badRouterRequest("External IP \(address) is the same as the gateway IP")
        }
        if let current = router.gateway, current.networkID == network.id {
            try changeGateway(of: &router, current, external, wanted)
        } else {
            try clearGateway(of: &router)
            try checkSubnets(external, for: router)
            try addGateway(to: &router, network, external, wanted)
        }
        router.gateway?.qosPolicyID = policyID
    }

    private func clearGateway(of router: inout Router) throws {
        guard let gateway = router.gateway else { return }
        let floating = try list(FloatingIP.self, where: "router_id", router.id)
        guard floating.isEmpty else { throw APIError.routerGatewayInUseByFloatingIP(router.id, networkID: gateway.networkID) }
        try dropPort(try existing(Port.self, gateway.portID))
        router.gateway = nil
    }

    private func addGateway(to router: inout Router, _ network: Network, _ external: [Subnet], _ wanted: GatewayRequest) throws {
        // The port belongs to no project: its users need not know it.
        var port = Port(id: newID(), projectID: "", networkID: network.id, mac: try newMAC(on: network.id))
        port.deviceOwner = DeviceOwner.routerGateway
        port.deviceID = router.id.description
        port.isPortSecurityEnabled = false
        port.hostID = try activeHost(of: router) ?? ""
        try insertPort(&port, on: network, external, wanted.fixedIPs)
        try insertRouterPort(port, of: router.id)
        router.gateway = ExternalGateway(
            networkID: network.id, portID: port.id, isSNATEnabled: wanted.isSNATEnabled ?? true, fixedIPs: port.fixedIPs)
    }

    private func changeGateway(of router: inout Router, _ current: ExternalGateway, _ external: [Subnet], _ wanted: GatewayRequest) throws {
        var gateway = current
        gateway.isSNATEnabled = wanted.isSNATEnabled ?? true
        if let addresses = wanted.fixedIPs {
            var port = try existing(Port.self, current.portID)
            try readdress(&port, external, addresses)
            if port.fixedIPs != current.fixedIPs { try save(&port) }
            gateway.fixedIPs = port.fixedIPs
        }
        router.gateway = gateway
    }

    /// New subnets of a router must not be there already and must not overlap those that are.
    func checkSubnets(_ added: [Subnet], for router: Router) throws {
        let addedIDs = Set(added.map(\.id))
        for port in try routerPorts(of: router.id) {
            if let twice = port.fixedIPs.first(where: { addedIDs.contains($0.subnetID) }) {
                throw APIError.badRouterRequest("Router already has a port on subnet \(twice.subnetID)")
            }
            // Through its gateway a router reaches every subnet of the external network.
            let connected: [Subnet] =
                port.deviceOwner == DeviceOwner.routerGateway
                ? try subnets(of: try existing(Network.self, port.networkID))
                : try port.fixedIPs.compactMap { try find(Subnet.self, $0.subnetID) }
            for subnet in connected {
                guard let overlapping = added.first(where: { $0.prefix.overlaps(subnet.prefix) }) else { continue }
                throw APIError.badRouterRequest(
                    "Cidr \(overlapping.prefix) of subnet \(overlapping.id) overlaps with cidr \(subnet.prefix) of subnet \(subnet.id)")
            }
        }
    }
}
