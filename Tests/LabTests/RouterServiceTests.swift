import APISchema
import Lab
import Testing

/// What the API promises of a router, as packets find it.
@Suite(.serialized, .enabled(if: isRoot, needsRoot))
struct RouterServiceTests {
    @Test("A router that is down becomes highly available or standalone and back, and packets pass by SNAT and floating IP after each")
    func conversion() async throws {
        try await withLab { lab in
            let cloud = try await TestCloud(lab)
            let (instance, floating) = try await cloud.reachableInstance()
            let id = cloud.router.id
            #expect(try await lab.api.send("PUT", "/v2.0/routers/\(id)", ["router": ["ha": false]]).status == 400, "it is up")
            let traffic = try await Traffic.start(lab, instance: instance, floating: floating, hasConnections: false)
            defer { traffic.cancel() }
            for isHighlyAvailable in [false, true] {
                _ = try await lab.api.update("routers", id, ["admin_state_up": false])
                try await waitUntil("the router to be nowhere", timeoutMilliseconds: 60_000) { try await cloud.owners().isEmpty }
                let converted = try await lab.api.update("routers", id, ["ha": .bool(isHighlyAvailable)])
                #expect(converted["ha"] == .bool(isHighlyAvailable))
                _ = try await lab.api.update("routers", id, ["admin_state_up": true])
                try await traffic.waitUntilSteady()
                try await cloud.waitForOneOwner()
                #expect(try await lab.api.agents(ofRouter: id).count == (isHighlyAvailable ? 2 : 1))
                let ports = try await lab.api.list("ports", "device_owner=network:router_ha_interface")
                #expect(ports.count == (isHighlyAvailable ? 2 : 0))
            }
            // As highly available as one that was so from the beginning.
            let master = try await cloud.master()
            try await lab.host(master).fault(.keepalived)
            try await traffic.waitUntilSteady()
            _ = try await cloud.master()
        }
    }

    @Test(
        "A floating IP moves, ports are forwarded, a route has two next hops, SNAT is off and on, the gateway has limits, scopes divide networks"
    )
    func features() async throws {
        try await withLab { lab in
            let scene = try await FeatureScene(lab)
            try await scene.moveFloatingIP()
            try await scene.forwardPorts()
            try await scene.routeOverTwo()
            try await scene.switchSNAT()
            try await scene.limitGateway()
            try await scene.divideByScopes()
        }
    }
}

/// An HA router with two networks: two instances on the first one, one on the second.
private struct FeatureScene {
    static let timeoutMilliseconds = 60_000

    let lab: Lab
    let cloud: TestCloud
    let first: Instance
    let second: Instance
    let client: Instance

    init(_ lab: Lab) async throws {
        self.lab = lab
        cloud = try await TestCloud(lab)
        let (network, subnet) = try await lab.createNetwork("clients", prefix: "10.1.0.0/24")
        try await lab.api.call("PUT", "/v2.0/routers/\(cloud.router.id)/add_router_interface", ["subnet_id": .string(subnet)])
        first = try await lab.createInstance("vm1", host: "h1", network: cloud.networkID)
        second = try await lab.createInstance("vm2", host: "h2", network: cloud.networkID)
        client = try await lab.createInstance("client", host: "h1", network: network.text("id"))
        // Of the group that all of them are in.
        for name in ["icmp", "tcp"] { try await lab.allow(name, toPort: first.portID) }
        _ = try await cloud.master()
        // What is not translated comes back this way.
        try await lab.outside.output(["ip", "route", "add", "10.0.0.0/8", "via", cloud.router.gatewayAddress, "dev", "eth0"])
        for instance in [first, second, client] {
            try await lab.waitForReply(
                from: instance.place, to: Underlay.outsideAddress, timeoutMilliseconds: Self.timeoutMilliseconds)
        }
    }

    /// The addresses from which the outside host sees an instance's new pings.
    private func sources(of instance: Instance) async throws -> Set<String> {
        let observer = try EchoObserver(in: lab.outside)
        try await lab.waitForReply(from: instance.place, to: Underlay.outsideAddress, timeoutMilliseconds: Self.timeoutMilliseconds)
        return observer.sources()
    }

    private func waitForSource(_ address: String, of instance: Instance) async throws {
        try await waitUntil("\(instance.name) to be seen as \(address) outside", timeoutMilliseconds: Self.timeoutMilliseconds) {
            try await sources(of: instance) == [address]
        }
    }

    // MARK: Floating IPs

