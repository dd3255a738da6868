import APISchema
import AccessPolicy
import NetworkModel
import TestSupport
import Testing

@testable import Operations

@Suite struct AddressScopeTests {
    private let member = Caller(projectID: "p2", isAdmin: false)

    @Test("A scope is changed and deleted, but not unshared, and not while a pool is in it", arguments: Backend.allCases)
    func lifeCycle(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        var scope = try await cloud.scope()
        scope = try await cloud.update(scope, ["name": "new", "shared": true])
        #expect(try await cloud.show(scope) == scope && scope.name == "new")
        let unshared = try await apiError { try await cloud.update(scope, ["shared": false]) }
        #expect(
            unshared
                == .invalid(
                    "AddressScopeUpdateError", "Unable to update address scope \(scope.id) : Shared address scope can't be unshared."))
        let pool = try await cloud.pool(["10.0.0.0/16"], ["address_scope_id": .init(scope.id)])
        let inUse = try await apiError { try await cloud.delete(scope) }
        #expect(
            inUse
                == .conflict(
                    "AddressScopeInUse",
                    "Unable to complete operation on address scope \(scope.id). There are one or more subnet pools in use on the address "
                        + "scope."))
        try await cloud.delete(pool)
        try await cloud.delete(scope)
        let gone = try await apiError { try await cloud.show(scope) }
        #expect(gone == .notFound("AddressScopeNotFound", "Address scope \(scope.id) could not be found."))
        let wrong = try await apiError { try await cloud.scope(5) }
        #expect(wrong?.message == "Invalid input for ip_version. Reason: '5' is not in [4, 6].")
    }

    @Test("Pools of a scope are of its family and do not overlap", arguments: Backend.allCases)
    func association(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let scope = try await cloud.scope()
        let inScope: [String: JSONValue] = ["address_scope_id": .init(scope.id)]
        let pool = try await cloud.pool(["10.0.0.0/16"], inScope)
        let overlap = try await apiError { try await cloud.pool(["10.0.128.0/24"], inScope) }
        #expect(
            overlap
                == .conflict(
                    "AddressScopePrefixConflict",
                    "Failed to associate address scope: subnetpools within an address scope must have unique prefixes."))
        let family = try await apiError { try await cloud.pool(["2001:db8::/48"], inScope) }
        #expect(family?.type == "IllegalSubnetPoolIpVersionAssociationToAddressScope")
        #expect(
            family?.message.hasSuffix("cannot associate with address scope \(scope.id) because subnetpool ip_version is not 4.") == true)
        let outside = try await cloud.pool(["10.0.128.0/24"])
        let late = try await apiError { try await cloud.update(outside, inScope) }
        #expect(late?.type == "AddressScopePrefixConflict")
        _ = try await cloud.update(pool, ["address_scope_id": nil])
        _ = try await cloud.update(outside, inScope)
        let grown = try await apiError { try await cloud.update(pool, inScope) }
        #expect(grown?.type == "AddressScopePrefixConflict")
        let missing = try await apiError { try await cloud.update(pool, ["address_scope_id": .init(pool.id)]) }
        #expect(missing?.type == "AddressScopeNotFound")
    }

    @Test("A network shows the scopes of its subnets, also when their pool moves", arguments: Backend.allCases)
    func networks(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let scope = try await cloud.scope()
        let other = try await cloud.scope()
        let scope6 = try await cloud.scope(6)
        let pool = try await cloud.pool(["10.0.0.0/16"], ["address_scope_id": .init(scope.id), "default_prefixlen": 24])
        let pool6 = try await cloud.pool(["2001:db8::/48"], ["address_scope_id": .init(scope6.id)])
        let network = try await cloud.network()
        let subnet = try await cloud.subnet(on: network, from: pool)
        _ = try await cloud.subnet(on: network, from: pool6)
        #expect(try await cloud.show(network).ipv4AddressScopeID == scope.id)
        #expect(try await cloud.show(network).ipv6AddressScopeID == scope6.id)
        _ = try await cloud.update(pool, ["address_scope_id": .init(other.id)])
        #expect(try await cloud.show(network).ipv4AddressScopeID == other.id)
        try await cloud.delete(subnet)
        #expect(try await cloud.show(network).ipv4AddressScopeID == nil)
        #expect(try await cloud.show(network).ipv6AddressScopeID == scope6.id)
    }

    @Test("Subnets of a family on one network share a pool or, where there is one, a scope", arguments: Backend.allCases)
    func affinity(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let plain = try await cloud.pool(["10.0.0.0/16"], ["default_prefixlen": 24])
        let second = try await cloud.pool(["10.1.0.0/16"], ["default_prefixlen": 24])
        let network = try await cloud.network()
        _ = try await cloud.subnet(on: network, from: plain)
        for refusal in [
            try await apiError { try await cloud.subnet(on: network, from: second) },
            try await apiError { try await cloud.subnet(on: network, "192.168.0.0/24") },
        ] {
            #expect(
                refusal
                    == .invalid(
                        "NetworkSubnetPoolAffinityError",
                        "Subnets hosted on the same network must be allocated from the same subnet pool."))
        }
        _ = try await cloud.subnet(on: network, "2001:db8::/64")

        let scope = try await cloud.scope()
        for pool in [plain, second] { _ = try await cloud.update(pool, ["address_scope_id": .init(scope.id)]) }
        _ = try await cloud.subnet(on: network, from: second)
        let loose = try await cloud.pool(["10.2.0.0/16"], ["default_prefixlen": 24])
        let affinity = APIError.invalid(
            "NetworkAddressScopeAffinityError",
            "Subnets of the same address family hosted on the same network must all participate in the same address scope.")
        #expect(try await apiError { try await cloud.subnet(on: network, from: loose) } == affinity)
        #expect(try await apiError { try await cloud.update(plain, ["address_scope_id": nil]) } == affinity)
        #expect(try await cloud.update(plain, ["name": "still changeable"]).name == "still changeable")
    }

    @Test("A pool in a shared scope of another project is not changed by its owner")
    func foreignScope() async throws {
        let cloud = try Cloud()
        let scope = try await cloud.scope(4, ["shared": true])
        let hidden = try await cloud.scope()
        #expect(try await cloud.list(AddressScope.self, as: member).map(\.id) == [scope.id])
        let unseen = try await apiError {
            try await cloud.pool(["10.0.0.0/16"], ["address_scope_id": .init(hidden.id)], as: self.member)
        }
        #expect(unseen?.type == "AddressScopeNotFound")
        let pool = try await cloud.pool(["10.0.0.0/16"], ["address_scope_id": .init(scope.id)], as: member)
        let refused = try await apiError { try await cloud.update(pool, ["name": "x"], as: self.member) }
        #expect(
            refused?.message
                == "Illegal subnetpool update : subnetpool \(pool.id) cannot be updated when associated with shared address scope \(scope.id)."
        )
        let sharing = try await apiError { try await cloud.scope(4, ["shared": true], as: self.member) }
        #expect(sharing?.status == 403)
    }
}
