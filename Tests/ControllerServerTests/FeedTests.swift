import APISchema
import HostModel
import NetworkModel
import TestSupport
import Testing

@Suite("Feed and reports", .timeLimit(.minutes(15)))
struct FeedTests {
    @Test("An agent lists once, then follows what changes on its host, and only that", arguments: Backend.allCases)
    func follow(_ backend: Backend) async throws {
        try await withServer(backend) { client in
            let agent = HostAgent(client: client, host: "h1")
            try await agent.report()
            let network = try await client.make("networks")
            _ = try await client.subnet(on: network)
            let first = try await client.port(on: network, ["binding:host_id": "h1", "device_owner": "compute:nova"])
            try await agent.follow { feed in
                try await feed.read { $0.ports.count == 1 }
                #expect(feed.ports.map(\.id.description) == [first])
                let second = try await client.port(on: network, ["binding:host_id": "h1", "device_owner": "compute:nova"])
                _ = try await client.port(on: network, ["binding:host_id": "h2", "device_owner": "compute:nova"])
                try await feed.read { $0.ports.count == 2 }
                #expect(Set(feed.ports.map(\.id.description)) == [first, second])
                #expect(try await client.put("ports/\(second)", ["port": ["admin_state_up": false]]).status == 200)
                try await feed.read { $0.ports.contains { !$0.isAdminStateUp } }
                #expect(try await client.delete("ports/\(first)").status == 204)
                try await feed.read { $0.ports.count == 1 }
                #expect(feed.ports.map(\.id.description) == [second])
                #expect(feed.resets == 0)
            }
        }
    }

    @Test("An agent that comes back with its revision gets only what it missed; with an unknown one it starts anew")
    func resume() async throws {
        try await withServer { client in
            let agent = HostAgent(client: client, host: "h1")
            try await agent.report()
            let network = try await client.make("networks")
            _ = try await client.subnet(on: network)
            for _ in 0..<3 { _ = try await client.port(on: network, ["binding:host_id": "h1", "device_owner": "compute:nova"]) }
            let held = Held()
            try await agent.follow { feed in
                try await feed.read { $0.ports.count == 3 }
                await held.set(feed.revision)
            }
            let revision = await held.revision
            let missed = try await client.port(on: network, ["binding:host_id": "h1", "device_owner": "compute:nova"])
            try await agent.follow(after: revision) { feed in
                try await feed.read { $0.revision > revision }
                #expect(feed.ports.map(\.id.description) == [missed])
                #expect(feed.resets == 0)
            }
            for unknown in [0, revision + 1_000_000] {
                try await agent.follow(after: unknown) { feed in
                    try await feed.read { _ in true }
                    #expect(feed.resets == 1 && feed.ports.count == 4)
                }
            }
        }
    }

    private actor Held {
        private(set) var revision = 0
        func set(_ revision: Int) { self.revision = revision }
    }

    @Test("Two subscribers of one host both see every change, a slow one in fewer messages")
    func subscribers() async throws {
        try await withServer { client in
            let agent = HostAgent(client: client, host: "h1")
            try await agent.report()
            let network = try await client.make("networks")
            _ = try await client.subnet(on: network, "10.0.0.0/16")
            try await agent.follow { slow in
                try await slow.read { _ in true }
                try await agent.follow { fast in
                    // The slow one reads nothing meanwhile, and keeps nobody waiting.
                    for round in 1...20 {
                        _ = try await client.post(
                            "ports",
                            [
                                "ports": .array(
                                    (0..<10).map { _ in
                                        ["network_id": .string(network), "binding:host_id": "h1", "device_owner": "compute:nova"]
                                    })
                            ])
                        try await fast.read { $0.ports.count == 10 * round }
                    }
                    try await slow.read { $0.ports.count == 200 }
                    #expect(slow.items == fast.items)
                    #expect(slow.revision <= fast.revision)
                }
            }
        }
    }

    @Test("A feed on which nothing happens still shows that the server lives")
    func keepAlive() async throws {
        try await withServer { client in
            try await HostAgent(client: client, host: "h1").follow { feed in
                try await feed.read { _ in true }
                let revision = feed.revision
                #expect(try await feed.next() == .bookmark(revision: revision))
            }
        }
    }

    @Test("A router's hosts are told of the interfaces and the gateway that the router recorded, and of no port that only says so")
    func routerPorts() async throws {
        try await withServer { client in
            let agent = HostAgent(client: client, host: "h1")
            try await agent.report()
            let network = try await client.make("networks")
            let subnet = try await client.subnet(on: network)
            let external = try await client.externalNetwork().network
            let router = try await client.make("routers", ["external_gateway_info": ["network_id": .string(external)]])
            for owner in ["network:router_interface", "network:router_gateway"] {
                let other = try await client.make("networks")
                _ = try await client.subnet(on: other, "10.7.0.0/24")
                _ = try await client.port(on: other, ["device_owner": .string(owner), "device_id": .string(router)])
            }
            let added = try await client.put("routers/\(router)/add_router_interface", ["subnet_id": .string(subnet)])
            let interface = try #require(added["port_id"]?.stringValue)
            try await agent.follow { feed in
                try await feed.read { $0.routers.first?.interfaces.isEmpty == false }
                let found = try #require(feed.routers.first)
                #expect(found.interfaces.map(\.id.description) == [interface])
                #expect(found.gateway?.networkID.description == external)
            }
        }
    }

