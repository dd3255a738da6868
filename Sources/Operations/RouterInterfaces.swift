import APISchema
import AccessPolicy
import NetworkModel

/// What `add_router_interface` and `remove_router_interface` answer.
public struct RouterInterface: Sendable, Hashable {
    public var routerID: ResourceID
    /// The project of the port.
    public var projectID: String
    public var portID: ResourceID
    public var networkID: ResourceID
    public var subnetIDs: [ResourceID]

    /// The whole body.
    public func write(to writer: inout JSONWriter) {
        writer.object {
            $0.key("id")
            routerID.write(to: &$0)
            for name in ["project_id", "tenant_id"] {
                $0.key(name)
                $0.string(projectID)
            }
            $0.key("port_id")
            portID.write(to: &$0)
            $0.key("network_id")
            networkID.write(to: &$0)
            // Older than several prefixes on one port; clients still read it.
            $0.key("subnet_id")
            subnetIDs.last.write(to: &$0)
            $0.key("subnet_ids")
            subnetIDs.write(to: &$0)
            $0.key("tags")
            $0.array { _ in }
        }
    }
}

extension Operations {
    /// `PUT /routers/{id}/add_router_interface` with `subnet_id` or `port_id`.
    public func addRouterInterface(
        _ routerID: String, body: [String: JSONValue], ifMatch: RevisionConstraint? = nil, caller: Caller
    ) async throws -> RouterInterface {
        let target = try RouterInterfaceTarget(body, isRemoval: false)
        return try await write(caller) { verb in try verb.addInterface(to: routerID, target, ifMatch: ifMatch) }
    }

    /// `PUT /routers/{id}/remove_router_interface` with `subnet_id`, `port_id` or both.
    public func removeRouterInterface(
        _ routerID: String, body: [String: JSONValue], ifMatch: RevisionConstraint? = nil, caller: Caller
    ) async throws -> RouterInterface {
        let target = try RouterInterfaceTarget(body, isRemoval: true)
        return try await write(caller) { verb in try verb.removeInterface(from: routerID, target, ifMatch: ifMatch) }
    }
}

/// Which interface is meant.
struct RouterInterfaceTarget: Sendable {
    var subnetID: ResourceID?
    var portID: ResourceID?

    init(_ body: [String: JSONValue], isRemoval: Bool) throws(APIError) {
        guard body["subnet_id"] != nil || body["port_id"] != nil else {
            throw .badRouterRequest("Either subnet_id or port_id must be specified")
        }
        portID = try Self.id(body["port_id"])
        subnetID = try Self.id(body["subnet_id"])
        guard isRemoval || portID == nil || subnetID == nil else { throw .badRouterRequest("Cannot specify both subnet-id and port-id") }
    }

    private static func id(_ json: JSONValue?) throws(APIError) -> ResourceID? {
        guard let json else { return nil }
        do throws(InvalidValue) { return try ResourceID(json: json) } catch { throw .badRouterRequest(error.reason) }
    }
}

extension Verb {
    func addInterface(
        to routerID: String, _ target: RouterInterfaceTarget, ifMatch: RevisionConstraint? = nil
    ) throws -> RouterInterface {
        var router = try authorized(Router.self, routerID, to: "add_router_interface", ifMatch: ifMatch)
        let (port, subnetIDs) =
            if let portID = target.portID { try attachPort(portID, to: router) } else if let subnetID = target.subnetID {
                try attachSubnet(subnetID, to: router)
            } else { throw APIError.badRouterRequest("Either subnet_id or port_id must be specified") }
        try scheduleRouter(router)
        try save(&router)
        return RouterInterface(
            routerID: router.id, projectID: port.projectID, portID: port.id, networkID: port.networkID, subnetIDs: subnetIDs)
    }

    func removeInterface(
        from routerID: String, _ target: RouterInterfaceTarget, ifMatch: RevisionConstraint? = nil
    ) throws -> RouterInterface {
        var router = try authorized(Router.self, routerID, to: "remove_router_interface", ifMatch: ifMatch)
        let interfaces = try routerPorts(of: router.id).filter { DeviceOwner.isRouterInterface($0.deviceOwner) }
        let (port, subnetIDs) =
            if let portID = target.portID {
                try detachPort(portID, target.subnetID, interfaces, router)
            } else if let subnetID = target.subnetID {
                try detachSubnet(subnetID, interfaces, router)
            } else { throw APIError.badRouterRequest("Either subnet_id or port_id must be specified") }
        try save(&router)
        return RouterInterface(
            routerID: router.id, projectID: port.projectID, portID: port.id, networkID: port.networkID, subnetIDs: subnetIDs)
    }

    // MARK: Adding

    /// A new port with the subnet's gateway address; a further IPv6 prefix of a network goes to the port that is there.
    private func attachSubnet(_ subnetID: ResourceID, to router: Router) throws -> (Port, [ResourceID]) {
        let subnet = try visible(Subnet.self, subnetID)
        guard let gateway = subnet.gatewayAddress else {
            throw APIError.badRouterRequest("Subnet for router interface must have a gateway IP")
        }
        let network = try existing(Network.self, subnet.networkID)
        if !caller.isAdmin, subnet.projectID != caller.projectID {
            throw APIError.badRouterRequest(
                "Cannot add interface to router because subnet \(subnet.id) is not owned by project making the request")
        }
        try checkAnnouncements(on: subnet)
        try checkSubnets([subnet], for: router)
        let address = AddressRequest(subnetID: subnet.id, address: gateway)
        if subnet.prefix.version == .v6, var port = try ipv6Port(of: router, on: network.id) {
            try allocateAddresses(for: &port, in: [subnet], [address])
            try save(&port)
            return (port, [subnet.id])
        }
        var port = Port(id: newID(), projectID: router.projectID, networkID: network.id, mac: try newMAC(on: network.id))
        try checkQuota("port", port.projectID)
        port.deviceOwner = router.interfaceOwner
        port.deviceID = router.id.description
        port.isPortSecurityEnabled = false
        port.hostID = try activeHost(of: router) ?? ""
        try insertPort(&port, on: network, [subnet], [address])
        try insertRouterPort(port, of: router.id)
        return (port, [subnet.id])
    }

