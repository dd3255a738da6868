import APISchema
import Addressing
import Logging
import TestSupport
import Testing

@testable import ControllerServer

@Suite("Connections", .timeLimit(.minutes(15)))
struct ConnectionTests {
    @Test("A body that does not come whole in time is answered 408, though its client says nothing any more; a whole request is not ended")
    func silentBody() async throws {
        try await withServer(configure: { $0.maximumBodySeconds = 1 }) { client in
            let (patient, silent) = (try await RawConnection.open(client.port), try await RawConnection.open(client.port))
            try await patient.send("POST /v2.0/networks HTTP/1.1\r\nHost: x\r\nContent-Length: 26\r\n\r\n{\"network\": {\"name\": \"a\"}}")
            #expect(await poll { patient.text.contains("HTTP/1.1 201") })
            try await silent.send("POST /v2.0/networks HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            let answer = await silent.received()
            #expect(answer.hasPrefix("HTTP/1.1 408") && answer.contains("The body took longer than 1 s."), "\(answer)")
            try await patient.send("GET /v2.0/networks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            #expect(await patient.received().contains("HTTP/1.1 200"))
        }
    }

    @Test("Clients beyond the limit of connections wait until one ends, and the log says so")
    func limit() async throws {
        let log = LogLines()
        try await withServer(configure: { $0.maximumConnections = 2 }, logger: log.logger) { client in
            let ask = "GET /v2.0/networks HTTP/1.1\r\nHost: x\r\n\r\n"
            var open: [RawConnection] = []
            for _ in 0..<2 {
                let connection = try await RawConnection.open(client.port)
                try await connection.send(ask)
                #expect(await poll { connection.text.contains("HTTP/1.1 200") })
                open.append(connection)
            }
            let third = try await RawConnection.open(client.port)
            try await third.send("GET /v2.0/networks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            // Those that are open are served meanwhile.
            try await open[0].send(ask)
            #expect(await poll { open[0].text.split(separator: "HTTP/1.1 200").count == 2 })
            #expect(third.text.isEmpty && log.text.contains("--maximum-connections"), "\(log.all)")
            await open[1].close()
            #expect(await third.received().hasPrefix("HTTP/1.1 200"))
            await open[0].close()
        }
    }

    @Test(
        "A request comes from the last address in X-Forwarded-For that is no trusted proxy's, whatever the client wrote before it",
        arguments: [
            // Nobody is trusted, or not the one that is connected: its word counts for nothing.
            ([], "10.0.0.1", ["198.51.100.1"], "10.0.0.1"),
            (["10.0.0.0/24"], "203.0.113.1", ["198.51.100.1"], "203.0.113.1"),
            (["10.0.0.0/24"], "10.0.0.1", [], "10.0.0.1"),
            (["10.0.0.0/24"], "10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
            // Forged: what stands before it, in one field or in another.
            (["10.0.0.0/24"], "10.0.0.1", ["192.0.2.7, 198.51.100.1"], "198.51.100.1"),
            (["10.0.0.0/24"], "10.0.0.1", ["192.0.2.7", "10.0.0.9", " 198.51.100.1 "], "198.51.100.1"),
            // Two proxies.
            (["10.0.0.0/24", "2001:db8::/64"], "10.0.0.1", ["198.51.100.1, 2001:db8::2"], "198.51.100.1"),
            (["10.0.0.0/24"], "10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            // No address: whoever passed it on.
            (["10.0.0.0/24"], "10.0.0.1", ["198.51.100.1, unknown"], "10.0.0.1"),
            (["10.0.0.0/24"], "10.0.0.1", ["198.51.100.1, unknown, 10.0.0.2"], "10.0.0.2"),
            (["10.0.0.0/24"], "10.0.0.1", ["198.51.100.1,"], "10.0.0.1"),
            // With ports, and IPv4 clients of a listener of both families.
            (["10.0.0.0/24"], "::ffff:10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
            (["10.0.0.0/24"], "10.0.0.1", ["[2001:db8::5]:4711"], "2001:db8::5"),
        ] as [([String], String, [String], String)])
    func proxies(_ trusted: [String], _ peer: String, _ forwarded: [String], _ client: String) {
        let proxies = TrustedProxies(trusted.compactMap { IPPrefix($0) })
        #expect(proxies.client(peer: peer, forwardedFor: forwarded) == client)
    }

    @Test("Failed logins behind a trusted proxy are counted for each of its clients, and no forged field makes a client another one")
    func loginsBehindProxy() async throws {
        let proxies = TrustedProxies([try #require(IPPrefix("127.0.0.1/32"))])
        try await withIdentity(trustedProxies: proxies) { cloud in
            func failures(_ count: Int, _ forwarded: @escaping @Sendable (Int) -> String) async throws -> [UInt] {
                try await withThrowingTaskGroup(of: UInt.self) { group in
                    for number in 0..<count {
                        group.addTask {
                            let body = IdentityCloud.body("anna", "wrong")
                            return try await UInt(
                                cloud.client.send(
                                    .POST, "/identity/v3/auth/tokens", body, headers: [("X-Forwarded-For", forwarded(number))]
                                ).status)
                        }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
            }
            let forged = try await failures(20) { "192.0.2.\($0), 198.51.100.1" }
            #expect(forged.contains(429) && forged.contains(401), "\(forged)")
            #expect(try await failures(1) { _ in "198.51.100.2" } == [401])
        }
    }
}
