import APISchema
import AccessPolicy
import Addressing
import NetworkModel
import Store

extension Subnet: ManagedResource {
    public static func create(_ request: ResourceRequest<Subnet>, in verb: Verb) throws -> Subnet { try verb.createSubnet(request) }
    public static func update(_ subnet: Subnet, _ request: ResourceRequest<Subnet>, in verb: Verb) throws -> Subnet {
        try verb.updateSubnet(subnet, request)
    }
    public static func delete(_ subnet: Subnet, in verb: Verb) throws { try verb.deleteSubnet(subnet) }

    public static func withComputed(_ subnets: [Subnet], in verb: Verb) throws -> [Subnet] {
        let external = try verb.externalNetworks(among: Set(subnets.map(\.networkID)))
        return subnets.map { subnet in
            var shown = subnet
            shown.isOnExternalNetwork = external.contains(subnet.networkID)
            return shown
        }
    }

    public func hasComputed(_ attribute: String, oneOf texts: [String]) -> Bool {
        switch attribute {
        case "router:external": texts.contains { Bool.filterValue($0) == isOnExternalNetwork.columnValue }
        default: true
        }
    }

    public static var policyParents: [PolicyParent] { [PolicyParent("network", column: "network_id", Network.self)] }
}

extension Verb {
    /// Networks that are read one by one; of more, all external ones are, of which a cloud has few.
    private static let maximumSingleNetworks = 16

    fileprivate func externalNetworks(among ids: Set<ResourceID>) throws -> Set<ResourceID> {
        guard ids.count > Self.maximumSingleNetworks else { return try ids.filter { try find(Network.self, $0)?.isExternal ?? false } }
        return Set(try transaction.rows("SELECT id FROM networks WHERE router_external = 1").compactMap { $0[0].id })
    }

    func createSubnet(_ request: ResourceRequest<Subnet>) throws -> Subnet {
        guard let networkID = try request.value("network_id", as: ResourceID.self) else {
            throw APIError.invalidInput("network_id must be specified")
        }
        var network = try visible(Network.self, networkID)
        let projectID = try project(of: request)
        let source = try source(of: request, for: projectID)
        var subnet = Subnet(id: newID(), projectID: projectID, networkID: network.id, prefix: source.prefix)
        subnet.subnetPoolID = source.pool?.id
        try request.assign(to: &subnet)
        subnet.serviceTypes = try SubnetRules.serviceTypes(of: request) ?? []
        subnet.gatewayAddress = try SubnetRules.gateway(of: request, in: subnet.prefix)
        try SubnetRules.check(subnet, gatewayWasGiven: request.contains("gateway_ip"), wasDHCPEnabled: false, settings)
        try applySegment(request, to: &subnet, of: network)
        try Self.checkMTU(of: network, for: subnet.prefix.version)
        try refuseOverlap(of: subnet.prefix, with: network)
        try checkAffinity(of: source.pool, subnet.prefix.version, on: network)
        subnet.allocationPools = try SubnetRules.pools(of: request, subnet)
        try checkQuota("subnet", subnet.projectID)
        open(&subnet)
        try transaction.insert(subnet)
        network.subnetIDs.append(subnet.id)
        if let pool = source.pool { network[addressScope: pool.version] = pool.addressScopeID }
        try save(&network)
        try addAutomaticAddresses(of: subnet)
        try serveDHCP(on: network)
        try settlePeerRoutes(on: network)
        return try existing(Subnet.self, subnet.id)
    }

    func updateSubnet(_ current: Subnet, _ request: ResourceRequest<Subnet>) throws -> Subnet {
        var subnet = current
        try request.assign(to: &subnet)
        if let types = try SubnetRules.serviceTypes(of: request) { subnet.serviceTypes = types }
        if request.contains("gateway_ip") { subnet.gatewayAddress = try request.value("gateway_ip", as: IPAddress?.self) ?? nil }
        if request.contains("enable_dhcp"), !subnet.isDHCPEnabled,
            subnet.ipv6AddressMode != nil || subnet.ipv6RouterAdvertisementMode != nil
        {
            throw APIError.invalidInput("Cannot disable enable_dhcp with ipv6 attributes set")
        }
        try SubnetRules.check(
            subnet, gatewayWasGiven: request.contains("gateway_ip"), wasDHCPEnabled: current.isDHCPEnabled,
            formerRoutes: current.hostRoutes,
            settings)
        if request.contains("segment_id") {
            try applySegment(request, to: &subnet, of: try existing(Network.self, subnet.networkID), current: current)
        }
        if subnet.gatewayAddress != current.gatewayAddress { try refuseUsedGateway(of: current) }
        if request.contains("allocation_pools") {
            subnet.allocationPools = try SubnetRules.pools(of: request, subnet)
            hints.forget(subnet.id)
        } else if let gateway = subnet.gatewayAddress, let pool = subnet.allocationPools.first(where: { $0.contains(gateway) }) {
            throw APIError.gatewayConflictWithAllocationPools(gateway, pool)
        }
        try save(&subnet)
        if subnet.isDHCPEnabled != current.isDHCPEnabled { try serveDHCP(on: try existing(Network.self, subnet.networkID)) }
        try touchRouters(on: subnet.id)
        try settlePeerRoutes(on: try existing(Network.self, subnet.networkID), former: [subnet.id: current])
        try touchNetwork(of: subnet, was: current)
        return try existing(Subnet.self, subnet.id)
    }