    /// A port that is there becomes the router's.
    private func attachPort(_ portID: ResourceID, to router: Router) throws -> (Port, [ResourceID]) {
        var port = try visible(Port.self, portID)
        guard port.deviceID.isEmpty else { throw APIError.portInUse(port) }
        guard !port.fixedIPs.isEmpty else { throw APIError.badRouterRequest("Router port must have at least one fixed IP") }
        let subnets = try port.fixedIPs.map { try existing(Subnet.self, $0.subnetID) }
        for subnet in subnets { try checkAnnouncements(on: subnet) }
        if subnets.contains(where: { $0.prefix.version == .v6 }), let other = try ipv6Port(of: router, on: port.networkID) {
            throw APIError.badRouterRequest(
                "Router already contains IPv6 port \(other.id) belonging to network id \(other.networkID). Only one IPv6 port from the same "
                    + "network subnet can be connected to a router.")
        }
        try checkSubnets(subnets, for: router)
        guard subnets.count(where: { $0.prefix.version == .v4 }) <= 1 else {
            throw APIError.badRouterRequest("Cannot have multiple IPv4 subnets on router port")
        }
        port.deviceID = router.id.description
        port.deviceOwner = router.interfaceOwner
        port.hostID = try activeHost(of: router) ?? ""
        try bind(&port, on: try existing(Network.self, port.networkID))
        try block(&port, isNew: false)
        try save(&port)
        try insertRouterPort(port, of: router.id)
        return (port, subnets.map(\.id))
    }

    /// A subnet whose router announcements come from elsewhere cannot have a router of ours.
    private func checkAnnouncements(on subnet: Subnet) throws(APIError) {
        guard subnet.prefix.version == .v6, subnet.ipv6RouterAdvertisementMode == nil, subnet.ipv6AddressMode != nil else { return }
        throw .badRouterRequest(
            "IPv6 subnet \(subnet.id) configured to receive RAs from an external router cannot be added to Neutron Router.")
    }

    private func ipv6Port(of router: Router, on networkID: ResourceID) throws -> Port? {
        try routerPorts(of: router.id).first {
            DeviceOwner.isRouterInterface($0.deviceOwner) && $0.networkID == networkID && $0.fixedIPs.contains { $0.address.version == .v6 }
        }
    }

    // MARK: Removing

    private func detachPort(
        _ portID: ResourceID, _ subnetID: ResourceID?, _ interfaces: [Port], _ router: Router
    ) throws -> (Port, [ResourceID]) {
        guard let port = interfaces.first(where: { $0.id == portID }) else {
            throw APIError.routerInterfaceNotFound(router.id, portID: portID)
        }
        let subnetIDs = port.fixedIPs.map(\.subnetID)
        if let subnetID, !subnetIDs.contains(subnetID) { throw APIError.subnetMismatchForPort(port.id, subnetID: subnetID) }
        for id in subnetIDs { try refuseNeeded(try existing(Subnet.self, id), router) }
        try dropPort(port)
        return (port, subnetIDs)
    }

    private func detachSubnet(_ subnetID: ResourceID, _ interfaces: [Port], _ router: Router) throws -> (Port, [ResourceID]) {
        let subnet = try visible(Subnet.self, subnetID)
        guard var port = interfaces.first(where: { $0.fixedIPs.contains { $0.subnetID == subnetID } }) else {
            throw APIError.routerInterfaceNotFound(router.id, subnetID: subnetID)
        }
        try refuseNeeded(subnet, router)
        if port.fixedIPs.allSatisfy({ $0.subnetID == subnetID }) {
            try dropPort(port)
        } else {
            for fixed in port.fixedIPs where fixed.subnetID == subnetID { try release(fixed) }
            port.fixedIPs.removeAll { $0.subnetID == subnetID }
            try save(&port)
        }
        return (port, [subnetID])
    }

    /// Floating IPs and routes need the interface.
    private func refuseNeeded(_ subnet: Subnet, _ router: Router) throws {
        for floating in try list(FloatingIP.self, where: "router_id", router.id) {
            if floating.portForwardings.contains(where: { subnet.prefix.contains($0.internalAddress) }) {
                throw APIError.routerInterfaceInUseByFloatingIP(router.id, subnetID: subnet.id)
            }
            guard let fixed = floating.fixedAddress, subnet.prefix.contains(fixed), let portID = floating.portID,
                try existing(Port.self, portID).fixedIPs.contains(where: { $0.subnetID == subnet.id })
            else { continue }
            throw APIError.routerInterfaceInUseByFloatingIP(router.id, subnetID: subnet.id)
        }
        guard !isNeededByRoute(subnet, router) else { throw APIError.routerInterfaceInUseByRoute(router.id, subnetID: subnet.id) }
    }
}
