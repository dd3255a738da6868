import APISchema
import Foundation
import Glibc
import Logging
import NIOCore
import NIOPosix
import Store
import Synchronization
import TestSupport
import Testing

@Suite("The server as a process", .serialized, .timeLimit(.minutes(15)))
struct ServerProcessTests {
    /// What clients were told while a server was killed.
    private final class Ledger: Sendable {
        private let acknowledged = Mutex<[String]>([])
        /// Notes an answered request; returns how many there are now.
        func note(_ id: String) -> Int {
            acknowledged.withLock {
                $0.append(id)
                return $0.count
            }
        }
        var ids: [String] { acknowledged.withLock { $0 } }
    }

    private static let clients = 8
    private static let kills = 5
    private static let maximumRequestsPerClient = 400

    @Test("A server that is killed at any moment loses no port that it acknowledged, and gives no address twice")
    func kill() async throws {
        let path = try TemporaryFiles.makePath("neutrino.sqlite")
        let ledger = Ledger()
        var network = ""
        for round in 0..<Self.kills {
            let (server, client) = try await Neutrino.serve(path)
            if round == 0 {
                #expect(try await client.put("quotas/default", ["quota": ["port": -1]]).status == 200)
                network = try await client.make("networks")
                _ = try await client.subnet(on: network, "10.0.0.0/16", ["enable_dhcp": false])
            }
            try await expectKept(ledger, client, on: network)
            let end = ledger.ids.count + Int.random(in: 1...150)
            await createUntilKilled(server, client, on: network, ledger, end: end)
            #expect(ledger.ids.count >= end)
            #expect(await server.end().code == nil)
        }
        let (server, client) = try await Neutrino.serve(path)
        try await expectKept(ledger, client, on: network)
        server.signal(SIGTERM)
        #expect(await server.end().code == 0)
    }

    private func createUntilKilled(_ server: Program, _ client: APIClient, on network: String, _ ledger: Ledger, end: Int) async {
        await withTaskGroup { group in
            for _ in 0..<Self.clients {
                group.addTask {
                    for _ in 0..<Self.maximumRequestsPerClient {
                        // A broken connection ends the client: the server is dead.
                        guard let answer = try? await client.post("ports", ["port": ["network_id": .string(network)]]) else { return }
                        guard answer.status == 201 else {
                            Issue.record("\(answer)")
                            return
                        }
                        // The others are anywhere between their request and its answer.
                        if ledger.note(answer.id) == end { server.signal(SIGKILL) }
                    }
                }
            }
        }
    }

    private func expectKept(_ ledger: Ledger, _ client: APIClient, on network: String) async throws {
        let ports = try await client.list("ports", "?network_id=\(network)&fields=id&fields=fixed_ips&fields=mac_address")
        let ids = Set(ports.compactMap { $0["id"]?.stringValue })
        #expect(ids.isSuperset(of: ledger.ids))
        // What was not acknowledged may be there or not, but no more than was asked for.
        #expect(ids.count <= ledger.ids.count + Self.kills * Self.clients)
        let addresses = ports.compactMap { $0["fixed_ips"]?.arrayValue?.first?["ip_address"]?.stringValue }
        #expect(addresses.count == ports.count && Set(addresses).count == ports.count)
        #expect(Set(ports.compactMap { $0["mac_address"]?.stringValue }).count == ports.count)
    }

