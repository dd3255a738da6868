import APISchema
import Lab
import Testing

/// DHCP as instances get it, over the life of ports and hosts.
@Suite(.serialized, .enabled(if: isRoot, needsRoot))
struct DHCPTests {
    /// The id of the network's dnsmasq on a host; nil when there is none.
    private func dnsmasq(_ host: LabHost, _ networkID: String) async throws -> String? {
        let result = try await host.place.run(["cat", "\(host.stateDirectory)/dhcp/\(networkID)/pid"])
        guard result.exitCode == 0, let process = result.standardOutput.split(separator: "\n").first else { return nil }
        return try await host.place.run(["kill", "-0", String(process)]).exitCode == 0 ? String(process) : nil
    }

    /// What a client in the instance is offered, as variables of udhcpc.
    private func lease(_ instance: Instance, options: [String] = []) async throws -> String {
        let script = "printf '#!/bin/sh\\n[ \"$1\" = bound ] && env\\n' > /run/show; chmod 755 /run/show"
        try await instance.place.output(["sh", "-c", script])
        let words = ["busybox", "udhcpc", "-i", "eth0", "-f", "-n", "-q", "-t", "15", "-T", "1", "-s", "/run/show"]
        return try await instance.place.output(words + options.flatMap { ["-O", $0] }, timeoutMilliseconds: 60_000)
    }

    @Test("Changes of ports, names, options and routes reach clients by a reload of the one dnsmasq that they concern")
    func changes() async throws {
        try await withLab(hosts: 1) { lab in
            let host = try lab.host("h1")
            let (network, subnet) = try await lab.createNetwork("private", prefix: "10.0.0.0/24")
            let (other, _) = try await lab.createNetwork("other", prefix: "10.0.0.0/24")
            let ids = [try network.text("id"), try other.text("id")]
            _ = try await lab.api.send("PUT", "/v2.0/networks/\(ids[0])", ["network": ["dns_domain": "example.org."]])
            let fixed: [String: JSONValue] = ["fixed_ips": [["subnet_id": .string(subnet), "ip_address": "10.0.0.50"]]]
            let options: [String: JSONValue] = [
                "dns_name": "web", "extra_dhcp_opts": [["opt_name": "tftp-server", "opt_value": "192.0.2.7"]],
            ]
            let first = try await lab.createInstance("vm1", host: "h1", network: "private", attributes: fixed.merging(options) { $1 })
            let second = try await lab.createInstance("vm2", host: "h1", network: "private")
            _ = try await lab.createInstance("vm3", host: "h1", network: "other")
            let before = [try await dnsmasq(host, ids[0]), try await dnsmasq(host, ids[1])]
            #expect(before.allSatisfy { $0 != nil })

            #expect(try await lease(first, options: ["66"]).contains("192.0.2.7"))
            let untold = try await lease(second, options: ["66"])
            #expect(!untold.contains("192.0.2.7"), "options of one port are nobody else's")
            // Its resolver is the network's own server.
            for name in ["web", "web.openstacklocal", "web.example.org"] {
                let answer = try await second.place.run(
                    ["sh", "-c", "busybox nslookup \(name) $(awk '{ print $2; exit }' /run/resolv.conf)"])
                #expect(answer.standardOutput.contains("10.0.0.50"), "\(name): \(answer.standardOutput)\(answer.standardError)")
            }
            let routes: JSONValue = [
                "subnet": ["host_routes": [["destination": "10.9.0.0/16", "nexthop": "10.0.0.9"]], "dns_nameservers": ["192.0.2.53"]]
            ]
            #expect(try await lab.api.send("PUT", "/v2.0/subnets/\(subnet)", routes).status == 200)
            try await waitUntil("the new route and server to be told", timeoutMilliseconds: 60_000) {
                let told = try await lease(second, options: ["121"])
                return told.contains("10.9.0.0/16 10.0.0.9") && told.contains("dns=192.0.2.53")
                    && told.contains("169.254.169.254/32 10.0.0.")
            }
            // A port takes the address of one that was deleted a moment ago, under another MAC.
            try await lab.deleteInstance("vm1")
            let heir = try await lab.createInstance("vm4", host: "h1", network: "private", attributes: fixed)
            #expect(heir.address == "10.0.0.50" && heir.mac != first.mac)
            #expect(try await dnsmasq(host, ids[1]) == before[1])
        }
    }

    @Test("Two agents serve a network; when the host of one dies, another takes its place, and leases last for ever where they shall")
    func agents() async throws {
        try await withLab(hosts: 3, serverArguments: ["--dhcp-agents-per-network", "2", "--agent-down-seconds", "10"]) { lab in
            for host in lab.hosts {
                try await host.endAgent()
                try await host.startAgent(arguments: ["--dhcp-lease-duration", "-1"])
            }
            let (network, _) = try await lab.createNetwork("private", prefix: "10.0.0.0/24")
            let id = try network.text("id")
            func serving() async throws -> [String] {
                var found: [String] = []
                for host in lab.hosts where host.place.isRunning {
                    if try await dnsmasq(host, id) != nil { found.append(host.name) }
                }
                return found
            }
            let first = try await waitFor("two servers", timeoutMilliseconds: 60_000) {
                let now = try await serving()
                return now.count == 2 ? now : nil
            }
            let third = try #require(lab.hosts.map(\.name).first { !first.contains($0) })
            let one = try await lab.createInstance("vm1", host: third, network: "private")
            // 0xffffffff
            #expect(try await lease(one).contains("lease=4294967295"))
            try await lab.host(first[0]).fault(.power)
            try await waitUntil("\(third) to serve instead of \(first[0])", timeoutMilliseconds: 120_000) {
                try await dnsmasq(try lab.host(third), id) != nil
            }
            _ = try await lab.createInstance("vm2", host: third, network: "private")
            #expect(try await lab.api.list("ports", "device_owner=network:dhcp&network_id=\(id)").count == 2)
        }
    }
}
