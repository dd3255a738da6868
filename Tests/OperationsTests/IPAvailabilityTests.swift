import APISchema
import AccessPolicy
import NetworkModel
import TestSupport
import Testing

@testable import Operations

@Suite struct IPAvailabilityTests {
    @Test("Addresses are counted by network and subnet, in and outside of the pools", arguments: Backend.allCases)
    func counts(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let network = try await cloud.network(["name": "counted"])
        _ = try await cloud.network(["name": "other"])
        let subnet = try await cloud.subnet(
            on: network, "10.0.0.0/24", ["allocation_pools": [["start": "10.0.0.10", "end": "10.0.0.19"]], "enable_dhcp": false])
        _ = try await cloud.subnet(on: network, "fd00::/64", ["enable_dhcp": false])
        _ = try await cloud.port(on: network, ["fixed_ips": [["subnet_id": .init(subnet.id)]]])
        _ = try await cloud.port(on: network, ["fixed_ips": [["ip_address": "10.0.0.100"]]])
        let found = try await cloud.operations.ipAvailability(of: network.id.description, caller: cloud.admin)
        let counts = try #require(found.subnets.first { $0.subnet.id == subnet.id }).counts
        #expect(counts == IPCounts(total: 10, used: 2, totalInSubnet: 254, totalInPools: 10, usedInPools: 1))
        #expect(found.counts.used == 2 && found.counts.total > 1 << 63)
        let four = try await cloud.operations.ipAvailabilities(["ip_version": ["4"]], caller: cloud.admin)
        #expect(four.map(\.network.id) == [network.id] && four.first?.counts.total == 10)
        #expect(try await cloud.operations.ipAvailabilities(["network_name": ["other"]], caller: cloud.admin).first?.subnets == [])
        let missing = try await apiError { try await cloud.operations.ipAvailability(of: "x", caller: cloud.admin) }
        #expect(missing?.type == "NetworkNotFound" && missing?.status == 404)
        #expect(try await cloud.operations.ipAvailabilities([:], caller: Caller(projectID: "blue", isAdmin: false)).isEmpty)
    }

    @Test("A quota below what is used is refused unless it is forced", arguments: Backend.allCases)
    func quotas(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        for _ in 0..<2 { _ = try await cloud.network() }
        let below = try await apiError { try await cloud.operations.updateQuota(of: "p1", ["network": 1], caller: cloud.admin) }
        #expect(
            below?.status == 400 && below?.message == "Quota limit 1 for network must be greater than or equal to already used 2")
        #expect(try await cloud.operations.updateQuota(of: "p1", ["network": 2, "check_limit": true], caller: cloud.admin)["network"] == 2)
        #expect(try await cloud.operations.updateQuota(of: "p1", ["network": 1, "force": true], caller: cloud.admin)["network"] == 1)
        #expect(try await cloud.operations.updateQuota(of: "p1", ["network": -1], caller: cloud.admin)["network"] == -1)
        let blue = Caller(projectID: "blue", isAdmin: false)
        #expect(try await cloud.operations.defaultQuota(of: "blue", caller: blue)["network"] == 100)
        let foreign = try await apiError { try await cloud.operations.defaultQuota(of: "p1", caller: blue) }
        #expect(foreign?.status == 403)
    }
}
