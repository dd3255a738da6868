import Testing

@testable import Election

@Suite("Packets are lost")
struct PartitionTests {
    @Test("After a partition heals one owner is left within 100 ms, which announces its addresses", arguments: [2, 3], [1, 100])
    func partition(members: Int, routers: Int) throws {
        let group = SimulatedGroup(hosts: members, routers: routers)
        group.startAndSettle()
        for other in 1..<members { group.cut(0, other) }
        // Of two each thinks that the other is dead; of three the one that hears nobody gives way to those that hear each other.
        let expected = members == 2 ? [0, 1] : [1]
        let takeover = try #require(
            group.run(limit: 1000) { (0..<routers).allSatisfy { group.owners($0) == expected } })
        print("partition, \(members) members, \(routers) routers: takeover \(takeover) ms")
        // A few at a time.
        #expect(takeover <= (routers == 1 ? 150 : 250))
        group.run(4000)
        group.heal()
        group.forgetTimes()
        let settled = try #require(group.run(limit: 1000) { group.isSettled() })
        print("heal, \(members) members, \(routers) routers: \(settled) ms")
        #expect(settled <= 100)
        if members == 2 { #expect(group.traffic.announcements >= routers) }
        let owner = group.owners(0)[0]
        group.run(1500)
        let before = group.traffic
        group.run(10_000)
        group.closeTimes()
        #expect(group.isSettled(on: owner))
        #expect(group.longestOwnerless == 0)
        #expect(group.traffic.injections == before.injections)
        #expect(group.conflicts.isEmpty)
    }

    @Test("A master of three that can only be heard gives way, and its successor stays while it lasts and after")
    func deafMaster() throws {
        let group = SimulatedGroup(hosts: 3, routers: 5)
        group.startAndSettle()
        for other in 1..<3 {
            group.underlayLoss[other][0] = 1
            group.advertisementLoss[other][0] = 1
        }
        let takeover = try #require(group.run(limit: 2000) { group.isSettled(on: 1) })
        print("deaf master: \(takeover) ms, contested \(group.longestContested) ms")
        #expect(takeover <= 400)
        group.run(20_000)
        #expect(group.isSettled(on: 1))
        group.heal()
        group.run(5000)
        #expect(group.isSettled(on: 1))
    }

    @Test("The last of three takes over when the others die together, as soon as it is clear that it is not deaf")
    func doubleDeath() throws {
        let group = SimulatedGroup(hosts: 3, routers: 5)
        group.startAndSettle()
        group.cutPower(0)
        group.cutPower(1)
        group.run(500)
        #expect(group.owners(0).filter { group.hosts[$0].isPowered }.isEmpty)
        group.tell(2, .underlayHeard)
        let takeover = try #require(group.run(limit: 10_000) { (0..<5).allSatisfy { group.owners($0).contains(2) } })
        print("double death: \(takeover) ms")
        #expect(takeover <= 3500)
    }

    @Test("With the HA network cut between two members it is settled within 50 ms, and then quiet")
    func advertisementsCut() {
        let group = SimulatedGroup(hosts: 2, routers: 5)
        group.startAndSettle()
        group.cut(0, 1, onlyAdvertisements: true)
        group.run(20_000)
        group.closeTimes()
        print("HA network cut: contested \(group.longestContested) ms, ownerless \(group.longestOwnerless) ms")
        #expect(group.isSettled(on: 0))
        #expect(group.longestContested <= 50)
        #expect(group.longestOwnerless == 0)
        // One mastership and its end on each router.
        #expect(group.traffic.ownerChanges == 2 * 5)
        // The relay ends with the first real advertisement.
        group.heal()
        group.run(2000)
        let before = group.traffic
        group.run(10_000)
        #expect(group.traffic.injections == before.injections)
        #expect(group.isSettled(on: 0))
    }

    @Test("With only the master's HA link cut, the others relay its advertisements and do not take each other's for them")
    func advertisementsCutOfThree() {
        let group = SimulatedGroup(hosts: 3, routers: 5)
        group.startAndSettle()
        group.cut(0, 1, onlyAdvertisements: true)
        group.cut(0, 2, onlyAdvertisements: true)
        group.run(10_000)
        #expect(group.isSettled(on: 0))
        #expect(group.longestContested <= 50)
        let before = group.traffic
        group.run(20_000)
        #expect(group.isSettled(on: 0))
        #expect(group.traffic.ownerChanges == before.ownerChanges)
    }

    @Test("A master that dies while its HA network is cut is succeeded as fast as ever")
    func deathDuringRelay() throws {
        let group = SimulatedGroup(hosts: 2)
        group.startAndSettle()
        group.cut(0, 1, onlyAdvertisements: true)
        group.run(10_000)
        group.cutPower(0)
        let time = try #require(group.run(limit: 1000) { group.isSettled(on: 1) })
        #expect(time <= 150)
    }

