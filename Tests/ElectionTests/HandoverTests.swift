import Addressing
import NetworkModel
import Testing

@testable import Election

@Suite("Masters are handed over")
struct HandoverTests {
    @Test("A host that drains gives 200 routers away without a moment with no owner", arguments: [2, 3])
    func drain(members: Int) throws {
        let group = SimulatedGroup(hosts: members, routers: 200)
        group.startAndSettle()
        group.drain(0)
        let time = try #require(group.run(limit: 20_000) { group.isSettled(on: 1) })
        group.closeTimes()
        print("drain of 200 routers, \(members) members: \(time) ms, contested \(group.longestContested) ms each")
        #expect(time <= 20_000)
        #expect(group.longestOwnerless == 0)
        #expect(group.longestContested <= group.settings.handoverOverlapMilliseconds + 60)
        // The first frames, and those after the last of the old master; no more than a few between.
        #expect(group.traffic.announcements >= 400 && group.traffic.announcements <= 1600 && group.traffic.strayAnnouncements == 0)
        group.run(5000)
        #expect(group.isSettled(on: 1))
        #expect(group.traffic.ownerChanges == 400)
        // Nothing returns by itself.
        group.drain(0, false)
        group.run(5000)
        #expect(group.isSettled(on: 1))
    }

    @Test("Who hands over does not hear others until the overlap is over, and never for so long that VRRP would take them for dead")
    func deafness() throws {
        let settings = ElectionSettings()
        for interval in [10, 50, 100, 150, 200, 1000, 2000, 255_000] {
            let router = ElectionRouter(
                id: ResourceID(rawValue: 1), localAddress: try #require(IPAddress("169.254.192.1")), priority: 100, isDraining: false,
                peers: [],
                advertisementIntervalMilliseconds: interval, gatewayKey: nil)
            guard let deafness = settings.handoverDeafness(of: router) else {
                #expect(interval <= 200)
                continue
            }
            #expect(deafness >= settings.handoverMoment(of: router) + settings.handoverOverlap(of: router))
            #expect(deafness < 3 * interval)
        }
    }

    @Test("Routers that wait to be handed over go in the order in which they began to wait")
    func drainOrder() {
        let group = SimulatedGroup(hosts: 2, routers: 200)
        group.startAndSettle()
        group.drain(0)
        var order: [Int] = []
        for _ in 0..<20_000 where order.count < 200 {
            group.run(1)
            order += (0..<200).filter { !order.contains($0) && group.owners($0) == [1] }
        }
        #expect(order.count == 200)
        let waiting = order.dropFirst(group.settings.handoverLimit)
        let early = waiting.prefix(waiting.count / 2)
        let late = waiting.suffix(waiting.count / 2)
        #expect(early.reduce(0, +) / early.count + 32 < late.reduce(0, +) / late.count)
    }

    @Test("A host that drains keeps what nobody else can take, and gives it away when somebody can")
    func drainAlone() throws {
        let group = SimulatedGroup(hosts: 2)
        group.startAndSettle()
        group.cutPower(1)
        group.run(1000)
        group.drain(0)
        group.run(20_000)
        #expect(group.isSettled(on: 0))
        group.restorePower(1)
        #expect(group.run(limit: 3000) { group.isSettled(on: 1) } != nil)
        #expect(group.longestOwnerless == 0)
    }

    @Test("A draining host still takes over when all others are dead")
    func drainingSuccessor() throws {
        let group = SimulatedGroup(hosts: 2)
        group.startAndSettle()
        group.drain(1)
        group.run(1000)
        group.cutPower(0)
        #expect(group.run(limit: 150) { group.isSettled(on: 1) } != nil)
    }

    private func gatewayGroup(members: Int = 2, routers: Int = 5) -> SimulatedGroup {
        let group = SimulatedGroup(hosts: members, routers: routers)
        group.hasGateway = true
        for host in 0..<members { group.hosts[host].gateway = .reachable }
        group.startAndSettle()
        return group
    }

    @Test("A master whose gateway is unreachable gives way to a member that reaches it", arguments: [2, 3])
    func gatewayLost(members: Int) throws {
        let group = gatewayGroup(members: members)
        group.setGateway(0, .unreachable)
        let time = try #require(group.run(limit: 2000) { group.isSettled(on: 1) })
        print("gateway unreachable, \(members) members: \(time) ms")
        #expect(time <= 1200)
        #expect(group.longestOwnerless == 0)
        group.setGateway(0, .reachable)
        group.run(60_000)
        #expect(group.isSettled(on: 1))
    }

