import APISchema
import AccessPolicy
import NetworkModel
import TestSupport
import Testing

@testable import Operations

@Suite struct DHCPSchedulingTests {
    private func hosts(_ cloud: Cloud, _ network: Network) async throws -> [String] {
        try await cloud.operations.agents(ofNetwork: network.id.description, caller: cloud.admin).map(\.hostID)
    }

    @Test("A network that was put on a DHCP agent stays there, with and without subnets", arguments: Backend.allCases)
    func manual(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        for host in ["h1", "h2"] { try await cloud.report(host) }
        let agent = try await cloud.agent(.dhcp, on: "h2")
        let network = try await cloud.network()
        try await cloud.operations.addNetwork(network.id.description, toAgent: agent.id.description, caller: cloud.admin)
        #expect(try await hosts(cloud, network) == ["h2"])
        let twice = try await apiError {
            try await cloud.operations.addNetwork(network.id.description, toAgent: agent.id.description, caller: cloud.admin)
        }
        #expect(twice?.status == 409 && twice?.type == "NetworkHostedByDHCPAgent")
        let subnet = try await cloud.subnet(on: network)
        #expect(try await cloud.ports(ownedBy: DeviceOwner.dhcp).map(\.hostID) == ["h2"])
        try await cloud.enable(.dhcp, on: "h2", false)
        #expect(try await hosts(cloud, network) == ["h2"])
        try await cloud.enable(.dhcp, on: "h2", true)
        try await cloud.delete(subnet)
        #expect(try await hosts(cloud, network) == ["h2"])
        #expect(try await cloud.ports(ownedBy: DeviceOwner.dhcp).isEmpty)
        try await cloud.delete(network)
    }

    @Test("A network that was taken from an agent does not return to it by itself", arguments: Backend.allCases)
    func removal(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        try await cloud.report("h1")
        let network = try await cloud.network()
        _ = try await cloud.subnet(on: network)
        let agent = try await cloud.agent(.dhcp, on: "h1")
        try await cloud.operations.removeNetwork(network.id.description, fromAgent: agent.id.description, caller: cloud.admin)
        #expect(try await hosts(cloud, network).isEmpty)
        let twice = try await apiError {
            try await cloud.operations.removeNetwork(network.id.description, fromAgent: agent.id.description, caller: cloud.admin)
        }
        #expect(twice?.status == 409 && twice?.message == "The network \(network.id) is not hosted by the DHCP Agent \(agent.id).")
        _ = try await cloud.subnet(on: network, "10.1.0.0/24")
        #expect(try await hosts(cloud, network).isEmpty)
        try await cloud.report("h2")
        #expect(try await hosts(cloud, network) == ["h2"])
        let l3 = try await cloud.agent(.l3, on: "h1")
        let wrong = try await apiError {
            try await cloud.operations.addNetwork(network.id.description, toAgent: l3.id.description, caller: cloud.admin)
        }
        #expect(wrong?.status == 404 && wrong?.message == "Agent \(l3.id) is not a valid DHCP Agent or has been disabled.")
        try await cloud.operations.addNetwork(network.id.description, toAgent: agent.id.description, caller: cloud.admin)
        #expect(try await hosts(cloud, network) == ["h1", "h2"])
        let blue = Caller(projectID: "blue", isAdmin: false)
        let foreign = try await apiError {
            try await cloud.operations.removeNetwork(network.id.description, fromAgent: agent.id.description, caller: blue)
        }
        #expect(foreign?.status == 403)
    }
}