    func deleteSubnet(_ subnet: Subnet) throws {
        let holders = try transaction.rows(
            "SELECT DISTINCT p.id, p.device_owner FROM ip_allocations a JOIN ports p ON p.id = a.port_id WHERE a.subnet_id = ?",
            [subnet.id.columnValue])
        guard holders.allSatisfy({ $0[1].text == DeviceOwner.dhcp || Self.keepsAutomatically($0[1].text ?? "", subnet) }) else {
            throw APIError.subnetInUse(subnet.id)
        }
        for holder in holders {
            guard let id = holder[0].id, holder[1].text != DeviceOwner.dhcp else { continue }
            try removeAddresses(of: subnet.id, from: id)
        }
        var network = try existing(Network.self, subnet.networkID)
        network.subnetIDs.removeAll { $0 == subnet.id }
        if try !subnets(of: network).contains(where: { $0.prefix.version == subnet.prefix.version }) {
            network[addressScope: subnet.prefix.version] = nil
        }
        try save(&network)
        try dropDHCPAddresses(of: subnet.id, on: network)
        try transaction.delete(Subnet.self, subnet.id)
        hints.forget(subnet.id)
        try settlePeerRoutes(on: network, former: [subnet.id: subnet])
    }

    /// Addresses that hosts made themselves do not hold a subnet, except those of routers.
    private static func keepsAutomatically(_ deviceOwner: String, _ subnet: Subnet) -> Bool {
        subnet.hasAutomaticAddresses && !DeviceOwner.isRouterInterface(deviceOwner)
    }

    private func removeAddresses(of subnetID: ResourceID, from portID: ResourceID) throws {
        var port = try existing(Port.self, portID)
        for fixed in port.fixedIPs where fixed.subnetID == subnetID { try release(fixed) }
        let current = port
        port.fixedIPs.removeAll { $0.subnetID == subnetID }
        try save(&port)
        try showGatewayAddresses(of: port, was: current)
    }

    /// Ports that are there already get their address in a new subnet whose hosts make their addresses themselves; so do gateways of routers.
    private func addAutomaticAddresses(of subnet: Subnet) throws {
        guard subnet.hasAutomaticAddresses else { return }
        for var port in try list(Port.self, where: "network_id", subnet.networkID)
        where (!DeviceOwner.isNetworkOwned(port.deviceOwner) || port.deviceOwner == DeviceOwner.routerGateway) && !port.fixedIPs.isEmpty {
            let current = port
            try allocateAddresses(for: &port, in: [subnet], [AddressRequest(subnetID: subnet.id)])
            try save(&port)
            try showGatewayAddresses(of: port, was: current)
        }
    }

    private func refuseOverlap(of prefix: IPPrefix, with network: Network) throws {
        for other in try subnets(of: network) where other.prefix.overlaps(prefix) {
            throw APIError.invalidInput("Requested subnet with cidr: \(prefix) for network: \(network.id) overlaps with another subnet")
        }
    }

    private func refuseUsedGateway(of subnet: Subnet) throws {
        guard let gateway = subnet.gatewayAddress else { return }
        let holder = try transaction.rows(
            "SELECT p.id, p.device_owner FROM ip_allocations a JOIN ports p ON p.id = a.port_id WHERE a.subnet_id = ? AND a.address = ?",
            [subnet.id.columnValue, .text(sortableAddress(gateway.number))]
        ).first
        guard let holder, let id = holder[0].id, DeviceOwner.isRouterInterface(holder[1].text ?? "") else { return }
        throw APIError.gatewayIPInUse(gateway, portID: id)
    }

    /// A network's revision number follows its subnets, but for their descriptions, as in Neutron.
    private func touchNetwork(of subnet: Subnet, was current: Subnet) throws {
        var former = current
        former.standard = subnet.standard
        if subnet != former { try touch(Network.self, subnet.networkID) }
    }

    /// Routers on the subnet see its gateway and routes.
    private func touchRouters(on subnetID: ResourceID) throws {
        let routers = try transaction.rows(
            "SELECT DISTINCT r.router_id FROM router_ports r JOIN ip_allocations a ON a.port_id = r.port_id WHERE a.subnet_id = ?",
            [subnetID.columnValue])
        for row in routers { if let id = row[0].id { try touch(Router.self, id) } }
    }
}
