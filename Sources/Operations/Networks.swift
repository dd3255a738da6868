import APISchema
import AccessPolicy
import Addressing
import NetworkModel
import Store

extension Network: ManagedResource {
    public static func create(_ request: ResourceRequest<Network>, in verb: Verb) throws -> Network { try verb.createNetwork(request) }
    public static func update(_ network: Network, _ request: ResourceRequest<Network>, in verb: Verb) throws -> Network {
        try verb.updateNetwork(network, request)
    }
    public static func delete(_ network: Network, in verb: Verb) throws { try verb.deleteNetwork(network) }

    public static func shown(_ network: Network, in verb: Verb) throws -> Network {
        var shown = network
        shown.isShared = try network.isShared || verb.isShared(network.id)
        shown.isAdjacent = try network.subnetIDs.isEmpty || !verb.isRouted(network.id)
        return shown
    }
}

extension Verb {
    /// The least MTU that IPv4 (RFC 791) and IPv6 (RFC 8200) need.
    private static let minimumMTU = [IPVersion.v4: 68, .v6: 1280]

    func createNetwork(_ request: ResourceRequest<Network>) throws -> Network {
        var network = Network(id: newID(), projectID: try project(of: request))
        try request.assign(to: &network)
        network.dnsDomain = try DNSNames.domain(request) ?? ""
        let policy = try qosPolicy(request.value("qos_policy_id", as: ResourceID?.self)) ?? nil
        network.qosPolicyID = try policy ?? defaultQoSPolicy(of: network.projectID)
        try checkQuota("network", network.projectID)
        try checkZones(network.availabilityZoneHints, for: .dhcp)
        _ = try defaultGroup(of: network.projectID)
        if let segments = try SegmentRequest.list(request) {
            try allocateSegments(&network, segments)
        } else {
            try allocateSegment(&network, try SegmentRequest(request) ?? SegmentRequest(type: settings.projectNetworkType))
        }
        network.mtu = try checkedMTU(request, network)
        try checkDefault(&network)
        open(&network)
        try transaction.insert(network)
        try mirror(network.isShared, .shared, .network, network)
        try mirror(network.isExternal, .external, .network, network)
        return network
    }

    func updateNetwork(_ current: Network, _ request: ResourceRequest<Network>) throws -> Network {
        var network = current
        try changeCarrier(of: &network, request)
        let carrier = network.carrier
        try request.assign(to: &network)
        network.carrier = carrier
        if let domain = try DNSNames.domain(request) { network.dnsDomain = domain }
        if let policy = try qosPolicy(request.value("qos_policy_id", as: ResourceID?.self), insteadOf: current.qosPolicyID) {
            network.qosPolicyID = policy
            if let policy, policy != current.qosPolicyID { try refuseUnsupportedRules(of: policy, onNetwork: network.id) }
        }
        if request.contains("mtu") {
            network.mtu = try checkedMTU(request, network)
            try checkSubnets(of: network)
        }
        try checkDefault(&network)
        if current.isShared, !network.isShared { try refuseOtherProjects(network) }
        if current.isExternal, !network.isExternal { try refuseGateways(network) }
        try mirror(network.isShared, was: current.isShared, .shared, .network, network)
        try mirror(network.isExternal, was: current.isExternal, .external, .network, network)
        try save(&network)
        return network
    }

    func deleteNetwork(_ network: Network) throws {
        // Floating IPs that lead nowhere are no use of the network; their ports go with them.
        for floating in try list(FloatingIP.self, where: "floating_network_id", network.id) where floating.portID == nil {
            try deleteFloatingIP(floating)
        }
        let ports = try list(Port.self, where: "network_id", network.id)
        let inUse = ports.filter { $0.deviceOwner != DeviceOwner.dhcp }
        guard inUse.isEmpty else { throw APIError.networkInUse(network.id, portIDs: inUse.map(\.id)) }
        try dropNetwork(network)
    }

    /// Deletes the network with its subnets and DHCP, without asking who uses it.
    func dropNetwork(_ network: Network) throws {
        try unscheduleDHCP(network.id)
        for subnet in try subnets(of: network) {
            try transaction.delete(Subnet.self, subnet.id)
            hints.forget(subnet.id)
        }
        try dropGrants(of: network.id)
        for segment in try segments(of: network.id) { try transaction.delete(Segment.self, segment.id) }
        try transaction.execute("DELETE FROM segment_allocations WHERE network_id = ?", [network.id.columnValue])
        try transaction.delete(Network.self, network.id)
    }

