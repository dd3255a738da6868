import APISchema
import Addressing
import NetworkModel
import Store

// Port forwardings. The floating IP's row repeats them and names their router, so each of them is a change of the floating IP; the revision number
// of the port that they lead to follows them too, as in Neutron.

extension PortForwarding: ChildResource {
    public typealias Parent = FloatingIP
    public static let parentColumn = "floatingip_id"
    public var parentID: ResourceID { floatingIPID }

    public static func create(
        _ request: ResourceRequest<PortForwarding>, under parent: FloatingIP, in verb: Verb
    ) throws -> PortForwarding {
        try verb.createPortForwarding(request, parent)
    }
    public static func update(
        _ forwarding: PortForwarding, _ request: ResourceRequest<PortForwarding>, in verb: Verb
    ) throws -> PortForwarding {
        try verb.updatePortForwarding(forwarding, request)
    }
    public static func delete(_ forwarding: PortForwarding, in verb: Verb) throws {
        try verb.deletePortForwarding(forwarding)
        try verb.touch(Port.self, forwarding.internalPortID)
    }

    public static func notFound(_ id: String) -> APIError {
        .notFound("PortForwardingNotFound", "Port Forwarding \(id) could not be found.")
    }
}

extension Verb {
    func createPortForwarding(_ request: ResourceRequest<PortForwarding>, _ floating: FloatingIP) throws -> PortForwarding {
        guard let external = try Self.externalPorts(request), let internalPorts = try Self.internalPorts(request),
            let portID = try request.value("internal_port_id", as: ResourceID.self),
            let address = try request.value("internal_ip_address", as: IPAddress.self),
            let networkProtocol = try request.value("protocol", as: String.self)
        else {
            let missing = try Self.externalPorts(request) == nil ? "external_port" : "internal_port"
            throw APIError.badRequest("Failed to parse request. Required attribute '\(missing)' not specified")
        }
        var forwarding = PortForwarding(
            id: newID(), floatingIPID: floating.id, networkProtocol: networkProtocol, externalPorts: external, internalPortID: portID,
            internalAddress: address, internalPorts: internalPorts)
        forwarding.description = try request.value("description", as: String.self) ?? ""
        // First of all: the other refusals tell what the port has.
        _ = try visible(Port.self, portID)
        try checkRanges(of: forwarding)
        try refuseCollision(of: forwarding, "internal_port_range", \.internalPorts)
        try refuseCollision(of: forwarding, "external_port_range", \.externalPorts)
        try refuseFloatingPort(portID, address)
        guard floating.portID == nil else { throw APIError.floatingIPPortAlreadyAssociated(floating, portID, address) }
        let routerID = try router(for: forwarding, floating)
        try checkRouter(routerID, forwarding, floating)
        try transaction.insert(forwarding)
        var changed = floating
        changed.routerID = routerID
        changed.status = .active
        changed.portForwardings.append(FloatingIP.Forwarding(forwarding))
        try saveForwardings(of: &changed)
        try touch(Port.self, portID)
        return forwarding
    }

    func updatePortForwarding(_ current: PortForwarding, _ request: ResourceRequest<PortForwarding>) throws -> PortForwarding {
        var floating = try existing(FloatingIP.self, current.floatingIPID)
        var forwarding = current
        try request.assign(to: &forwarding)
        if let ports = try Self.externalPorts(request) { forwarding.externalPorts = ports }
        if let ports = try Self.internalPorts(request) { forwarding.internalPorts = ports }
        if forwarding.internalPortID != current.internalPortID { _ = try visible(Port.self, forwarding.internalPortID) }
        if request.contains("internal_port_id") { try refuseFloatingPort(forwarding.internalPortID, forwarding.internalAddress) }
        if forwarding.internalPortID != current.internalPortID {
            if !request.contains("internal_ip_address") {
                forwarding.internalAddress = try firstAddress(of: visible(Port.self, forwarding.internalPortID))
            }
        }
        try checkAddress(of: forwarding)
        if forwarding.internalPortID != current.internalPortID || forwarding.internalAddress != current.internalAddress {
            try checkRouter(router(for: forwarding, floating), forwarding, floating)
        }
        try checkRanges(of: forwarding)
        try refuseCollision(of: forwarding, "internal_port_range", \.internalPorts)
        try refuseCollision(of: forwarding, "external_port_range", \.externalPorts)
        try transaction.update(forwarding)
        floating.portForwardings = floating.portForwardings.map { $0.id == forwarding.id ? FloatingIP.Forwarding(forwarding) : $0 }
        try saveForwardings(of: &floating)
        for portID in Set([current.internalPortID, forwarding.internalPortID]) { try touch(Port.self, portID) }
        return forwarding
    }

    func deletePortForwarding(_ forwarding: PortForwarding) throws {
        try transaction.delete(PortForwarding.self, forwarding.id)
        var floating = try existing(FloatingIP.self, forwarding.floatingIPID)
        let routerID = floating.routerID
        floating.portForwardings.removeAll { $0.id == forwarding.id }
        if floating.portForwardings.isEmpty {
            floating.routerID = nil
            floating.status = .down
        }
        try save(&floating)
        if let routerID { try touch(Router.self, routerID) }
    }

    /// A port goes, or loses addresses: so do the forwardings to them.
    ///
    /// - Parameter kept: the addresses that the port keeps.
    func dropPortForwardings(to portID: ResourceID, keeping kept: [FixedIP] = []) throws {
        let ids = try transaction.rows("SELECT id FROM port_forwardings WHERE internal_port_id = ? ORDER BY id", [portID.columnValue])
        for id in ids.compactMap({ $0[0].id }) {
            guard let forwarding = try find(PortForwarding.self, id), !kept.contains(where: { $0.address == forwarding.internalAddress })
            else { continue }
            try deletePortForwarding(forwarding)
        }
    }

