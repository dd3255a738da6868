import APISchema
import HostModel
import Lab
import Testing

/// Metadata as instances get it: real haproxies, real agents, curl inside of instances.
@Suite(.serialized, .enabled(if: isRoot, needsRoot))
struct MetadataTests {
    private static let ipv4 = "http://169.254.169.254"
    private static let ipv6 = "http://[fe80::a9fe:a9fe%25eth0]"

    /// What an instance is told; asks again while nobody answers yet.
    private func ask(_ instance: Instance, _ path: String, at server: String = ipv4, _ headers: [String] = []) async throws -> String {
        try await waitFor("\(instance.name) to be told \(server)\(path)", timeoutMilliseconds: 90_000) {
            let words =
                ["curl", "--silent", "--fail", "--globoff", "--max-time", "10"] + headers.flatMap { ["--header", $0] } + [server + path]
            let result = try await instance.place.run(words, timeoutMilliseconds: 30_000)
            return result.exitCode == 0 ? result.standardOutput : nil
        }
    }

    private func deviceID(_ lab: Lab, _ instance: Instance) async throws -> String {
        try await lab.api.show("ports", instance.portID).text("device_id")
    }

    /// Everything that could make the answer that of another instance.
    private func forgeries(_ victim: Instance, _ deviceID: String, network: String) -> [String] {
        [
            "X-Forwarded-For: \(victim.address)", "X-Forwarded-For: 127.0.0.1", "X-Neutron-Network-ID: \(network)",
            "X_Neutron_Network_ID: \(network)", "X-Instance-ID: \(deviceID)", "X_Instance_ID: \(deviceID)",
            "Forwarded: for=\(victim.address)",
            "X-Neutron-Router-ID: \(network)", "Connection: close, X-Neutron-Network-ID", "Host: \(victim.address)",
        ]
    }

    @Test("Instances of networks without routers, with the same addresses, are told their own metadata, whatever they say and ask at once")
    func isolated() async throws {
        try await withLab { lab in
            let (first, firstSubnet) = try await lab.createNetwork("first", prefix: "10.0.0.0/24")
            let (second, secondSubnet) = try await lab.createNetwork("second", prefix: "10.0.0.0/24")
            func fixed(_ subnet: String, _ address: String) -> [String: JSONValue] {
                ["fixed_ips": [["subnet_id": .string(subnet), "ip_address": .string(address)]]]
            }
            let facts = InstanceFacts(publicKeys: ["anna": "ssh-ed25519 AAAA anna"], userData: "IyEvYmluL3NoCg==", meta: ["role": "web"])
            let one = try await lab.createInstance(
                "vm1", host: "h1", network: "first", attributes: fixed(firstSubnet, "10.0.0.10"), facts: facts)
            let two = try await lab.createInstance("vm2", host: "h2", network: "second", attributes: fixed(secondSubnet, "10.0.0.10"))
            let three = try await lab.createInstance("vm3", host: "h2", network: "first")
            let ids = [try await deviceID(lab, one), try await deviceID(lab, two), try await deviceID(lab, three)]

            #expect(try await one.place.output(["ip", "route", "get", "169.254.169.254"]).contains("via 10.0.0."))
            let json = try JSONParser.parse(try await ask(one, "/openstack/latest/meta_data.json"))
            #expect(json["uuid"]?.stringValue == ids[0] && json["hostname"] == "vm1" && json["meta"] == ["role": "web"])
            #expect(json["public_keys"] == ["anna": "ssh-ed25519 AAAA anna"])
            #expect(try await ask(one, "/openstack/latest/user_data") == "#!/bin/sh\n")
            #expect(try await ask(one, "/latest/meta-data/public-keys/0/openssh-key") == "ssh-ed25519 AAAA anna")
            #expect(try await ask(one, "/latest/meta-data/local-ipv4") == "10.0.0.10")
            let networks = try JSONParser.parse(try await ask(one, "/openstack/latest/network_data.json"))
            #expect(networks["links"]?.arrayValue?.first?["ethernet_mac_address"]?.stringValue == one.mac)
            #expect(networks["networks"]?.arrayValue?.first?["type"] == "ipv4_dhcp")
            #expect(try await ask(three, "/latest/meta-data/instance-id", at: Self.ipv6) == ids[2])
            #expect(try await ask(two, "/latest/meta-data/instance-id", at: Self.ipv6) == ids[1])

            let victims = [(two, ids[1], try second.text("id")), (one, ids[0], try first.text("id"))]
            for _ in 0..<5 {
                async let atOne = ask(one, "/latest/meta-data/instance-id", forgeries(victims[0].0, victims[0].1, network: victims[0].2))
                async let atTwo = ask(two, "/latest/meta-data/instance-id", forgeries(victims[1].0, victims[1].1, network: victims[1].2))
                let answers = try await [atOne, atTwo]
                #expect(answers == [ids[0], ids[1]])
            }
            try await checkSmuggling(three, ids[2], victim: one, network: first.text("id"))
            try await checkRepair(lab, three, ids[2])
        }
    }

