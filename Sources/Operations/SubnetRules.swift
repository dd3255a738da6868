import APISchema
import Addressing
import NetworkModel

/// What a subnet must fulfil, and what the server fills in. Pure.
enum SubnetRules {
    /// The prefix of a request: given, and of the family that `ip_version` says.
    static func prefix(of request: ResourceRequest<Subnet>) throws -> IPPrefix {
        guard let prefix = try request.value("cidr", as: IPPrefix?.self) ?? nil else {
            throw APIError.badRequest("subnets", "a subnetpool must be specified in the absence of a cidr")
        }
        try checkFamily(prefix.version, try version(of: request).rawValue, "cidr", prefix.description)
        guard prefix.length > 0 else { throw APIError.invalidInput("0 is not allowed as CIDR prefix length") }
        return prefix
    }

    static func version(of request: ResourceRequest<Subnet>) throws -> IPVersion {
        guard let number = try request.value("ip_version", as: Int.self), let version = IPVersion(rawValue: number) else {
            throw APIError.invalidAttribute("ip_version", "'\(request["ip_version"]?.pythonText ?? "None")' is not in [4, 6]")
        }
        return version
    }

    /// Beginnings of `device_owner` that a subnet can be for. Neutron means `compute:` by its last ones, and takes each letter of it for a
    /// beginning (neutron-lib, validate_subnet_service_types): so subnets for `manila:` or `octavia:` work, and people have them.
    private static let serviceOwners = ["network:", "neutron:"] + "compute:".map(String.init)

    /// Nil when absent; null is the empty list.
    static func serviceTypes(of request: ResourceRequest<Subnet>) throws(APIError) -> [String]? {
        guard let json = request["service_types"] else { return nil }
        guard !json.isNull else { return [] }
        guard let entries = json.arrayValue else { throw .badRequest("Subnet service types must be a list.") }
        guard entries.count <= AttributeType.maximumListCount else {
            throw .invalidAttribute("service_types", "the list has more than \(AttributeType.maximumListCount) items")
        }
        var types: [String] = []
        for entry in entries {
            guard let type = entry.stringValue else {
                throw .invalid("InvalidInputSubnetServiceType", "Subnet service type \(entry.pythonText) is not a string.")
            }
            guard serviceOwners.contains(where: type.hasPrefix), type.utf8.count <= 255 else {
                throw .invalid("InvalidSubnetServiceType", "Subnet service type \(type) does not correspond to a valid device owner.")
            }
            if !types.contains(type) { types.append(type) }
        }
        return types
    }

    /// What the request says (null: none). Else, as in Neutron, the address behind the first one, but the first one itself of an IPv6 prefix that the
    /// request names: it is that of all routers of the link anyway (RFC 4291, 2.6.1).
    static func gateway(of request: ResourceRequest<Subnet>, in prefix: IPPrefix) throws -> IPAddress? {
        if request.contains("gateway_ip") { return try request.value("gateway_ip", as: IPAddress?.self) ?? nil }
        guard prefix.length < prefix.version.addressBits else { return prefix.address }
        let isNamed = request["cidr"].map { !$0.isNull } ?? false
        return prefix.version == .v6 && isNamed ? prefix.address : prefix[1]
    }

    /// The checks that creation and change share.
    ///
    /// - Parameter formerRoutes: host routes before a change, which may be more than a request may give: some are the server's own.
    static func check(
        _ subnet: Subnet, gatewayWasGiven: Bool, wasDHCPEnabled: Bool, formerRoutes: [StaticRoute] = [], _ settings: ServerSettings
    ) throws(APIError) {
        let prefix = subnet.prefix
        if prefix.address.version == .v6, prefix.address.isUnspecified { throw .invalidInput("IPv6 subnet '::' is not supported") }
        if subnet.isDHCPEnabled, !wasDHCPEnabled { try checkDHCP(prefix) }
        if gatewayWasGiven, let gateway = subnet.gatewayAddress { try checkGateway(gateway, prefix) }
        try checkNameservers(subnet, settings)
        if subnet.hostRoutes != formerRoutes { try checkHostRoutes(subnet, settings) }
        try checkModes(subnet)
    }

    private static func checkDHCP(_ prefix: IPPrefix) throws(APIError) {
        guard prefix.length <= (prefix.version == .v4 ? 30 : 126) else {
            throw .invalidInput("Subnet has a prefix length that is incompatible with DHCP service enabled")
        }
        guard !prefix.address.isMulticast else { throw .invalidInput("Multicast IP subnet is not supported if enable_dhcp is True") }
        guard !prefix.address.isLoopback else { throw .invalidInput("Loopback IP subnet is not supported if enable_dhcp is True") }
        guard !prefix.address.isUnspecified else {
            throw .invalidInput("First IP '0.0.0.0' of network is not supported if enable_dhcp is True.")
        }
    }

    /// A gateway outside the prefix is allowed; inside it must be a host's address.
    private static func checkGateway(_ gateway: IPAddress, _ prefix: IPPrefix) throws(APIError) {
        try checkFamily(gateway.version, prefix.version.rawValue, "gateway_ip", gateway.description)
        guard prefix.contains(gateway), prefix.length < prefix.version.addressBits - 1 else { return }
        let isNetwork = prefix.version == .v4 && gateway == prefix.address
        let isBroadcast = prefix.version == .v4 && gateway == prefix.last
        guard !isNetwork, !isBroadcast else { throw .invalidInput("Gateway is not valid on subnet") }
    }

