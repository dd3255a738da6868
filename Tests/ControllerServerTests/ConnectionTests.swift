import APISchema
import Logging
import TestSupport
import Testing

@testable import ControllerServer

@Suite("Connections", .timeLimit(.minutes(2)))
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
}
