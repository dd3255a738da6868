import Testing

@testable import Election

@Suite("Hosts join")
struct JoinTests {
    @Test("An agent that starts where pulses do not get through and advertisements do takes nothing", arguments: [2, 3], [0, 1])
    func pulsesFiltered(members: Int, host: Int) throws {
        let group = SimulatedGroup(hosts: members, routers: 20)
        for one in 0..<members { for other in 0..<one { group.filterPulses(one, other) } }
        group.start()
        // None hears that another lives: each is on its own, and VRRP settles it.
        _ = try #require(group.run(limit: 5000) { group.isSettled() })
        group.run(5000)
        #expect(group.isSettled())
        let owners = group.routers.indices.map { group.owners($0) }
        group.forgetTimes()
        for _ in 0..<3 {
            group.killAgent(host)
            group.run(1000)
            group.startAgent(host)
            group.run(10_000)
        }
        group.closeTimes()
        #expect(group.routers.indices.map { group.owners($0) } == owners)
        #expect(group.traffic.ownerChanges == 0)
        #expect(group.traffic.injections == 0)
        #expect(group.longestContested == 0)
    }

    @Test("A master that dies where pulses do not get through is succeeded by VRRP's own timers")
    func deathBehindFilter() throws {
        let group = SimulatedGroup(hosts: 2, routers: 5)
        group.filterPulses(0, 1)
        group.start()
        group.run(10_000)
        let owner = group.owners(0)[0]
        group.cutPower(owner)
        #expect(group.run(limit: 3500) { group.isSettled(on: 1 - owner) } != nil)
    }

    /// Two hosts that lived, and the one that is preferred comes back.
    private func returning(members: Int) -> SimulatedGroup {
        let group = SimulatedGroup(hosts: members, routers: 50)
        group.cutPower(0)
        group.start()
        group.run(10_000)
        #expect(group.isSettled(on: 1))
        group.forgetTimes()
        return group
    }

    @Test(
        "A host that joins takes nothing, even when the master's advertisements do not reach it for a while", arguments: [2, 3], [3, 10])
    func joinsUnheard(members: Int, seconds: Int) {
        let group = returning(members: members)
        for other in 1..<members { group.lose(from: other, to: 0, onlyAdvertisements: true) }
        group.restorePower(0)
        group.run(1000 * seconds)
        group.heal()
        group.run(20_000)
        group.closeTimes()
        #expect(group.isSettled(on: 1))
        // Each new keepalived says once that it is backup.
        #expect(group.traffic.ownerChanges == 50)
        #expect(group.longestContested == 0)
        #expect(group.longestOwnerless == 0)
        let before = group.traffic
        group.run(10_000)
        #expect(group.traffic.injections == before.injections)
    }

    @Test("A host that joins beside a master whose agent does not know it yet waits for twice VRRP's time before it takes over")
    func joinsBesideBusyAgent() {
        let group = returning(members: 2)
        group.killAgent(1)
        group.lose(from: 1, to: 0, onlyAdvertisements: true)
        group.restorePower(0)
        group.run(5500)
        #expect(group.isSettled(on: 1))
        group.startAgent(1)
        group.heal()
        group.run(10_000)
        #expect(group.isSettled(on: 1))
        #expect(group.traffic.ownerChanges == 50)
    }

    @Test("A host that joins beside one that has neither an agent nor keepalived is master within ten seconds")
    func joinsAlone() throws {
        let group = returning(members: 2)
        group.killAgent(1)
        for router in 0..<50 { group.endDaemon(router, on: 1) }
        group.restorePower(0)
        let time = try #require(group.run(limit: 10_000) { group.isSettled(on: 0) })
        print("joined beside a host without agent and keepalived: \(time) ms")
    }

    @Test("A master that dies while a new backup is told its advertisements is succeeded as fast as ever")
    func deathWhileJoining() throws {
        let group = returning(members: 2)
        group.lose(from: 1, to: 0, onlyAdvertisements: true)
        group.restorePower(0)
        group.run(5000)
        group.cutPower(1)
        let time = try #require(group.run(limit: 1000) { group.isSettled(on: 0) })
        #expect(time <= 150)
    }

    @Test("A master whose keepalived hangs is found out although the backup has just begun")
    func hangingMaster() throws {
        let group = SimulatedGroup(hosts: 2)
        group.startAndSettle()
        group.stopDaemon(0, on: 0)
        group.killDaemon(0, on: 1)
        #expect(group.run(limit: 30_000) { group.hosts[1].daemons[0].isMaster } != nil)
    }

    @Test("New routers are elected as fast as ever, without listening")
    func firstElection() throws {
        let group = SimulatedGroup(hosts: 3, routers: 20)
        group.start()
        let time = try #require(group.run(limit: 1000) { group.isSettled(on: 0) })
        #expect(time < 100)
        #expect(group.hosts[0].listens.isEmpty)
        group.run(1500)
        #expect(group.hosts.allSatisfy { $0.listens.isEmpty })
    }
}
