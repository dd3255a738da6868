import APISchema
import Glibc
import Lab
import Testing

/// What HA routers do without what usually helps them: their gateway, agents and servers, a common password.
@Suite(.serialized, .enabled(if: isRoot, needsRoot))
struct RouterOutageTests {
    @Test("A master that loses its gateway gives way to a backup that reaches it; when it is lost at all hosts, nothing moves")
    func gateway() async throws {
        try await withLab(hosts: 3) { lab in
            let cloud = try await TestCloud(lab)
            let (instance, floating) = try await cloud.reachableInstance()
            let first = try await cloud.master()
            let traffic = try await Traffic.start(lab, instance: instance, floating: floating, hasConnections: true)
            defer { traffic.cancel() }
            try await lab.host(first).fault(.loss, .loss(.both, on: .physical))
            let second = try await cloud.master(besides: first)
            #expect(try await cloud.master() == second, "the first one gave way")
            try await traffic.waitUntilSteady()
            for connection in traffic.connections {
                #expect(try await connection.goesOn(), "\(connection.name): \(connection.failure ?? "stalled")")
            }
            try await lab.host(first).heal()
            try await traffic.waitUntilSteady()
            #expect(try await cloud.master() == second, "the first one takes nothing back")

            let watch = try await MastershipWatch(lab.hosts.map { RouterNamespace(of: cloud.router.id, on: $0) })
            let others = lab.hosts.filter { $0.name != second }
            for host in others { try await host.fault(.loss, .loss(.both, on: .physical)) }
            // They need some 1.5 s to know: the pings of more than that pass meanwhile.
            try await traffic.waitUntilSteady(replies: 500)
            try await lab.host(second).fault(.loss, .loss(.both, on: .physical))
            try await cloud.waitForOneOwner()
            #expect(try await cloud.owners() == [second])
            for name in [second] + others.map(\.name) { try await lab.host(name).heal() }
            try await traffic.waitUntilSteady()
            #expect(try await cloud.master() == second)
            #expect(watch.changedRouters().isEmpty, "no host got or lost an address meanwhile")
        }
    }

    @Test("A router that is outside with IPv6 alone follows its gateway, and is in ERROR while somebody else has its address")
    func gatewayOfIPv6() async throws {
        try await withLab(hosts: 2) { lab in
            try await lab.outside.output(["ip", "address", "add", "\(TestCloud.outsideIPv6Address)/64", "dev", "eth0", "nodad"])
            let external = try await lab.api.create(
                "networks",
                [
                    "router:external": true, "provider:network_type": "flat",
                    "provider:physical_network": .string(Underlay.physicalNetwork),
                ]
            ).text("id")
            try await TestCloud.addExternalIPv6(lab, external: external)
            let router = try await lab.createRouter("r1", externalNetwork: external, subnets: [])
            func show() async throws -> JSONValue { try await lab.api.show("routers", router.id) }
            let addresses = try await show()["external_gateway_info"]?["external_fixed_ips"]?.arrayValue ?? []
            let address = try #require(addresses.first?["ip_address"]?.stringValue)
            func waitForMaster(besides excluded: String? = nil) async throws -> String {
                try await waitFor("one VRRP master", timeoutMilliseconds: 60_000) {
                    let holders = try await lab.hosts(withAddress: address, router: router.id)
                    return holders.count == 1 && holders[0] != excluded ? holders[0] : nil
                }
            }
            let first = try await waitForMaster()
            try await lab.host(first).fault(.loss, .loss(.both, on: .physical))
            let second = try await waitForMaster(besides: first)
            try await lab.host(first).heal()

            func waitForStatus(_ status: String) async throws {
                try await waitUntil("the router to be \(status)", timeoutMilliseconds: 90_000) {
                    try await show()["status"]?.stringValue == status
                }
            }
            try await waitForStatus("ACTIVE")
            try await lab.outside.output(["ip", "address", "add", "\(address)/128", "dev", "eth0", "nodad"])
            try await waitForStatus("ERROR")
            try await lab.outside.output(["ip", "address", "del", "\(address)/128", "dev", "eth0"])
            try await waitForStatus("ACTIVE")
            #expect(try await waitForMaster() == second)
        }
    }

