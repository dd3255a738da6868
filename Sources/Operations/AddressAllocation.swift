import APISchema
import Addressing
import NetworkModel
import Store

/// One entry of `fixed_ips` as a client asks for it.
struct AddressRequest: Sendable, Hashable {
    var subnetID: ResourceID?
    var address: IPAddress?
}

extension Verb {
    /// How far the random choice looks: Neutron's window over the first free addresses.
    private static let maximumWindow = 30
    /// Rows read at once while looking for gaps.
    private static let scanRows = 64
    /// Addresses of the window that are tried before what is allocated is read: most of them are free.
    private static let maximumBlindTries = 2
    /// Addresses that may be lost to other servers before the search gives up.
    private static let maximumTries = 100

    /// Allocates what a port asks for and puts the addresses into it. `requests` nil: one address of each family that the network has.
    ///
    /// The row in `ip_allocations` is the allocation: its key lets nobody else have the address.
    func allocateAddresses(for port: inout Port, in subnets: [Subnet], _ requests: [AddressRequest]?) throws {
        let subnets = try subnetsInReach(of: port, subnets)
        guard let requests else { return try allocateDefaults(for: &port, in: subnets) }
        // Chosen addresses first: they could be the next ones for entries that leave the choice to us.
        for request in requests where request.address != nil { try allocate(request, for: &port, in: subnets) }
        for request in requests where request.address == nil { try allocate(request, for: &port, in: subnets) }
    }

    private func allocate(_ request: AddressRequest, for port: inout Port, in subnets: [Subnet]) throws {
        let subnet = try subnet(for: request, of: port, in: subnets)
        guard let address = request.address else {
            guard let free = try freeAddress(in: subnet, for: port) else { throw APIError.ipAddressGenerationFailure(port.networkID) }
            port.fixedIPs.append(FixedIP(subnetID: subnet.id, address: free))
            return
        }
        if subnet.hasAutomaticAddresses, !DeviceOwner.isRouterInterface(port.deviceOwner) {
            guard subnet.automaticAddress(of: port.mac) == address else {
                throw APIError.invalid(
                    "AllocationOnAutoAddressSubnet",
                    "IPv6 address \(address) cannot be directly assigned to a port on subnet \(subnet.id) as the subnet is configured for "
                        + "automatic addresses")
            }
        }
        guard try take(address, in: subnet, for: port) else { throw APIError.ipAddressInUse(address, port.networkID) }
        port.fixedIPs.append(FixedIP(subnetID: subnet.id, address: address))
    }

    /// One IPv4 address, one of a subnet whose IPv6 addresses the server gives out, and one of each whose addresses hosts make themselves.
    private func allocateDefaults(for port: inout Port, in subnets: [Subnet]) throws {
        let fitting = subnets.filter { $0.serves(port.deviceOwner) }
        if fitting.isEmpty, !subnets.isEmpty {
            throw APIError.conflict(
                "IpAddressGenerationFailureNoMatchingSubnet",
                "No valid service subnet for the given device owner, network \(port.networkID), service type \(port.deviceOwner).")
        }
        for version in [IPVersion.v4, .v6] {
            let candidates = fitting.filter { $0.prefix.version == version && !$0.hasAutomaticAddresses }
            guard !candidates.isEmpty else { continue }
            var found = false
            for subnet in candidates where !found {
                guard let address = try freeAddress(in: subnet, for: port) else { continue }
                port.fixedIPs.append(FixedIP(subnetID: subnet.id, address: address))
                found = true
            }
            guard found else { throw APIError.ipAddressGenerationFailure(port.networkID) }
        }
        for subnet in fitting where subnet.hasAutomaticAddresses && !DeviceOwner.isRouterInterface(port.deviceOwner) {
            guard let address = try freeAddress(in: subnet, for: port) else { continue }
            port.fixedIPs.append(FixedIP(subnetID: subnet.id, address: address))
        }
    }

    /// The subnet that an entry means, and whether its address may be on it.
    private func subnet(for request: AddressRequest, of port: Port, in subnets: [Subnet]) throws -> Subnet {
        guard !subnets.isEmpty else { throw APIError.invalidInput("IP allocation requires subnets for network") }
        if let id = request.subnetID {
            guard let subnet = subnets.first(where: { $0.id == id }) else {
                // As in Neutron: what is nowhere is not found (Terraform tries its next subnet then), what is elsewhere is invalid.
                _ = try visible(Subnet.self, id)
                throw APIError.invalidInput(
                    "Failed to create port on network \(port.networkID), because fixed_ips included invalid subnet \(id)")
            }
            if let address = request.address, !subnet.isHostAddress(address, of: port.deviceOwner) {
                throw APIError.invalidIPForSubnet(address)
            }
            return subnet
        }
        guard let address = request.address else { throw APIError.invalidInput("IP allocation requires subnet_id or ip_address") }
        guard let subnet = subnets.first(where: { $0.isHostAddress(address, of: port.deviceOwner) }) else {
            throw APIError.invalidIPForNetwork(address)
        }
        return subnet
    }

    // MARK: Free addresses

