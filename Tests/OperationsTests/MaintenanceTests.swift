import APISchema
import AccessPolicy
import HostModel
import NetworkModel
import TestSupport
import Testing

@testable import Operations

/// What a server does by itself: lost members, dead agents, masters that do not agree.
@Suite struct MaintenanceTests {
    private func hosts(_ cloud: Cloud, _ names: [String] = ["h1", "h2", "h3"]) async throws {
        for name in names { try await cloud.report(name) }
    }

    private func progress(_ holder: String = "s1", trustsSilence: Bool = true) -> MaintenanceProgress {
        var progress = MaintenanceProgress(holder: holder)
        progress.trustsSilence = trustsSilence
        return progress
    }

    @Test("However many networks wait for an agent, each gets one, and then nothing is left to do")
    func manyNetworks() async throws {
        let cloud = try Cloud { $0.dhcpAgentsPerNetwork = 2 }
        // More than what one registration and one round look at.
        let count = 560
        for number in 0..<count {
            // A project's quota is a hundred.
            let project: [String: JSONValue] = ["project_id": .string("p\(number / 50)")]
            _ = try await cloud.subnet(on: try await cloud.network(project), "10.0.0.0/24", project)
        }
        try await hosts(cloud, ["h1"])
        var progress = progress()
        for _ in 0..<4 { _ = try await cloud.operations.maintain(&progress) }
        #expect(try await cloud.ports(ownedBy: DeviceOwner.dhcp).count == count)
        #expect(try await cloud.operations.maintain(&progress).changedNetworks == 0)
        try await hosts(cloud, ["h2"])
        for _ in 0..<4 { _ = try await cloud.operations.maintain(&progress) }
        #expect(try await cloud.ports(ownedBy: DeviceOwner.dhcp).count == 2 * count)
    }

    @Test("A member whose agent is dead for ten minutes is replaced, and removed when it is", arguments: Backend.allCases)
    func lostMember(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        try await hosts(cloud)
        let router = try await cloud.router(["ha": true])
        try await hosts(cloud, ["h4"])
        let order = try await cloud.hosts(of: router)
        let lost = order[0]
        let rest = ["h1", "h2", "h3", "h4"].filter { $0 != lost }
        var progress = progress()
        cloud.clock.advance(seconds: 590)
        try await hosts(cloud, rest)
        #expect(try await cloud.operations.maintain(&progress).changedRouters == 0)
        #expect(try await cloud.hosts(of: router) == order)
        cloud.clock.advance(seconds: 11)
        try await hosts(cloud, rest)
        var distrustful = self.progress(trustsSilence: false)
        #expect(try await cloud.operations.maintain(&distrustful).changedRouters == 0, "a server that just started waits")
        #expect(try await cloud.operations.maintain(&progress).changedRouters == 1)
        #expect(try await cloud.hosts(of: router) == Array(order.dropFirst()) + ["h4"])
        #expect(try await cloud.priorities(of: router)[order[1]] == 254)
        #expect(try await cloud.ports(ownedBy: DeviceOwner.haInterface).count == 3)
        // It returns as a candidate only.
        try await cloud.report(lost)
        #expect(try await cloud.operations.maintain(&progress).changedRouters == 0)
        #expect(!(try await cloud.hosts(of: router).contains(lost)))
    }

    @Test("Without another agent a lost member stays, and so it does when the setting is 0", arguments: [600, 0])
    func nothingToReplaceWith(_ seconds: Int) async throws {
        let cloud = try Cloud { $0.replaceLostMembersAfterSeconds = seconds }
        try await hosts(cloud)
        let router = try await cloud.router(["ha": true])
        if seconds == 0 { try await hosts(cloud, ["h4"]) }
        cloud.clock.advance(seconds: 10_000)
        try await hosts(cloud, seconds == 0 ? ["h2", "h3", "h4"] : ["h2", "h3"])
        var progress = progress()
        #expect(try await cloud.operations.maintain(&progress).changedRouters == 0)
        #expect(Set(try await cloud.hosts(of: router)) == ["h1", "h2", "h3"])
    }

