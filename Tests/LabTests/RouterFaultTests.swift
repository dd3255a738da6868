import APISchema
import Lab
import Testing

/// An HA router on three hosts, seen by pings through SNAT and through a floating IP, while something happens to its master's host.
@Suite(.serialized, .enabled(if: isRoot, needsRoot))
struct RouterFaultTests {
    /// What a host survives without its packets noticing anything: an agent is never in their path.
    static let unnoticed: Set<Fault> = [.agent, .agentHang, .control, .clock, .disk]
    /// What makes another host the master. Loss of frames in one direction, or of both on the underlay alone, is not here.
    static let taking: Set<Fault> = [.power, .uplink, .keepalivedHang]
    static let faults = Fault.allCases.filter { $0 != .loss }

    @Test("Whatever happens to the master's host, packets find a router, and after healing there is one master", arguments: faults)
    func fault(_ fault: Fault) async throws {
        try await withRouter { cloud, instance, floating in
            let lab = cloud.lab
            let master = try await cloud.master()
            let traffic = try await Traffic.start(lab, instance: instance, floating: floating, hasConnections: false)
            defer { traffic.cancel() }
            var options = FaultOptions()
            options.delayMilliseconds = 5
            try await lab.host(master).fault(fault, options)
            if Self.taking.contains(fault) {
                try await waitUntil("another host to have the addresses", timeoutMilliseconds: 60_000) {
                    try await lab.hosts(withAddress: cloud.router.gatewayAddress, router: cloud.router.id).contains { $0 != master }
                }
            }
            // Two masters that do not hear each other may take each other's packets.
            if fault != .ha { try await traffic.waitUntilSteady() }
            try await lab.host(master).heal()
            _ = try await cloud.master()
            try await traffic.waitUntilSteady()
            let report = try await traffic.finish()
            if Self.unnoticed.contains(fault) { #expect(report.lost == 0, "lost during \(fault.rawValue)") }
            #expect(try lab.host(master).isAgentRunning)
        }
    }

    @Test("An agent whose clocks have stepped goes on realising what the API asks for")
    func clockStep() async throws {
        try await withLab(hosts: 1) { lab in
            _ = try await lab.createNetwork("private", prefix: "10.0.0.0/24")
            let host = try lab.host("h1")
            _ = try await lab.createInstance("vm1", host: "h1", network: "private")
            var options = FaultOptions()
            options.clockStepSeconds = 1_000_000
            try await host.fault(.clock, options)
            _ = try await lab.createInstance("vm2", host: "h1", network: "private")
            try await host.heal()
            let third = try await lab.createInstance("vm3", host: "h1", network: "private")
            try await lab.waitForReply(from: lab.instance("vm1").place, to: third.address)
        }
    }

    @Test("A hanging agent does nothing, and does what was asked for meanwhile when it goes on")
    func agentHang() async throws {
        try await withLab(hosts: 1) { lab in
            let (network, _) = try await lab.createNetwork("private", prefix: "10.0.0.0/24")
            let host = try lab.host("h1")
            let first = try await lab.createInstance("vm1", host: "h1", network: "private")
            try await host.fault(.agentHang)
            let second = try await lab.createInstance("vm2", host: "h1", network: "private", configuration: .fixed)
            #expect(try await lab.probe(from: first.place, to: second.address, seconds: 0.5).received == 0)
            #expect(try await lab.api.show("ports", second.portID)["status"] != "ACTIVE")
            try await host.heal()
            try await lab.waitForReply(from: first.place, to: second.address, timeoutMilliseconds: 60_000)
            #expect(try await !lab.api.list("ports", "network_id=\(network.text("id"))&status=ACTIVE").isEmpty)
        }
    }

    @Test("A host that loses its power while its disk is full boots with room on it")
    func powerAndDisk() async throws {
        try await withRouter { cloud, _, _ in
            let host = try cloud.lab.host(await cloud.master())
            for fault in [Fault.disk, .power] { try await host.fault(fault) }
            _ = try await cloud.master(besides: host.name)
            try await host.heal()
            _ = try await cloud.master()
            try await waitUntil("the returned host to hold the router again", timeoutMilliseconds: 60_000) {
                RouterNamespace(of: cloud.router.id, on: host).exists
            }
        }
    }

    @Test("A router whose address somebody outside has too is in ERROR for as long as that lasts", arguments: [true, false])
    func addressConflict(isHighlyAvailable: Bool) async throws {
        try await withLab(hosts: 2) { lab in
            let cloud = try await TestCloud(lab, isHighlyAvailable: isHighlyAvailable)
            let other = try await lab.createRouter("r2", isHighlyAvailable: false, externalNetwork: cloud.externalID, subnets: [])
            func waitForStatus(_ status: String) async throws {
                try await waitUntil("the router to be \(status)", timeoutMilliseconds: 90_000) {
                    try await lab.api.show("routers", cloud.router.id)["status"]?.stringValue == status
                }
            }
            if isHighlyAvailable { _ = try await cloud.master() }
            try await waitForStatus("ACTIVE")
            let address = "\(cloud.router.gatewayAddress)/32"
            try await lab.outside.output(["ip", "address", "add", address, "dev", "eth0"])
            try await waitForStatus("ERROR")
            #expect(try await lab.api.show("routers", other.id)["status"] == "ACTIVE")
            try await lab.outside.output(["ip", "address", "del", address, "dev", "eth0"])
            try await waitForStatus("ACTIVE")
        }
    }

    @Test("A configuration that keepalived refuses puts its router in ERROR and leaves it as it was; other routers are untouched")
    func refusedConfiguration() async throws {
        try await withLab(hosts: 2) { lab in
            let external = try await lab.createExternalNetwork()
            let (_, subnet) = try await lab.createNetwork("private", prefix: "10.0.0.0/24")
            let refused = try await lab.createRouter("r1", externalNetwork: nil, subnets: [subnet])
            let other = try await lab.createRouter("r2", externalNetwork: nil, subnets: [])
            func waitForStatus(_ status: String) async throws {
                try await waitUntil("the router to be \(status)", timeoutMilliseconds: 90_000) {
                    try await lab.api.show("routers", refused.id)["status"]?.stringValue == status
                }
            }
            func owners() async throws -> [String] { try await lab.hosts(withAddress: "10.0.0.1", router: refused.id) }
            try await waitUntil("a master", timeoutMilliseconds: 60_000) { try await owners().count == 1 }
            try await waitForStatus("ACTIVE")
            for host in lab.hosts { try await refuseRoutes(on: host) }
            let path = "/v2.0/routers/\(refused.id)"
            try await lab.api.call("PUT", path, ["router": ["external_gateway_info": ["network_id": .string(external)]]])
            try await waitForStatus("ERROR")
            // The status may be there before the line.
            let search = "grep 'A host cannot realise a router' \"$1\" | grep \"$2\" | grep -q 'virtual_routes are refused here'"
            try await waitUntil("the server's log to say why", timeoutMilliseconds: 10_000) {
                try await lab.hosts[0].place.run(["sh", "-c", search, "sh", lab.logPath("server"), refused.id]).exitCode == 0
            }
            #expect(try await owners().count == 1)
            #expect(try await lab.api.show("routers", other.id)["status"] == "ACTIVE")
            try await lab.api.call("PUT", path, ["router": ["external_gateway_info": [:]]])
            try await waitForStatus("ACTIVE")
        }
    }

    /// Puts a keepalived in the place of the host's that takes no configuration with routes, and is otherwise the same.
    private func refuseRoutes(on host: LabHost) async throws {
        let script = """
            set -e
            directory=$1 program=$(command -v keepalived)
            mkdir -p "$directory"
            cp "$program" "$directory/real"
            cat >"$directory/keepalived" <<END
            #!/bin/sh
            for file; do :; done
            if [ "\\$1" = -t ] && grep -q virtual_routes "\\$file"; then
                echo "virtual_routes are refused here" >&2
                exit 5
            fi
            exec "$directory/real" "\\$@"
            END
            chmod 755 "$directory/keepalived"
            mount --bind "$directory/keepalived" "$program"
            """
        try await host.place.output(["sh", "-c", script, "sh", "\(host.lab.stateDirectory)/keepalived-\(host.name)"])
    }

    /// Runs a body with an HA router on three hosts and an instance with a floating IP on a host that is not the master's.
    private func withRouter(_ body: (TestCloud, Instance, String) async throws -> Void) async throws {
        try await withLab(hosts: 3) { lab in
            let cloud = try await TestCloud(lab)
            let (instance, floating) = try await cloud.reachableInstance()
            try await body(cloud, instance, floating)
        }
    }
}
