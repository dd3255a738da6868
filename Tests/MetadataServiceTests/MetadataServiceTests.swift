import APISchema
import Addressing
import AsyncHTTPClient
import HostModel
import Metadata
import MetadataService
import NIOCore
import NetworkModel
import Testing

/// Requests over a real UNIX socket, as the haproxies send them.
@Suite struct MetadataServiceTests {
    @Test("An instance is told its own metadata, in both forms, by the network and the address that it asks from")
    func own() async throws {
        try await Host().run { client in
            #expect(try await client.get("/latest/meta-data/instance-id", from: "10.0.0.5").body == "device-5")
            #expect(try await client.get("/latest/meta-data/local-hostname", from: "10.0.0.6").body == "vm6")
            let json = try JSONParser.parse(try await client.get("/openstack/latest/meta_data.json", from: "fe80::f816:3eff:fe00:5").body)
            #expect(json["uuid"] == "device-5" && json["project_id"] == "p")
            #expect(try await client.get("/latest/meta-data/instance-id", on: 2, from: "10.0.0.5").body == "other-5")
            #expect(try await client.get("/latest/nothing", from: "10.0.0.5").status == 404)
            #expect(try await client.send("POST", "/latest/meta-data/", from: "10.0.0.5").status == 405)
            let head = try await client.send("HEAD", "/latest/meta-data/instance-id", from: "10.0.0.5")
            #expect(head.status == 200 && head.body == "" && head.headers["content-length"] == "8")
        }
    }

    @Test("Who is no instance of the network is told nothing, nor is who says twice who it is, or not at all")
    func strangers() async throws {
        try await Host().run { (client: SocketClient) async throws in
            #expect(try await client.get("/latest/meta-data/instance-id", from: "10.0.0.77").status == 404)
            #expect(try await client.get("/latest/meta-data/instance-id", on: 3, from: "10.0.0.5").status == 404)
            for headers in [
                [("X-Forwarded-For", "10.0.0.5")], [("X-Neutron-Network-ID", networkID(1).description)],
                [("X-Neutron-Network-ID", "no id"), ("X-Forwarded-For", "10.0.0.5")],
                [("X-Neutron-Network-ID", networkID(1).description), ("X-Forwarded-For", "10.0.0.5, 10.0.0.6")],
                [("X-Neutron-Network-ID", networkID(1).description), ("X-Forwarded-For", "10.0.0.5"), ("X-Forwarded-For", "10.0.0.6")],
            ] {
                #expect(try await client.send("GET", "/latest/meta-data/instance-id", headers: headers).status == 400)
            }
        }
    }

    @Test("A host that has not heard of its instances yet asks to be asked again")
    func early() async throws {
        try await Host(items: nil).run { (client: SocketClient) async throws in
            #expect(try await client.get("/latest/meta-data/instance-id", from: "10.0.0.5").status == 503)
        }
    }

    @Test("Nova is told who asks, signed, and none of what the instance says of itself")
    func nova() async throws {
        let nova = RecordingMetadata()
        try await nova.run { port in
            try await Host(nova: .init(url: "http://127.0.0.1:\(port)/", secret: "between us")).run { client in
                let answer = try await client.send(
                    "GET", "/latest/meta-data/?a=b",
                    headers: client.identity(1, "10.0.0.5") + [
                        ("X-Instance-ID", "device-6"), ("X-Instance-ID-Signature", "00"), ("X-Tenant-ID", "q"),
                        ("X_Instance_ID", "device-6"),
                        ("X-Metadata-Provider", "lb"), ("Forwarded", "for=10.0.0.6"), ("X-Neutron-Router-ID", "r"),
                        ("Accept", "text/plain"),
                    ])
                #expect(answer.status == 203 && answer.body == "of Nova" && answer.headers["etag"] == "7")
                #expect(answer.headers["set-cookie"] == nil)
                let seen = try #require(nova.requests.first)
                #expect(seen.path == "/latest/meta-data/?a=b")
                #expect(
                    seen.headers.filter { !["host", "content-length"].contains($0.key) } == [
                        "accept": ["text/plain"], "x-forwarded-for": ["10.0.0.5"], "x-instance-id": ["device-5"], "x-tenant-id": ["p"],
                        // printf device-5 | openssl dgst -sha256 -hmac "between us"
                        "x-instance-id-signature": [RecordingMetadata.signatureOfDevice5],
                    ])
                _ = try await client.send("POST", "/openstack/2013-04-04/password", headers: client.identity(1, "10.0.0.5"), body: "secret")
                #expect(nova.requests.last?.body == "secret")
                let long = String(repeating: "x", count: 70_000)
                #expect(
                    try await client.send("POST", "/openstack/latest/password", headers: client.identity(1, "10.0.0.5"), body: long).status
                        == 413)
                // A port that is nobody's is not Nova's either.
                #expect(try await client.get("/latest/meta-data/", from: "10.0.0.7").status == 404)
                #expect(nova.requests.count == 2)
            }
        }
    }

    @Test("A Nova that cannot be reached is said to be")
    func unreachable() async throws {
        try await Host(nova: .init(url: "http://127.0.0.1:1", secret: "s")).run { (client: SocketClient) async throws in
            #expect(try await client.get("/latest/meta-data/", from: "10.0.0.5").status == 503)
        }
    }

    @Test("A connection carries one request")
    func oneRequest() async throws {
        try await Host().run { client in
            let two = client.raw("/latest/meta-data/instance-id", "10.0.0.5") + client.raw("/latest/meta-data/instance-id", "10.0.0.6")
            let answer = try client.exchange(two)
            #expect(answer.contains("device-5") && !answer.contains("device-6"))
        }
    }
}
