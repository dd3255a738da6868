import Testing

@testable import Election

@Suite("The cost of an election")
struct CostTests {
    @Test("200 idle routers on 3 hosts cost a datagram of less than 50 bytes per pulse and peer, and nothing else")
    func idle() {
        let group = SimulatedGroup(hosts: 3, routers: 200, spread: true)
        group.startAndSettle()
        let clock = ContinuousClock()
        let time = clock.measure { group.run(10_000) }
        print("10 s of 200 idle routers on 3 hosts: \(group.traffic.datagrams) datagrams of \(group.traffic.bytes) bytes, \(time)")
        #expect(group.traffic.datagrams <= 3 * 2 * 51 * 10)
        #expect(group.traffic.bytes < 50 * group.traffic.datagrams)
        #expect(group.traffic.injections == 0)
        #expect(group.traffic.announcements == 0)
        for host in 0..<3 {
            let next = group.hosts[host].agent?.nextDeadline ?? Int.max
            #expect(next > group.now && next <= group.now + 20)
        }
    }

    @Test("No datagram is longer than 1200 bytes, and a peer that returns is told all 200 routers within 8 datagrams")
    func bulk() {
        let group = SimulatedGroup(hosts: 2, routers: 200)
        group.startAndSettle()
        group.killAgent(1)
        group.run(1000)
        group.datagrams = []
        group.startAgent(1)
        group.run(200)
        let datagrams = group.datagrams ?? []
        #expect(datagrams.allSatisfy { $0.count <= Pulse.maximumBytes })
        let full = datagrams.filter { $0.count > 500 }
        print("a new agent beside 200 routers: \(full.count) long datagrams in both directions")
        #expect(!full.isEmpty)
        #expect(full.count <= 40)
    }

    @Test("A router whose group has no other member is left to VRRP")
    func noOtherMember() {
        let group = SimulatedGroup(hosts: 1)
        group.start()
        #expect(group.run(limit: 5000) { group.isSettled(on: 0) } != nil)
        group.drain(0)
        group.setCarrier(0, false)
        group.setCarrier(0, true)
        group.run(5000)
        #expect(group.isSettled(on: 0))
        #expect(group.traffic.injections == 0)
    }

    @Test("Without peers there is nothing to do")
    func noPeers() {
        var election = Election(startID: 1)
        #expect(election.nextDeadline == nil)
        #expect(election.update(routers: [], now: 0).isEmpty)
        #expect(election.handle(.tick, now: 1000).isEmpty)
        #expect(election.nextDeadline == nil)
    }
}