    @Test("A member that has failed for ten minutes on a living host is replaced on one where nothing fails", arguments: Backend.allCases)
    func failingMember(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        try await hosts(cloud)
        let router = try await cloud.router(["ha": true])
        func say(_ host: String, _ failure: String?, _ state: HAState = .standby, isExternal: Bool? = nil) async throws {
            try await cloud.report(
                host, routers: [.init(routerID: router.id, state: state, failure: failure, isFailureExternal: isExternal)])
        }
        var progress = progress(trustsSilence: false)
        let order = try await cloud.hosts(of: router)
        try await say(order[0], "daemon keepalived: refused", .active)
        try await say(order[1], nil)
        try await say(order[2], "another device has the address", isExternal: true)
        cloud.clock.advance(seconds: 590)
        try await say(order[0], "disk: no space left", .active)
        for host in ["h4", "h5"] { try await cloud.report(host) }
        // A host that fails at another router is no remedy.
        let other = try await cloud.router(["ha": true])
        try await cloud.report("h4", routers: [.init(routerID: other.id, state: .standby, failure: "disk: no space left")])
        #expect(try await cloud.hosts(of: other).contains("h4"), "new routers go where there are fewest")
        #expect(try await cloud.operations.maintain(&progress).changedRouters == 0)
        cloud.clock.advance(seconds: 11)
        try await hosts(cloud, ["h4", "h5"])
        for host in order { try await cloud.report(host) }
        #expect(try await cloud.operations.maintain(&progress).changedRouters == 1, "it has failed for 601 seconds, whatever at")
        #expect(try await cloud.hosts(of: router) == Array(order.dropFirst()) + ["h5"])
        #expect(try await cloud.priorities(of: router).values.sorted() == [246, 250, 254])
        #expect(try await cloud.operations.maintain(&progress).changedRouters == 0, "what comes from outside moves nobody")
        // A failure that ends counts anew.
        func pass(_ seconds: Int) async throws {
            cloud.clock.advance(seconds: seconds)
            for host in ["h1", "h2", "h3", "h4", "h5"] { try await cloud.report(host) }
        }
        try await say(order[1], "daemon keepalived: refused")
        try await pass(300)
        try await say(order[1], nil)
        try await say(order[1], "daemon keepalived: refused")
        try await pass(400)
        #expect(try await cloud.operations.maintain(&progress).changedRouters == 0)
        try await pass(201)
        #expect(try await cloud.operations.maintain(&progress).changedRouters == 0, "what failed a while ago is not trusted")
        try await cloud.report("h4", routers: [.init(routerID: other.id, state: .standby)])
        #expect(try await cloud.operations.maintain(&progress).changedRouters == 1)
        #expect(Set(try await cloud.hosts(of: router)) == [order[2], "h4", "h5"])
    }

    @Test("A router that all of its members fail at stays where it is", arguments: Backend.allCases)
    func failingRouter(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        try await hosts(cloud)
        let router = try await cloud.router(["ha": true])
        try await hosts(cloud, ["h4"])
        let before = try await cloud.hosts(of: router)
        for _ in 0..<2 {
            for host in before {
                try await cloud.report(host, routers: [.init(routerID: router.id, state: .standby, failure: "daemon keepalived: refused")])
            }
            cloud.clock.advance(seconds: 601)
        }
        try await hosts(cloud, ["h1", "h2", "h3", "h4"])
        var progress = progress()
        #expect(try await cloud.operations.maintain(&progress).changedRouters == 0)
        #expect(try await cloud.hosts(of: router) == before)
        // One is well again: the others are not the router's fault.
        try await cloud.report(before[2], routers: [.init(routerID: router.id, state: .standby)])
        #expect(try await cloud.operations.maintain(&progress).changedRouters == 1)
        #expect(try await cloud.hosts(of: router).contains("h4"))
        #expect(try await cloud.hosts(of: router).contains(before[2]))
    }