    private func saveForwardings(of floating: inout FloatingIP) throws {
        try save(&floating)
        if let routerID = floating.routerID { try touch(Router.self, routerID) }
    }

    // MARK: Ports

    /// Nil when the request says nothing of them. A range counts more than a single port.
    private static func externalPorts(_ request: ResourceRequest<PortForwarding>) throws -> PortRange? {
        try ports(request, "external_port_range", "external_port")
    }

    private static func internalPorts(_ request: ResourceRequest<PortForwarding>) throws -> PortRange? {
        try ports(request, "internal_port_range", "internal_port")
    }

    private static func ports(_ request: ResourceRequest<PortForwarding>, _ range: String, _ single: String) throws -> PortRange? {
        if let ports = try request.value(range, as: PortRange?.self) ?? nil { return ports }
        guard let port = try request.value(single, as: Int?.self) ?? nil else { return nil }
        return PortRange(port, port)
    }

    private func checkRanges(of forwarding: PortForwarding) throws {
        guard forwarding.internalPorts.count == 1 || forwarding.internalPorts.count == forwarding.externalPorts.count else {
            throw APIError.badPortForwardingRequest(
                "Invalid ranges of internal and/or external ports. The relation between internal and external ports must be N-N or 1-N")
        }
    }

    /// Two forwardings of one protocol neither take the same port of a floating IP nor lead to the same port of an address.
    private func refuseCollision(
        of forwarding: PortForwarding, _ name: String, _ ports: KeyPath<PortForwarding, PortRange>
    ) throws {
        let isExternal = name.hasPrefix("external")
        let others =
            isExternal
            ? try list(PortForwarding.self, where: "floatingip_id", forwarding.floatingIPID)
            : try list(PortForwarding.self, where: "internal_port_id", forwarding.internalPortID)
                .filter { $0.internalAddress == forwarding.internalAddress }
        for other in others where other.id != forwarding.id && other.networkProtocol == forwarding.networkProtocol {
            guard other[keyPath: ports].overlaps(forwarding[keyPath: ports]) else { continue }
            throw APIError.badPortForwardingRequest(
                "There is a port collision with the \(name). The following ranges collides: \(other[keyPath: ports]) and "
                    + "\(forwarding[keyPath: ports])")
        }
    }

    // MARK: The internal port

    /// A port that has a floating IP as a whole is not shared out.
    private func refuseFloatingPort(_ portID: ResourceID, _ address: IPAddress) throws {
        guard let floating = try list(FloatingIP.self, where: "port_id", portID).first else { return }
        throw APIError.conflict(
            "PortHasBindingFloatingIP",
            "Cannot create port forwarding to floating IP \(floating.address) (\(floating.id)) with port \(portID) using fixed IP "
                + "\(address), as that port already has a binding floating IP.")
    }

    private func firstAddress(of port: Port) throws -> IPAddress {
        guard let address = port.fixedIPs.first(where: { $0.address.version == .v4 })?.address else {
            throw APIError.badPortForwardingRequest("Requested internal port \(port.id) must allocate an IPv4 address at least.")
        }
        return address
    }

    private func checkAddress(of forwarding: PortForwarding) throws {
        let port = try existing(Port.self, forwarding.internalPortID)
        guard port.fixedIPs.contains(where: { $0.address == forwarding.internalAddress }) else {
            throw APIError.badPortForwardingRequest(
                "The internal IP does not correspond to an address on the internal port, which has fixed_ips "
                    + Self.text(of: port.fixedIPs))
        }
    }

    /// The router between the internal address and the external network.
    private func router(for forwarding: PortForwarding, _ floating: FloatingIP) throws -> ResourceID {
        let port = try visible(Port.self, forwarding.internalPortID)
        _ = try firstAddress(of: port)
        let candidates = port.fixedIPs.filter { $0.address.version == .v4 }
        guard let fixed = candidates.first(where: { $0.address == forwarding.internalAddress }) else {
            throw APIError.badPortForwardingRequest(
                "Requested internal IP address \(forwarding.internalAddress) is not suitable for internal neutron port \(port.id), as its "
                    + "fixed_ips are \(Self.text(of: candidates))")
        }
        do {
            return try router(from: fixed, of: port, to: floating.floatingNetworkID)
        } catch let error as APIError where error.type == "ExternalGatewayForFloatingIPNotFound" {
            throw APIError.badPortForwardingRequest(
                "External network \(floating.floatingNetworkID) is not reachable from subnet \(fixed.subnetID). Cannot set Port forwarding "
                    + "for port \(port.id) with Floating IP \(floating.id)")
        }
    }

    /// One floating IP is on one router.
    private func checkRouter(_ routerID: ResourceID, _ forwarding: PortForwarding, _ floating: FloatingIP) throws {
        guard let taken = floating.routerID, taken != routerID else { return }
        throw APIError.badPortForwardingRequest(
            "The Floating IP \(floating.id) had been set on router \(taken), the internal Neutron port \(forwarding.internalPortID) can not "
                + "reach it")
    }

    /// As Python prints the list.
    private static func text(of fixedIPs: [FixedIP]) -> String {
        JSONValue.array(
            fixedIPs.map { ["subnet_id": .string($0.subnetID.description), "ip_address": .string($0.address.description)] }
        ).pythonText
    }
}

extension APIError {
    static func badPortForwardingRequest(_ message: String) -> APIError { .badRequest("port_forwarding", message) }

    static func floatingIPInUseByPortForwarding(_ id: ResourceID) -> APIError {
        conflict("FipInUseByPortForwarding", "Floating IP \(id) in use by Port Forwarding resources.")
    }
}
