import Testing

@testable import Election

/// Each takeover has the kernel of its host busy for 3.5 ms, and those that go on at one time get it by turns.
@Suite("Many takeovers at once")
struct PaceTests {
    private func group(
        members: Int, routers: Int = 200, seed: UInt64 = 1, limit: Int? = nil, requests: Int = 14, spread: Bool = false
    ) -> SimulatedGroup {
        let group = SimulatedGroup(hosts: members, routers: routers, seed: seed, spread: spread)
        if let limit { group.settings.takeoverLimit = limit }
        group.startAndSettle()
        group.takeoverRequests = requests
        return group
    }

    /// After how many milliseconds each router has an owner again, the shortest first; `Int.max` for none.
    private func gaps(_ group: SimulatedGroup, limit: Int = 10_000, after fault: () -> Void) -> [Int] {
        let start = group.now
        fault()
        var times: [Int?] = Array(repeating: nil, count: group.routers.count)
        while group.now < start + limit, times.contains(nil) {
            group.run(1)
            for router in group.routers.indices where times[router] == nil && !group.owners(router).isEmpty {
                times[router] = group.now - start
            }
        }
        return times.map { $0 ?? Int.max }.sorted()
    }

    private func text(_ gaps: [Int]) -> String { "\(gaps[0]) / \(gaps[gaps.count / 2]) / \(gaps[gaps.count - 1]) ms" }

    @Test(
        "Of 200 routers half are taken over in two thirds of the time that they would take at once, and all in the same time",
        arguments: [2, 3])
    func halfTheTime(members: Int) {
        for seed in 1...10 {
            let paced = group(members: members, seed: UInt64(seed))
            let pacedGaps = gaps(paced) { paced.cutPower(0) }
            let atOnce = group(members: members, seed: UInt64(seed), limit: .max)
            let atOnceGaps = gaps(atOnce) { atOnce.cutPower(0) }
            if seed == 1 { print("200 takeovers, \(members) members: a few at a time \(text(pacedGaps)), at once \(text(atOnceGaps))") }
            #expect(pacedGaps[100] * 3 <= atOnceGaps[100] * 2)
            #expect(pacedGaps[199] <= atOnceGaps[199] * 21 / 20)
            paced.run(5000)
            #expect(paced.isSettled(on: 1))
            #expect(paced.longestContested == 0)
            #expect(paced.traffic.ownerChanges == 200)
        }
    }

    @Test("Where a kernel needs 7 ms for each of 200 routers, the third member lets the second take over all of them", arguments: 1...5)
    func slowKernel(seed: Int) {
        let group = group(members: 3, seed: UInt64(seed), requests: 28)
        let gaps = gaps(group) { group.cutPower(0) }
        if seed == 1 { print("200 takeovers, slow kernel: \(text(gaps))") }
        #expect(gaps[100] < gaps[199] * 9 / 10)
        group.run(5000)
        #expect(group.isSettled(on: 1))
        #expect(group.longestContested == 0)
        #expect(group.traffic.ownerChanges == 200)
    }

    @Test(
        "Where a kernel needs half a millisecond for each of 200 routers, more have their turn at a time, and none waits for another's skew",
        arguments: [2, 3])
    func fastKernel(members: Int) {
        let paced = group(members: members, requests: 2)
        let pacedGaps = gaps(paced) { paced.cutPower(0) }
        let atOnce = group(members: members, limit: .max, requests: 2)
        let atOnceGaps = gaps(atOnce) { atOnce.cutPower(0) }
        print("200 takeovers, fast kernel, \(members) members: a few at a time \(text(pacedGaps)), at once \(text(atOnceGaps))")
        #expect(pacedGaps[100] <= atOnceGaps[100] * 21 / 20)
        #expect(pacedGaps[199] <= atOnceGaps[199] * 5 / 4)
        #expect(paced.longestContested == 0)
    }

    @Test("Takeovers begin a few at a time, one millisecond apart, and peers know of all of them at once")
    func line() {
        let group = group(members: 3)
        group.cutPower(0)
        while group.traffic.injections == 0 { group.run(1) }
        #expect(group.traffic.injections == 1)
        // By the next look at what waits to be told, and a datagram's way.
        group.run(group.settings.urgentIntervalMilliseconds + 3)
        #expect(group.traffic.injections <= 9)
        let election = group.hosts[2].agent
        #expect(election?.routers.allSatisfy { $0.claims.contains { $0.isTaking } } == true)
        #expect(election?.routers.contains { $0.isTaking } == false)
        group.run(20)
        #expect(group.traffic.injections <= group.settings.takeoverLimit)
    }

