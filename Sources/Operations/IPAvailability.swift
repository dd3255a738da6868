import APISchema
import AccessPolicy
import Addressing
import NetworkModel
import Store

/// How many addresses of a network, or of one of its subnets, there are and are taken (`network-ip-availability`).
public struct IPCounts: Sendable, Hashable {
    /// In the allocation pools, or in the whole prefix where there is no pool.
    public var total: UInt128 = 0
    /// Of all addresses.
    public var used = 0
    /// Those that hosts may have, inside and outside of the pools.
    public var totalInSubnet: UInt128 = 0
    public var totalInPools: UInt128 = 0
    public var usedInPools = 0

    public static func + (left: IPCounts, right: IPCounts) -> IPCounts {
        IPCounts(
            total: left.total + right.total, used: left.used + right.used, totalInSubnet: left.totalInSubnet + right.totalInSubnet,
            totalInPools: left.totalInPools + right.totalInPools, usedInPools: left.usedInPools + right.usedInPools)
    }
}

/// One network of `GET /network-ip-availabilities`.
public struct NetworkIPAvailability: Sendable, Hashable {
    public struct SubnetPart: Sendable, Hashable {
        public var subnet: Subnet
        public var counts: IPCounts
    }

    public var network: Network
    public var subnets: [SubnetPart]
    public var counts: IPCounts { subnets.reduce(IPCounts()) { $0 + $1.counts } }
}

extension Operations {
    /// The addresses of all networks that pass the filters, by name: `network_id`, `network_name`, `project_id`, `ip_version`.
    public func ipAvailabilities(_ filters: [String: Set<String>], caller: Caller) async throws -> [NetworkIPAvailability] {
        try await read(caller) { verb in
            var query = ListQuery()
            for (name, column) in [("network_id", "id"), ("network_name", "name"), ("project_id", "project_id")] {
                guard let values = filters[name] else { continue }
                query.filters.append(.column(column, values.sorted().map(ColumnValue.text)))
            }
            let versions = filters["ip_version"]
            let rule = "get_network_ip_availability"
            guard verb.policy[rule] != .never else { return [] }
            return try verb.transaction.list(Network.self, query).compactMap { network in
                guard try verb.allows(rule, network) else { return nil }
                let subnets = try verb.subnets(of: network).filter { versions?.contains(String($0.prefix.version.rawValue)) ?? true }
                guard versions == nil || !subnets.isEmpty else { return nil }
                return NetworkIPAvailability(
                    network: network, subnets: try subnets.map { .init(subnet: $0, counts: try verb.counts(of: $0)) })
            }
        }
    }

    /// The addresses of one network.
    public func ipAvailability(of networkID: String, caller: Caller) async throws -> NetworkIPAvailability {
        let found = try await ipAvailabilities(["network_id": [networkID]], caller: caller)
        guard let availability = found.first else { throw Network.notFound(networkID) }
        return availability
    }
}

extension Verb {
    fileprivate func counts(of subnet: Subnet) throws -> IPCounts {
        var counts = IPCounts()
        counts.used = try allocationCount(subnet.id)
        for pool in subnet.allocationPools {
            counts.totalInPools += pool.last.number - pool.first.number + 1
            counts.usedInPools += try allocationCount(subnet.id, in: pool)
        }
        let all = subnet.addressCount
        // Without the network's own and the broadcast address, as Neutron counts.
        counts.totalInSubnet = subnet.prefix.version == .v4 && all >= 2 ? all - 2 : all
        counts.total = subnet.allocationPools.isEmpty ? all : counts.totalInPools
        return counts
    }

    private func allocationCount(_ subnetID: ResourceID, in pool: IPRange? = nil) throws -> Int {
        let base = "SELECT COUNT(*) FROM ip_allocations WHERE subnet_id = ?"
        guard let pool else { return try transaction.rows(base, [subnetID.columnValue]).first?.first?.integer ?? 0 }
        return try transaction.rows(
            base + " AND address >= ? AND address <= ?",
            [subnetID.columnValue, .text(sortableAddress(pool.first.number)), .text(sortableAddress(pool.last.number))]
        ).first?.first?.integer ?? 0
    }
}

extension Subnet {
    /// Addresses of the prefix; those of ::/0 would not fit, and are one fewer.
    fileprivate var addressCount: UInt128 {
        let bits = prefix.version.addressBits - prefix.length
        return bits >= 128 ? .max : 1 << UInt128(bits)
    }
}
