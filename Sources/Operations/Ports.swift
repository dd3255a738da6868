import APISchema
import AccessPolicy
import Addressing
import NetworkModel
import Store

extension Port: ManagedResource {
    public static func create(_ request: ResourceRequest<Port>, in verb: Verb) throws -> Port { try verb.createPort(request) }
    public static func update(_ port: Port, _ request: ResourceRequest<Port>, in verb: Verb) throws -> Port {
        try verb.updatePort(port, request)
    }
    public static func delete(_ port: Port, in verb: Verb) throws { try verb.deletePort(port) }

    public static var policyParents: [PolicyParent] { [PolicyParent("network", column: "network_id", Network.self)] }

    public static func withComputed(_ ports: [Port], in verb: Verb) throws -> [Port] {
        let policies = try verb.qosPolicies(ofNetworks: Set(ports.map(\.networkID)))
        return ports.map { port in
            var shown = port
            shown.defaultDomain = verb.settings.dnsDomain
            shown.networkQoSPolicyID = policies[port.networkID]
            return shown
        }
    }
}

extension Verb {
    /// Random MAC addresses that are tried before the network counts as full.
    private static let maximumMACTries = 16
    /// The vendor part of the MAC addresses that the server makes.
    private static let macBase: UInt64 = 0xFA16_3E00_0000

    func createPort(_ request: ResourceRequest<Port>) throws -> Port {
        guard let networkID = try request.value("network_id", as: ResourceID.self) else { throw Network.notFound("None") }
        let network = try visible(Network.self, networkID)
        let attributes = PortRequest(request: request)
        var port = Port(id: newID(), projectID: try project(of: request), networkID: network.id, mac: .zero)
        try request.assign(to: &port)
        try checkQuota("port", port.projectID)
        port.mac = try chosenMAC(request, on: network.id) ?? newMAC(on: network.id)
        try refuseForeignRouter(port)
        try protect(&port, attributes, network)
        try setNames(of: &port, attributes)
        port.qosPolicyID = try qosPolicy(request.value("qos_policy_id", as: ResourceID?.self)) ?? nil
        try refuseUnsupportedRules(of: port, network: network.qosPolicyID)
        if request["fixed_ips"]?.arrayValue?.isEmpty == true { port.addressAllocation = .none }
        port.bindingProfile = try attributes.bindingProfile() ?? "{}"
        port.hostID = try attributes.hostID() ?? ""
        let subnets = try subnets(of: network)
        var addresses = try attributes.fixedIPs()
        if waitsForHost(port, subnets, addresses) { (port.addressAllocation, addresses) = (.deferred, []) }
        try checkSingleSegment(addresses ?? [], of: port, in: subnets)
        try insertPort(&port, on: network, subnets, addresses)
        return port
    }

    /// The part of creation that all ports share: addresses, binding, row, groups.
    func insertPort(_ port: inout Port, on network: Network, _ subnets: [Subnet], _ addresses: [AddressRequest]?) throws {
        try allocateAddresses(for: &port, in: subnets, addresses)
        try bind(&port, on: network)
        try block(&port, isNew: true)
        open(&port)
        try transaction.insert(port)
        try writeGroups(of: port)
    }

    func updatePort(_ current: Port, _ request: ResourceRequest<Port>) throws -> Port {
        let network = try existing(Network.self, current.networkID)
        let attributes = PortRequest(request: request)
        var port = current
        try request.assign(to: &port)
        if port.deviceOwner != current.deviceOwner || port.deviceID != current.deviceID { try refuseForeignRouter(port) }
        if let mac = try chosenMAC(request, on: network.id, current: current) { port.mac = mac }
        try protect(&port, attributes, network, current: current)
        try setNames(of: &port, attributes)
        if let policy = try qosPolicy(request.value("qos_policy_id", as: ResourceID?.self), insteadOf: current.qosPolicyID) {
            port.qosPolicyID = policy
        }
        if port.qosPolicyID != current.qosPolicyID || port.vnicType != current.vnicType {
            try refuseUnsupportedRules(of: port, network: network.qosPolicyID)
        }
        if let profile = try attributes.bindingProfile() { port.bindingProfile = profile }
        if let hostID = try attributes.hostID() { port.hostID = hostID }
        let addresses = try attributes.fixedIPs()
        if let addresses {
            let subnets = try subnets(of: network)
            try checkSingleSegment(addresses, of: port, in: subnets)
            try readdress(&port, subnets, addresses)
        }
        if port.hostID != current.hostID { try settleAddresses(of: &port, was: current, subnets(of: network), isAsked: addresses != nil) }
        let isRebound = port.hostID != current.hostID || port.vnicType != current.vnicType
        // A port has one binding to a host at most, and none once nobody binds it.
        port.inactiveBindings.removeAll { $0.hostID == port.hostID || port.hostID.isEmpty }
        if isRebound { try bind(&port, on: network) }
        if isRebound || port.isAdminStateUp != current.isAdminStateUp { try block(&port, isNew: false) }
        try save(&port)
        if port.securityGroupIDs != current.securityGroupIDs {
            try transaction.execute("DELETE FROM port_security_groups WHERE port_id = ?", [port.id.columnValue])
            try writeGroups(of: port)
        }
        if DeviceOwner.isRouterInterface(port.deviceOwner), let routerID = ResourceID(port.deviceID) { try touch(Router.self, routerID) }
        try showGatewayAddresses(of: port, was: current)
        return port
    }

