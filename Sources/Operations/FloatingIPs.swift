import APISchema
import AccessPolicy
import Addressing
import NetworkModel
import Store

extension FloatingIP: ManagedResource {
    public static func create(_ request: ResourceRequest<FloatingIP>, in verb: Verb) throws -> FloatingIP {
        try verb.createFloatingIP(request)
    }
    public static func update(_ floating: FloatingIP, _ request: ResourceRequest<FloatingIP>, in verb: Verb) throws -> FloatingIP {
        try verb.updateFloatingIP(floating, request)
    }
    public static func delete(_ floating: FloatingIP, in verb: Verb) throws { try verb.deleteFloatingIP(floating) }

    public static func withComputed(_ floatingIPs: [FloatingIP], in verb: Verb) throws -> [FloatingIP] {
        let ports = try verb.ports(floatingIPs.compactMap(\.portID))
        let policies = try verb.qosPolicies(ofNetworks: Set(floatingIPs.map(\.floatingNetworkID)))
        return floatingIPs.map { floating in
            var floating = floating
            floating.networkQoSPolicyID = policies[floating.floatingNetworkID]
            floating.portDetails = floating.portID.flatMap { ports[$0] }.map(PortDetails.init)
            return floating
        }
    }

    public static func notFound(_ id: String) -> APIError { .notFound("FloatingIPNotFound", "Floating IP \(id) could not be found") }
}

extension Verb {
    /// Ids that one statement names at most: databases bound the number of arguments.
    private static let maximumIDsPerStatement = 500

    fileprivate func ports(_ ids: [ResourceID]) throws -> [ResourceID: Port] {
        var ports: [ResourceID: Port] = [:]
        for start in stride(from: 0, to: ids.count, by: Self.maximumIDsPerStatement) {
            var query = ListQuery()
            query.filters = [.column("id", ids[start...].prefix(Self.maximumIDsPerStatement).map(\.columnValue))]
            for port in try transaction.list(Port.self, query) { ports[port.id] = port }
        }
        return ports
    }

    private static func checkNames(of floating: FloatingIP) throws(APIError) {
        guard floating.dnsDomain.isEmpty || !floating.dnsName.isEmpty else {
            throw .badFloatingIPRequest("dns_domain cannot be specified without a dns_name")
        }
        guard floating.dnsName.isEmpty || !floating.dnsDomain.isEmpty else {
            throw .badFloatingIPRequest("dns_name cannot be specified without a dns_domain")
        }
    }

    func createFloatingIP(_ request: ResourceRequest<FloatingIP>) throws -> FloatingIP {
        guard let networkID = try request.value("floating_network_id", as: ResourceID.self) else { throw Network.notFound("None") }
        let network = try visible(Network.self, networkID)
        guard network.isExternal else { throw APIError.badFloatingIPRequest("Network \(network.id) is not a valid external network") }
        let external = try subnets(of: network).filter { $0.prefix.version == .v4 }
        guard !external.isEmpty else { throw APIError.badFloatingIPRequest("Network \(network.id) does not contain any IPv4 subnet") }
        let projectID = try project(of: request)
        try checkQuota("floatingip", projectID)
        let id = newID()
        let port = try createFloatingPort(for: id, on: network, external, try FloatingIPTarget(request))
        guard let address = port.fixedIPs.first?.address else { throw APIError.externalIPAddressExhausted(network.id) }
        var floating = FloatingIP(
            id: id, projectID: projectID, floatingNetworkID: network.id, address: address, floatingPortID: port.id)
        try request.assign(to: &floating)
        floating.dnsName = try DNSNames.floatingName(request) ?? ""
        floating.dnsDomain = try DNSNames.domain(request) ?? ""
        try Self.checkNames(of: floating)
        try associate(&floating, request)
        try setQoSPolicy(of: &floating, request)
        open(&floating)
        try transaction.insert(floating)
        if let routerID = floating.routerID { try touch(Router.self, routerID) }
        return floating
    }

    func updateFloatingIP(_ current: FloatingIP, _ request: ResourceRequest<FloatingIP>) throws -> FloatingIP {
        var floating = current
        try request.assign(to: &floating)
        try associate(&floating, request)
        try setQoSPolicy(of: &floating, request)
        try save(&floating)
        // Both routers: the one that translated until now and the one that does from now on.
        for routerID in Set([current.routerID, floating.routerID].compactMap(\.self)) { try touch(Router.self, routerID) }
        return floating
    }

    func deleteFloatingIP(_ floating: FloatingIP) throws {
        guard floating.portForwardings.isEmpty else { throw APIError.floatingIPInUseByPortForwarding(floating.id) }
        try transaction.delete(FloatingIP.self, floating.id)
        if let port = try find(Port.self, floating.floatingPortID) { try dropPort(port) }
        if let routerID = floating.routerID { try touch(Router.self, routerID) }
    }

    /// Its port goes, or is given to another: the floating IP leads nowhere.
    func disassociate(_ current: FloatingIP) throws {
        var floating = current
        floating.portID = nil
        floating.fixedAddress = nil
        floating.routerID = nil
        floating.status = .down
        try save(&floating)
        if let routerID = current.routerID { try touch(Router.self, routerID) }
    }

