import APISchema
import AccessPolicy
import Addressing
import NetworkModel
import TestSupport
import Testing

@testable import Operations

extension Cloud {
    func pool(_ prefixes: [String], _ body: [String: JSONValue] = [:], as caller: Caller? = nil) async throws -> SubnetPool {
        try await create(
            SubnetPool.self, ["name": "pool", "prefixes": .array(prefixes.map(JSONValue.string))].merging(body) { $1 }, as: caller)
    }

    func scope(_ version: Int = 4, _ body: [String: JSONValue] = [:], as caller: Caller? = nil) async throws -> AddressScope {
        try await create(AddressScope.self, ["name": "scope", "ip_version": .integer(version)].merging(body) { $1 }, as: caller)
    }

    /// A subnet from a pool.
    func subnet(
        on network: Network, from pool: SubnetPool, _ body: [String: JSONValue] = [:], as caller: Caller? = nil
    ) async throws -> Subnet {
        try await create(
            Subnet.self,
            [
                "network_id": .string(network.id.description), "ip_version": .integer(pool.version.rawValue),
                "subnetpool_id": .string(pool.id.description),
            ].merging(body) { $1 }, as: caller)
    }
}

extension JSONValue {
    init(_ id: ResourceID) { self = .string(id.description) }
}

@Suite struct SubnetPoolTests {
    private let member = Caller(projectID: "p2", isAdmin: false)

    @Test("A pool merges its prefixes and fills in its lengths by its family", arguments: Backend.allCases)
    func defaults(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let pool = try await cloud.pool(["10.1.0.0/25", "10.1.0.128/25", "10.0.0.0/16"])
        #expect(pool.prefixes.map(\.description) == ["10.0.0.0/16", "10.1.0.0/24"])
        #expect([pool.minimumPrefixLength, pool.defaultPrefixLength, pool.maximumPrefixLength] == [8, 8, 32])
        #expect(pool.defaultQuota == nil && pool.standard.revisionNumber == 1)
        let other = try await cloud.pool(["2001:db8::/48"], ["min_prefixlen": "56", "default_quota": 4])
        #expect([other.minimumPrefixLength, other.defaultPrefixLength, other.maximumPrefixLength] == [56, 56, 128])
        #expect(try await cloud.show(other) == other)
        var writer = JSONWriter()
        SubnetPool.table.write(other, to: &writer)
        #expect(
            writer.text.contains(#""ip_version":6,"default_prefixlen":"56","min_prefixlen":"56","max_prefixlen":"128","default_quota":4"#))
    }

    @Test(
        "What a pool cannot be is refused in Neutron's words",
        arguments: [
            (["prefixes": []], "EmptySubnetPoolPrefixList", "Empty subnet pool prefix list."),
            (
                ["prefixes": ["10.0.0.0/8", "2001:db8::/48"]], "PrefixVersionMismatch",
                "Cannot mix IPv4 and IPv6 prefixes in a subnet pool."
            ),
            (
                ["min_prefixlen": 25, "max_prefixlen": 24], "IllegalSubnetPoolPrefixBounds",
                "Illegal prefix bounds: min_prefixlen=25, max_prefixlen=24."
            ),
            (["max_prefixlen": 33], "IllegalSubnetPoolPrefixBounds", "Illegal prefix bounds: max_prefixlen=33, ip_version_max=32."),
            (
                ["default_prefixlen": 7], "IllegalSubnetPoolPrefixBounds",
                "Illegal prefix bounds: default_prefixlen=7, min_prefixlen=8."
            ),
            (
                ["default_prefixlen": 28, "max_prefixlen": 24], "IllegalSubnetPoolPrefixBounds",
                "Illegal prefix bounds: default_prefixlen=28, max_prefixlen=24."
            ),
            (["name": " "], "HTTPBadRequest", "Invalid input for name. Reason: ' ' Blank strings are not permitted."),
        ] as [([String: JSONValue], String, String)])
    func refused(_ body: [String: JSONValue], _ type: String, _ message: String) async throws {
        let cloud = try Cloud()
        let error = try await apiError { try await cloud.pool(["10.0.0.0/8"], body) }
        #expect(error == APIError(status: 400, type: type, message: message))
        #expect(try await cloud.list(SubnetPool.self).isEmpty)
    }

    @Test("Prefixes only grow, and the lengths stay in order", arguments: Backend.allCases)
    func update(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let pool = try await cloud.pool(["10.0.0.0/16"], ["default_prefixlen": 24])
        let grown = try await cloud.update(pool, ["prefixes": ["10.1.0.0/16", "10.0.0.0/16"], "default_quota": 512])
        #expect(grown.prefixes.map(\.description) == ["10.0.0.0/15"] && grown.defaultQuota == 512)
        #expect(grown.defaultPrefixLength == 24 && grown.standard.revisionNumber == 2)
        let shrunk = try await apiError { try await cloud.update(grown, ["prefixes": ["10.0.0.0/16"]]) }
        #expect(
            shrunk
                == .invalid(
                    "IllegalSubnetPoolPrefixUpdate",
                    "Illegal update to prefixes: Existing prefixes must be a subset of the new prefixes."))
        let bounds = try await apiError { try await cloud.update(grown, ["min_prefixlen": 25]) }
        #expect(bounds?.message == "Illegal prefix bounds: default_prefixlen=24, min_prefixlen=25.")
        #expect(try await cloud.show(pool) == grown)
    }