    private static func checkNameservers(_ subnet: Subnet, _ settings: ServerSettings) throws(APIError) {
        guard subnet.dnsNameservers.count <= settings.maximumDNSNameservers else {
            throw .invalid(
                "DNSNameServersExhausted",
                "Unable to complete operation for \(name(of: subnet)). The number of DNS nameservers exceeds the limit "
                    + "\(settings.maximumDNSNameservers).")
        }
        for address in subnet.dnsNameservers {
            try checkFamily(address.version, subnet.prefix.version.rawValue, "dns_nameserver", address.description)
        }
    }

    /// A subnet that is still being made has no identity that its maker could know.
    private static func name(of subnet: Subnet) -> String {
        subnet.standard.revisionNumber == 0 ? "new subnet" : subnet.id.description
    }

    private static func checkHostRoutes(_ subnet: Subnet, _ settings: ServerSettings) throws(APIError) {
        guard subnet.hostRoutes.count <= settings.maximumHostRoutes else {
            throw .invalid(
                "HostRoutesExhausted",
                "Unable to complete operation for \(name(of: subnet)). The number of host routes exceeds the limit "
                    + "\(settings.maximumHostRoutes).")
        }
        for route in subnet.hostRoutes {
            try checkFamily(route.nextHop.version, subnet.prefix.version.rawValue, "nexthop", route.nextHop.description)
            try checkFamily(route.destination.version, subnet.prefix.version.rawValue, "destination", route.destination.description)
        }
    }

    private static func checkModes(_ subnet: Subnet) throws(APIError) {
        let announced = subnet.ipv6RouterAdvertisementMode
        let addressing = subnet.ipv6AddressMode
        guard subnet.prefix.version == .v6 else {
            guard announced == nil else { throw .invalidInput("ipv6_ra_mode is not valid when ip_version is 4") }
            guard addressing == nil else { throw .invalidInput("ipv6_address_mode is not valid when ip_version is 4") }
            return
        }
        guard announced != nil || addressing != nil else { return }
        guard subnet.isDHCPEnabled else {
            throw .invalidInput("ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False")
        }
        if let announced, let addressing, announced != addressing {
            throw .invalidInput(
                "ipv6_ra_mode set to '\(announced)' with ipv6_address_mode set to '\(addressing)' is not valid. "
                    + "If both attributes are set, they must be the same value")
        }
        let automatic: Set<IPv6Mode?> = [.slaac, .stateless]
        if automatic.contains(announced) || automatic.contains(addressing), subnet.prefix.length != 64 {
            throw .invalidInput(
                "Invalid CIDR \(subnet.prefix) for IPv6 address mode. OpenStack uses the EUI-64 address format, which requires the prefix "
                    + "to be /64")
        }
    }

    // MARK: Pools

    /// What the request says, checked; else all host addresses but the gateway's.
    static func pools(of request: ResourceRequest<Subnet>, _ subnet: Subnet) throws -> [IPRange] {
        guard let given = request["allocation_pools"]?.arrayValue else {
            return defaultPools(subnet.prefix, without: subnet.gatewayAddress)
        }
        var pools: [IPRange] = []
        for json in given {
            guard let first = json["start"]?.stringValue.flatMap({ IPAddress($0) }),
                let last = json["end"]?.stringValue.flatMap({ IPAddress($0) }), let pool = IPRange(first, last),
                pool.version == subnet.prefix.version
            else {
                let (start, end) = (json["start"] ?? .null, json["end"] ?? .null)
                throw APIError.invalidAllocationPool("{'start': '\(start.pythonText)', 'end': '\(end.pythonText)'}")
            }
            try checkBounds(pool, subnet.prefix)
            if let other = pools.first(where: { $0.overlaps(pool) }) {
                throw APIError.overlappingAllocationPools(other, pool, subnet.prefix)
            }
            if let gateway = subnet.gatewayAddress, pool.contains(gateway) {
                throw APIError.gatewayConflictWithAllocationPools(gateway, pool)
            }
            pools.append(pool)
        }
        return pools.sorted { $0.first < $1.first }
    }

    /// A pool must lie between the network and the broadcast address.
    private static func checkBounds(_ pool: IPRange, _ prefix: IPPrefix) throws(APIError) {
        guard let whole = hosts(prefix), whole.contains(pool.first), whole.contains(pool.last) else {
            throw .outOfBoundsAllocationPool(pool.description, prefix)
        }
    }

    static func defaultPools(_ prefix: IPPrefix, without gateway: IPAddress?) -> [IPRange] {
        guard let whole = hosts(prefix) else { return [] }
        if prefix.length == prefix.version.addressBits { return [whole] }
        guard let gateway else { return [whole] }
        return whole.removing(gateway)
    }

    /// network + 1 … broadcast − 1; IPv6 has no broadcast. A host prefix is its one address; of /31 nothing is left.
    private static func hosts(_ prefix: IPPrefix) -> IPRange? {
        if prefix.length == prefix.version.addressBits { return IPRange(prefix.address, prefix.address) }
        guard let first = prefix.address.advanced(by: 1), let last = prefix.version == .v4 ? prefix.last.advanced(by: -1) : prefix.last
        else {
            return nil
        }
        return IPRange(first, last)
    }

    private static func checkFamily(_ version: IPVersion, _ expected: Int, _ name: String, _ text: String) throws(APIError) {
        guard version.rawValue == expected else { throw .invalidInput("\(name) '\(text)' does not match the ip_version '\(expected)'") }
    }
}
