import Testing

@testable import Election

@Suite("Deployments choose how often masters advertise themselves")
struct IntervalTests {
    private static let intervals = [50, 100, 300, 2000]

    @Test("A master whose HA network is cut keeps its router, however often it advertises", arguments: intervals)
    func advertisementsCut(interval: Int) {
        let group = SimulatedGroup(hosts: 2, routers: 5, interval: interval)
        group.startAndSettle()
        group.cut(0, 1, onlyAdvertisements: true)
        group.run(30_000)
        group.closeTimes()
        print("HA network cut, advertisements each \(interval) ms: contested \(group.longestContested) ms")
        #expect(group.isSettled(on: 0))
        #expect(group.longestContested <= 50)
        #expect(group.longestOwnerless == 0)
        #expect(group.traffic.ownerChanges <= 2 * 5)
    }

    @Test("A member without carrier is never master while it is held", arguments: intervals)
    func held(interval: Int) throws {
        let group = SimulatedGroup(hosts: 3, routers: 5, interval: interval)
        group.startAndSettle()
        group.setCarrier(0, false)
        let time = try #require(group.run(limit: 1000) { group.isSettled(on: 1) })
        #expect(time <= 150)
        for _ in 0..<10_000 {
            group.run(1)
            #expect(group.hosts[0].daemons.allSatisfy { !$0.isMaster })
        }
    }

    @Test("A host that drains gives its routers away right behind an advertisement, however seldom these are", arguments: intervals)
    func drain(interval: Int) throws {
        let group = SimulatedGroup(hosts: 3, routers: 100, interval: interval)
        group.startAndSettle()
        group.drain(0)
        let time = try #require(group.run(limit: 20 * interval + 1000) { group.isSettled(on: 1) })
        group.closeTimes()
        print("drain of 100 routers, advertisements each \(interval) ms: \(time) ms, contested \(group.longestContested) ms each")
        #expect(group.longestOwnerless == 0)
        #expect(group.longestContested <= 60)
        group.run(5000)
        #expect(group.isSettled(on: 1))
        #expect(group.traffic.ownerChanges == 200)
    }

    @Test("A host that dies is succeeded within 150 ms, however seldom advertisements are", arguments: intervals)
    func powerLoss(interval: Int) throws {
        let group = SimulatedGroup(hosts: 3, routers: 20, interval: interval)
        group.startAndSettle()
        group.cutPower(0)
        let time = try #require(group.run(limit: 1000) { group.isSettled(on: 1) })
        #expect(time <= 150)
        group.run(5000)
        #expect(group.isSettled(on: 1))
    }

    @Test("A successor waits for the moment as long as its group's interval says, and not the default's")
    func moment() throws {
        var router = SimulatedGroup(hosts: 2, interval: 2000).configuration(0)[0]
        let settings = ElectionSettings()
        #expect(settings.handoverMoment(of: router) == 2100)
        #expect(settings.handoverPatience(of: router) == 3000)
        router.advertisementIntervalMilliseconds = 40_950
        router.priority = 242
        // Longer than the skew of this member.
        #expect(settings.attemptInterval(of: router) > (256 - 242) * 40_950 / 256)
        router.advertisementIntervalMilliseconds = 1000
        #expect(settings.attemptInterval(of: router) == 200)
    }
}
