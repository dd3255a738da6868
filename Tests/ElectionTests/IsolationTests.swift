import Testing

@testable import Election

/// Host 0 has a router of two members with each of some others, which have none together.
@Suite("A host is cut off, and its groups have two members")
struct IsolationTests {
    private func star(hosts: Int, isPreferred: Bool, seed: UInt64 = 1) -> SimulatedGroup {
        let group = SimulatedGroup(hosts: hosts, routers: 20, seed: seed) { router in
            let other = 1 + router % (hosts - 1)
            return isPreferred ? [0, other] : [other, 0]
        }
        group.startAndSettle()
        return group
    }

    @Test("A host that hears none of four peers any more gives its routers up, and they have one owner each", arguments: 1...7)
    func master(seed: Int) throws {
        let group = star(hosts: 5, isPreferred: true, seed: UInt64(seed))
        group.run(seed)
        for other in 1...4 { group.cut(0, other) }
        let time = try #require(group.run(limit: 1000) { (0..<20).allSatisfy { group.owners($0) == [1 + $0 % 4] } })
        #expect(time <= 200)
        group.run(30_000)
        #expect(group.hosts[0].daemons.allSatisfy { !$0.hasAddresses })
        group.heal()
        group.run(10_000)
        #expect((0..<20).allSatisfy { group.owners($0) == [1 + $0 % 4] })
    }

    @Test("A host that is held back does nothing until that is over, also when the carrier of its tunnels was away long before")
    func held() {
        let group = star(hosts: 5, isPreferred: true)
        group.setCarrier(0, false)
        group.run(1000)
        group.setCarrier(0, true)
        group.run(10_000)
        for other in 1...4 { group.cut(0, other) }
        group.run(10_000)
        #expect(group.traffic.uselessTicks == 0)
        #expect(group.hosts[0].daemons.allSatisfy { !$0.hasAddresses })
    }

    @Test("A backup that hears none of four peers any more takes nothing", arguments: 1...7)
    func backup(seed: Int) {
        let group = star(hosts: 5, isPreferred: false, seed: UInt64(seed))
        group.run(seed)
        for other in 1...4 { group.cut(0, other) }
        group.run(30_000)
        #expect((0..<20).allSatisfy { group.owners($0) == [1 + $0 % 4] })
        #expect(group.traffic.ownerChanges == 0)
        group.heal()
        group.run(10_000)
        #expect(group.traffic.ownerChanges == 0)
    }

    @Test("The last of five takes over when the others die together, as soon as it is clear that it is not deaf")
    func allDie() throws {
        let group = star(hosts: 5, isPreferred: false)
        for other in 1...4 { group.cutPower(other) }
        group.run(500)
        #expect((0..<20).allSatisfy { group.owners($0).isEmpty })
        group.tell(0, .underlayHeard)
        let time = try #require(group.run(limit: 5000) { group.isSettled(on: 0) })
        print("four of five die together: \(time) ms")
        #expect(time <= 3500)
    }

    @Test("While one other host is heard, a peer that dies with two more is succeeded within 150 ms", arguments: 1...7)
    func someDie(seed: Int) throws {
        let group = star(hosts: 5, isPreferred: false, seed: UInt64(seed))
        group.run(seed)
        for other in 1...3 { group.cutPower(other) }
        let time = try #require(group.run(limit: 1000) { group.isSettled() })
        #expect(time <= 150)
    }

    @Test("Of two peers that die together both are succeeded within 150 ms", arguments: 1...7)
    func bothDie(seed: Int) throws {
        let group = star(hosts: 3, isPreferred: false, seed: UInt64(seed))
        group.run(seed)
        for other in 1...2 { group.cutPower(other) }
        let time = try #require(group.run(limit: 1000) { group.isSettled(on: 0) })
        #expect(time <= 150)
    }
}