    @Test("A server that stops ends its feeds", arguments: Backend.allCases)
    func stop(_ backend: Backend) async throws {
        let (opened, continuation) = AsyncStream.makeStream(of: Void.self)
        let ends = AsyncStream.makeStream(of: Bool.self)
        try await withThrowingTaskGroup { group in
            try await withServer(backend) { client in
                // Outlives the server's body, and so its life.
                Task {
                    try await HostAgent(client: client, host: "h1").follow { feed in
                        try await feed.read { _ in true }
                        continuation.finish()
                        ends.continuation.yield(try await !feed.read { _ in false })
                    }
                    ends.continuation.finish()
                }
                for await _ in opened {}
            }
            group.addTask {
                #expect(await ends.stream.first { _ in true } == true)
            }
            try await group.waitForAll()
        }
    }

    @Test("A port becomes ACTIVE when its host has wired it, and BUILD or DOWN when the host lost it", arguments: Backend.allCases)
    func status(_ backend: Backend) async throws {
        try await withServer(backend) { client in
            let agent = HostAgent(client: client, host: "h1")
            try await agent.report()
            let network = try await client.make("networks")
            _ = try await client.subnet(on: network, "10.0.0.0/24", ["enable_dhcp": false])
            let port = try await client.port(on: network, ["binding:host_id": "h1", "device_owner": "compute:nova"])
            let shown = try await client.get("ports/\(port)")
            #expect(shown["status"] != "ACTIVE" && shown["binding:vif_type"] == "bridge")
            let id = try #require(ResourceID(port))
            func report(_ state: HostStatus.PortReport.State) async throws {
                try await agent.report(ports: [
                    .init(portID: id, component: .l2, state: state, revision: shown["revision_number"]?.integerValue ?? 0)
                ])
            }
            try await report(.up)
            #expect(try await client.get("ports/\(port)")["status"] == "ACTIVE")
            try await report(.down)
            #expect(try await client.get("ports/\(port)")["status"] != "ACTIVE")
            try await report(.up)
            #expect(try await client.get("ports/\(port)")["status"] == "ACTIVE")
            let broken = try await client.send(.POST, "/agent/v1/hosts/h1/status", bytes: Array("{}".utf8))
            #expect(broken.status == 400)
        }
    }

    @Test("Agents are listed as operators know them, and routers show which of them is active")
    func agents() async throws {
        try await withServer { client in
            for host in ["h1", "h2"] { try await HostAgent(client: client, host: host).report() }
            let agents = try await client.list("agents")
            #expect(agents.count == 6 && agents.allSatisfy { $0["alive"] == true })
            #expect(try await client.list("agents", "?host=h1&binary=neutron-l3-agent").count == 1)
            #expect(try await client.list("agents", "?alive=True&limit=4").count == 4)
            #expect(try await client.list("agents", "?alive=False").isEmpty)
            let network = try await client.make("networks")
            _ = try await client.subnet(on: network)
            #expect(try await client.get("networks/\(network)/dhcp-agents").body["agents"]?.arrayValue?.count == 1)

            let router = try await client.make("routers", ["ha": true])
            var members = try await client.get("routers/\(router)/l3-agents").body["agents"]?.arrayValue ?? []
            #expect(members.count == 2 && members.allSatisfy { $0["ha_state"] != "active" })
            try await HostAgent(client: client, host: "h2").report(routers: [
                .init(routerID: #require(ResourceID(router)), state: .active)
            ])
            members = try await client.get("routers/\(router)/l3-agents").body["agents"]?.arrayValue ?? []
            #expect(members.filter { $0["ha_state"] == "active" }.compactMap { $0["host"]?.stringValue } == ["h2"])

            let agent = try #require(members.first { $0["host"] == "h1" }?["id"]?.stringValue)
            #expect(try await client.get("agents/\(agent)/l3-routers").body["routers"]?.arrayValue?.count == 1)
            #expect(try await client.delete("agents/\(agent)/l3-routers/\(router)").status == 204)
            #expect(try await client.delete("agents/\(agent)/l3-routers/\(router)").status == 409)
            #expect(try await client.post("agents/\(agent)/l3-routers", ["router_id": .string(router)]).status == 201)
            #expect(try await client.post("agents/\(agent)/l3-routers", [:]).status == 400)

            let changed = try await client.put("agents/\(agent)", ["agent": ["admin_state_up": false, "description": "in repair"]])
            #expect(changed.status == 200 && changed["admin_state_up"] == false && changed["description"] == "in repair")
            #expect(try await client.put("agents/\(agent)", ["agent": ["host": "h9"]]).status == 400)
            #expect(try await client.delete("agents/\(agent)").status == 204)
            #expect(try await client.get("agents/\(agent)").status == 404)
        }
    }
}