    /// Takes a free address of the subnet; nil when all pools are exhausted.
    private func freeAddress(in subnet: Subnet, for port: Port) throws -> IPAddress? {
        if let address = subnet.automaticAddress(of: port.mac) {
            return try take(address, in: subnet, for: port) ? address : nil
        }
        // DHCP servers get the lowest address, so that they are easy to find; all others a random one of the first free ones, so that an
        // address that was just released is rarely given to somebody else at once.
        var generator = random
        let window = port.deviceOwner == DeviceOwner.dhcp ? 1 : Int.random(in: 1...Self.maximumWindow, using: &generator)
        for pool in subnet.allocationPools {
            if let address = try freeAddress(in: subnet, pool, from: hints.start(of: pool, in: subnet.id), window, for: port) {
                return address
            }
        }
        for pool in subnet.allocationPools {
            if let address = try freeAddress(in: subnet, pool, from: pool.first.number, window, for: port) { return address }
        }
        return nil
    }

    private func freeAddress(in subnet: Subnet, _ pool: IPRange, from start: UInt128, _ window: Int, for port: Port) throws -> IPAddress? {
        var generator = random
        for _ in 0..<(window > 1 ? Self.maximumBlindTries : 0) {
            let number = start + UInt128(Int.random(in: 0..<window, using: &generator))
            guard number <= pool.last.number, let address = IPAddress(version: pool.version, number: number) else { continue }
            if try take(address, in: subnet, for: port) { return address }
        }
        var tries = 0
        while tries < Self.maximumTries {
            var candidates = try firstFree(in: subnet, from: start, to: pool.last.number, count: window)
            guard let lowest = candidates.first else { return nil }
            hints.note(firstFree: lowest, of: pool, in: subnet.id)
            while !candidates.isEmpty {
                tries += 1
                let number = candidates.remove(at: Int.random(in: 0..<candidates.count, using: &generator))
                guard let address = IPAddress(version: pool.version, number: number) else { continue }
                if try take(address, in: subnet, for: port) { return address }
            }
        }
        return nil
    }

    /// The first free addresses of a range, by walking the gaps between the allocated ones.
    private func firstFree(in subnet: Subnet, from start: UInt128, to last: UInt128, count: Int) throws -> [UInt128] {
        var free: [UInt128] = []
        var cursor = start
        while free.count < count, cursor <= last {
            let rows = try transaction.rows(
                "SELECT address FROM ip_allocations WHERE subnet_id = ? AND address >= ? AND address <= ? ORDER BY address LIMIT ?",
                [subnet.id.columnValue, .text(sortableAddress(cursor)), .text(sortableAddress(last)), .integer(Self.scanRows)])
            for row in rows {
                guard let text = row[0].text, let taken = UInt128(text, radix: 16) else { continue }
                while cursor < taken, free.count < count {
                    free.append(cursor)
                    cursor += 1
                }
                cursor = taken + 1
            }
            guard rows.count < Self.scanRows else { continue }
            while cursor <= last, free.count < count {
                free.append(cursor)
                cursor += 1
            }
            break
        }
        return free
    }

    private func take(_ address: IPAddress, in subnet: Subnet, for port: Port) throws -> Bool {
        try transaction.insertIfAbsent(
            table: "ip_allocations", columns: ["subnet_id", "address", "ip_address", "port_id", "network_id"],
            values: [
                subnet.id.columnValue, .text(sortableAddress(address.number)), address.columnValue, port.id.columnValue,
                port.networkID.columnValue,
            ])
    }

    /// Gives an address of a port back.
    func release(_ fixed: FixedIP) throws {
        try transaction.execute(
            "DELETE FROM ip_allocations WHERE subnet_id = ? AND address = ?",
            [fixed.subnetID.columnValue, .text(sortableAddress(fixed.address.number))])
        hints.released(fixed.address, in: fixed.subnetID)
    }
}

/// An address as 32 hexadecimal digits: the order of the texts is the order of the addresses.
func sortableAddress(_ number: UInt128) -> String {
    let digits: StaticString = "0123456789abcdef"
    return String(unsafeUninitializedCapacity: 32) { buffer in
        for index in 0..<32 { buffer[index] = digits.utf8Start[Int(truncatingIfNeeded: number >> UInt128(124 - 4 * index)) & 15] }
        return 32
    }
}

extension Subnet {
    /// Whether hosts make their addresses themselves, from their MAC addresses (RFC 4862).
    var hasAutomaticAddresses: Bool { ipv6AddressMode == .slaac || ipv6AddressMode == .stateless }

    /// The address that a host with that MAC makes for itself; nil in subnets whose addresses the server gives out.
    func automaticAddress(of mac: MACAddress) -> IPAddress? { hasAutomaticAddresses ? mac.eui64(in: prefix) : nil }

    /// Whether a port may have the address: inside the prefix, and neither its network nor its broadcast address. The first address of an IPv6
    /// prefix is its routers' (RFC 4291, 2.6.1): it is for them, and for ports that nobody uses yet, which may become theirs.
    func isHostAddress(_ address: IPAddress, of deviceOwner: String) -> Bool {
        guard prefix.contains(address) else { return false }
        guard prefix.length < prefix.version.addressBits - 1 else { return true }
        guard prefix.version == .v6 else { return address != prefix.address && address != prefix.last }
        let isRouters = DeviceOwner.isRouterInterface(deviceOwner) || deviceOwner == DeviceOwner.routerGateway || deviceOwner.isEmpty
        return isRouters || address != prefix.address
    }

    /// Whether ports of that owner get addresses here without asking for the subnet.
    func serves(_ deviceOwner: String) -> Bool {
        serviceTypes.isEmpty || serviceTypes.contains { !deviceOwner.isEmpty && deviceOwner.hasPrefix($0) }
    }
}