    @Test("Standalone routers and DHCP leave a dead agent, unless routers were told to stay", arguments: Backend.allCases, [true, false])
    func deadAgent(_ backend: Backend, moves: Bool) async throws {
        let cloud = try Cloud(backend) { $0.movesRoutersFromDeadAgents = moves }
        try await cloud.report("h1")
        let network = try await cloud.network()
        let subnet = try await cloud.subnet(on: network)
        let router = try await cloud.router()
        _ = try await cloud.attach(subnet, to: router)
        try await cloud.report("h2")
        cloud.clock.advance(seconds: 76)
        try await cloud.report("h2")
        var progress = progress()
        let round = try await cloud.operations.maintain(&progress)
        #expect(round.changedRouters == (moves ? 1 : 0))
        #expect(round.changedNetworks == 1)
        #expect(try await cloud.hosts(of: router) == [moves ? "h2" : "h1"])
        #expect(try await cloud.ports(ownedBy: DeviceOwner.routerInterface).map(\.hostID) == [moves ? "h2" : "h1"])
        #expect(try await cloud.ports(ownedBy: DeviceOwner.dhcp).map(\.hostID) == ["h2"])
        try await cloud.report("h1")
        #expect(try await cloud.operations.maintain(&progress).changedRouters == 0, "nothing moves back")
    }

    @Test("A network without a free address keeps no host out and no drain from the others", arguments: Backend.allCases)
    func fullNetwork(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        // Made before there is a host: its one address is the instance's.
        let full = try await cloud.network()
        _ = try await cloud.subnet(on: full, "10.1.0.0/24", ["allocation_pools": [["start": "10.1.0.9", "end": "10.1.0.9"]]])
        _ = try await cloud.port(on: full)
        let network = try await cloud.network()
        _ = try await cloud.subnet(on: network)
        try await cloud.report("h1")
        #expect(try await cloud.list(Agent.self).count == AgentType.allCases.count)
        #expect(try await cloud.ports(ownedBy: DeviceOwner.dhcp).map(\.networkID) == [network.id])
        let agent = try await cloud.agent(.dhcp, on: "h1")
        #expect(try await cloud.operations.networks(ofAgent: agent.id.description, caller: cloud.admin).map(\.id) == [network.id])
        try await cloud.report("h2")
        try await cloud.enable(.dhcp, on: "h1", false)
        #expect(try await cloud.ports(ownedBy: DeviceOwner.dhcp).map(\.hostID) == ["h2"])
    }

    @Test("DHCP stays with an agent that came back before its turn", arguments: Backend.allCases)
    func returned(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        try await cloud.report("h1")
        let network = try await cloud.network()
        _ = try await cloud.subnet(on: network)
        try await cloud.report("h2")
        let agent = try await cloud.agent(.dhcp, on: "h1")
        let moved = try await cloud.operations.write(.server) { verb in try verb.relieve(agent.id, ofNetwork: network.id) }
        #expect(moved == false)
    }

    @Test("When nearly all agents fall silent at once, it is the server that is cut off")
    func silence() async throws {
        let cloud = try Cloud()
        try await cloud.report("h1")
        let router = try await cloud.router()
        try await hosts(cloud, ["h2", "h3", "h4"])
        cloud.clock.advance(seconds: 76)
        try await cloud.report("h4")
        var progress = progress()
        #expect(try await cloud.operations.maintain(&progress).changedRouters == 0)
        #expect(try await cloud.hosts(of: router) == ["h1"])
        try await cloud.report("h3")
        #expect(try await cloud.operations.maintain(&progress).changedRouters == 1)
    }

    @Test("What a request left of a drain, and routers without members, are done in rounds of fifty", arguments: Backend.allCases)
    func rounds(_ backend: Backend) async throws {
        let cloud = try Cloud(backend) { $0.defaultQuotas["router"] = -1 }
        for _ in 0..<30 { _ = try await cloud.router(["ha": true]) }
        try await hosts(cloud, ["h1", "h2"])
        for _ in 0..<130 { _ = try await cloud.router() }
        let h1 = try await cloud.agent(.l3, on: "h1")
        var left = try await cloud.operations.routers(ofAgent: h1.id.description, caller: cloud.admin).filter { !$0.isHighlyAvailable }
        #expect(left.count == 50, "h1 is the preferred master of 30 others, which count as well")
        // An agent that was disabled while there was no other one.
        cloud.clock.advance(seconds: 76)
        try await cloud.report("h1")
        try await cloud.enable(.l3, on: "h1", false)
        try await cloud.report("h2")
        var progress = progress()
        var changes: [Int] = []
        for _ in 0..<3 { changes.append(try await cloud.operations.maintain(&progress).changedRouters) }
        left = try await cloud.operations.routers(ofAgent: h1.id.description, caller: cloud.admin).filter { !$0.isHighlyAvailable }
        #expect(left.isEmpty)
        #expect(changes.allSatisfy { $0 <= 100 }, "\(changes)")
    }

