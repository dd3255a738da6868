import APISchema
import AccessPolicy
import Addressing
import NetworkModel
import Store

extension SubnetPool: ManagedResource {
    public static func create(_ request: ResourceRequest<SubnetPool>, in verb: Verb) throws -> SubnetPool {
        try verb.createSubnetPool(request)
    }
    public static func update(_ pool: SubnetPool, _ request: ResourceRequest<SubnetPool>, in verb: Verb) throws -> SubnetPool {
        try verb.updateSubnetPool(pool, request)
    }
    public static func delete(_ pool: SubnetPool, in verb: Verb) throws { try verb.deleteSubnetPool(pool) }

    public static func notFound(_ id: String) -> APIError { .notFound("SubnetPoolNotFound", "Subnet pool \(id) could not be found.") }

    public static func shown(_ pool: SubnetPool, in verb: Verb) throws -> SubnetPool {
        var shown = pool
        shown.isShared = try pool.isShared || verb.isShared(pool.id)
        return shown
    }

    var prefixSet: PrefixSet { PrefixSet(prefixes, version: version) }
}

extension Verb {
    func createSubnetPool(_ request: ResourceRequest<SubnetPool>) throws -> SubnetPool {
        let projectID = try project(of: request)
        let prefixes = try request.value("prefixes", as: [IPPrefix].self) ?? []
        guard let version = prefixes.first?.version else { throw APIError.emptySubnetPoolPrefixList }
        var pool = SubnetPool(id: newID(), projectID: projectID, version: version)
        try assign(request, prefixes, to: &pool)
        // A pool that names its smallest length alone gives out subnets of that length.
        if !request.contains("default_prefixlen") { pool.defaultPrefixLength = pool.minimumPrefixLength }
        try checkBounds(of: pool)
        try checkQuota("subnetpool", projectID)
        if pool.isDefault { try refuseSecondDefault(version) }
        try checkScope(of: pool, wasIn: nil)
        open(&pool)
        try transaction.insert(pool)
        try mirror(pool.isShared, .shared, .subnetPool, pool)
        return pool
    }

    func updateSubnetPool(_ current: SubnetPool, _ request: ResourceRequest<SubnetPool>) throws -> SubnetPool {
        var pool = current
        let prefixes = try request.value("prefixes", as: [IPPrefix].self)
        if let prefixes, !PrefixSet(prefixes, version: pool.version).contains(pool.prefixSet) {
            throw APIError.illegalSubnetPoolPrefixUpdate("Existing prefixes must be a subset of the new prefixes")
        }
        try assign(request, prefixes ?? pool.prefixes, to: &pool)
        try checkBounds(of: pool)
        if pool.isDefault, !current.isDefault { try refuseSecondDefault(pool.version) }
        try writeSubnetPool(&pool, was: current)
        return pool
    }

    func deleteSubnetPool(_ pool: SubnetPool) throws {
        let subnets = try transaction.rows("SELECT 1 FROM subnets WHERE subnetpool_id = ? LIMIT 1", [pool.id.columnValue])
        guard subnets.isEmpty else { throw APIError.subnetPoolDelete }
        try dropGrants(of: pool.id)
        try transaction.delete(SubnetPool.self, pool.id)
    }

    /// Saves a changed pool after the checks that its prefixes and its scope call for, and tells the networks of their new scope.
    func writeSubnetPool(_ pool: inout SubnetPool, was current: SubnetPool) throws {
        if let scopeID = current.addressScopeID, try existing(AddressScope.self, scopeID).projectID != caller.projectID, !caller.isAdmin {
            throw APIError.illegalSubnetPoolUpdate(
                "subnetpool \(pool.id) cannot be updated when associated with shared address scope \(scopeID)")
        }
        try checkScope(of: pool, wasIn: current.addressScopeID)
        if pool.addressScopeID != current.addressScopeID { try rescopeNetworks(of: pool) }
        try save(&pool)
    }

    // MARK: What a pool must fulfil

