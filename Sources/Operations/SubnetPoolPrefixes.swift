import APISchema
import AccessPolicy
import Addressing
import NetworkModel
import Store

// The actions of subnet pools: prefixes one by one (`subnetpool-prefix-ops`), and subnets that join a pool (`subnet_onboard`).

extension Operations {
    /// Adds prefixes to a pool and returns all that it has (`PUT /subnetpools/{id}/add_prefixes`).
    public func addPrefixes(
        _ id: String, body: [String: JSONValue], ifMatch: RevisionConstraint? = nil, caller: Caller
    ) async throws -> [IPPrefix] {
        let added = try Self.prefixes(in: body)
        return try await changePool(id, "add_prefixes", ifMatch, caller) { verb, pool in
            let current = pool
            guard added.allSatisfy({ $0.version == pool.version }) else { throw APIError.prefixVersionMismatch }
            pool.prefixes = PrefixSet(pool.prefixes + added, version: pool.version).prefixes
            try verb.writeSubnetPool(&pool, was: current)
        }
    }

    /// Takes prefixes that no subnet uses from a pool and returns those that are left (`PUT /subnetpools/{id}/remove_prefixes`).
    public func removePrefixes(
        _ id: String, body: [String: JSONValue], ifMatch: RevisionConstraint? = nil, caller: Caller
    ) async throws -> [IPPrefix] {
        let given = try Self.prefixes(in: body)
        return try await changePool(id, "remove_prefixes", ifMatch, caller) { verb, pool in
            let removed = PrefixSet(given, version: pool.version)
            guard !pool.prefixSet.isDisjoint(with: removed) else { return }
            guard try verb.allocations(in: pool).used.isDisjoint(with: removed) else {
                throw APIError.illegalSubnetPoolPrefixUpdate("One or more the prefixes to be removed is in use by a subnet")
            }
            pool.prefixes = pool.prefixSet.subtracting(removed).prefixes
            try verb.save(&pool)
        }
    }

    /// Makes the subnets that a network has of the pool's family subnets of the pool, which gets their prefixes
    /// (`PUT /subnetpools/{id}/onboard_network_subnets`). Returns the subnets.
    public func onboardSubnets(
        _ id: String, body: [String: JSONValue], ifMatch: RevisionConstraint? = nil, caller: Caller
    ) async throws -> [Subnet] {
        guard let networkID = body["network_id"]?.stringValue else { throw APIError.invalidInput("network_id must be specified.") }
        return try await write(caller) { verb in
            var pool = try verb.authorized(SubnetPool.self, id, to: "onboard_network_subnets", ifMatch: ifMatch)
            var network = try verb.authorized(Network.self, networkID, to: "update_network")
            return try verb.onboard(&network, into: &pool)
        }
    }

    private func changePool(
        _ id: String, _ rule: String, _ ifMatch: RevisionConstraint?, _ caller: Caller,
        _ change: @escaping @Sendable (Verb, inout SubnetPool) throws -> Void
    ) async throws -> [IPPrefix] {
        try await write(caller) { verb in
            var pool = try verb.authorized(SubnetPool.self, id, to: rule, ifMatch: ifMatch)
            try change(verb, &pool)
            return pool.prefixes
        }
    }

    private static func prefixes(in body: [String: JSONValue]) throws(APIError) -> [IPPrefix] {
        guard let given = body["prefixes"], given.arrayValue?.isEmpty == false else {
            throw .badRequest("Request body contains invalid data")
        }
        do throws(InvalidValue) {
            return try [IPPrefix](json: AttributeType.list(of: .cidr).validate(given))
        } catch {
            throw .invalidAttribute("prefixes", error.reason)
        }
    }
}

extension Verb {
    func onboard(_ network: inout Network, into pool: inout SubnetPool) throws -> [Subnet] {
        let version = pool.version
        var onboarded = try subnets(of: network).filter { $0.prefix.version == version }
        guard !onboarded.isEmpty else { return [] }
        let used = try allocations(in: pool).used
        for subnet in onboarded where !used.isDisjoint(with: PrefixSet([subnet.prefix], version: version)) {
            throw APIError.illegalSubnetPoolUpdate(
                "Onboarding subnet \(subnet.id): \(subnet.prefix) conflicts with allocated prefixes in subnet pool \(pool.id)")
        }
        let current = pool
        pool.prefixes = PrefixSet(pool.prefixes + onboarded.map(\.prefix), version: version).prefixes
        try writeSubnetPool(&pool, was: current)
        for index in onboarded.indices {
            onboarded[index].subnetPoolID = pool.id
            try save(&onboarded[index])
        }
        network[addressScope: version] = pool.addressScopeID
        try save(&network)
        return onboarded
    }
}