    @Test(
        "While all agents and the server are stopped, a master's host loses its power: IPv4 and IPv6 find another, which stays when all return"
    )
    func alone() async throws {
        try await withLab(hosts: 3) { lab in
            let cloud = try await TestCloud(lab, hasIPv6: true)
            let (instance, floating) = try await cloud.reachableInstance()
            let first = try await cloud.master()
            try await cloud.waitForIPv6(from: instance)
            let traffic = try await Traffic.start(lab, instance: instance, floating: floating, hasConnections: false)
            defer { traffic.cancel() }
            try await lab.stopServices()
            try await lab.host(first).fault(.power)
            // The host without power keeps its namespaces until it boots.
            let second = try await waitFor("another host to have the addresses", timeoutMilliseconds: 60_000) {
                let owners = try await cloud.owners().filter { $0 != first }
                return owners.count == 1 ? owners[0] : nil
            }
            try await traffic.waitUntilSteady()
            try await cloud.waitForIPv6(from: instance)
            #expect(!lab.isServerRunning && lab.hosts.allSatisfy { !$0.isAgentRunning }, "nobody helped")
            try await lab.startServer()
            for host in lab.hosts { try await host.heal() }
            #expect(try await cloud.master() == second)
            try await traffic.waitUntilSteady()
            try await cloud.waitForIPv6(from: instance)
        }
    }

    @Test("VRRP version 2 with a password: one master, failover, and a member with another password is no second owner for long")
    func password() async throws {
        let file = "/tmp/neutrino-test-\(UInt32.random(in: 0...UInt32.max))"
        let descriptor = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        try #require(descriptor >= 0)
        defer { unlink(file) }
        let line = Array("secret\n".utf8)
        let count = write(descriptor, line, line.count)
        close(descriptor)
        try #require(count == line.count)
        try await withLab(hosts: 3, serverArguments: ["--vrrp-version", "2", "--vrrp-password-file", file]) { lab in
            let cloud = try await TestCloud(lab)
            let (instance, floating) = try await cloud.reachableInstance()
            let first = try await cloud.master()
            func directory(_ host: LabHost) -> String { "\(host.stateDirectory)/ha_confs/\(cloud.router.id)" }
            for host in lab.hosts {
                let configuration = try await host.place.output(["cat", "\(directory(host))/keepalived.conf"])
                #expect(configuration.contains("vrrp_version 2") && configuration.contains("auth_pass secret"), "\(configuration)")
            }
            let traffic = try await Traffic.start(lab, instance: instance, floating: floating, hasConnections: false)
            defer { traffic.cancel() }
            try await lab.host(first).fault(.power)
            let second = try await cloud.master(besides: first)
            try await traffic.waitUntilSteady()
            try await lab.host(first).heal()
            #expect(try await cloud.master() == second)
            try await cloud.waitForOneOwner()

            // Nobody repairs it while its agent is away: it believes no advertisement, and makes itself master.
            let stranger = try #require(lab.hosts.first { $0.name != first && $0.name != second })
            try await stranger.endAgent()
            let files = directory(stranger)
            let change = "sed -i 's/auth_pass .*/auth_pass stranger/' \(files)/keepalived.conf && kill -HUP $(cat \(files).pid)"
            try await stranger.place.output(["sh", "-c", change])
            try await waitUntil("the stranger to own the addresses as well", timeoutMilliseconds: 60_000) {
                try await cloud.owners().contains(stranger.name)
            }
            try await stranger.heal()
            // Longer than three of its intervals of two seconds: it must not come back.
            try await cloud.waitForOneOwner(looks: 150)
            let configuration = try await stranger.place.output(["cat", "\(files)/keepalived.conf"])
            #expect(configuration.contains("auth_pass secret"), "\(configuration)")
            _ = try await cloud.master()
            try await traffic.waitUntilSteady()
        }
    }
}