    /// In the order of their creation.
    func subnets(of network: Network) throws -> [Subnet] {
        // By their ids, which the network's row has in order: cheaper than a query for the few that there are.
        try network.subnetIDs.compactMap { try find(Subnet.self, $0) }
    }

    private func checkedMTU(_ request: ResourceRequest<Network>, _ network: Network) throws -> Int {
        let maximum = settings.maximumMTU(of: network.type.rawValue)
        guard let asked = try request.value("mtu", as: Int.self), asked > 0 else { return maximum }
        guard asked <= maximum else { throw APIError.invalidInput("Requested MTU is too big, maximum is \(maximum)") }
        return asked
    }

    private func checkSubnets(of network: Network) throws {
        for subnet in try subnets(of: network) { try Self.checkMTU(of: network, for: subnet.prefix.version) }
    }

    /// Subnets of a family need a network that carries its smallest packets.
    static func checkMTU(of network: Network, for version: IPVersion) throws(APIError) {
        let minimum = minimumMTU[version, default: 68]
        guard network.mtu >= minimum else { throw .networkMTUSubnetConflict(network.id, minimum: minimum) }
    }

    /// What carries a network is fixed, but for the number of a VLAN on which no port is bound: giving the same again is no change.
    private func changeCarrier(of network: inout Network, _ request: ResourceRequest<Network>) throws {
        if let segments = request["segments"], !segments.isNull {
            throw APIError.invalidInput("Plugin does not support updating the following provider network attributes: segments")
        }
        let fixed: [(String, JSONValue)] = [
            ("provider:network_type", .string(network.type.rawValue)),
            ("provider:physical_network", network.physicalNetwork.map(JSONValue.string) ?? .null),
        ]
        for (name, current) in fixed {
            guard let given = request[name], !given.isNull, given != current else { continue }
            throw APIError.invalidInput(
                "Plugin does not support updating the following provider network attributes: "
                    + fixed.map(\.0).joined(separator: ", "))
        }
        guard let id = try request.value("provider:segmentation_id", as: Int?.self) ?? nil, id != network.segmentationID else { return }
        try renumber(&network, id)
    }

    private func renumber(_ network: inout Network, _ id: Int) throws {
        guard network.furtherCarriers.isEmpty else {
            throw APIError.invalidInput("Provider network attributes can be updated only in provider networks with a single segment.")
        }
        let free = [VIFType.unbound, VIFType.failed]
        guard try list(Port.self, where: "network_id", network.id).allSatisfy({ free.contains($0.vifType) }) else {
            throw APIError.invalidInput(
                "Provider network attribute provider:segmentation_id cannot be updated if any port in the network has not the following "
                    + "binding:vif_type: \(free.joined(separator: ", "))")
        }
        guard network.type == .vlan else { throw APIError.invalidInput("Only VLAN type networks can be updated.") }
        let former = network.carrier
        let wanted = SegmentRequest(type: network.type.rawValue, physicalNetwork: network.physicalNetwork, segmentationID: id)
        network.carrier = try allocateCarrier(wanted, for: network)
        try release(former)
        for var segment in try segments(of: network.id) {
            segment.carrier = network.carrier
            try save(&segment)
        }
    }

    private func refuseOtherProjects(_ network: Network) throws {
        let granted = try Set(grants(of: network.id).filter { $0.action == .shared }.map(\.target))
        let others = try list(Port.self, where: "network_id", network.id).contains {
            $0.projectID != network.projectID && !granted.contains($0.projectID) && !DeviceOwner.isNetworkOwned($0.deviceOwner)
        }
        guard !others else { throw APIError.invalidSharedSetting(network.name) }
    }

    private func refuseGateways(_ network: Network) throws {
        let gateways = try list(Port.self, where: "network_id", network.id).contains { $0.deviceOwner == DeviceOwner.routerGateway }
        guard !gateways else { throw APIError.externalNetworkInUse(network.id) }
    }
}
