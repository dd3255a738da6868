import APISchema
import AsyncHTTPClient
import ControllerServer
import NIOCore
import NIOPosix
import TestSupport
import Testing

@Suite("HTTP semantics")
struct HTTPSemanticsTests {
    @Test("OPTIONS says what a path allows, HEAD is for the root alone, old spellings of paths are understood")
    func methods() async throws {
        try await withServer { client in
            let network = try await client.make("networks", ["name": "a"])
            for (path, allowed) in [
                ("/", "GET, HEAD, OPTIONS"), ("/v2.0/networks", "GET, POST, OPTIONS"),
                ("/v2.0/networks/\(network)", "GET, PUT, DELETE, OPTIONS"), ("/v2.0/extensions", "GET, OPTIONS"),
            ] {
                let options = try await client.send(.OPTIONS, path)
                #expect(options.status == 200 && options.text.isEmpty && options.headers.first(name: "Allow") == allowed, "\(options)")
            }
            #expect(try await client.send(.HEAD, "/").status == 200)
            let head = try await client.send(.HEAD, "/v2.0/networks")
            #expect(head.status == 405 && head.headers.first(name: "Allow") == "GET, POST, OPTIONS" && head.text.isEmpty)
            for path in ["networks.json", "networks/", "networks/\(network).json?fields=name", "networks/\(network)/?fields=name"] {
                let answer = try await client.get(path)
                #expect(answer.status == 200 && answer.text.contains("\"a\""), "\(path): \(answer)")
            }
            // A tag keeps its name.
            #expect(try await client.send(.PUT, "/v2.0/networks/\(network)/tags/x.json").status == 201)
            #expect(try await client.get("networks/\(network)")["tags"] == ["x.json"])
        }
    }

    @Test("Collections are found with dashes and with underscores; ids and tags keep theirs") func spellings() async throws {
        try await withServer { client in
            for (path, plural) in [
                ("network_segment_ranges", "network_segment_ranges"), ("network-segment-ranges", "network_segment_ranges"),
                ("security_groups", "security_groups"), ("security-group-rules.json", "security_group_rules"),
                ("floatingip-pools", "floatingip_pools"), ("availability-zones", "availability_zones"), ("qos/rule_types", "rule_types"),
                ("service_providers", "service_providers"), ("service-profiles", "service_profiles"),
            ] {
                let answer = try await client.get(path)
                #expect(answer.status == 200 && answer.body[plural]?.arrayValue != nil, "\(path): \(answer)")
            }
            let policy = try await client.post("qos/policies", ["policy": [:]]).id
            let rule = try await client.post("qos/policies/\(policy)/bandwidth-limit-rules", ["bandwidth_limit_rule": ["max_kbps": 1]])
            #expect(rule.status == 201, "\(rule)")
            #expect(try await client.get("qos/alias_bandwidth_limit_rules/\(rule.id)").status == 200)
            let network = try await client.make("networks")
            #expect(try await client.send(.PUT, "/v2.0/networks/\(network)/tags/security_groups").status == 201)
            #expect(try await client.get("networks/\(network)")["tags"] == ["security_groups"])
            #expect(try await client.get("net_works").status == 404)
        }
    }

    @Test("Each of several resources may be wrapped like a single one") func wrapped() async throws {
        try await withServer { client in
            let made = try await client.post(
                "networks", ["networks": [["network": ["name": "a"]], ["name": "b"]]])
            #expect(made.status == 201, "\(made)")
            #expect(try await client.names("networks").sorted() == ["a", "b"])
            let broken = try await client.post("networks", ["networks": [["network": "a"]]])
            #expect(broken.status == 400, "\(broken)")
        }
    }

