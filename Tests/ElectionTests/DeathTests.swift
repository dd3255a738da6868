import Testing

@testable import Election

@Suite("A host dies")
struct DeathTests {
    @Test("A new router has a master within 100 ms", arguments: [2, 3])
    func firstElection(members: Int) throws {
        let group = SimulatedGroup(hosts: members, routers: 10)
        group.start()
        let time = try #require(group.run(limit: 1000) { group.isSettled(on: 0) })
        print("first election, \(members) members: \(time) ms")
        #expect(time < 100)
        group.run(5000)
        #expect(group.isSettled(on: 0))
        #expect(group.longestContested == 0)
    }

    @Test(
        "The third member lets the second take over 200 routers though its keepalived need longer, as long as it gets on",
        arguments: [300, 700])
    func slowDaemons(milliseconds: Int) throws {
        let group = SimulatedGroup(hosts: 3, routers: 200)
        group.startAndSettle()
        group.daemonLatencyMilliseconds = milliseconds
        group.cutPower(0)
        let time = try #require(group.run(limit: 5000) { group.isSettled(on: 1) })
        print("power loss, 200 routers, keepalived up to \(milliseconds) ms slow: \(time) ms")
        group.run(2000)
        #expect(group.isSettled(on: 1))
        #expect(group.traffic.ownerChanges == 200)
        #expect(group.longestContested == 0)
    }

    @Test("The next member takes over within 150 ms when the master's host loses power", arguments: [2, 3], [1, 20])
    func powerLoss(members: Int, routers: Int) throws {
        var times: [Int] = []
        for seed in 1...(routers > 1 ? 7 : 21) {
            let group = SimulatedGroup(hosts: members, routers: routers, seed: UInt64(seed))
            group.startAndSettle()
            group.run(seed)
            group.cutPower(0)
            let time = try #require(group.run(limit: 5000) { group.isSettled(on: 1) })
            times.append(time)
            group.run(routers > 1 ? 200 : 5000)
            #expect(group.isSettled(on: 1))
            #expect(group.longestContested == 0)
        }
        times.sort()
        print("power loss, \(members) members, \(routers) routers: \(times[0]) / \(times[times.count / 2]) / \(times[times.count - 1]) ms")
        #expect(times[times.count - 1] <= 150)
    }
}
