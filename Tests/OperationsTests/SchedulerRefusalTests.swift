import APISchema
import NetworkModel
import Operations
import TestSupport
import Testing

/// What `network agent add router` and `remove router` answer.
@Suite struct SchedulerRefusalTests {
    @Test("What an agent has is listed with all that is computed, such as its zones")
    func computed() async throws {
        let cloud = try Cloud()
        try await cloud.report("h1", zone: "east")
        let router = try await cloud.router()
        let network = try await cloud.network()
        _ = try await cloud.subnet(on: network)
        let l3 = try await cloud.agent(.l3, on: "h1").id.description
        let dhcp = try await cloud.agent(.dhcp, on: "h1").id.description
        #expect(try await cloud.operations.routers(ofAgent: l3, caller: cloud.admin) == [try await cloud.show(router)])
        #expect(try await cloud.operations.routers(ofAgent: l3, caller: cloud.admin).map(\.availabilityZones) == [["east"]])
        #expect(try await cloud.operations.networks(ofAgent: dhcp, caller: cloud.admin).map(\.availabilityZones) == [["east"]])
    }

    @Test("Routers are added to and removed from L3 agents with Neutron's refusals", arguments: Backend.allCases)
    func refusals(_ backend: Backend) async throws {
        let cloud = try Cloud(backend) { $0.maximumL3AgentsPerRouter = 2 }
        for host in ["h1", "h2", "h3"] { try await cloud.report(host) }
        let operations = cloud.operations
        func add(_ router: Router, _ agent: Agent) async throws -> APIError? {
            try await apiError { try await operations.addRouter(router.id.description, toAgent: agent.id.description, caller: cloud.admin) }
        }
        func remove(_ router: Router, _ agent: Agent) async throws -> APIError? {
            try await apiError {
                try await operations.removeRouter(router.id.description, fromAgent: agent.id.description, caller: cloud.admin)
            }
        }
        let standalone = try await cloud.router()
        let host = try #require(try await cloud.hosts(of: standalone).first)
        let agent = try await cloud.agent(.l3, on: host)
        let otherHost = try #require(["h1", "h2", "h3"].first { $0 != host })
        let other = try await cloud.agent(.l3, on: otherHost)
        #expect(try await add(standalone, agent) == nil, "it is there already")
        let hosted = try await add(standalone, other)
        #expect(hosted?.status == 409 && hosted?.type == "RouterHostedByL3Agent")
        #expect(hosted?.message == "The router \(standalone.id) has been already hosted by the L3 Agent \(agent.id).")
        let absent = try await remove(standalone, other)
        #expect(absent?.status == 409 && absent?.type == "RouterNotHostedByL3Agent")
        #expect(absent?.message == "The router \(standalone.id) is not hosted by the L3 Agent \(other.id).")
        #expect(try await remove(standalone, agent) == nil)
        #expect(try await cloud.hosts(of: standalone).isEmpty)
        #expect(try await add(standalone, other) == nil)
        #expect(try await cloud.hosts(of: standalone) == [otherHost])
        let wrong = try await cloud.agent(.dhcp, on: host)
        let invalid = try await add(standalone, wrong)
        #expect(invalid?.status == 404 && invalid?.type == "InvalidL3Agent")
        #expect(invalid?.message == "Agent \(wrong.id) is not a L3 Agent or has been disabled")

        // An HA router may have more members than the server gives it; one that joins is last, and one that leaves is made up for.
        let router = try await cloud.router(["ha": true])
        let members = try await cloud.hosts(of: router)
        let third = try #require(["h1", "h2", "h3"].first { !members.contains($0) })
        #expect(try await add(router, try await cloud.agent(.l3, on: third)) == nil)
        #expect(try await cloud.hosts(of: router) == members + [third])
        #expect(try await remove(router, try await cloud.agent(.l3, on: members[0])) == nil)
        #expect(try await cloud.hosts(of: router) == [members[1], third])
        #expect(try await cloud.priorities(of: router) == [members[1]: 254, third: 250])
        #expect(try await cloud.ports(ownedBy: DeviceOwner.haInterface).count == 2)
        try await cloud.enable(.l3, on: members[0], false)
        #expect(try await add(router, try await cloud.agent(.l3, on: members[0]))?.type == "InvalidL3Agent")
    }

    @Test("A deleted agent's work is given to others")
    func deletedAgent() async throws {
        let cloud = try Cloud { $0.maximumL3AgentsPerRouter = 2 }
        for host in ["h1", "h2"] { try await cloud.report(host) }
        let router = try await cloud.router(["ha": true])
        let standalone = try await cloud.router()
        let host = try #require(try await cloud.hosts(of: standalone).first)
        try await cloud.report("h3")
        try await cloud.delete(try await cloud.agent(.l3, on: host))
        #expect(try await cloud.hosts(of: standalone).count == 1)
        #expect(try await cloud.hosts(of: standalone) != [host])
        #expect(try await cloud.priorities(of: router).values.sorted() == [250, 254])
    }

    @Test("A router that an administrator took from an agent does not come back to it by itself", arguments: Backend.allCases)
    func stays(_ backend: Backend) async throws {
        let cloud = try Cloud(backend) { $0.maximumL3AgentsPerRouter = 2 }
        for host in ["h1", "h2", "h3"] { try await cloud.report(host) }
        let operations = cloud.operations
        var progress = MaintenanceProgress(holder: "s1")
        progress.trustsSilence = true
        let standalone = try await cloud.router()
        let redundant = try await cloud.router(["ha": true])
        for router in [standalone, redundant] {
            let host = try #require(try await cloud.hosts(of: router).first)
            let agent = try await cloud.agent(.l3, on: host)
            try await operations.removeRouter(router.id.description, fromAgent: agent.id.description, caller: cloud.admin)
            for _ in 0..<3 { _ = try await operations.maintain(&progress) }
            let hosts = try await cloud.hosts(of: router)
            #expect(!hosts.contains(host))
            // A group is filled up with another agent; a standalone router waits for the administrator.
            #expect(hosts.count == (router.isHighlyAvailable ? 2 : 0))
            if router.isHighlyAvailable { continue }
            try await operations.addRouter(router.id.description, toAgent: agent.id.description, caller: cloud.admin)
            #expect(try await cloud.hosts(of: router) == [host])
        }
    }
}