    /// A router's row repeats the addresses of its gateways' ports.
    func showGatewayAddresses(of port: Port, was current: Port) throws {
        guard port.deviceOwner == DeviceOwner.routerGateway, port.fixedIPs != current.fixedIPs, let routerID = ResourceID(port.deviceID),
            var router = try find(Router.self, routerID), let index = router.gateways.firstIndex(where: { $0.portID == port.id })
        else { return }
        router.gateways[index].fixedIPs = port.fixedIPs
        try save(&router)
    }

    func deletePort(_ port: Port) throws {
        let isRouters =
            DeviceOwner.isRouterInterface(port.deviceOwner)
            || [DeviceOwner.routerGateway, DeviceOwner.haInterface].contains(port.deviceOwner)
        let holder = ResourceID(port.deviceID)
        if isRouters, let holder, try find(Router.self, holder) != nil { throw APIError.servicePortInUse(port) }
        // The port that a floating IP keeps its address with, and none that only says so: its refusal would tell that there is such a floating IP.
        if port.deviceOwner == DeviceOwner.floatingIP, let holder, try find(FloatingIP.self, holder)?.floatingPortID == port.id {
            throw APIError.servicePortInUse(port)
        }
        for floating in try list(FloatingIP.self, where: "port_id", port.id) { try disassociate(floating) }
        try dropPort(port)
        // The service of a network does not end with its port: it gets a new one.
        if port.deviceOwner == DeviceOwner.dhcp { try serveDHCP(on: try existing(Network.self, port.networkID)) }
    }

    /// Deletes the port with its addresses, without asking who uses it.
    func dropPort(_ port: Port) throws {
        try dropPortForwardings(to: port.id)
        for fixed in port.fixedIPs { try release(fixed) }
        try transaction.execute("DELETE FROM port_security_groups WHERE port_id = ?", [port.id.columnValue])
        try transaction.delete(Port.self, port.id)
    }

    // MARK: MAC addresses

    /// A random MAC address that no port of the network has.
    func newMAC(on networkID: ResourceID) throws -> MACAddress {
        var generator = random
        for _ in 0..<Self.maximumMACTries {
            let mac = MACAddress(rawValue: Self.macBase | generator.next() & 0xFF_FFFF)
            if try !isUsed(mac, on: networkID) { return mac }
        }
        throw APIError.macAddressGenerationFailure(networkID)
    }

    /// The MAC address that the request names, checked; nil when it names none or the port's own.
    private func chosenMAC(_ request: ResourceRequest<Port>, on networkID: ResourceID, current: Port? = nil) throws -> MACAddress? {
        guard let given = try request.value("mac_address", as: MACAddress?.self) else { return nil }
        // Null asks for a new one.
        guard let mac = try given ?? (current == nil ? nil : newMAC(on: networkID)), mac != current?.mac else { return nil }
        if let current, !current.hostID.isEmpty, current.vifType == Self.bridgeVIFType { throw APIError.portBound(current, newMAC: mac) }
        guard try !isUsed(mac, on: networkID) else { throw APIError.macAddressInUse(mac, networkID) }
        return mac
    }

    private func isUsed(_ mac: MACAddress, on networkID: ResourceID) throws -> Bool {
        try !transaction.rows(
            "SELECT 1 FROM ports WHERE network_id = ? AND mac_address = ?", [networkID.columnValue, mac.columnValue]
        ).isEmpty
    }

    // MARK: Names and options