    /// The port that keeps the address on the external network. It belongs to no project.
    private func createFloatingPort(
        for id: ResourceID, on network: Network, _ external: [Subnet], _ target: FloatingIPTarget
    ) throws -> Port {
        var port = Port(id: newID(), projectID: "", networkID: network.id, mac: try newMAC(on: network.id))
        port.deviceOwner = DeviceOwner.floatingIP
        port.deviceID = id.description
        port.isPortSecurityEnabled = false
        do {
            try insertPort(&port, on: network, external, target.address.map { [$0] })
        } catch let error as APIError where error.type == "IpAddressGenerationFailure" {
            throw APIError.externalIPAddressExhausted(network.id)
        }
        return port
    }

    private func setQoSPolicy(of floating: inout FloatingIP, _ request: ResourceRequest<FloatingIP>) throws {
        if let policy = try qosPolicy(request.value("qos_policy_id", as: ResourceID?.self)) { floating.qosPolicyID = policy }
    }

    // MARK: Association

    /// Carries out what the request says about the port: absent, nothing changes; null, the floating IP leads nowhere. So does one that a
    /// request says nothing of at all, as in Neutron.
    private func associate(_ floating: inout FloatingIP, _ request: ResourceRequest<FloatingIP>) throws {
        let portID = try request.givenNames.isEmpty ? .some(nil) : request.value("port_id", as: ResourceID?.self)
        let fixedAddress = try request.value("fixed_ip_address", as: IPAddress?.self) ?? nil
        if fixedAddress != nil, (portID ?? nil) == nil {
            throw APIError.badFloatingIPRequest("fixed_ip_address cannot be specified without a port_id")
        }
        guard let portID else { return }
        guard let portID else {
            floating.portID = nil
            floating.fixedAddress = nil
            // Port forwardings keep it on their router.
            guard floating.portForwardings.isEmpty else { return }
            floating.routerID = nil
            floating.status = .down
            return
        }
        guard floating.portForwardings.isEmpty else { throw APIError.floatingIPInUseByPortForwarding(floating.id) }
        let port = try visible(Port.self, portID)
        let fixed = try internalAddress(of: port, fixedAddress, floating)
        try refuseSecond(floating, port, fixed.address)
        floating.routerID = try router(from: fixed, of: port, to: floating.floatingNetworkID)
        floating.portID = port.id
        floating.fixedAddress = fixed.address
        floating.status = .active
    }

    private func internalAddress(of port: Port, _ wanted: IPAddress?, _ floating: FloatingIP) throws -> FixedIP {
        guard port.projectID == floating.projectID || caller.isAdmin else {
            throw APIError.badFloatingIPRequest(
                "Cannot process floating IP association with Port \(port.id), since that port is owned by a different project")
        }
        if let wanted {
            guard wanted.version == .v4 else {
                throw APIError.badFloatingIPRequest(
                    "Cannot process floating IP association with \(wanted), since that is not an IPv4 address")
            }
            guard let fixed = port.fixedIPs.first(where: { $0.address == wanted }) else {
                throw APIError.badFloatingIPRequest("Port \(port.id) does not have fixed ip \(wanted)")
            }
            return fixed
        }
        let candidates = port.fixedIPs.filter { $0.address.version == .v4 }
        guard let fixed = candidates.first else {
            throw APIError.badFloatingIPRequest("Cannot add floating IP to port \(port.id) that has no fixed IPv4 addresses")
        }
        guard candidates.count == 1 else {
            throw APIError.badFloatingIPRequest(
                "Port \(port.id) has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address when assigning a floating IP")
        }
        return fixed
    }

    private func refuseSecond(_ floating: FloatingIP, _ port: Port, _ address: IPAddress) throws {
        let other = try list(FloatingIP.self, where: "port_id", port.id).contains {
            $0.id != floating.id && $0.fixedAddress == address && $0.floatingNetworkID == floating.floatingNetworkID
        }
        guard !other else { throw APIError.floatingIPPortAlreadyAssociated(floating, port.id, address) }
    }

    /// The router between the port's subnet and the external network: the one that has the subnet's gateway address, else any.
    func router(from fixed: FixedIP, of port: Port, to externalNetworkID: ResourceID) throws -> ResourceID {
        let subnet = try existing(Subnet.self, fixed.subnetID)
        let interfaces = try transaction.rows(
            "SELECT r.router_id, a.ip_address FROM router_ports r JOIN ip_allocations a ON a.port_id = r.port_id WHERE a.subnet_id = ? "
                + "AND r.port_type <> ? ORDER BY r.router_id",
            [subnet.id.columnValue, .text(DeviceOwner.routerGateway)])
        var first: ResourceID?
        for row in interfaces {
            guard let routerID = row[0].id, let router = try find(Router.self, routerID),
                router.gateways.contains(where: { $0.networkID == externalNetworkID })
            else { continue }
            if row[1].text == subnet.gatewayAddress?.description { return routerID }
            first = first ?? routerID
        }
        guard let first else { throw APIError.externalGatewayForFloatingIPNotFound(subnet.id, externalNetworkID, port.id) }
        return first
    }
}

/// Which floating address a request asks for.
private struct FloatingIPTarget {
    /// Nil: any.
    var address: AddressRequest?

    init(_ request: ResourceRequest<FloatingIP>) throws(APIError) {
        let subnetID = try request.value("subnet_id", as: ResourceID?.self) ?? nil
        let wanted = try request.value("floating_ip_address", as: IPAddress?.self) ?? nil
        guard subnetID != nil || wanted != nil else { return }
        address = AddressRequest(subnetID: subnetID, address: wanted)
    }
}