    func moveFloatingIP() async throws {
        let floating = try await lab.createFloatingIP(externalNetwork: cloud.externalID, portID: first.portID)
        let pings = try Probe.start(from: lab.outside, to: floating.address)
        defer { pings.cancel() }
        try await pings.waitUntilSteady(timeoutMilliseconds: Self.timeoutMilliseconds)
        let used = try await Transfer.start(.upload, from: lab.outside, to: first.place, at: floating.address)
        // By SNAT, from an instance that is to get the floating IP.
        let beside = try await Transfer.start(.upload, from: second.place, to: lab.outside, at: Underlay.outsideAddress)
        defer { for transfer in [used, beside] { transfer.stop() } }
        for transfer in [used, beside] { #expect(try await transfer.goesOn()) }

        _ = try await lab.api.update("floatingips", floating.id, ["port_id": .string(second.portID)])
        try await waitUntil("the connection to vm1 to end", timeoutMilliseconds: Self.timeoutMilliseconds) {
            try await !used.goesOn(timeoutMilliseconds: 1000)
        }
        pings.startOverCounting()
        try await pings.waitUntilSteady(timeoutMilliseconds: Self.timeoutMilliseconds)
        let atFirst = try EchoObserver(in: first.place)
        let atSecond = try EchoObserver(in: second.place)
        pings.startOverCounting()
        try await pings.waitUntilSteady(replies: 50, timeoutMilliseconds: Self.timeoutMilliseconds)
        let (seenByFirst, seenBySecond) = (atFirst.sources(), atSecond.sources())
        #expect(seenByFirst.isEmpty)
        #expect(seenBySecond == [Underlay.outsideAddress])
        #expect(try await beside.goesOn(), "\(beside.failure ?? "stalled")")
        try await waitForSource(floating.address, of: second)
        try await waitForSource(cloud.router.gatewayAddress, of: first)
        try await lab.api.delete("floatingips", floating.id)
        try await waitForSource(cloud.router.gatewayAddress, of: second)
    }

    func forwardPorts() async throws {
        let floating = try await lab.api.create("floatingips", ["floating_network_id": .string(cloud.externalID)])
        let (id, address) = (try floating.text("id"), try floating.text("floating_ip_address"))
        for port in 8080...8083 { try await serve("port-\(port)", port: port, on: first) }
        let forwarding = try await lab.api.call(
            "POST", "/v2.0/floatingips/\(id)/port_forwardings",
            [
                "port_forwarding": [
                    "protocol": "tcp", "internal_ip_address": .string(first.address), "internal_port_id": .string(first.portID),
                    "internal_port_range": "8080:8082", "external_port_range": "9080:9082",
                ]
            ])
        for offset in 0...2 {
            try await waitUntil("port \(9080 + offset) to be forwarded", timeoutMilliseconds: Self.timeoutMilliseconds) {
                try await answer(at: address, port: 9080 + offset, from: lab.outside) == "port-\(8080 + offset)"
            }
        }
        // Served inside, and beyond the range.
        #expect(try await answer(at: address, port: 9083, from: lab.outside) == nil)
        #expect(try await answer(at: address, port: 8080, from: lab.outside) == nil)
        let forwardingID = try #require(forwarding["port_forwarding"]).text("id")
        _ = try await lab.api.call("DELETE", "/v2.0/floatingips/\(id)/port_forwardings/\(forwardingID)")
        try await waitUntil("port 9080 not to be forwarded any more", timeoutMilliseconds: Self.timeoutMilliseconds) {
            try await answer(at: address, port: 9080, from: lab.outside) == nil
        }
        try await lab.api.delete("floatingips", id)
    }

    // MARK: Routes and SNAT

    func routeOverTwo() async throws {
        let service = "198.51.100.7"
        for instance in [first, second] {
            _ = try await lab.api.update("ports", instance.portID, ["allowed_address_pairs": [["ip_address": .string(service)]]])
            try await instance.place.output(["ip", "address", "add", "\(service)/32", "dev", "lo"])
            try await serve(instance.name, port: 7000, on: instance)
        }
        func route(over instances: [Instance]) async throws {
            let routes = instances.map { JSONValue.object(["destination": "198.51.100.0/24", "nexthop": .string($0.address)]) }
            _ = try await lab.api.update("routers", cloud.router.id, ["routes": .array(routes)])
        }
        try await route(over: [first, second])
        // Connections, not packets, are shared: each has a port of its own.
        var answers: Set<String> = []
        try await waitUntil("both next hops to get connections", timeoutMilliseconds: Self.timeoutMilliseconds) {
            if let name = try await answer(at: service, port: 7000, from: client.place) { answers.insert(name) }
            return answers == ["vm1", "vm2"]
        }
        try await route(over: [second])
        var inARow = 0
        try await waitUntil("vm2 to get all connections", timeoutMilliseconds: Self.timeoutMilliseconds) {
            inARow = try await answer(at: service, port: 7000, from: client.place) == "vm2" ? inARow + 1 : 0
            return inARow >= 10
        }
        try await route(over: [])
        try await waitUntil("the route to be gone", timeoutMilliseconds: Self.timeoutMilliseconds) {
            try await answer(at: service, port: 7000, from: client.place) == nil
        }
    }

    func switchSNAT() async throws {
        try await changeGateway(["enable_snat": false])
        try await waitForSource(client.address, of: client)
        try await waitForSource(first.address, of: first)
        try await changeGateway(["enable_snat": true])
        try await waitForSource(cloud.router.gatewayAddress, of: client)
    }

    private func changeGateway(_ attributes: [String: JSONValue]) async throws {
        let gateway = attributes.merging(["network_id": .string(cloud.externalID)]) { $1 }
        _ = try await lab.api.update("routers", cloud.router.id, ["external_gateway_info": .object(gateway)])
    }

    // MARK: Quality

    func limitGateway() async throws {
        // Some 6 Mbit/s each.
        let upload = try await Transfer.start(.upload, from: client.place, to: lab.outside, at: Underlay.outsideAddress)
        let download = try await Transfer.start(.download, from: second.place, to: lab.outside, at: Underlay.outsideAddress)
        defer { for transfer in [upload, download] { transfer.stop() } }
        let policy = try await lab.api.create("qos/policies", ["name": "gateway"]).text("id")
        for direction in ["egress", "ingress"] as [JSONValue] {
            _ = try await lab.api.call(
                "POST", "/v2.0/qos/policies/\(policy)/bandwidth_limit_rules",
                ["bandwidth_limit_rule": ["max_kbps": 800, "direction": direction]])
        }
        func wait(_ expectation: String, for isReached: (Int) -> Bool) async throws {
            for transfer in [upload, download] {
                try await waitUntil("\(transfer.name) \(expectation)", timeoutMilliseconds: Self.timeoutMilliseconds) {
                    isReached(try await kilobitsPerSecond(of: transfer))
                }
            }
        }
        try await wait("to run freely") { $0 > 2000 }
        try await changeGateway(["qos_policy_id": .string(policy)])
        try await wait("to be limited") { $0 < 1000 }
        try await changeGateway(["qos_policy_id": .null])
        try await wait("to run freely again") { $0 > 2000 }
    }

    /// Of what arrives next.
    private func kilobitsPerSecond(of transfer: Transfer) async throws -> Int {
        let before = (bytes: transfer.receivedBytes, time: MonotonicTime.milliseconds)
        guard try await transfer.goesOn(bytes: 128 * 1024) else { throw LabError("The connection ended: \(transfer.failure ?? "silence")") }
        return (transfer.receivedBytes - before.bytes) * 8 / max(MonotonicTime.milliseconds - before.time, 1)
    }

    // MARK: Scopes

    /// The external network and the first one come into one scope, the other network stays in none.
    func divideByScopes() async throws {
        try await lab.waitForReply(from: client.place, to: first.address, timeoutMilliseconds: Self.timeoutMilliseconds)
        let scope = try await lab.api.create("address-scopes", ["name": "routed", "ip_version": 4]).text("id")
        for (name, prefix, network) in [("outer", "198.18.0.0/24", cloud.externalID), ("inner", "198.18.1.0/24", cloud.networkID)] {
            let pool = try await lab.api.create(
                "subnetpools", ["name": .string(name), "address_scope_id": .string(scope), "prefixes": [.string(prefix)]])
            try await lab.api.call(
                "PUT", "/v2.0/subnetpools/\(pool.text("id"))/onboard_network_subnets", ["network_id": .string(network)])
        }
        // Inside of the scope addresses are routed as they are, in both directions; what leaves another is translated.
        try await waitForSource(first.address, of: first)
        try await waitForSource(cloud.router.gatewayAddress, of: client)
        try await lab.waitForReply(from: lab.outside, to: first.address, timeoutMilliseconds: Self.timeoutMilliseconds)
        for (from, to) in [(lab.outside, client.address), (first.place, client.address), (client.place, second.address)] {
            #expect(try await lab.probe(from: from, to: to, seconds: 0.5).received == 0, "\(from.name) reaches \(to) in another scope")
        }
    }

    // MARK: Servers

    /// A server that says its name to everybody who connects.
    private func serve(_ name: String, port: Int, on instance: Instance) async throws {
        try await instance.place.start(
            ["socat", "TCP4-LISTEN:\(port),fork,reuseaddr", "SYSTEM:echo \(name)"], log: lab.logPath("\(instance.name)-\(port)"))
    }

    /// What a server says; nil when there is none.
    private func answer(at address: String, port: Int, from place: Place) async throws -> String? {
        let result = try await place.run(["timeout", "5", "socat", "-u", "TCP4:\(address):\(port),connect-timeout=1", "-"])
        guard result.exitCode == 0 else { return nil }
        let words = result.standardOutput.split(whereSeparator: \.isWhitespace)
        return words.first.map(String.init)
    }
}