    @Test("A server that cannot start says why in one sentence, and what to do")
    func failures() async throws {
        let used = try TemporaryFiles.makePath("neutrino.sqlite")
        let (running, client) = try await Neutrino.serve(used)
        let text = try TemporaryFiles.makePath("notes.txt")
        try String(repeating: "Buy milk. ", count: 1000).write(toFile: text, atomically: true, encoding: .utf8)
        let newer = try TemporaryFiles.makePath("neutrino.sqlite")
        let store = try Store(.sqlite(path: newer), logger: .quiet)
        try await store.write { try $0.execute("UPDATE metadata SET value = '99' WHERE key = 'schema_version'") }
        await store.close()
        let free = try TemporaryFiles.makePath("neutrino.sqlite")
        let failures: [([String], String)] = [
            (["--port", "\(client.port)", "--database", free], "--port"),
            (["--port", "0", "--database", text], "--database"),
            (["--port", "0", "--database", used], "Another server runs"),
            (["--port", "0", "--database", newer], "newer program"),
            (["--port", "0", "--database", free + "/missing/neutrino.sqlite"], "create it"),
            (["--port", "0", "--database", "postgresql:///none?host=\(free)-nowhere"], "Start it"),
            (["--port", "0", "--listen", "192.0.2.1", "--database", free], "--listen"),
        ]
        for (arguments, advice) in failures {
            let (errors, output, code) = await Program(Neutrino.path, ["server"] + arguments).end()
            let sentences = errors.filter { $0.hasPrefix("neutrino: ") }
            #expect(
                code == 1 && sentences.count == 1 && sentences.first?.contains(advice) == true && output.isEmpty,
                "\(arguments): \(code ?? -1) \(errors)")
            #expect(sentences.first?.hasSuffix(".") == true, "\(sentences)")
        }
        for arguments in [["--port", "70000"], ["--vni-range", "9-1"], ["--database", "mysql://x"], ["--advertisement-interval", "7"]] {
            let (errors, _, code) = await Program(Neutrino.path, ["server", "--database", free] + arguments).end()
            #expect(code == 64 && errors.first?.hasPrefix("Error: ") == true, "\(arguments): \(errors)")
        }
        // None of them disturbed the one that runs.
        #expect(try await client.get("networks").status == 200)
        running.signal(SIGTERM)
        #expect(await running.end().code == 0)
    }

    @Test("Numbers that are too large to calculate with are refused")
    func numbers() async throws {
        let most = "\(Int.max)"
        let server = [
            "maximum-connections", "replace-lost-members-after", "agent-down-seconds", "maximum-members", "dhcp-agents-per-network",
            "pagination-max-limit",
        ].map { (["server", "--auth", "none", "--default-quota", "none", "--\($0)", most], "--\($0) ") }
        let agent = ["connection-capacity", "heartbeat"].map {
            (["agent", "--server", "http://127.0.0.1:1", "--state-directory", "relative", "--\($0)", most], "--\($0) is 1 to ")
        }
        for (arguments, refusal) in server + agent {
            let (errors, _, code) = await Program(Neutrino.path, arguments).end()
            #expect(code == 64 && errors.first?.hasPrefix("Error: \(refusal)") == true, "\(arguments): \(errors)")
        }
    }

    @Test("SIGTERM ends a server in order, also while agents follow their feeds")
    func terminate() async throws {
        let (server, client) = try await Neutrino.serve(TemporaryFiles.makePath("neutrino.sqlite"))
        let network = try await client.make("networks")
        let agents = ["h1", "h2"].map { HostAgent(client: client, host: $0) }
        let (follows, continuation) = AsyncStream.makeStream(of: Void.self)
        await withThrowingTaskGroup { group in
            for agent in agents {
                group.addTask {
                    try await agent.report()
                    try await agent.follow { feed in
                        try await feed.read { _ in true }
                        continuation.yield()
                        #expect(try await feed.read { _ in false } == false)
                    }
                }
            }
            var count = 0
            for await _ in follows {
                count += 1
                guard count == agents.count else { continue }
                server.signal(SIGTERM)
                break
            }
        }
        let end = await server.end()
        #expect(end.code == 0, "\(end.errors)")
        #expect(!network.isEmpty)
    }

    @Test("SIGTERM ends a server also when a client never finishes its request")
    func terminateWithStuckClient() async throws {
        let (server, client) = try await Neutrino.serve(TemporaryFiles.makePath("neutrino.sqlite"))
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connect(host: "127.0.0.1", port: client.port)
            .get()
        try await channel.writeAndFlush(
            ByteBuffer(string: "POST /v2.0/networks HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        ).get()
        // The server has read the other's beginning once it answers later requests.
        #expect(try await client.get("networks").status == 200)
        server.signal(SIGTERM)
        let end = await server.end()
        #expect(end.code == 0, "\(end.errors)")
        try? await channel.close().get()
    }
}
