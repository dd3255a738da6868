import APISchema
import ControllerServer
import HostModel
import Logging
import NetworkModel
import Store
import TestSupport
import Testing

@Suite("Nova")
struct NovaTests {
    private static let server = "5a1f7c4e-0f4f-4a86-a4a5-3a1e6b1d8a11"

    private func event(_ name: String, _ port: String, _ status: String? = nil) -> JSONValue {
        var members: [String: JSONValue] = ["name": .string(name), "server_uuid": .string(Self.server), "tag": .string(port)]
        if let status { members["status"] = .string(status) }
        return .object(members)
    }

    private func instance(_ client: APIClient, on network: String, host: String = "h1") async throws -> String {
        try await client.port(
            on: network,
            ["device_owner": "compute:nova", "device_id": .string(Self.server), "binding:host_id": .string(host)])
    }

    /// A host says that it has wired a port as it is now.
    private func wire(_ client: APIClient, _ port: String, on host: String, _ state: HostStatus.PortReport.State = .up) async throws {
        let revision = try await client.get("ports/\(port)")["revision_number"]?.integerValue ?? 0
        let id = try #require(ResourceID(port))
        try await HostAgent(client: client, host: host).report(
            ports: [HostStatus.PortReport(portID: id, component: .l2, state: state, revision: revision)])
    }

    @Test("Nova is told when a port is wired, changes, loses its wire and goes", arguments: Backend.allCases)
    func life(_ backend: Backend) async throws {
        let nova = RecordingNova()
        try await nova.run { address in
            try await withServer(backend, nova: NovaSettings(url: "http://127.0.0.1:\(address)/v2.1", batchMilliseconds: 20)) { client in
                func expect(_ wanted: [JSONValue], sourceLocation: SourceLocation = #_sourceLocation) async throws {
                    #expect(await poll { nova.events.count >= wanted.count }, "Nova has \(wanted.count) events")
                    #expect(nova.events == wanted, sourceLocation: sourceLocation)
                }
                try await HostAgent(client: client, host: "h1").report()
                let network = try await client.make("networks")
                let subnet = try await client.subnet(on: network, "10.0.0.0/24", ["enable_dhcp": false])
                let port = try await instance(client, on: network)
                // A port of nobody's instance is none of Nova's business.
                _ = try await client.port(on: network, ["binding:host_id": "h1"])
                try await wire(client, port, on: "h1")
                var wanted = [event("network-vif-plugged", port, "completed")]
                try await expect(wanted)
                _ = try await client.put("ports/\(port)", ["port": ["fixed_ips": [["ip_address": "10.0.0.77"]]]])
                wanted.append(event("network-changed", port))
                try await expect(wanted)

                let (external, _) = try await client.externalNetwork()
                let router = try await client.make("routers", ["external_gateway_info": ["network_id": .string(external)]])
                _ = try await client.put("routers/\(router)/add_router_interface", ["subnet_id": .string(subnet)])
                let floating = try await client.make(
                    "floatingips", ["floating_network_id": .string(external), "port_id": .string(port)])
                wanted.append(event("network-changed", port))
                try await expect(wanted)
                _ = try await client.put("floatingips/\(floating)", ["floatingip": ["port_id": nil]])
                wanted.append(event("network-changed", port))
                try await expect(wanted)

                try await wire(client, port, on: "h1", .down)
                wanted.append(event("network-vif-unplugged", port, "completed"))
                try await expect(wanted)
                #expect(try await client.delete("ports/\(port)").status == 204)
                wanted.append(event("network-vif-deleted", port))
                try await expect(wanted)
                #expect(nova.posts.allSatisfy { $0.token == nil && $0.body.objectValue?.count == 1 })
            }
        }
    }

