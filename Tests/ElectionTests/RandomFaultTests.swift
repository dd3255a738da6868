import Testing

@testable import Election

@Suite("Anything may happen")
struct RandomFaultTests {
    private func strike(_ group: SimulatedGroup) {
        func random(_ count: Int) -> Int { Int(group.generator.next() % UInt64(count)) }
        let host = random(group.hosts.count)
        let other = (host + 1 + random(group.hosts.count - 1)) % group.hosts.count
        let router = random(group.routers.count)
        switch random(20) {
        case 0: group.cutPower(host)
        case 1, 2: group.restorePower(host)
        case 3: group.cut(host, other)
        case 4: group.cut(host, other, onlyAdvertisements: true)
        case 5: group.lose(from: host, to: other)
        case 6: group.lose(from: host, to: other, 0.3)
        case 7, 8: group.heal()
        case 9: group.killAgent(host)
        case 10: if group.hosts[host].isPowered, group.hosts[host].agent == nil { group.startAgent(host) }
        case 11: group.freezeAgent(host)
        case 12: group.thawAgent(host)
        case 13: group.killDaemon(router, on: host)
        case 14: group.stopDaemon(router, on: host)
        case 15: group.continueDaemon(router, on: host)
        case 16: group.setCarrier(host, !group.hosts[host].hasCarrier)
        case 17: group.drain(host, !group.hosts[host].isDraining)
        case 18: group.setGateway(host, random(2) == 0 ? .reachable : .unreachable)
        default: group.jitterMilliseconds = random(20)
        }
    }

    private func repair(_ group: SimulatedGroup) {
        group.heal()
        group.jitterMilliseconds = 1
        for host in group.hosts.indices {
            group.restorePower(host)
            group.thawAgent(host)
            for router in group.routers.indices { group.continueDaemon(router, on: host) }
            if group.hosts[host].agent == nil { group.startAgent(host) }
            if !group.hosts[host].hasCarrier { group.setCarrier(host, true) }
            if group.hosts[host].isDraining { group.drain(host, false) }
            group.setGateway(host, .reachable)
        }
    }

    @Test("After minutes of random faults, each router has exactly one master within 5 s, and then all is quiet", arguments: 1...12)
    func settles(seed: Int) throws {
        let group = SimulatedGroup(hosts: 2 + seed % 3, routers: 3, seed: UInt64(seed), spread: true)
        group.hasGateway = true
        // With fewer places than routers some wait in line.
        if seed % 4 == 1 { group.filterMilliseconds = 0...500 }
        if seed % 2 == 0 { (group.settings.takeoverLimit, group.takeoverRequests) = (1 + seed % 3, 40) }
        group.startAndSettle()
        for _ in 0..<120 {
            strike(group)
            group.run(Int(group.generator.next() % 1500))
        }
        #expect(group.traffic.uselessTicks == 0)
        repair(group)
        var unsettled = 0
        for time in 1...8000 {
            group.run(1)
            if !group.isSettled() { unsettled = time }
        }
        print("random faults, seed \(seed): settled in \(unsettled) ms")
        #expect(unsettled < 5000)
        group.forgetTimes()
        let owners = group.routers.indices.map { group.owners($0) }
        group.run(20_000)
        group.closeTimes()
        #expect(group.routers.indices.map { group.owners($0) } == owners)
        #expect(group.longestOwnerless == 0)
        #expect(group.longestContested == 0)
        #expect(group.traffic.injections == 0)
        #expect(group.traffic.ownerChanges == 0)
        #expect(group.hosts.allSatisfy { $0.daemons.allSatisfy(\.isRunning) })
    }

    @Test("The same seed gives the same run")
    func repeatable() {
        func traffic() -> SimulatedGroup.Traffic {
            let group = SimulatedGroup(hosts: 3, routers: 3, seed: 99)
            group.startAndSettle()
            for _ in 0..<20 {
                strike(group)
                group.run(500)
            }
            return group.traffic
        }
        #expect(traffic() == traffic())
    }
}