    private func assign(_ request: ResourceRequest<SubnetPool>, _ prefixes: [IPPrefix], to pool: inout SubnetPool) throws {
        try request.assign(to: &pool)
        guard !prefixes.isEmpty else { throw APIError.emptySubnetPoolPrefixList }
        guard prefixes.allSatisfy({ $0.version == pool.version }) else { throw APIError.prefixVersionMismatch }
        pool.prefixes = PrefixSet(prefixes, version: pool.version).prefixes
        pool.minimumPrefixLength = try request.value("min_prefixlen", as: Int.self) ?? pool.minimumPrefixLength
        pool.maximumPrefixLength = try request.value("max_prefixlen", as: Int.self) ?? pool.maximumPrefixLength
        pool.defaultPrefixLength = try request.value("default_prefixlen", as: Int.self) ?? pool.defaultPrefixLength
        if request.contains("default_quota") { pool.defaultQuota = try request.value("default_quota", as: Int.self) }
        if request.contains("address_scope_id") {
            pool.addressScopeID = try request.value("address_scope_id", as: ResourceID?.self) ?? nil
        }
    }

    private func checkBounds(of pool: SubnetPool) throws(APIError) {
        let (minimum, maximum) = (pool.minimumPrefixLength, pool.maximumPrefixLength)
        guard minimum <= maximum else { throw .illegalSubnetPoolPrefixBounds("min_prefixlen", minimum, "max_prefixlen", maximum) }
        guard maximum <= pool.version.addressBits else {
            throw .illegalSubnetPoolPrefixBounds("max_prefixlen", maximum, "ip_version_max", pool.version.addressBits)
        }
        let standard = pool.defaultPrefixLength
        guard standard >= minimum else { throw .illegalSubnetPoolPrefixBounds("default_prefixlen", standard, "min_prefixlen", minimum) }
        guard standard <= maximum else { throw .illegalSubnetPoolPrefixBounds("default_prefixlen", standard, "max_prefixlen", maximum) }
    }

    /// A unique index keeps the default single when two servers look at the same time.
    private func refuseSecondDefault(_ version: IPVersion) throws {
        guard try defaultPool(version) == nil else {
            throw APIError.invalidInput(
                "A default subnetpool for this IP family has already been set. Only one default may exist per IP family")
        }
    }

    /// The pool of subnets that only ask for a default one.
    func defaultPool(_ version: IPVersion) throws -> SubnetPool? {
        let row = try transaction.rows("SELECT id FROM subnetpools WHERE is_default = 1 AND ip_version = ?", [version.columnValue]).first
        return try row?.first?.id.flatMap { try find(SubnetPool.self, $0) }
    }

    // MARK: Address scopes

    private func checkScope(of pool: SubnetPool, wasIn former: ResourceID?) throws {
        guard let scopeID = pool.addressScopeID else { return }
        let scope = former == scopeID ? try existing(AddressScope.self, scopeID) : try visible(AddressScope.self, scopeID)
        guard scope.version == pool.version else { throw APIError.illegalSubnetPoolVersion(pool.id, scope) }
        for other in try list(SubnetPool.self, where: "address_scope_id", scopeID) where other.id != pool.id {
            guard other.prefixSet.isDisjoint(with: pool.prefixSet) else { throw APIError.addressScopePrefixConflict }
        }
    }

    /// The networks of the pool's subnets are in its scope now. One of them may have subnets of another pool of the old scope, and a
    /// network's subnets of a family stay in one.
    private func rescopeNetworks(of pool: SubnetPool) throws {
        let rows = try transaction.rows(
            "SELECT DISTINCT network_id FROM subnets WHERE subnetpool_id = ? ORDER BY network_id", [pool.id.columnValue])
        for row in rows {
            guard let id = row[0].id, var network = try find(Network.self, id) else { continue }
            let others = try subnets(of: network).contains { $0.prefix.version == pool.version && $0.subnetPoolID != pool.id }
            guard !others else { throw APIError.networkAddressScopeAffinity }
            network[addressScope: pool.version] = pool.addressScopeID
            try save(&network)
        }
    }
}