    @Test("The destination of a live migration is wired ahead, Nova hears of it, and the feed follows the activation")
    func migration() async throws {
        let nova = RecordingNova()
        try await nova.run { address in
            try await withServer(nova: NovaSettings(url: "http://127.0.0.1:\(address)/v2.1/", batchMilliseconds: 20)) { client in
                for host in ["h1", "h2"] { try await HostAgent(client: client, host: host).report() }
                let network = try await client.make("networks")
                let port = try await instance(client, on: network)
                try await wire(client, port, on: "h1")
                #expect(await poll { nova.events.count == 1 }, "the port is wired")
                let made = try await client.post(
                    "ports/\(port)/bindings", ["binding": ["host": "h2", "profile": ["migrating_to": "h2"]]])
                #expect(made.status == 201 && made["status"] == "INACTIVE" && made["vif_type"] == "bridge", "\(made)")
                #expect(made["profile"] == ["migrating_to": "h2"] && made["vif_details"]?["port_filter"] == true)
                try await HostAgent(client: client, host: "h2").follow { feed in
                    try await feed.read { $0.ports.map(\.id.description) == [port] }
                    try await wire(client, port, on: "h2")
                    #expect(await poll { nova.events.count == 2 }, "the destination is wired")
                    #expect(nova.events.last == event("network-vif-plugged", port, "completed"))
                    #expect(try await client.get("ports/\(port)")["status"] == "ACTIVE")
                    let activated = try await client.send(.PUT, "/v2.0/ports/\(port)/bindings/h2/activate")
                    #expect(activated.status == 200 && activated["status"] == "ACTIVE", "\(activated)")
                    // The source has it no more, the destination keeps it.
                    try await HostAgent(client: client, host: "h1").follow { source in
                        let isGone = try await source.read { $0.ports.isEmpty }
                        #expect(isGone)
                    }
                    #expect(feed.ports.map(\.id.description) == [port])
                }
                let list = try await client.get("ports/\(port)/bindings?fields=host&fields=status")
                #expect(list.body == ["bindings": [["host": "h2", "status": "ACTIVE"], ["host": "h1", "status": "INACTIVE"]]], "\(list)")
                #expect(try await client.get("ports/\(port)/bindings?status=INACTIVE").body["bindings"]?.arrayValue?.count == 1)
                #expect(try await client.delete("ports/\(port)/bindings/h1").status == 204)
                #expect(try await client.get("ports/\(port)")["binding:profile"] == ["migrating_to": "h2"])
            }
        }
    }

    @Test(
        "Events carry a service user's token, and wait for a Nova that does not answer; what was missed meanwhile is told at the next start"
    )
    func retries() async throws {
        let nova = RecordingNova()
        let database = try Backend.sqlite.makeLocation()
        try await nova.run { address in
            let user = ServiceUser(identityURL: "http://127.0.0.1:\(address)/v3", name: "neutrino", password: "secret")
            let settings = NovaSettings(url: "http://127.0.0.1:\(address)/v2.1", user: user, batchMilliseconds: 20)
            // The token expired, then Nova is busy: the events come all the same, with a new token.
            nova.answer([503, 401, 500])
            try await withServer(database, nova: settings) { client in
                try await HostAgent(client: client, host: "h1").report()
                let made = try await instance(client, on: client.make("networks"))
                try await wire(client, made, on: "h1")
                #expect(await poll { !nova.events.isEmpty }, "Nova has the event")
            }
            #expect(nova.events.first?["name"] == "network-vif-plugged")
            let port = nova.events.first?["tag"]?.stringValue ?? ""
            #expect(nova.posts.first?.token == "token-2" && nova.logins.count == 2)
            let login = nova.logins.first?["auth"]
            #expect(login?["identity"]?["password"]?["user"]?["name"] == "neutrino")
            #expect(login?["scope"]?["project"]?["name"] == "service")

            // A server that does not know Nova: what happens is told by the next one that does.
            try await withServer(database) { client in
                let gone = try await client.delete("ports/\(port)")
                #expect(gone.status == 204)
            }
            try await withServer(database, nova: settings) { _ in
                #expect(await poll { nova.events.count == 2 }, "Nova hears what it missed")
            }
            #expect(nova.events.last == event("network-vif-deleted", port))
        }
    }

    /// Nothing of this server gives a port the status ERROR; another program on its database, or an older version, may have.
    @Test("Nova is told to give up on a port with the status ERROR")
    func failure() async throws {
        let nova = RecordingNova()
        let database = try Backend.sqlite.makeLocation()
        try await nova.run { address in
            let settings = NovaSettings(url: "http://127.0.0.1:\(address)/v2.1", batchMilliseconds: 20)
            try await withServer(database, nova: settings) { client in
                try await HostAgent(client: client, host: "h1").report()
                let network = try await client.make("networks", ["name": "n"])
                let port = try await instance(client, on: network)
                try await wire(client, port, on: "h1")
                #expect(await poll { nova.events.count == 1 }, "Nova has the first event")
                _ = try await client.port(
                    on: network, ["name": "broken", "device_owner": "compute:nova", "device_id": .string(Self.server)])
            }
            let store = try Store(database, logger: .quiet)
            try await store.write { _ = try $0.execute("UPDATE ports SET status = 'ERROR' WHERE name = 'broken'") }
            await store.close()
            try await withServer(database, nova: settings) { client in
                #expect(await poll { nova.events.count >= 2 }, "Nova hears of it")
                let broken = try await client.list("ports", "?name=broken").first?["id"]?.stringValue ?? ""
                #expect(nova.events.last == event("network-vif-plugged", broken, "failed") && nova.events.count == 2)
            }
        }
    }