    @Test("When the gateway is unreachable for all, nothing moves for minutes")
    func gatewayLostForAll() {
        let group = gatewayGroup(members: 3)
        for host in [1, 2, 0] { group.setGateway(host, .unreachable) }
        group.run(120_000)
        #expect(group.isSettled(on: 0))
        #expect(group.traffic.ownerChanges == 0)
        #expect(group.traffic.injections == 0)
    }

    @Test(
        "A host that drains keeps its routers while nobody else reaches their gateway, and gives them away when somebody does",
        arguments: [2, 3])
    func drainToUnreachable(members: Int) throws {
        let group = gatewayGroup(members: members)
        for other in 1..<members { group.setGateway(other, .unreachable) }
        group.drain(0)
        group.run(30_000)
        #expect(group.isSettled(on: 0))
        #expect(group.traffic.ownerChanges == 0)
        group.setGateway(members - 1, .reachable)
        #expect(group.run(limit: 3000) { group.isSettled(on: members - 1) } != nil)
        group.closeTimes()
        #expect(group.longestOwnerless == 0)
    }

    @Test("A host that drains gives its routers away when nobody reaches their gateway")
    func drainUnreachableForAll() {
        let group = gatewayGroup()
        for host in [1, 0] { group.setGateway(host, .unreachable) }
        group.drain(0)
        #expect(group.run(limit: 3000) { group.isSettled(on: 1) } != nil)
        group.run(30_000)
        #expect(group.isSettled(on: 1))
    }

    @Test("Of two masters the one that reaches the gateway stays, though it drains", arguments: [0, 1])
    func drainingMasterOfTwo(draining: Int) {
        let group = gatewayGroup()
        group.cut(0, 1)
        group.run(1000)
        #expect(group.owners(0) == [0, 1])
        group.setGateway(1 - draining, .unreachable)
        group.drain(draining)
        group.heal()
        group.run(5000)
        #expect(group.isSettled(on: draining))
    }

    @Test("A gateway that comes and goes moves a router ever less often")
    func gatewayFlaps() {
        let group = gatewayGroup(routers: 1)
        var moves: [Int] = []
        var owner = 0
        for _ in 0..<600 {
            // Always unreachable where the master is.
            group.setGateway(owner, .unreachable)
            group.setGateway(1 - owner, .reachable)
            group.run(1000)
            if group.isSettled(on: 1 - owner) {
                owner = 1 - owner
                moves.append(group.now)
            }
        }
        let gaps = zip(moves.dropFirst(), moves).map { $0 - $1 }
        print("gateway flaps for 10 minutes: seconds between moves \(gaps.map { $0 / 1000 })")
        #expect(gaps.allSatisfy { $0 >= 9000 })
        #expect(moves.count <= 7)
        #expect(gaps.last ?? 0 >= 150_000)
    }

    @Test("A host whose tunnel device loses its carrier gives up at once, and is no second owner when it is back")
    func carrierLost() throws {
        let group = SimulatedGroup(hosts: 3, routers: 20)
        group.startAndSettle()
        group.setCarrier(0, false)
        let time = try #require(group.run(limit: 1000) { group.isSettled(on: 1) })
        print("carrier lost: \(time) ms")
        #expect(time <= 150)
        #expect(group.hosts[0].daemons.allSatisfy { !$0.hasAddresses })
        group.run(20_000)
        #expect(group.hosts[0].daemons.allSatisfy { !$0.hasAddresses })
        group.forgetTimes()
        group.setCarrier(0, true)
        group.run(10_000)
        group.closeTimes()
        #expect(group.isSettled(on: 1))
        #expect(group.longestContested == 0)
        #expect(group.longestOwnerless == 0)
    }

    @Test("When all hosts lost their carrier, there is an owner soon after it is back")
    func carrierLostForAll() throws {
        let group = SimulatedGroup(hosts: 2)
        group.startAndSettle()
        for host in 0..<2 { group.setCarrier(host, false) }
        group.run(10_000)
        #expect(group.hosts.allSatisfy { !$0.daemons[0].hasAddresses })
        for host in 0..<2 { group.setCarrier(host, true) }
        let time = try #require(group.run(limit: 5000) { group.isSettled() })
        print("carrier back for all: \(time) ms")
        #expect(time <= 300)
    }
}
