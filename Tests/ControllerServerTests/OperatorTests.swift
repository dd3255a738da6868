import APISchema
import ControllerServer
import NetworkModel
import TestSupport
import Testing

/// What operators ask: zones, metrics, and whether a host is free.
@Suite("Operators")
struct OperatorTests {
    @Test("Zones are listed, filtered by their attributes, and shown by agents, routers and networks")
    func zones() async throws {
        try await withServer { client in
            try await HostAgent(client: client, host: "h1").report()
            let all = try await client.list("availability_zones")
            #expect(
                Set(all) == [
                    ["name": "nova", "resource": "router", "state": "available"],
                    ["name": "nova", "resource": "network", "state": "available"],
                ])
            #expect(try await client.list("availability_zones", "?resource=router&fields=name") == [["name": "nova"]])
            #expect(try await client.get("availability_zones?color=red").status == 400)
            let router = try await client.post("routers", ["router": ["availability_zone_hints": ["nova"]]]).body["router"]
            #expect(router?["availability_zone_hints"] == ["nova"])
            #expect(router?["availability_zones"] == ["nova"])
            let refused = try await client.post("routers", ["router": ["availability_zone_hints": ["mars"]]])
            #expect(refused.status == 404 && refused.errorType == "AvailabilityZoneNotFound")
            let agents = try await client.list("agents", "?availability_zone=nova")
            #expect(agents.count == 2)
        }
    }

    @Test("/metrics counts routers, agents, conflicts and subscribers in Prometheus' words")
    func metrics() async throws {
        try await withServer { client in
            try await HostAgent(client: client, host: "h1").report()
            _ = try await client.make("routers")
            let answer = try await client.send(.GET, "/metrics")
            #expect(answer.status == 200)
            #expect(answer.headers.first(name: "Content-Type")?.hasPrefix("text/plain; version=0.0.4") == true)
            let lines = Set(answer.text.split(separator: "\n").map(String.init))
            #expect(
                lines.isSuperset(of: [
                    "# TYPE neutrino_routers gauge", "neutrino_routers{status=\"ACTIVE\",ha=\"false\"} 1",
                    "neutrino_agents{type=\"L3 agent\",alive=\"true\"} 1", "neutrino_agents{type=\"L3 agent\",alive=\"false\"} 0",
                    "neutrino_router_master_conflicts 0", "neutrino_feed_subscribers 0",
                ]))
        }
    }

    @Test("A router that its host cannot realise shows ERROR and in /metrics, until it is realised again")
    func failingRouter() async throws {
        try await withServer { client in
            let agent = HostAgent(client: client, host: "h1")
            try await agent.report()
            let router = try await client.make("routers")
            let id = try #require(ResourceID(router))
            for (failure, status, count) in [("link qg-1: refused" as String?, "ERROR", 1), (nil, "ACTIVE", 0)] {
                try await agent.report(routers: [.init(routerID: id, state: .unknown, failure: failure)])
                #expect(try await client.get("routers/\(router)").body["router"]?["status"]?.stringValue == status)
                let metrics = try await client.send(.GET, "/metrics").text
                #expect(metrics.contains("neutrino_router_failures \(count)\n"))
            }
        }
    }

    @Test("While two hosts say that they are a router's master, the API, /metrics and the log say so, and all say when it is over")
    func twoMasters() async throws {
        let log = LogLines()
        try await withServer(logger: log.logger) { client in
            let agents = ["h1", "h2", "h3"].map { HostAgent(client: client, host: $0) }
            for agent in agents { try await agent.report() }
            let router = try await client.make("routers", ["ha": true])
            let id = try #require(ResourceID(router))
            func states() async throws -> [String: String] {
                let members = try await client.get("routers/\(router)/l3-agents").body["agents"]?.arrayValue ?? []
                return members.reduce(into: [:]) { $0[$1["host"]?.stringValue ?? ""] = $1["ha_state"]?.stringValue }
            }
            func hasMetric(_ count: Int) async throws -> Bool {
                try await client.send(.GET, "/metrics").text.contains("neutrino_router_master_conflicts \(count)\n")
            }
            func says(_ sentence: String) -> Bool { log.all.contains { $0.hasPrefix(sentence) && $0.contains(router) } }
            try await agents[0].report(routers: [.init(routerID: id, state: .active)])
            try await agents[1].report(routers: [.init(routerID: id, state: .active)])
            #expect(try await states() == ["h1": "unknown", "h2": "active", "h3": "standby"], "a handover, as far as is known")
            #expect(try await hasMetric(0))
            // The first one means it, and repeats it with each sign of life; it hears the other, too.
            let isConflict = try await poll {
                try await agents[0].report(
                    routers: [.init(routerID: id, state: .active)], conflicts: [.init(routerID: id, hostID: "h2")])
                return try await states() == ["h1": "active", "h2": "active", "h3": "standby"]
            }
            #expect(isConflict)
            #expect(try await hasMetric(1))
            #expect(says("A master hears a second one"))
            #expect(await poll { says("Several hosts claim to be the master of a router") })
            let alarm = log.all.first { $0.hasPrefix("Several hosts claim") } ?? ""
            #expect(alarm.contains("h1,h2"), "\(alarm)")
            #expect(!says("A router has one master again"))
            try await agents[1].report(routers: [.init(routerID: id, state: .standby)])
            #expect(try await states() == ["h1": "active", "h2": "standby", "h3": "standby"])
            #expect(try await hasMetric(0))
            #expect(await poll { says("A router has one master again") })
            #expect(log.all.filter { $0.hasPrefix("Several hosts claim") }.count == 1, "once, not with every round")
        }
    }

    @Test("neutrino drain waits until a host is free, says what is left when it is not, and undrain gives it work again")
    func drain() async throws {
        try await withServer { client in
            let server = "http://127.0.0.1:\(client.port)"
            for host in ["rack-1", "rack-2"] { try await HostAgent(client: client, host: host).report() }
            let router = try await client.make("routers")
            let free = await Program(Neutrino.path, ["drain", "rack-1", "--server", server]).end()
            #expect(free.code == 0, "\(free)")
            let agents = try await client.get("routers/\(router)/l3-agents").body["agents"]?.arrayValue ?? []
            #expect(agents.compactMap { $0["host"]?.stringValue } == ["rack-2"])
            #expect(try await client.list("agents", "?host=rack-1&admin_state_up=false").count == 2)
            // There is no other host for it now.
            let stuck = await Program(Neutrino.path, ["drain", "rack-2", "--server", server, "--timeout", "0"]).end()
            #expect(stuck.code == 1)
            #expect(stuck.errors.contains { $0.contains("1 standalone router") }, "\(stuck)")
            for host in ["rack-1", "rack-2"] {
                #expect(await Program(Neutrino.path, ["undrain", host, "--server", server]).end().code == 0)
            }
            #expect(try await client.list("agents", "?admin_state_up=true").count == 6)
            let unknown = await Program(Neutrino.path, ["drain", "rack-9", "--server", server]).end()
            #expect(unknown.code == 1)
        }
    }
}
