import APISchema
import AccessPolicy
import NetworkModel
import TestSupport
import Testing

@testable import Operations

@Suite struct AutoAllocatedTopologyTests {
    private let blue = Caller(projectID: "blue", isAdmin: false)

    @Test("A project gets a network with a way out by one request, and loses it by another", arguments: Backend.allCases)
    func topology(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let noNetwork = try await apiError { try await cloud.operations.checkAutoAllocation(for: "None", caller: self.blue) }
        #expect(noNetwork?.status == 409 && noNetwork?.message == "Deployment error: No default router:external network.")
        let (external, _) = try await cloud.externalNetwork()
        _ = try await cloud.update(external, ["is_default": true])
        let noPool = try await apiError { try await cloud.operations.checkAutoAllocation(for: "blue", caller: self.blue) }
        #expect(noPool?.type == "AutoAllocationFailure" && noPool?.message == "Deployment error: No default subnetpools defined.")
        let missing = try await apiError { try await cloud.operations.autoAllocatedNetwork(of: "blue", caller: self.blue) }
        #expect(missing?.message == "Deployment error: Unable to provide project private network.")
        #expect(try await cloud.list(Network.self, as: blue).map(\.id) == [external.id])

        _ = try await cloud.pool(["10.0.0.0/16"], ["default_prefixlen": 26, "is_default": true, "shared": true])
        _ = try await cloud.pool(["fd00::/48"], ["default_prefixlen": 64, "is_default": true, "shared": true])
        #expect(try await cloud.operations.checkAutoAllocation(for: "None", caller: blue) == "blue")
        let made = try await cloud.operations.autoAllocatedNetwork(of: "None", caller: blue)
        #expect(made.projectID == "blue")
        #expect(try await cloud.operations.autoAllocatedNetwork(of: "blue", caller: blue).networkID == made.networkID)
        let subnets = try await cloud.list(Subnet.self, as: blue).filter { $0.networkID == made.networkID }
        #expect(Set(subnets.map(\.name)) == ["auto_allocated_subnet_v4", "auto_allocated_subnet_v6"])
        let router = try #require(try await cloud.list(Router.self, as: blue).first)
        #expect(router.name == "auto_allocated_router" && router.gateway?.networkID == external.id)
        #expect(try await cloud.ports(ownedBy: DeviceOwner.routerInterface).count == 2)
        let foreign = try await apiError { try await cloud.operations.autoAllocatedNetwork(of: "green", caller: self.blue) }
        #expect(foreign?.status == 403)

        try await cloud.operations.deleteAutoAllocatedTopology(of: "blue", caller: blue)
        #expect(try await cloud.list(Router.self).isEmpty)
        #expect(try await cloud.list(Network.self).map(\.id) == [external.id])
        try await cloud.operations.deleteAutoAllocatedTopology(of: "blue", caller: blue)
    }

    @Test("One external network is the default one", arguments: Backend.allCases) func defaults(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let (first, _) = try await cloud.externalNetwork()
        _ = try await cloud.update(first, ["is_default": true])
        let second = try await apiError { try await cloud.network(["router:external": true, "is_default": true]) }
        #expect(second?.status == 409 && second?.message == "A default external network already exists: \(first.id).")
        #expect(try await cloud.network(["is_default": true]).isDefault == false)
        #expect(try await cloud.update(first, ["router:external": false]).isDefault == false)
        #expect(try await cloud.network(["router:external": true, "is_default": true]).isDefault)
        let foreign = try await apiError { try await cloud.create(Network.self, ["is_default": true], as: self.blue) }
        #expect(foreign?.status == 403)
    }
}
