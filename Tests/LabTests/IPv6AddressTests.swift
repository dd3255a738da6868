import APISchema
import Lab
import Testing

/// IPv6 addresses and options as instances behind the default group get them, beside an instance that plays router and server.
@Suite(.serialized, .enabled(if: isRoot, needsRoot))
struct IPv6AddressTests {
    @Test(
        "Behind the default group, instances get IPv6 addresses and options as their subnets say and reach each other, whatever a rogue router and DHCPv6 server sends"
    )
    func modes() async throws {
        try await withLab { lab in
            let cloud = try await IPv6Cloud(lab)
            let rogue = try await Rogue(lab, network: "dhcpv6-stateful")
            for (mode, pair) in cloud.pairs { try await checkAddresses(lab, mode, pair) }
            let victims = try #require(cloud.pairs["dhcpv6-stateful"])
            try await checkProtection(rogue, victims)

            // Else what the rogue does would prove nothing.
            _ = try await lab.api.update("ports", rogue.instance.portID, ["port_security_enabled": false, "security_groups": []])
            for victim in victims {
                try await waitUntil("\(victim.name) to believe the rogue router", timeoutMilliseconds: 60_000) {
                    try await rogue.isRouter(of: victim)
                }
                try await waitUntil("\(victim.name) to believe the rogue server", timeoutMilliseconds: 60_000) {
                    try await DHCPv6Client.ask(victim).address.hasPrefix(Rogue.prefix)
                }
            }
        }
    }

    /// Each of two instances on two hosts has what the API says, and reaches the other.
    private func checkAddresses(_ lab: Lab, _ mode: String, _ pair: [Instance]) async throws {
        var addresses: [String] = []
        for instance in pair {
            let address = try await IPv6Cloud.address(of: instance, lab)
            addresses.append(address)
            if mode != "slaac" {
                let answer = try await DHCPv6Client.ask(instance, isStateless: mode == "dhcpv6-stateless")
                #expect(answer.address == (mode == "dhcpv6-stateful" ? address : ""))
                #expect(answer.nameServers == IPv6Cloud.nameServer)
                #expect(answer.searchList == "openstacklocal.")
            }
            try await waitUntil("\(instance.name) to have \(address)", timeoutMilliseconds: 30_000) {
                try await instance.place.output(["ip", "-6", "address", "show", "dev", "eth0", "-tentative"]).contains(" \(address)/")
            }
            // Of the router they hear, in all modes.
            try await waitUntil("\(instance.name) to have a router", timeoutMilliseconds: 30_000) {
                try await instance.place.output(["ip", "-6", "route", "show", "default"]).contains("proto ra")
            }
        }
        for (instance, other) in zip(pair, addresses.reversed()) {
            try await waitUntil("\(instance.name) to reach \(other)", timeoutMilliseconds: 30_000) {
                try await instance.place.run(["ping", "-6", "-c", "1", "-W", "1", other]).exitCode == 0
            }
        }
    }

    /// The rogue hears what victims ask and answers it, on its own host and beyond, and advertises itself: nothing of that arrives.
    private func checkProtection(_ rogue: Rogue, _ victims: [Instance]) async throws {
        for victim in victims {
            let before = try await rogue.host.dropCounters()["dhcp_server", default: 0]
            try await waitUntil("the rogue to answer what \(victim.name) asks", timeoutMilliseconds: 30_000) {
                let answer = try await DHCPv6Client.ask(victim)
                #expect(!answer.address.hasPrefix(Rogue.prefix) && answer.nameServers == IPv6Cloud.nameServer)
                return try await rogue.host.dropCounters()["dhcp_server", default: 0] > before
            }
        }
        let before = try await rogue.host.dropCounters()["router_advertisement", default: 0]
        try await waitUntil("the rogue to advertise itself", timeoutMilliseconds: 60_000) {
            try await rogue.host.dropCounters()["router_advertisement", default: 0] > before
        }
        for victim in victims { #expect(try await !rogue.isRouter(of: victim), "\(victim.name) believes the rogue router") }
    }
}

/// A router and, for each mode of IPv6 subnets, a network with an instance on each of two hosts. They get their IPv4 addresses by DHCP, and of IPv6
/// nothing but what they hear.
private struct IPv6Cloud {
    static let nameServer = "2001:db8::53"
    /// By the subnets' mode.
    private(set) var pairs: [String: [Instance]] = [:]

