import Testing

@testable import Election

@Suite("Agents and keepalived end, stop and return")
struct AgentTests {
    @Test("An agent that is killed and started again moves nothing", arguments: [2, 3], [0, 1])
    func agentRestart(members: Int, host: Int) {
        let group = SimulatedGroup(hosts: members, routers: 20)
        group.startAndSettle()
        group.killAgent(host)
        group.run(10_000)
        group.startAgent(host)
        group.run(10_000)
        #expect(group.isSettled(on: 0))
        #expect(group.traffic.ownerChanges == 0)
        #expect(group.traffic.injections == 0)
        #expect(group.peerChanges.contains(.absent))
        #expect(!group.peerChanges.contains(.dead))
    }

    @Test("All agents started at once move nothing")
    func allAgentsRestart() {
        let group = SimulatedGroup(hosts: 3, routers: 20)
        group.startAndSettle()
        for host in 0..<3 { group.killAgent(host) }
        group.run(5000)
        for host in 0..<3 { group.startAgent(host) }
        group.run(5000)
        #expect(group.isSettled(on: 0))
        #expect(group.traffic.ownerChanges == 0)
    }

    @Test("A master whose host dies while its agent is gone is succeeded as fast as ever")
    func deathWithoutAgent() throws {
        let group = SimulatedGroup(hosts: 3, routers: 5)
        group.startAndSettle()
        group.killAgent(0)
        group.run(10_000)
        group.cutPower(0)
        let time = try #require(group.run(limit: 1000) { group.isSettled(on: 1) })
        print("power loss without agent: \(time) ms")
        #expect(time <= 150)
    }

    @Test("An agent that is stopped for a while moves nothing when it goes on", arguments: [50, 100, 1000, 5000], [0, 1])
    func frozen(milliseconds: Int, host: Int) {
        for seed in 1...4 {
            let group = SimulatedGroup(hosts: 2, routers: 5, seed: UInt64(seed))
            group.startAndSettle()
            group.run(seed)
            group.freezeAgent(host)
            group.run(milliseconds)
            group.thawAgent(host)
            group.run(5000)
            #expect(group.isSettled(on: 0))
            #expect(group.traffic.ownerChanges == 0)
        }
    }

    @Test("A host that was dead before the others started is no hindrance")
    func deadBeforeStart() throws {
        let group = SimulatedGroup(hosts: 3, routers: 5)
        group.cutPower(0)
        group.start()
        let time = try #require(group.run(limit: 5000) { group.isSettled(on: 1) })
        print("first election beside a dead host: \(time) ms")
        // A second until it counts as dead, and a little longer to hear that it advertises nothing.
        #expect(time <= 1400)
        group.run(2000)
        group.restorePower(0)
        group.run(10_000)
        #expect(group.isSettled(on: 1))
    }

    @Test("A host that returns with a new agent takes nothing back")
    func hostReturns() throws {
        let group = SimulatedGroup(hosts: 2, routers: 20)
        group.startAndSettle()
        group.cutPower(0)
        group.run(5000)
        group.restorePower(0)
        group.forgetTimes()
        group.run(10_000)
        group.closeTimes()
        #expect(group.isSettled(on: 1))
        #expect(group.longestOwnerless == 0)
        #expect(group.longestContested == 0)
    }

    @Test("keepalived of a master is killed: the successor is there before the addresses go", arguments: [2, 3])
    func daemonKilled(members: Int) throws {
        let group = SimulatedGroup(hosts: members, routers: 3)
        group.startAndSettle()
        group.killDaemon(0, on: 0)
        let time = try #require(group.run(limit: 1000) { group.owners(0) == [1] })
        print("keepalived killed, \(members) members: new owner alone after \(time) ms, contested \(group.longestContested) ms")
        #expect(time <= 150)
        group.run(10_000)
        group.closeTimes()
        #expect(group.isSettled())
        #expect(group.longestOwnerless == 0)
        #expect(group.traffic.restarts == 1)
        #expect(group.longestContested <= 50)
    }

    @Test("keepalived of a lone master is killed: it is started again at once, and master within 500 ms")
    func loneDaemonKilled() throws {
        let group = SimulatedGroup(hosts: 2)
        group.startAndSettle()
        group.cutPower(1)
        group.run(5000)
        group.killDaemon(0, on: 0)
        #expect(group.run(limit: 500) { group.hosts[0].daemons[0].isMaster } != nil)
    }

    @Test("keepalived of a backup is killed: it is started again, and nothing moves")
    func backupDaemonKilled() {
        let group = SimulatedGroup(hosts: 2)
        group.startAndSettle()
        group.killDaemon(0, on: 1)
        group.run(5000)
        #expect(group.isSettled(on: 0))
        #expect(group.traffic.restarts == 1)
        #expect(group.hosts[1].daemons[0].isRunning)
    }

    @Test("What is heard of a keepalived after its end does not make it master", arguments: [0, 1])
    func lastWords(host: Int) {
        let group = SimulatedGroup(hosts: 2)
        group.startAndSettle()
        group.killDaemon(0, on: host)
        group.run(3)
        group.tell(host, .member(group.routers[0], .master))
        #expect(group.hosts[host].agent?.state(of: group.routers[0]) != .master)
        group.run(5000)
        group.closeTimes()
        #expect(group.isSettled())
        #expect(group.longestOwnerless == 0)
        #expect(group.hosts[host].daemons[0].isRunning)
        #expect(group.hosts[host].agent?.state(of: group.routers[0]) == .backup)
    }

    @Test("keepalived of a master hangs: the addresses stay where packets are forwarded, and it is quiet", arguments: [2, 3])
    func daemonHangs(members: Int) {
        let group = SimulatedGroup(hosts: members)
        group.startAndSettle()
        group.stopDaemon(0, on: 0)
        group.run(20_000)
        group.closeTimes()
        print("keepalived hangs, \(members) members: contested \(group.longestContested) ms")
        #expect(group.isSettled(on: 0))
        #expect(group.longestContested <= 50)
        #expect(group.longestOwnerless == 0)
        group.continueDaemon(0, on: 0)
        group.run(10_000)
        #expect(group.isSettled(on: 0))
    }

    @Test("A host dies whose successor's keepalived hangs: the third takes over within 600 ms")
    func successorHangs() throws {
        let group = SimulatedGroup(hosts: 3)
        group.startAndSettle()
        group.stopDaemon(0, on: 1)
        group.cutPower(0)
        let time = try #require(group.run(limit: 1000) { group.owners(0) == [2] })
        print("power loss, first successor hangs: \(time) ms")
        #expect(time <= 600)
        group.continueDaemon(0, on: 1)
        group.run(10_000)
        #expect(group.isSettled())
    }

    @Test("A loser whose keepalived hangs loses its addresses by force")
    func loserHangs() throws {
        let group = SimulatedGroup(hosts: 2)
        group.startAndSettle()
        group.cut(0, 1)
        group.run(1000)
        group.stopDaemon(0, on: 0)
        group.heal()
        let time = try #require(group.run(limit: 1000) { group.isSettled(on: 1) })
        print("loser hangs: one owner after \(time) ms")
        #expect(group.traffic.strips == 1)
        group.continueDaemon(0, on: 0)
        group.run(10_000)
        #expect(group.isSettled(on: 1))
        #expect(group.traffic.announcements > 0 && group.traffic.strayAnnouncements == 0)
    }
}
