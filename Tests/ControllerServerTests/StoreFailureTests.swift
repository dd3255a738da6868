import APISchema
import ControllerServer
import Foundation
import Logging
import NIOHTTP1
import Store
import TestSupport
import Testing

/// What clients are told when it is not their mistake.
@Suite("Failures of the database")
struct StoreFailureTests {
    private func body(_ type: String, _ message: String) -> JSONValue {
        ["NeutronError": ["type": .string(type), "message": .string(message), "detail": ""]]
    }

    @Test("While the database cannot be reached requests are answered 503 with Retry-After, and served again afterwards")
    func unavailable() async throws {
        let server = try PrivatePostgreSQL.shared.get()
        let url = try server.makeDatabase()
        let name = try #require(url.split(separator: "/").dropFirst().first?.split(separator: "?").first.map(String.init))
        try await withServer(StoreLocation.postgresql(url: url)) { client in
            _ = try await client.make("networks", ["name": "before"])
            try server.execute("ALTER DATABASE \(name) ALLOW_CONNECTIONS false")
            try server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '\(name)'")
            for (method, document) in [(HTTPMethod.GET, nil), (.POST, ["network": ["name": "meanwhile"]])] as [(HTTPMethod, JSONValue?)] {
                let answer = try await client.send(method, "/v2.0/networks", document)
                #expect(
                    answer.status == 503
                        && answer.body == body("ServiceUnavailable", "The database cannot be reached; try again shortly."), "\(answer)")
                #expect(
                    answer.headers.first(name: "Retry-After") == "1" && answer.headers.first(name: "Content-Type") == "application/json")
            }
            try server.execute("ALTER DATABASE \(name) ALLOW_CONNECTIONS true")
            #expect(try await client.names("networks") == ["before"])
        }
    }

    @Test("While the database takes no changes they are answered 503 with what to do, reads go on, and changes are made at once afterwards")
    func readOnly() async throws {
        let server = try PrivatePostgreSQL.shared.get()
        let url = try server.makeDatabase()
        let name = try #require(url.split(separator: "/").dropFirst().first?.split(separator: "?").first.map(String.init))
        try await withServer(StoreLocation.postgresql(url: url)) { client in
            _ = try await client.make("networks", ["name": "before"])
            try server.execute("ALTER DATABASE \(name) SET default_transaction_read_only = on")
            try server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '\(name)'")
            for _ in 0..<3 {
                let answer = try await client.post("networks", ["network": ["name": "meanwhile"]])
                #expect(
                    answer.status == 503 && answer.text.contains("target_session_attrs=read-write")
                        && answer.headers.first(name: "Retry-After") == "1", "\(answer)")
                #expect(try await client.names("networks") == ["before"])
            }
            try server.execute("ALTER DATABASE \(name) RESET default_transaction_read_only")
            // The connections are those that refused, which are not asked again.
            _ = try await client.make("networks", ["name": "after"])
            #expect(try await client.names("networks").sorted() == ["after", "before"])
        }
    }

    @Test("When another file is put in the place of the database, requests are answered 503 with what to do")
    func replaced() async throws {
        let location = try Backend.sqlite.makeLocation()
        guard case .sqlite(let path) = location else { return }
        try await withServer(location) { client in
            _ = try await client.make("networks", ["name": "before"])
            try FileManager.default.copyItem(atPath: path, toPath: path + ".backup")
            #expect(rename(path + ".backup", path) == 0)
            let answer = try await client.post("networks", ["network": ["name": "meanwhile"]])
            #expect(answer.status == 503 && answer.text.contains("start the server again"), "\(answer)")
            #expect(try await client.get("networks").status == 503)
        }
    }

    @Test("A mistake of the server is answered 500 with a body that tells nothing of it, and the rest goes on")
    func damaged() async throws {
        let location = try Backend.sqlite.makeLocation()
        try await withServer(location) { client in
            _ = try await client.make("flavors", ["name": "gold", "service_type": "L3_ROUTER_NAT"])
        }
        let store = try Store(location, logger: .quiet)
        try await store.write { _ = try $0.execute("UPDATE flavors SET service_profiles = 'broken'", []) }
        await store.close()
        try await withServer(location) { client in
            let answer = try await client.get("flavors")
            let message = "Request Failed: internal server error while processing your request."
            #expect(answer.status == 500 && answer.body == body("HTTPInternalServerError", message), "\(answer)")
            #expect(answer.headers.first(name: "X-Openstack-Request-Id")?.hasPrefix("req-") == true)
            #expect(try await client.list("networks") == [])
        }
    }
}