    @Test("Keepaliveds that hang take their time and no more: the others follow, and the third member has what hangs", arguments: 1...5)
    func hanging(seed: Int) {
        let group = group(members: 3, seed: UInt64(seed))
        for router in 0..<40 { group.stopDaemon(router, on: 1) }
        let start = group.now
        group.cutPower(0)
        while group.now < start + 5000, !(40..<200).allSatisfy({ group.owners($0) == [1] }) { group.run(1) }
        let healthy = group.now - start
        while group.now < start + 5000, !(0..<40).allSatisfy({ group.owners($0) == [2] }) { group.run(1) }
        if seed == 1 { print("200 takeovers, 40 keepaliveds hang: the others after \(healthy) ms, these after \(group.now - start) ms") }
        #expect(healthy <= 1200)
        #expect(group.now - start <= 2500)
        for router in 0..<40 { group.continueDaemon(router, on: 1) }
        group.run(10_000)
        #expect(group.isSettled())
    }

    @Test("A host that dies with routers in its line is succeeded by the third member", arguments: 1...10)
    func deathInLine(seed: Int) {
        let group = group(members: 3, seed: UInt64(seed))
        group.cutPower(0)
        group.run(200 + 40 * seed)
        group.cutPower(1)
        // Two of three are silent: it may be us, until the device of the tunnels is seen to receive.
        group.run(200)
        group.tell(2, .underlayHeard)
        let time = group.run(limit: 8000) { group.isSettled(on: 2) }
        #expect(time != nil)
        group.run(5000)
        #expect(group.isSettled(on: 2))
    }

    @Test("An agent that ends with routers in its line leaves them to the third member", arguments: 1...10)
    func agentEndsInLine(seed: Int) throws {
        let group = group(members: 3, seed: UInt64(seed))
        group.cutPower(0)
        group.run(150 + 30 * seed)
        group.killAgent(1)
        let time = try #require(group.run(limit: 4000) { group.isSettled() })
        if seed == 1 { print("agent ends with routers in its line: \(time) ms") }
        group.run(2000)
        group.startAgent(1)
        group.run(5000)
        group.forgetTimes()
        group.run(10_000)
        group.closeTimes()
        #expect(group.isSettled())
        #expect(group.longestContested == 0)
        #expect(group.traffic.ownerChanges == 0)
    }

    @Test("An agent that hears of other routers and priorities while some are in line forgets none of them", arguments: 1...10)
    func updateInLine(seed: Int) {
        let group = group(members: 3, seed: UInt64(seed))
        group.cutPower(0)
        group.run(150 + 30 * seed)
        group.drain(2)
        group.run(20)
        group.drain(2, false)
        let time = group.run(limit: 3000) { group.isSettled(on: 1) }
        #expect(time != nil)
        group.run(5000)
        #expect(group.isSettled(on: 1))
        #expect(group.hosts[1].agent?.turnCount == 0)
        #expect(group.hosts[1].agent?.waitingForTurn.isEmpty == true)
    }

    @Test("A host that was not dead after all has its routers back or none, each with one owner", arguments: 1...10)
    func falseVerdict(seed: Int) {
        let group = group(members: 2, seed: UInt64(seed))
        group.cut(0, 1)
        group.run(120 + 40 * seed)
        group.heal()
        let time = group.run(limit: 3000) { group.isSettled() }
        #expect(time != nil)
        group.run(5000)
        group.forgetTimes()
        group.run(5000)
        group.closeTimes()
        #expect(group.isSettled())
        #expect(group.longestContested == 0)
        #expect(group.hosts.allSatisfy { $0.agent?.turnCount == 0 && $0.agent?.waitingForTurn.isEmpty == true })
    }

    @Test("Of five hosts with 40 masters each one dies: its successor takes all of them over, and none has two owners", arguments: 1...5)
    func spread(seed: Int) {
        let group = group(members: 5, seed: UInt64(seed), spread: true)
        group.run(seed)
        let gaps = gaps(group) { group.cutPower(0) }
        #expect(gaps[199] <= 600)
        group.run(5000)
        #expect(group.isSettled())
        #expect(group.longestContested == 0)
    }
}