    @Test("Every answer has its request's id: of what is found, of paths that mean nothing, of refusals and of browsers' questions")
    func requestIDs() async throws {
        try await withServer(configure: { $0.crossOrigin = CrossOriginRules(allowedOrigins: ["*"]) }) { client in
            var seen: Set<String> = []
            func id(_ answer: APIClient.Answer) -> String { answer.headers.first(name: "X-Openstack-Request-Id") ?? "" }
            for path in ["/", "/v2.0/networks", "/v2.0//networks", "//", "/v2.0/nothing", "/v2.0/networks.json", "/v2.0/networks?limit=x"] {
                let answer = try await client.send(.GET, path)
                #expect(id(answer).hasPrefix("req-") && seen.insert(id(answer)).inserted, "\(path): \(answer.headers)")
            }
            let empty = try await client.send(.GET, "/v2.0//networks")
            #expect(
                empty.status == 404
                    && empty.body == [
                        "NeutronError": ["type": "HTTPNotFound", "message": "The resource could not be found.", "detail": ""]
                    ], "\(empty)")
            let asks = [("Origin", "https://a.example.org"), ("Access-Control-Request-Method", "POST")]
            let preflight = try await client.send(.OPTIONS, "/v2.0/networks", headers: asks)
            #expect(preflight.status == 200 && id(preflight).hasPrefix("req-") && seen.insert(id(preflight)).inserted)
        }
        try await withIdentity { cloud in
            let refused = try await cloud.client.get("networks")
            #expect(refused.status == 401 && refused.headers.first(name: "X-Openstack-Request-Id")?.hasPrefix("req-") == true)
        }
    }

    @Test("What is no JSON is not read, and what is not JSON is not sent")
    func mediaTypes() async throws {
        try await withServer { client in
            func post(_ headers: [(String, String)]) async throws -> APIClient.Answer {
                try await client.send(.POST, "/v2.0/networks", ["network": ["name": "n"]], headers: headers)
            }
            for type in ["application/json", "application/json; charset=UTF-8", "application/x-www-form-urlencoded"] {
                #expect(try await post([("Content-Type", type)]).status == 201, "\(type)")
            }
            for type in ["application/xml", "text/html", "multipart/form-data; boundary=x"] {
                let answer = try await post([("Content-Type", type)])
                #expect(answer.status == 415 && answer.errorType == "HTTPUnsupportedMediaType", "\(type): \(answer)")
            }
            for accept in ["*/*", "application/json", "text/html, application/*;q=0.5", "text/html,*/*;q=0.1"] {
                #expect(try await client.send(.GET, "/v2.0/networks", headers: [("Accept", accept)]).status == 200, "\(accept)")
            }
            for accept in ["text/html", "application/xml", "application/json;q=0"] {
                let answer = try await client.send(.GET, "/v2.0/networks", headers: [("Accept", accept)])
                #expect(answer.status == 406 && answer.errorType == "HTTPNotAcceptable", "\(accept): \(answer)")
            }
            #expect(try await client.list("networks").count == 3)
        }
    }

    @Test("A dashboard of an allowed origin may use the API from a browser, others may not")
    func crossOrigin() async throws {
        let dashboard = "https://dashboard.example.org"
        try await withServer(configure: { $0.crossOrigin = CrossOriginRules(allowedOrigins: [dashboard]) }) { client in
            let asks = [("Origin", dashboard), ("Access-Control-Request-Method", "POST")]
            let preflight = try await client.send(.OPTIONS, "/v2.0/networks", headers: asks)
            #expect(preflight.status == 200 && preflight.headers.first(name: "Access-Control-Allow-Origin") == dashboard)
            #expect(preflight.headers.first(name: "Access-Control-Allow-Methods")?.contains("PUT") == true)
            let allowed = preflight.headers.first(name: "Access-Control-Allow-Headers") ?? ""
            for header in ["X-Auth-Token", "X-Service-Token", "X-Subject-Token", "If-Match"] {
                #expect(allowed.split(separator: ", ").contains { $0 == header }, "\(header) in \(allowed)")
            }
            for path in ["/v2.0/networks", "/v2.0/nothing"] {
                let answer = try await client.send(.GET, path, headers: [("Origin", dashboard)])
                #expect(answer.headers.first(name: "Access-Control-Allow-Origin") == dashboard, "\(answer)")
                #expect(answer.headers.first(name: "Vary") == "Origin")
            }
            let other = try await client.send(.GET, "/v2.0/networks", headers: [("Origin", "https://elsewhere.example.org")])
            #expect(other.status == 200 && other.headers.first(name: "Access-Control-Allow-Origin") == nil)
        }
        try await withServer { client in
            let answer = try await client.send(.GET, "/v2.0/networks", headers: [("Origin", dashboard)])
            #expect(answer.headers.first(name: "Access-Control-Allow-Origin") == nil && answer.headers.first(name: "Vary") == nil)
        }
    }

    @Test("Pages are no longer than the operator allows, with links to the next")
    func pages() async throws {
        try await withServer(.sqlite, { $0.maximumPageLength = 2 }) { client in
            for name in ["a", "b", "c"] { _ = try await client.make("networks", ["name": .string(name)]) }
            var seen: [String] = []
            var address: String? = "/v2.0/networks?sort_key=name&sort_dir=asc&fields=name&fields=id"
            while let next = address, seen.count < 10 {
                let page = try await client.send(.GET, next)
                seen += page.body["networks"]?.arrayValue?.compactMap { $0["name"]?.stringValue } ?? []
                #expect(page.body["networks"]?.arrayValue?.count ?? 0 <= 2)
                address = page.body["networks_links"]?.arrayValue?.first { $0["rel"] == "next" }?["href"]?.stringValue
            }
            #expect(seen == ["a", "b", "c"])
            #expect(try await client.list("networks", "?limit=50").count == 2)
        }
    }

    @Test("Bodies and addresses that are too large are refused, and the server goes on")
    func tooLarge() async throws {
        try await withServer { client in
            let long = try await client.get("networks?name=" + String(repeating: "x", count: 40_000))
            #expect(long.status == 414, "\(long)")
            let many = try await client.get("networks?" + String(repeating: "id=a&", count: 2000) + "id=a")
            #expect(many.status == 400, "\(many)")
            let deep = Array((String(repeating: "[", count: 10_000) + String(repeating: "]", count: 10_000)).utf8)
            #expect(try await client.send(.POST, "/v2.0/networks", bytes: deep).status == 400)
            #expect(try await client.send(.POST, "/v2.0/networks", bytes: [0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x31, 0x7D]).status == 400)

            // A chunked body of 100 MB that has no end even then: the answer comes, and the server ends the connection.
            let raw = try await RawConnection.open(client.port)
            try await raw.send("POST /v2.0/networks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            let chunk = "10000\r\n" + String(repeating: " ", count: 0x10000) + "\r\n"
            var sent = 0
            while sent < 1600, (try? await raw.send(chunk)) != nil { sent += 1 }
            #expect(await raw.received().hasPrefix("HTTP/1.1 413"))
            #expect(try await client.get("networks").status == 200)
        }
    }

    @Test("A header that holds another is one value, and an answer never repeats a line of the request")
    func headerInjection() async throws {
        try await withServer { client in
            let raw = try await RawConnection.open(client.port)
            try await raw.send(
                "GET /v2.0/networks%0d%0aX-Evil:%201?fields=%0d%0aX-Evil:%201 HTTP/1.1\r\nHost: x\r\nX-Forwarded-Proto: a\r\n"
                    + "X-Openstack-Request-Id: req-\u{7}\r\nConnection: close\r\n\r\n")
            let answer = await raw.received()
            #expect(answer.hasPrefix("HTTP/1.1 4") && !answer.lowercased().contains("\r\nx-evil"), "\(answer)")
            let second = try await RawConnection.open(client.port)
            try await second.send("GET / HTTP/1.1\r\nHost: a\"b<script>\r\nConnection: close\r\n\r\n")
            let links = await second.received()
            #expect(links.hasPrefix("HTTP/1.1 400") || links.contains("a\\\"b<script>"), "\(links)")
        }
    }

    @Test("What is not UTF-8 in an address, a query or a header is answered, and reveals and changes nothing")
    func notUTF8() async throws {
        try await withServer { client in
            let network = try await client.make("networks", ["name": "a"])
            func ask(_ head: [UInt8]) async throws -> String {
                let raw = try await RawConnection.open(client.port)
                try await raw.send(bytes: head + Array("Host: x\r\nConnection: close\r\n\r\n".utf8))
                return await raw.received()
            }
            let broken: [UInt8] = [0xFF, 0xC3, 0x28]
            let inPath = try await ask(Array("GET /v2.0/networks/".utf8) + broken + Array(" HTTP/1.1\r\n".utf8))
            #expect(inPath.hasPrefix("HTTP/1.1 4"), "\(inPath)")
            let inHeader = try await ask(Array("GET /v2.0/networks HTTP/1.1\r\nX-Project-Id: ".utf8) + broken + Array("\r\n".utf8))
            #expect(inHeader.hasPrefix("HTTP/1.1 "), "\(inHeader)")
            for path in ["networks?name=%FF%FE", "networks?%C3%28=1", "networks/%ED%A0%80", "networks?fields=%FF", "networks?sort_key=%80"]
            {
                let answer = try await client.get(path)
                #expect([200, 400, 404].contains(answer.status) && !answer.text.contains(network), "\(path): \(answer)")
            }
            #expect(try await client.names("networks") == ["a"])
        }
    }

    @Test("Hundreds of connections that ask nothing, or never end what they ask, hold nobody up")
    func idleConnections() async throws {
        try await withServer { client in
            var connections: [RawConnection] = []
            for number in 0..<400 {
                let raw = try await RawConnection.open(client.port)
                if number % 2 == 0 { try await raw.send("POST /v2.0/networks HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{") }
                connections.append(raw)
            }
            for _ in 0..<20 { #expect(try await client.get("networks").status == 200) }
            for raw in connections { await raw.close() }
        }
    }
}

/// A connection on which a test writes what no well-behaved client would.
struct RawConnection: Sendable {
    private let channel: any Channel
    private let collector: Collector

    static func open(_ port: Int) async throws -> RawConnection {
        let collector = Collector()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in channel.pipeline.addHandler(collector.handler) }
            .connect(host: "127.0.0.1", port: port).get()
        return RawConnection(channel: channel, collector: collector)
    }

    func send(bytes: [UInt8]) async throws { try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get() }

    func send(_ text: String) async throws { try await channel.writeAndFlush(ByteBuffer(string: text)).get() }

    /// What has come so far.
    var text: String { collector.text }

    /// Everything up to the server's end of the connection.
    func received() async -> String {
        try? await channel.closeFuture.get()
        return collector.text
    }

    func close() async { try? await channel.close().get() }
}