    @Test("A family has one default pool, which subnets can ask for", arguments: Backend.allCases)
    func defaultPool(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let network = try await cloud.network()
        let asking: [String: JSONValue] = ["network_id": .init(network.id), "ip_version": 4, "use_default_subnetpool": true]
        let none = try await apiError { try await cloud.create(Subnet.self, asking) }
        #expect(none?.message == "Bad subnets request: No default subnetpool found for IPv4.")
        let pool = try await cloud.pool(["10.0.0.0/16"], ["is_default": true, "default_prefixlen": 26])
        _ = try await cloud.pool(["2001:db8::/48"], ["is_default": true])
        let second = try await apiError { try await cloud.pool(["10.1.0.0/16"], ["is_default": true]) }
        #expect(
            second
                == .invalidInput(
                    "A default subnetpool for this IP family has already been set. Only one default may exist per IP family"))
        let subnet = try await cloud.create(Subnet.self, asking)
        #expect(subnet.subnetPoolID == pool.id && subnet.prefix.description == "10.0.0.0/26")
        let both = try await apiError { try await cloud.subnet(on: network, from: pool, ["use_default_subnetpool": true]) }
        #expect(both?.message == "Bad subnets request: subnetpool_id and use_default_subnetpool cannot both be specified.")
        let member = try await apiError { try await cloud.pool(["10.2.0.0/16"], ["is_default": true], as: self.member) }
        #expect(member?.status == 403)
    }

    @Test("Subnets are cut from the smallest block that is large enough, and come back", arguments: Backend.allCases)
    func allocation(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let network = try await cloud.network()
        let pool = try await cloud.pool(["10.0.0.0/22"], ["default_prefixlen": 24])
        let first = try await cloud.subnet(on: network, from: pool)
        #expect(first.prefix.description == "10.0.0.0/24" && first.gatewayAddress?.description == "10.0.0.1")
        #expect(first.allocationPools.map(\.description) == ["10.0.0.2-10.0.0.254"])
        let specific = try await cloud.subnet(on: network, from: pool, ["cidr": "10.0.1.128/25"])
        #expect(specific.prefix.description == "10.0.1.128/25" && specific.subnetPoolID == pool.id)
        #expect(try await cloud.subnet(on: network, from: pool, ["prefixlen": 26]).prefix.description == "10.0.1.0/26")
        #expect(try await cloud.subnet(on: network, from: pool, ["prefixlen": 23]).prefix.description == "10.0.2.0/23")
        let full = try await apiError { try await cloud.subnet(on: network, from: pool) }
        #expect(
            full
                == .conflict(
                    "SubnetAllocationError", "Failed to allocate subnet: Insufficient prefix space to allocate subnet size /24."))
        let taken = try await apiError { try await cloud.subnet(on: network, from: pool, ["cidr": "10.0.1.192/26"]) }
        #expect(
            taken?.message == "Failed to allocate subnet: Cannot allocate requested subnet from the available set of prefixes.")
        let inUse = try await apiError { try await cloud.delete(pool) }
        #expect(inUse == .invalid("SubnetPoolDeleteError", "Unable to delete subnet pool: Subnet pool has existing allocations."))
        try await cloud.delete(first)
        #expect(try await cloud.subnet(on: network, from: pool).prefix == first.prefix)
        try await cloud.delete(network)
        try await cloud.delete(pool)
    }

    @Test(
        "A request that no pool can serve is refused in Neutron's words",
        arguments: [
            (["prefixlen": 29], "Unable to allocate subnet with prefix length 29, maximum allowed prefix is 28."),
            (["cidr": "10.0.0.0/19"], "Unable to allocate subnet with prefix length 19, minimum allowed prefix is 20."),
            (["prefixlen": 24, "cidr": "10.0.0.0/24"], "Bad subnets request: cidr and prefixlen must not be supplied together."),
            (["ip_version": 6], "Bad subnets request: Cannot allocate IPv6 subnet from IPv4 subnet pool."),
            (
                ["allocation_pools": [["start": "10.0.0.9", "end": "10.0.0.20"]]],
                "Bad subnets request: allocation_pools allowed only for specific subnet requests.."
            ),
            (["subnetpool_id": "prefix_delegation"], "Bad subnets request: IPv6 prefix delegation is not supported."),
            (["subnetpool_id": "x"], "Invalid input for subnetpool_id. Reason: 'x' is not a valid UUID."),
            (["subnetpool_id": nil], "Bad subnets request: a subnetpool must be specified in the absence of a cidr."),
        ] as [([String: JSONValue], String)])
    func refusedSubnets(_ body: [String: JSONValue], _ message: String) async throws {
        let cloud = try Cloud()
        let network = try await cloud.network()
        let pool = try await cloud.pool(["10.0.0.0/16"], ["min_prefixlen": 20, "max_prefixlen": 28])
        let error = try await apiError { try await cloud.subnet(on: network, from: pool, body) }
        #expect(error?.status == 400 && error?.message == message)
        #expect(try await cloud.list(Subnet.self).isEmpty)
    }

    @Test("A quota counts IPv4 addresses or IPv6 prefixes of length 64, for each project", arguments: Backend.allCases)
    func quota(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let pool = try await cloud.pool(["10.0.0.0/16"], ["default_quota": 512, "default_prefixlen": 24, "shared": true])
        let network = try await cloud.network()
        _ = try await cloud.subnet(on: network, from: pool)
        _ = try await cloud.subnet(on: network, from: pool)
        let over = try await apiError { try await cloud.subnet(on: network, from: pool, ["prefixlen": 30]) }
        #expect(over == .conflict("SubnetPoolQuotaExceeded", "Per-project subnet pool prefix quota exceeded."))
        let theirs = try await cloud.create(Network.self, [:], as: member)
        #expect(try await cloud.subnet(on: theirs, from: pool, as: member).projectID == "p2")
        let wide = try await cloud.pool(["2001:db8::/48"], ["default_quota": 2])
        _ = try await cloud.subnet(on: network, from: wide)
        let large = try await apiError { try await cloud.subnet(on: network, from: wide, ["prefixlen": 56]) }
        // Below the pool's smallest length, which comes first.
        #expect(large?.type == "MinPrefixSubnetAllocationError")
        _ = try await cloud.subnet(on: network, from: wide, ["prefixlen": 120, "enable_dhcp": false])
        let third = try await apiError { try await cloud.subnet(on: network, from: wide) }
        #expect(third?.type == "SubnetPoolQuotaExceeded")
    }

    @Test("Subnets that many ask for at once never overlap", arguments: Backend.allCases)
    func concurrency(_ backend: Backend) async throws {
        let cloud = try Cloud(backend) { $0.defaultQuotas["network"] = -1 }
        let pool = try await cloud.pool(["10.0.0.0/22"], ["default_prefixlen": 26])
        var networks: [Network] = []
        for _ in 0..<20 { networks.append(try await cloud.network()) }
        let outcomes = try await withThrowingTaskGroup(of: IPPrefix?.self) { group in
            for (index, network) in networks.enumerated() {
                group.addTask {
                    do {
                        return try await cloud.subnet(on: network, from: pool, ["prefixlen": .integer(25 + index % 3)]).prefix
                    } catch let error as APIError where error.type == "SubnetAllocationError" {
                        return nil
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let prefixes = outcomes.compactMap { $0 }.sorted()
        for (left, right) in zip(prefixes, prefixes.dropFirst()) { #expect(!left.overlaps(right), "\(left) and \(right)") }
        // 22 − 25 … 27: 7 × 128 + 7 × 64 + 6 × 32 addresses are more than 1,024, so that some go without.
        #expect(prefixes.count >= 8 && prefixes.count < 20)
        #expect(try await cloud.list(Subnet.self).count == prefixes.count)
    }

    @Test("Prefixes come and go one by one; those in use stay", arguments: Backend.allCases)
    func prefixOperations(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let pool = try await cloud.pool(["10.0.0.0/24"], ["default_prefixlen": 26])
        let id = pool.id.description
        let added = try await cloud.operations.addPrefixes(id, body: ["prefixes": ["10.0.1.0/24"]], caller: cloud.admin)
        #expect(added.map(\.description) == ["10.0.0.0/23"])
        let network = try await cloud.network()
        _ = try await cloud.subnet(on: network, from: pool)
        let used = try await apiError {
            try await cloud.operations.removePrefixes(id, body: ["prefixes": ["10.0.0.0/25"]], caller: cloud.admin)
        }
        #expect(used?.message == "Illegal update to prefixes: One or more the prefixes to be removed is in use by a subnet.")
        let left = try await cloud.operations.removePrefixes(id, body: ["prefixes": ["10.0.0.128/25"]], caller: cloud.admin)
        #expect(left.map(\.description) == ["10.0.0.0/25", "10.0.1.0/24"])
        let mixed = try await apiError {
            try await cloud.operations.addPrefixes(id, body: ["prefixes": ["2001:db8::/64"]], caller: cloud.admin)
        }
        #expect(mixed?.type == "PrefixVersionMismatch")
        let foreign = try await apiError {
            try await cloud.operations.addPrefixes(id, body: ["prefixes": ["10.9.0.0/24"]], caller: member)
        }
        #expect(foreign?.status == 404)
        #expect(try await cloud.show(pool).prefixes == left)
    }

    @Test("The subnets of a network join a pool with their prefixes", arguments: Backend.allCases)
    func onboard(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let scope = try await cloud.scope()
        let pool = try await cloud.pool(["10.0.0.0/24"], ["address_scope_id": .init(scope.id), "default_prefixlen": 24])
        let network = try await cloud.network()
        let subnet = try await cloud.subnet(on: network, "192.168.1.0/24")
        let other = try await cloud.subnet(on: network, "2001:db8::/64")
        let body: [String: JSONValue] = ["network_id": .init(network.id)]
        let joined = try await cloud.operations.onboardSubnets(pool.id.description, body: body, caller: cloud.admin)
        #expect(joined.map(\.id) == [subnet.id])
        #expect(try await cloud.show(subnet).subnetPoolID == pool.id)
        #expect(try await cloud.show(other).subnetPoolID == nil)
        #expect(try await cloud.show(pool).prefixes.map(\.description) == ["10.0.0.0/24", "192.168.1.0/24"])
        #expect(try await cloud.show(network).ipv4AddressScopeID == scope.id)
        let again = try await apiError {
            try await cloud.operations.onboardSubnets(pool.id.description, body: body, caller: cloud.admin)
        }
        #expect(again?.type == "IllegalSubnetPoolUpdate")
    }

    @Test("Shared pools are seen and used by all; others only by their project", arguments: Backend.allCases)
    func visibility(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let shared = try await cloud.pool(["10.0.0.0/16"], ["shared": true])
        let own = try await cloud.pool(["10.1.0.0/16"])
        #expect(try await cloud.list(SubnetPool.self, as: member).map(\.id) == [shared.id])
        let hidden = try await apiError { try await cloud.operations.show(SubnetPool.self, own.id.description, caller: member) }
        #expect(hidden == .notFound("SubnetPoolNotFound", "Subnet pool \(own.id) could not be found."))
        let theirs = try await cloud.create(Network.self, [:], as: member)
        let refused = try await apiError { try await cloud.subnet(on: theirs, from: own, as: self.member) }
        #expect(refused?.type == "SubnetPoolNotFound")
        let changed = try await apiError { try await cloud.update(shared, ["name": "x"], as: self.member) }
        #expect(changed?.status == 403)
        let sharing = try await apiError { try await cloud.pool(["10.2.0.0/16"], ["shared": true], as: self.member) }
        #expect(sharing?.status == 403)
        #expect(try await cloud.pool(["10.2.0.0/16"], as: member).projectID == "p2")
    }
}
