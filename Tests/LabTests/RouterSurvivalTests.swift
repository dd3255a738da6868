import APISchema
import Lab
import Testing

/// What users of an HA router keep while its master's host fails or is worked on: connections, packets, and one owner of the addresses.
///
/// These need what hosts tell each other beside VRRP, and replicated connections.
@Suite(.serialized, .enabled(if: isRoot, needsRoot))
struct RouterSurvivalTests {
    /// From the host's point of view; what the host goes on doing is its own business.
    static let failures: [Fault] = [.power, .uplink, .keepalived, .keepalivedHang, .agent]

    @Test("TCP connections through SNAT and a floating IP go on in both directions, whatever fails", arguments: failures)
    func connections(fault: Fault) async throws {
        try await withSurvivors(fault.rawValue) { cloud, traffic, master in
            let host = try cloud.lab.host(master)
            try await host.fault(fault)
            if [.power, .uplink].contains(fault) { _ = try await cloud.master(besides: master) }
            for connection in traffic.connections {
                #expect(try await connection.goesOn(), "\(connection.name): \(connection.failure ?? "stalled")")
            }
            try await host.heal()
            _ = try await cloud.master()
        }
    }

    @Test("A drain moves the master away without a lost packet or connection, and its end takes nothing back")
    func drain() async throws {
        try await withSurvivors("drain") { cloud, traffic, master in
            try await cloud.lab.setL3Agent(of: master, isEnabled: false)
            let successor = try await cloud.master(besides: master)
            try await traffic.waitUntilSteady()
            try await cloud.lab.setL3Agent(of: master, isEnabled: true)
            try await traffic.waitUntilSteady()
            #expect(try await cloud.master() == successor)
            let report = try await traffic.finish()
            #expect(report.lost == 0)
            #expect(report.broken == [])
        }
    }

    @Test("When all hosts of a router are drained, a free one joins and takes it, and no more drained ones stay than are needed")
    func drainAll() async throws {
        try await withLab(hosts: 3, serverArguments: ["--maximum-members", "2"]) { lab in
            let cloud = try await TestCloud(lab)
            let (instance, floating) = try await cloud.reachableInstance()
            let members = try await lab.api.agents(ofRouter: cloud.router.id).compactMap { $0["host"]?.stringValue }
            let free = try #require(lab.hosts.map(\.name).first { !members.contains($0) })
            let traffic = try await Traffic.start(lab, instance: instance, floating: floating, hasConnections: false)
            defer { traffic.cancel() }
            for host in members { try await lab.setL3Agent(of: host, isEnabled: false) }
            try await waitUntil("\(free) to be the only master", timeoutMilliseconds: 60_000) { try await cloud.master() == free }
            try await traffic.waitUntilSteady()
            try await waitUntil("the router to have two members", timeoutMilliseconds: 60_000) {
                try await lab.api.agents(ofRouter: cloud.router.id).count == 2
            }
            try await traffic.waitUntilSteady()
            #expect(try await cloud.master() == free)
        }
    }

    @Test(
        "When the members cannot hear each other, exactly one owns the addresses once it is settled, and packets pass",
        arguments: [[Fault.ha], [.ha, .control]])
    func partition(faults: [Fault]) async throws {
        try await withSurvivors("partition") { cloud, traffic, master in
            let host = try cloud.lab.host(master)
            for fault in faults { try await host.fault(fault) }
            try await cloud.waitForOneOwner()
            try await traffic.waitUntilSteady()
            try await host.heal()
            try await cloud.waitForOneOwner()
            _ = try await cloud.master()
            for connection in traffic.connections {
                #expect(try await connection.goesOn(), "\(connection.name): \(connection.failure ?? "stalled")")
            }
        }
    }

    @Test(
        "A master whose host cannot send, or cannot receive, on the underlay gives way, and there is one owner", arguments: [true, false])
    func oneWayLoss(isOfSent: Bool) async throws {
        try await withSurvivors("one-way loss") { cloud, traffic, master in
            let host = try cloud.lab.host(master)
            try await host.fault(.loss, .loss(isOfSent ? .sent : .received))
            try await waitUntil("another host to own the addresses alone", timeoutMilliseconds: 60_000) {
                let owners = try await cloud.owners()
                return owners.count == 1 && owners != [master]
            }
            try await cloud.waitForOneOwner()
            try await traffic.waitUntilSteady()
            try await host.heal()
            _ = try await cloud.master()
        }
    }

    @Test("A keepalived that hangs and goes on finds another master, and is silent")
    func hangingKeepalivedReturns() async throws {
        try await withSurvivors("keepalived-hang") { cloud, traffic, master in
            let host = try cloud.lab.host(master)
            try await host.fault(.keepalivedHang)
            try await waitUntil("another host to have the addresses", timeoutMilliseconds: 60_000) {
                try await cloud.owners().contains { $0 != master }
            }
            try await host.heal()
            _ = try await cloud.master()
            try await cloud.waitForOneOwner()
            try await traffic.waitUntilSteady()
        }
    }

    private func withSurvivors(_ what: String, _ body: (TestCloud, Traffic, String) async throws -> Void) async throws {
        try await withLab(hosts: 3) { lab in
            let cloud = try await TestCloud(lab)
            let (instance, floating) = try await cloud.reachableInstance()
            let master = try await cloud.master()
            let traffic = try await Traffic.start(lab, instance: instance, floating: floating, hasConnections: true)
            defer { traffic.cancel() }
            try await body(cloud, traffic, master)
        }
    }
}
