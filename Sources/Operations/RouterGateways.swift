import APISchema
import Addressing
import NetworkModel
import Store

/// One gateway of a request: `external_gateway_info`, or an entry of `external_gateways`.
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
        try self.init(members, of: "external_gateway_info")
    }

    /// - Parameter members: As the attribute's type let them through.
    init(_ members: [String: JSONValue], of attribute: String) throws(APIError) {
        guard let networkID = members["network_id"]?.stringValue.flatMap({ ResourceID($0) }) else {
            throw .invalidAttribute(
                attribute,
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

/// The external network that a request names, as far as the caller may use it.
struct ExternalSide {
    var network: Network
    var subnets: [Subnet]
}

extension Verb {
    /// Sets, changes or clears the first gateway of a router. The next one takes the place of one that is cleared. The router's row is the caller's
    /// to write.
    func setGateway(of router: inout Router, _ wanted: GatewayRequest?) throws {
        guard let wanted else {
            if router.gateway != nil { try removeGateway(at: 0, of: &router) }
            return
        }
        let side = try externalSide(of: wanted)
        let formerPolicyID = router.gateway?.qosPolicyID
        if let current = router.gateway, current.networkID == side.network.id {
            router.gateway = try changed(current, side, wanted)
        } else {
            if router.gateway != nil { try removeGateway(at: 0, of: &router) }
            router.gateways.insert(try newGateway(of: router, side, wanted), at: 0)
        }
        if wanted.qosPolicyID == nil { router.gateway?.qosPolicyID = formerPolicyID }
    }

    /// Throws unless the caller sees the network, it is external, and none of the wanted addresses is that of a subnet's gateway.
    func externalSide(of wanted: GatewayRequest) throws -> ExternalSide {
        let network = try visible(Network.self, wanted.networkID)
        guard network.isExternal else { throw APIError.badRouterRequest("Network \(network.id) is not an external network") }
        let external = try subnets(of: network)
        for request in wanted.fixedIPs ?? [] {
            guard let address = request.address, external.contains(where: { $0.gatewayAddress == address }) else { continue }
            throw APIError.badRouterRequest("External IP \(address) is the same as the gateway IP")
        }
        return ExternalSide(network: network, subnets: external)
    }

    /// Floating IPs need a gateway on their network: the last one stays for as long as there are any.
    func removeGateway(at index: Int, of router: inout Router) throws {
        let gateway = router.gateways.remove(at: index)
        if !router.gateways.contains(where: { $0.networkID == gateway.networkID }) {
            let isNeeded = try list(FloatingIP.self, where: "router_id", router.id).contains { $0.floatingNetworkID == gateway.networkID }
            guard !isNeeded else { throw APIError.routerGatewayInUseByFloatingIP(router.id, networkID: gateway.networkID) }
        }
        try dropPort(try existing(Port.self, gateway.portID))
    }

    /// Makes the port of a gateway that the router does not have yet. Several may be on one network.
    func newGateway(of router: Router, _ side: ExternalSide, _ wanted: GatewayRequest) throws -> ExternalGateway {
        if !router.gateways.contains(where: { $0.networkID == side.network.id }) { try checkSubnets(side.subnets, for: router) }
        // The port belongs to no project: its users need not know it.
        var port = Port(id: newID(), projectID: "", networkID: side.network.id, mac: try newMAC(on: side.network.id))
        port.deviceOwner = DeviceOwner.routerGateway
        port.deviceID = router.id.description
        port.isPortSecurityEnabled = false
        port.hostID = try activeHost(of: router) ?? ""
        try insertPort(&port, on: side.network, side.subnets, wanted.fixedIPs)
        try insertRouterPort(port, of: router.id)
        return ExternalGateway(
            networkID: side.network.id, portID: port.id, isSNATEnabled: wanted.isSNATEnabled ?? true, fixedIPs: port.fixedIPs,
            qosPolicyID: try qosPolicy(wanted.qosPolicyID) ?? nil)
    }

    /// As in Neutron, who does not speak of source translation turns it on.
    func changed(_ current: ExternalGateway, _ side: ExternalSide, _ wanted: GatewayRequest) throws -> ExternalGateway {
        var gateway = current
        gateway.isSNATEnabled = wanted.isSNATEnabled ?? true
        if let policy = try qosPolicy(wanted.qosPolicyID) { gateway.qosPolicyID = policy }
        if let addresses = wanted.fixedIPs {
            var port = try existing(Port.self, current.portID)
            try readdress(&port, side.subnets, addresses)
            if port.fixedIPs != current.fixedIPs { try save(&port) }
            gateway.fixedIPs = port.fixedIPs
        }
        return gateway
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