    private func setNames(of port: inout Port, _ attributes: PortRequest) throws {
        if let name = try DNSNames.portName(attributes.request, in: settings.dnsDomain) { port.dnsName = name }
        if let domain = try DNSNames.domain(attributes.request) { port.dnsDomain = domain }
        if let options = try attributes.dhcpOptions(current: port.extraDHCPOptions) { port.extraDHCPOptions = options }
        if let hints = attributes.hints() { port.hints = hints }
    }

    /// A port that says that it is a router's, whether its interface, its gateway or its HA port, names a router of its own project. An id of
    /// nothing is refused as one of another project's router is: else the answer would tell which there are.
    private func refuseForeignRouter(_ port: Port) throws {
        guard !caller.isAdmin, DeviceOwner.isRouterOwned(port.deviceOwner), let id = ResourceID(port.deviceID),
            try find(Router.self, id)?.projectID != port.projectID
        else { return }
        throw APIError.deviceIDNotOwned(port.deviceID)
    }

    // MARK: Addresses

    /// Exchanges the addresses of a port for those that the request names. What it has and still asks for stays.
    func readdress(_ port: inout Port, _ subnets: [Subnet], _ wanted: [AddressRequest]) throws {
        var kept: [FixedIP] = []
        var open: [AddressRequest] = []
        var spare = port.fixedIPs
        for request in wanted.sorted(by: { $0.address != nil && $1.address == nil }) {
            let match = spare.firstIndex { fixed in
                (request.address == nil || fixed.address == request.address)
                    && (request.subnetID == nil || fixed.subnetID == request.subnetID)
                    && (request.address != nil || request.subnetID != nil)
            }
            if let match { kept.append(spare.remove(at: match)) } else { open.append(request) }
        }
        for floating in try list(FloatingIP.self, where: "port_id", port.id)
        where spare.contains(where: { $0.address == floating.fixedAddress }) {
            throw APIError.badRequest(
                "port",
                "Cannot update the fixed_ips of the port \(port.id), because its original fixed_ip has been associated to a floating ip")
        }
        for fixed in spare { try release(fixed) }
        port.fixedIPs = kept
        try allocateAddresses(for: &port, in: subnets, open)
        if !spare.isEmpty { try dropPortForwardings(to: port.id, keeping: port.fixedIPs) }
    }

    // MARK: Security

    /// Port security, groups and address pairs: they decide over each other.
    private func protect(_ port: inout Port, _ attributes: PortRequest, _ network: Network, current: Port? = nil) throws {
        let groups = try attributes.securityGroupIDs()
        let pairs = try attributes.addressPairs(mac: port.mac, maximum: settings.maximumAddressPairs)
        // What the network itself made is trusted: no groups, no filter.
        let isTrusted = DeviceOwner.isNetworkOwned(port.deviceOwner)
        let asked = try attributes.request.value("port_security_enabled", as: Bool.self)
        port.isPortSecurityEnabled =
            !isTrusted && (asked ?? current?.isPortSecurityEnabled ?? (network.isPortSecurityEnabled || groups?.isEmpty == false))
        if let groups {
            guard groups.isEmpty || port.isPortSecurityEnabled || isTrusted else { throw APIError.portSecurityRequiredForSecurityGroups }
            port.securityGroupIDs = isTrusted ? [] : try usableGroups(groups, by: port.projectID)
        } else if current == nil, port.isPortSecurityEnabled {
            port.securityGroupIDs = [try defaultGroup(of: port.projectID)]
        }
        if let pairs { port.allowedAddressPairs = pairs }
        guard port.isPortSecurityEnabled else {
            guard port.securityGroupIDs.isEmpty else { throw APIError.portSecurityPortHasSecurityGroup }
            guard port.allowedAddressPairs.isEmpty else { throw APIError.addressPairAndPortSecurityRequired }
            return
        }
    }

    private func usableGroups(_ ids: [ResourceID], by projectID: String) throws -> [ResourceID] {
        let groups = try ids.map { id in
            guard let group = try find(SecurityGroup.self, id),
                try caller.isAdmin || group.projectID == projectID || isShared(id, with: projectID)
            else { throw SecurityGroup.notFound(id.description) }
            return group
        }
        guard Set(groups.map(\.isStateful)).count <= 1 else { throw APIError.mixedStatefulness }
        return ids
    }

    private func writeGroups(of port: Port) throws {
        for id in port.securityGroupIDs {
            _ = try transaction.insertIfAbsent(
                table: "port_security_groups", columns: ["port_id", "security_group_id"],
                values: [port.id.columnValue, id.columnValue])
        }
    }
}