    @Test("With the HA network cut and the master's agent gone, VRRP decides")
    func relayNeedsAgent() throws {
        let group = SimulatedGroup(hosts: 2)
        group.startAndSettle()
        group.cut(0, 1, onlyAdvertisements: true)
        group.run(10_000)
        group.killAgent(0)
        #expect(group.run(limit: 5000) { group.owners(0) == [0, 1] } != nil)
    }

    @Test("Two members, one direction lost: there is one owner within 200 ms, and it stays", arguments: [(0, 1), (1, 0)])
    func oneWayOfTwo(from: Int, to: Int) throws {
        let group = SimulatedGroup(hosts: 2, routers: 5)
        group.startAndSettle()
        group.lose(from: from, to: to)
        group.run(20_000)
        group.closeTimes()
        print("one-way loss \(from) to \(to), 2 members: contested \(group.longestContested) ms, ownerless \(group.longestOwnerless) ms")
        #expect(group.isSettled(on: from == 0 ? 1 : 0))
        #expect(group.longestContested <= 200)
        #expect(group.longestOwnerless == 0)
        #expect(group.traffic.ownerChanges <= 10)
        group.heal()
        group.run(10_000)
        #expect(group.isSettled(on: from == 0 ? 1 : 0))
    }

    @Test(
        "Three members, one direction between two lost: the master stays, and nobody else takes over",
        arguments: [(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)])
    func oneWayOfThree(from: Int, to: Int) {
        let group = SimulatedGroup(hosts: 3, routers: 5)
        group.startAndSettle()
        group.lose(from: from, to: to)
        group.run(20_000)
        group.closeTimes()
        #expect(group.isSettled(on: 0))
        #expect(group.traffic.ownerChanges == 0)
        #expect(group.longestOwnerless == 0)
        group.heal()
        group.run(5000)
        let before = group.traffic
        group.run(10_000)
        #expect(group.isSettled(on: 0))
        #expect(group.traffic.injections == before.injections)
        #expect(group.traffic.ownerChanges == 0)
    }

    @Test("A master that dies while one member was deaf to it is succeeded once", arguments: [1, 2])
    func deathAfterOneWayLoss(deaf: Int) throws {
        let group = SimulatedGroup(hosts: 3)
        group.startAndSettle()
        group.lose(from: 0, to: deaf)
        group.run(10_000)
        group.cutPower(0)
        let time = try #require(group.run(limit: 1000) { group.isSettled() })
        #expect(time <= 200)
        group.run(10_000)
        #expect(group.isSettled())
        #expect(group.longestContested <= 50)
    }

    @Test("Loss, delay and reordering alone move nothing", arguments: 1...5)
    func badNetwork(seed: Int) {
        let group = SimulatedGroup(hosts: 3, routers: 5, seed: UInt64(seed))
        group.startAndSettle()
        group.jitterMilliseconds = 15
        for one in 0..<3 { for other in 0..<3 { group.lose(from: one, to: other, 0.05) } }
        group.run(20_000)
        #expect(group.isSettled(on: 0))
        #expect(group.traffic.ownerChanges == 0)
    }

    @Test("A conflict that cannot be settled is reported once, and once when it is over")
    func lastingConflict() throws {
        let group = SimulatedGroup(hosts: 2)
        group.settings.resignLimit = 100
        group.startAndSettle()
        group.cut(0, 1)
        group.run(1000)
        #expect(group.owners(0) == [0, 1])
        group.stopDaemon(0, on: 0)
        group.stopDaemon(0, on: 1)
        group.heal()
        group.run(2000)
        #expect(group.conflicts.sorted() == ["host0 host1 begins", "host1 host0 begins"])
        group.continueDaemon(0, on: 0)
        group.continueDaemon(0, on: 1)
        #expect(group.run(limit: 1000) { group.isSettled() } != nil)
        group.run(100)
        #expect(group.conflicts.sorted() == ["host0 host1 begins", "host0 host1 over", "host1 host0 begins", "host1 host0 over"])
    }

    @Test("A conflict that was reported is over when the router goes")
    func conflictOfRemovedRouter() {
        let group = SimulatedGroup(hosts: 2)
        group.settings.resignLimit = 100
        group.startAndSettle()
        group.cut(0, 1)
        group.run(1000)
        group.stopDaemon(0, on: 0)
        group.stopDaemon(0, on: 1)
        group.heal()
        group.run(2000)
        #expect(group.conflicts.contains("host1 host0 begins"))
        let actions = group.hosts[1].agent?.update(routers: [], now: group.now)
        #expect(actions?.contains(.conflict(group.routers[0], with: "host0", isOver: true)) == true)
    }
}