    init(_ lab: Lab) async throws {
        var subnets: [String] = []
        for (number, mode) in ["dhcpv6-stateful", "dhcpv6-stateless", "slaac"].enumerated() {
            let (network, subnet) = try await lab.createNetwork(mode, prefix: "10.0.\(number).0/24")
            let six = try await lab.api.create(
                "subnets",
                [
                    "network_id": .string(try network.text("id")), "ip_version": 6, "cidr": .string("fd00:\(number)::/64"),
                    "ipv6_ra_mode": .string(mode), "ipv6_address_mode": .string(mode), "dns_nameservers": [.string(Self.nameServer)],
                ])
            subnets += [subnet, try six.text("id")]
        }
        _ = try await lab.createRouter("r1", isHighlyAvailable: false, externalNetwork: nil, subnets: subnets)
        for mode in ["dhcpv6-stateful", "dhcpv6-stateless", "slaac"] {
            for host in ["h1", "h2"] {
                pairs[mode, default: []].append(try await lab.createInstance("\(mode)-\(host)", host: host, network: mode))
            }
        }
    }

    /// The IPv6 address that the API says.
    static func address(of instance: Instance, _ lab: Lab) async throws -> String {
        let fixed = try await lab.api.show("ports", instance.portID)["fixed_ips"]?.arrayValue ?? []
        return try #require(fixed.compactMap { $0["ip_address"]?.stringValue }.first { $0.contains(":") })
    }
}

/// An instance with a DHCPv6 server that wants to be preferred and advertises a router. Its own group lets it hear what clients ask all servers.
private struct Rogue {
    static let prefix = "fd00:bad:"
    let instance: Instance
    let host: LabHost

    init(_ lab: Lab, network: String) async throws {
        let group = try await lab.api.create("security-groups", ["name": "listening"])
        let rule: JSONValue = [
            "security_group_id": .string(try group.text("id")), "direction": "ingress", "ethertype": "IPv6", "protocol": "udp",
            "port_range_min": 547, "port_range_max": 547,
        ]
        _ = try await lab.api.create("security-group-rules", rule)
        instance = try await lab.createInstance("rogue", host: "h1", network: network, securityGroups: ["listening"])
        host = try lab.host("h1")
        try await instance.place.output(["ip", "-6", "address", "add", "\(Self.prefix):1/64", "dev", "eth0", "nodad"])
        try await instance.place.output([
            "dnsmasq", "--conf-file=/dev/null", "--port=0", "--interface=eth0", "--except-interface=lo", "--bind-dynamic", "--user=root",
            "--enable-ra", "--ra-param=eth0,4,600", "--dhcp-authoritative",
            "--dhcp-range=\(Self.prefix):100,\(Self.prefix):1ff,slaac,64,600",
            "--dhcp-leasefile=/run/rogue-leases", "--pid-file=/run/rogue-pid",
        ])
    }

    /// Whether another instance has an address of its prefix, or a route through it.
    func isRouter(of victim: Instance) async throws -> Bool {
        let linkLocal = try await instance.place.output([
            "sh", "-c", "ip -6 -o address show dev eth0 scope link | awk '{ print $4; exit }'",
        ])
        let routes = try await victim.place.output(["ip", "-6", "route", "show", "default"])
        let addresses = try await victim.place.output(["ip", "-6", "address", "show", "dev", "eth0", "dynamic"])
        let router = try #require(linkLocal.split(separator: "/").first)
        return routes.contains("via \(router) ") || addresses.contains(" \(Self.prefix)")
    }
}

/// dhclient, run once without a memory of what it got before.
private enum DHCPv6Client {
    struct Answer {
        /// Empty for none.
        var address = ""
        var nameServers = ""
        var searchList = ""
    }

    /// What dhclient runs when it hears something (dhclient-script(8)). It writes down what the instance is told, and takes the address: no other
    /// address of the link needs to be looked for, since the port has it alone.
    private static let script = """
        #!/bin/sh
        [ "$reason" = PREINIT6 ] && exit 0
        [ -z "$new_ip6_address" ] || ip -6 address replace "$new_ip6_address/128" dev "$interface" nodad
        printf '%s,%s,%s\\n' "$new_ip6_address" "$new_dhcp6_name_servers" "$new_dhcp6_domain_search" > /run/answer6
        kill $PPID
        """

    /// Answers what the instance was told; nothing when nobody answered.
    static func ask(_ instance: Instance, isStateless: Bool = false) async throws -> Answer {
        try await waitUntil("\(instance.name) to have its link-local address", timeoutMilliseconds: 30_000) {
            try await instance.place.output(["ip", "-6", "address", "show", "dev", "eth0", "scope", "link", "-tentative"]).contains(
                "fe80::")
        }
        let run = """
            rm -f /run/answer6 /run/leases6
            printf '%s' "$1" > /run/script6 && chmod 755 /run/script6
            timeout 20 dhclient \(isStateless ? "-S" : "-6 -1") -D LL -d -lf /run/leases6 -pf /run/pid6 -sf /run/script6 eth0 > /run/client6.log 2>&1
            cat /run/answer6 || true
            """
        let text = try await instance.place.output(["sh", "-c", run, "sh", script], timeoutMilliseconds: 60_000)
        let words = text.prefix { $0 != "\n" }.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        return words.count == 3 ? Answer(address: words[0], nameServers: words[1], searchList: words[2]) : Answer()
    }
}
