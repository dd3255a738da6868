import APISchema
import Addressing
import NetworkModel
import Store

/// Where the prefix of a new subnet comes from.
struct SubnetSource {
    var prefix: IPPrefix
    /// Nil: the caller chose the prefix freely.
    var pool: SubnetPool?
}

extension Verb {
    /// The prefix that a request names, or one from a subnet pool.
    ///
    /// Two servers that cut the same pool at the same time read each other's subnets: the databases let only one of the transactions through.
    func source(of request: ResourceRequest<Subnet>, for projectID: String) throws -> SubnetSource {
        let isSpecific = request["cidr"].map { !$0.isNull } ?? false
        if isSpecific, request.contains("prefixlen") {
            throw APIError.badRequest("subnets", "cidr and prefixlen must not be supplied together")
        }
        guard let pool = try pool(of: request) else { return SubnetSource(prefix: try SubnetRules.prefix(of: request), pool: nil) }
        guard isSpecific || !request.contains("allocation_pools") else {
            throw APIError.badRequest("subnets", "allocation_pools allowed only for specific subnet requests.")
        }
        let version = try SubnetRules.version(of: request)
        guard version == pool.version else {
            throw APIError.badRequest(
                "subnets", "Cannot allocate IPv\(version.rawValue) subnet from IPv\(pool.version.rawValue) subnet pool")
        }
        let wanted = isSpecific ? try SubnetRules.prefix(of: request) : nil
        let length = try wanted?.length ?? request.value("prefixlen", as: Int.self) ?? pool.defaultPrefixLength
        guard length > 0 else { throw APIError.invalidInput("0 is not allowed as CIDR prefix length") }
        guard length <= pool.maximumPrefixLength else { throw APIError.maximumPrefixAllocation(length, pool.maximumPrefixLength) }
        guard length >= pool.minimumPrefixLength else { throw APIError.minimumPrefixAllocation(length, pool.minimumPrefixLength) }
        return SubnetSource(prefix: try freePrefix(in: pool, wanted, length: length, for: projectID), pool: pool)
    }

    /// Subnets of one family on a network are all in one address scope or, where there is none, in one pool or in no pool.
    func checkAffinity(of pool: SubnetPool?, _ version: IPVersion, on network: Network) throws {
        let scope = network[addressScope: version]
        if let scope, let pool, pool.addressScopeID != scope { throw APIError.networkAddressScopeAffinity }
        for subnet in try subnets(of: network) where subnet.prefix.version == version {
            if pool == nil, subnet.subnetPoolID == nil { continue }
            guard subnet.subnetPoolID == pool?.id || (pool != nil && scope != nil) else { throw APIError.networkSubnetPoolAffinity }
        }
    }

    private func pool(of request: ResourceRequest<Subnet>) throws -> SubnetPool? {
        let wantsDefault = try request.value("use_default_subnetpool", as: Bool.self) ?? false
        let given = try poolID(of: request)
        if let given {
            guard !wantsDefault else {
                throw APIError.badRequest("subnets", "subnetpool_id and use_default_subnetpool cannot both be specified")
            }
            return try visible(SubnetPool.self, given)
        }
        guard wantsDefault else { return nil }
        let prefix = try request.value("cidr", as: IPPrefix?.self) ?? nil
        let version = try prefix?.version ?? SubnetRules.version(of: request)
        guard let pool = try defaultPool(version) else {
            throw APIError.badRequest("subnets", "No default subnetpool found for IPv\(version.rawValue)")
        }
        return pool
    }

    private func poolID(of request: ResourceRequest<Subnet>) throws(APIError) -> ResourceID? {
        guard request["subnetpool_id"] != "prefix_delegation" else {
            throw .badRequest("subnets", "IPv6 prefix delegation is not supported")
        }
        return try request.value("subnetpool_id", as: ResourceID?.self) ?? nil
    }

    private func freePrefix(in pool: SubnetPool, _ wanted: IPPrefix?, length: Int, for projectID: String) throws -> IPPrefix {
        let allocations = try allocations(in: pool)
        try checkQuota(of: pool, allocations.addresses[projectID] ?? 0, length: length)
        let free = pool.prefixSet.subtracting(allocations.used)
        if let wanted {
            guard free.contains(PrefixSet([wanted], version: pool.version)) else {
                throw APIError.subnetAllocation("Cannot allocate requested subnet from the available set of prefixes")
            }
            return wanted
        }
        // The smallest block that is large enough, and the first of those: large ones stay whole for large subnets.
        let fitting = free.prefixes.filter { $0.length <= length }
        let longest = fitting.map(\.length).max()
        guard let block = fitting.first(where: { $0.length == longest }), let prefix = IPPrefix(masking: block.address, length: length)
        else { throw APIError.subnetAllocation("Insufficient prefix space to allocate subnet size /\(length)") }
        return prefix
    }

    /// A pool's quota counts IPv4 addresses, or IPv6 prefixes of length 64. 0 is no limit, as in Neutron.
    private func checkQuota(of pool: SubnetPool, _ used: UInt128, length: Int) throws(APIError) {
        guard let quota = pool.defaultQuota, quota > 0 else { return }
        let unit: UInt128 = pool.version == .v4 ? 1 : 1 << 64
        let hostBits = pool.version.addressBits - length
        guard hostBits < 127 else { throw .subnetPoolQuotaExceeded }
        let (sum, overflow) = used.addingReportingOverflow(1 << UInt128(hostBits))
        guard !overflow, sum <= UInt128(quota) * unit else { throw .subnetPoolQuotaExceeded }
    }

    /// What a pool's subnets hold of it.
    struct PoolAllocations {
        var used: PrefixSet
        /// Addresses by project.
        var addresses: [String: UInt128] = [:]
    }

    func allocations(in pool: SubnetPool) throws -> PoolAllocations {
        var prefixes: [IPPrefix] = []
        var addresses: [String: UInt128] = [:]
        for row in try transaction.rows("SELECT cidr, project_id FROM subnets WHERE subnetpool_id = ?", [pool.id.columnValue]) {
            guard let prefix = IPPrefix(columnValue: row[0]), let project = row[1].text else { continue }
            prefixes.append(prefix)
            addresses[project, default: 0] += prefix.last.number - prefix.address.number + 1
        }
        return PoolAllocations(used: PrefixSet(prefixes, version: pool.version), addresses: addresses)
    }
}