    /// A second request behind a first one, with the headers that only haproxy may write: whoever took them as they are would answer as the victim.
    private func checkSmuggling(_ instance: Instance, _ id: String, victim: Instance, network: String) async throws {
        let hidden =
            "GET /latest/meta-data/instance-id HTTP/1.1\\r\\nHost: m\\r\\nConnection: close\\r\\nX-Forwarded-For: \(victim.address)\\r\\n"
            + "X-Neutron-Network-ID: \(network)\\r\\n\\r\\n"
        // How often there is an answer: what is no request is refused.
        let heads = [
            ("Content-Length: 0\\r\\n", 1), ("Transfer-Encoding: chunked\\r\\nContent-Length: 5\\r\\n", 1),
            ("Transfer-Encoding:\\x0bchunked\\r\\n", 0), ("Content-Length: 1\\r\\nContent-Length: 0\\r\\n", 0),
        ]
        for (head, count) in heads {
            let script =
                "printf 'GET /latest/meta-data/instance-id HTTP/1.1\\r\\nHost: m\\r\\n\(head)\\r\\n0\\r\\n\\r\\n\(hidden)' "
                + "| timeout 10 socat -t 3 - TCP4:169.254.169.254:80"
            let answer = try await instance.place.run(["bash", "-c", script], timeoutMilliseconds: 30_000).standardOutput
            // Answers have no newline at their end: the head of the next one follows.
            let ids = answer.matches(of: /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/).map { String($0.output) }
            #expect(ids == [String](repeating: id, count: count), "\(head): \(answer)")
        }
    }

    /// A killed haproxy is started again, and the network's dnsmasq is not touched.
    private func checkRepair(_ lab: Lab, _ instance: Instance, _ id: String) async throws {
        for host in lab.hosts {
            let files = try await host.place.output(["sh", "-c", "cat \(host.stateDirectory)/ns-metadata-proxy/*/haproxy.pid || true"])
            for process in files.split(whereSeparator: \.isWhitespace) { _ = try await host.place.run(["kill", "-KILL", String(process)]) }
        }
        #expect(try await ask(instance, "/latest/meta-data/instance-id") == id)
    }

    @Test(
        "Behind routers, metadata comes from the DHCP server for who heeds no option 121, and from the router where there is none",
        arguments: [true, false])
    func routed(isHighlyAvailable: Bool) async throws {
        try await withLab { lab in
            let external = try await lab.createExternalNetwork()
            let (_, served) = try await lab.createNetwork("served", prefix: "10.0.0.0/24")
            let (plain, unserved) = try await lab.createNetwork("plain", prefix: "10.1.0.0/24", hasDHCP: false)
            let six = try await lab.api.create(
                "subnets",
                [
                    "network_id": .string(try plain.text("id")), "ip_version": 6, "cidr": "fd00:1::/64", "ipv6_ra_mode": "slaac",
                    "ipv6_address_mode": "slaac",
                ]
            ).text("id")
            let router = try await lab.createRouter(
                "r1", isHighlyAvailable: isHighlyAvailable, externalNetwork: external, subnets: [served, unserved, six])
            let one = try await lab.createInstance("vm1", host: "h1", network: "served", configuration: .fixed)
            let two = try await lab.createInstance("vm2", host: "h2", network: "plain", configuration: .fixed)
            let ids = [try await deviceID(lab, one), try await deviceID(lab, two)]
            #expect(try await one.place.output(["ip", "route", "get", "169.254.169.254"]).contains("via 10.0.0.1 "))
            #expect(try await ask(one, "/latest/meta-data/instance-id") == ids[0])
            #expect(try await ask(two, "/latest/meta-data/instance-id") == ids[1])
            #expect(try await ask(two, "/latest/meta-data/instance-id", at: Self.ipv6) == ids[1])
            let networks = try JSONParser.parse(try await ask(two, "/openstack/latest/network_data.json"))
            let types = networks["networks"]?.arrayValue?.compactMap { $0["type"]?.stringValue } ?? []
            #expect(Set(types) == ["ipv4", "ipv6_slaac"])
            let answers = try await [
                ask(two, "/latest/meta-data/instance-id", forgeries(one, ids[0], network: try plain.text("id"))),
                ask(one, "/latest/meta-data/instance-id", forgeries(two, ids[1], network: try plain.text("id"))),
            ]
            #expect(answers == [ids[1], ids[0]])
            // haproxy's own port is nobody's.
            let direct = ["curl", "--silent", "--max-time", "3", "http://10.1.0.1:9697/latest/meta-data/instance-id"]
            #expect(try await two.place.run(direct, timeoutMilliseconds: 30_000).exitCode != 0)
            guard isHighlyAvailable else { return }
            let masters = try await lab.activeHosts(router: router.id)
            let master = try #require(masters.first)
            try await lab.setL3Agent(of: master, isEnabled: false)
            try await waitUntil("another master", timeoutMilliseconds: 90_000) {
                let now = try await lab.activeHosts(router: router.id)
                return now.count == 1 && now != [master]
            }
            #expect(try await ask(two, "/latest/meta-data/instance-id") == ids[1])
            #expect(try await ask(two, "/latest/meta-data/instance-id", at: Self.ipv6) == ids[1])
        }
    }
}