    @Test("Of many events at once each request carries a hundred at most, and each event is told once")
    func batches() async throws {
        let nova = RecordingNova()
        let database = try Backend.sqlite.makeLocation()
        let count = 150
        try await nova.run { address in
            let settings = NovaSettings(url: "http://127.0.0.1:\(address)/v2.1", batchMilliseconds: 20)
            // From here on what Nova was told is kept.
            try await withServer(database, nova: settings) { client in
                try await HostAgent(client: client, host: "h1").report()
                let port = try await instance(client, on: client.make("networks", ["name": "n"]))
                try await wire(client, port, on: "h1")
                #expect(await poll { nova.events.count == 1 }, "Nova has the first event")
            }
            // A server that does not know Nova: all that happens comes to the next one at once.
            try await withServer(database) { client in
                let network = try #require(try await client.list("networks").first?["id"])
                let port: JSONValue = [
                    "network_id": network, "device_owner": "compute:nova", "device_id": .string(Self.server), "binding:host_id": "h1",
                ]
                let made = try await client.post("ports", ["ports": .array(Array(repeating: port, count: count))])
                try #require(made.status == 201, "\(made)")
                let reports = try (made.body["ports"]?.arrayValue ?? []).map { port in
                    HostStatus.PortReport(
                        portID: try #require(ResourceID(port["id"]?.stringValue ?? "")), component: .l2, state: .up,
                        revision: try #require(port["revision_number"]?.integerValue))
                }
                try await HostAgent(client: client, host: "h1").report(ports: reports)
            }
            try await withServer(database, nova: settings) { _ in
                #expect(await poll { nova.events.count >= count + 1 }, "Nova has all events")
            }
        }
        #expect(nova.posts.map { $0.body["events"]?.arrayValue?.count } == [1, 100, 50])
        #expect(Set(nova.events.compactMap { $0["tag"]?.stringValue }).count == count + 1)
        #expect(nova.events.allSatisfy { $0["name"] == "network-vif-plugged" && $0["status"] == "completed" })
    }

    @Test("What Nova does not take after some attempts is given up, and later events come all the same")
    func givingUp() async throws {
        let nova = RecordingNova()
        try await nova.run { address in
            try await withServer(nova: NovaSettings(url: "http://127.0.0.1:\(address)/v2.1", batchMilliseconds: 20)) { client in
                try await HostAgent(client: client, host: "h1").report()
                let network = try await client.make("networks")
                let (lost, told) = (try await instance(client, on: network), try await instance(client, on: network))
                let attempts = 5
                nova.answer(Array(repeating: 503, count: attempts))
                try await wire(client, lost, on: "h1")
                #expect(await poll { nova.attempts == attempts }, "the server tries \(attempts) times")
                #expect(nova.events.isEmpty)
                try await wire(client, told, on: "h1")
                #expect(await poll { !nova.events.isEmpty }, "Nova has the later event")
                #expect(nova.events == [event("network-vif-plugged", told, "completed")] && nova.attempts == attempts + 1)
            }
        }
    }

    @Test("Of instances that Nova does not know it is told once: 207 for some of them and 404 for all are answers like others")
    func unknownInstances() async throws {
        let nova = RecordingNova()
        try await nova.run { address in
            try await withServer(nova: NovaSettings(url: "http://127.0.0.1:\(address)/v2.1", batchMilliseconds: 20)) { client in
                try await HostAgent(client: client, host: "h1").report()
                let network = try await client.make("networks")
                var ports: [String] = []
                for _ in 0..<3 { ports.append(try await instance(client, on: network)) }
                nova.answer([207, 404])
                for (number, port) in ports.enumerated() {
                    try await wire(client, port, on: "h1")
                    #expect(await poll { nova.attempts == number + 1 }, "one request for port \(number)")
                }
                #expect(await poll { nova.events.count == 2 }, "Nova took the first and the third")
                #expect(
                    nova.events == [
                        event("network-vif-plugged", ports[0], "completed"), event("network-vif-plugged", ports[2], "completed"),
                    ])
                #expect(nova.attempts == ports.count)
            }
        }
    }
}