    @Test("Of two servers one does the work at a time; the other takes over when it has gone", arguments: Backend.allCases)
    func duty(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        func waitingRouter() async throws -> Router {
            let router = try await cloud.router()
            try await cloud.operations.store.write { transaction in
                try transaction.execute("DELETE FROM router_members WHERE router_id = ?", [.text(router.id.description)])
            }
            return router
        }
        try await cloud.report("h1")
        var first = progress("s1")
        var second = progress("s2")
        _ = try await waitingRouter()
        #expect(try await cloud.operations.maintain(&first).changedRouters == 1)
        let router = try await waitingRouter()
        #expect(try await cloud.operations.maintain(&second).changedRouters == 0)
        #expect(try await cloud.hosts(of: router).isEmpty)
        cloud.clock.advance(seconds: 31)
        #expect(try await cloud.operations.maintain(&second).changedRouters == 1)
        #expect(try await cloud.hosts(of: router) == ["h1"])
    }

    // MARK: Masters

    @Test("Two living masters are both active, and a conflict, until one gives way", arguments: Backend.allCases)
    func conflict(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        try await hosts(cloud)
        let router = try await cloud.router(["ha": true])
        let interface = try await cloud.attach(try await cloud.subnet(on: try await cloud.network()), to: router)
        func claim(_ host: String, _ state: HAState = .active) async throws {
            try await cloud.report(host, routers: [.init(routerID: router.id, state: state)])
        }
        func boundHost() async throws -> String {
            try await cloud.operations.show(Port.self, interface.portID.description, caller: cloud.admin).hostID
        }
        func conflicts() async throws -> [[String]] {
            var progress = progress()
            return try await cloud.operations.maintain(&progress).conflicts.map(\.hostIDs)
        }
        try await claim("h1")
        try await claim("h2")
        #expect(try await cloud.states(of: router) == ["h1": .unknown, "h2": .active, "h3": .standby])
        // A report of the handover that was overtaken by another.
        try await claim("h1")
        #expect(try await cloud.states(of: router)["h1"] == .unknown)
        #expect(try await conflicts().isEmpty)
        cloud.clock.advance(seconds: 3)
        try await claim("h1")
        #expect(try await cloud.states(of: router) == ["h1": .active, "h2": .active, "h3": .standby])
        #expect(try await conflicts() == [["h1", "h2"]])
        #expect(try await cloud.operations.metrics().masterConflicts == 1)
        #expect(try await boundHost() == "h2")
        try await claim("h2", .standby)
        #expect(try await cloud.states(of: router) == ["h1": .active, "h2": .standby, "h3": .standby])
        #expect(try await boundHost() == "h1")
        #expect(try await conflicts().isEmpty)
    }

    @Test("A second master that died is none", arguments: Backend.allCases)
    func deadMaster(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        try await hosts(cloud)
        let router = try await cloud.router(["ha": true])
        for (host, seconds) in [("h1", 0), ("h2", 5), ("h1", 0)] {
            try await cloud.report(host, routers: [.init(routerID: router.id, state: .active)])
            cloud.clock.advance(seconds: seconds)
        }
        #expect(try await cloud.operations.metrics().masterConflicts == 1)
        cloud.clock.advance(seconds: 76)
        try await cloud.report("h2")
        let metrics = try await cloud.operations.metrics()
        #expect(metrics.masterConflicts == 0)
        #expect(metrics.routersWithoutMaster == 0)
        #expect(metrics.agents[.init(type: "L3 agent", isAlive: false)] == 2)
        #expect(metrics.routers == [.init(status: "ACTIVE", isHighlyAvailable: true): 1])
    }

    @Test("A repeated state costs no change")
    func repetition() async throws {
        let cloud = try Cloud()
        try await hosts(cloud)
        let router = try await cloud.router(["ha": true])
        try await cloud.report("h1", routers: [.init(routerID: router.id, state: .active)])
        let revision = try await cloud.operations.store.read { try $0.currentRevision }
        for host in ["h1", "h2", "h3"] {
            try await cloud.report(host, routers: [.init(routerID: router.id, state: host == "h1" ? .active : .standby)])
        }
        #expect(try await cloud.operations.store.read { try $0.currentRevision } == revision)
    }
}
