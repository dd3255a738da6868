import Addressing
import Foundation
import HostModel
import KernelInterface
import NetworkModel
import Testing

@testable import Converters
@testable import Drivers

/// Security groups with real frames: a host namespace with a bridge, instances as namespaces behind veth pairs, nft, ping, DHCP.
@Suite("Security groups with real frames", .enabled(if: isRoot, needsRoot), .serialized)
struct SecurityGroupPacketTests {
    let group = id(100)
    let web = id(101)

    @Test("nft accepts every kind of rule, set and element")
    func syntax() throws {
        let bench = try Bench()
        defer { bench.test.remove() }
        let rules: [HostSecurityGroup.Rule] = [RuleDirection.ingress, .egress].flatMap { direction in
            [4, 6].flatMap { version -> [HostSecurityGroup.Rule] in
                let numbers = [nil, 0, 1, 2, 6, 17, 33, 41, 47, 50, 58, 112, 132, 136, 255]
                let cidr = version == 4 ? prefix("10.3.0.0/16") : prefix("2001:db8::/32")
                let any = version == 4 ? prefix("0.0.0.0/0") : prefix("::/0")
                return numbers.flatMap { number -> [HostSecurityGroup.Rule] in
                    [(nil, nil), (8, nil), (8, 0), (200, 255)].flatMap { (ports: (Int?, Int?)) in
                        [(nil, nil), (cidr, nil), (any, nil), (nil, group)].map { (remote: (IPPrefix?, ResourceID?)) in
                            HostSecurityGroup.Rule(
                                direction: direction, ipVersion: version, protocolNumber: number, portRangeMinimum: ports.0,
                                portRangeMaximum: ports.1, remotePrefix: remote.0, remoteGroupID: remote.1)
                        }
                    }
                }
            }
        }
        let pairs: [HostPort.Pair] = [
            .init(prefix: prefix("0.0.0.0/0"), mac: mac(7)), .init(prefix: prefix("10.9.0.0/16"), mac: mac(70)),
            .init(prefix: prefix("10.9.0.1/32"), mac: mac(71)), .init(prefix: prefix("2001:db8::/32"), mac: mac(7)),
            .init(prefix: prefix("2001:db9::1/128"), mac: mac(7)),
        ]
        let wide = HostGroupMember(
            groupID: group, portID: id(9), addresses: [prefix("10.0.0.0/24"), prefix("10.0.0.9/32"), prefix("2001:db8::/64")])
        let items: [HostItem] = [
            network(), .securityGroup(HostSecurityGroup(id: group, rules: Set(rules))), .securityGroup(defaultGroup(web)),
            .port(port(7, groups: [group], pairs: pairs)), .port(port(8, groups: [group, web])), .port(port(9)), .groupMember(wide),
            .port(port(10, isSecure: false)),
        ]
        try bench.load(items, trusted: [11])
        // The kernel's own view of it: loaded, and replaced by itself.
        try bench.load(items, trusted: [11])
        #expect(try bench.test.run("nft list table bridge neutrino", in: bench.host).text.contains("ingress_\(group)"))
    }

    /// What a host may have one after another, from little to much.
    var states: [[HostItem]] {
        let addresses = id(102)
        return [
            [network(), .securityGroup(defaultGroup(group)), .port(port(7, groups: [group])), member(group, port: 7)],
            [
                network(), .securityGroup(defaultGroup(group)), .securityGroup(defaultGroup(web)), .port(port(7, groups: [group, web])),
                .port(port(8, groups: [web])), member(group, port: 7), member(web, port: 7), member(web, port: 8),
            ],
            [
                network(),
                .securityGroup(
                    HostSecurityGroup(
                        id: web,
                        rules: [
                            .init(direction: .ingress, ipVersion: 4, remoteAddressGroupID: addresses),
                            .init(direction: .ingress, ipVersion: 6, protocolNumber: 6, portRangeMinimum: 22),
                        ], isStateful: false)),
                .addressGroup(HostAddressGroup(id: addresses, addresses: [prefix("192.0.2.0/24"), prefix("192.0.3.1/32")])),
                .port(port(8, groups: [web])), .port(port(9, isSecure: false)),
            ],
            [network()],
        ]
    }

    @Test("A change of rules, groups, ports and members leaves what loading everything anew would, and counters go on")
    func changes() throws {
        let bench = try Bench()
        defer { bench.test.remove() }
        let states = states
        var configuration = [FirewallTable]()
        try bench.load(states[0])
        configuration = SecurityGroupConverter.convert(view(states[0]), links: [:], settings)
        for number in [1, 2, 0, 3, 2, 1] {
            let next = SecurityGroupConverter.convert(view(states[number]), links: [:], settings)
            let script = zip(configuration, next).map { FirewallScript.changes(from: $0, to: $1) ?? "no change is enough" }.joined()
            #expect(!script.contains("delete table"))
            try bench.test.expect("nft -f \(try bench.test.write("change.nft", script))", in: bench.host)
            configuration = next
            #expect(try ruleset(bench) == ruleset(bench, fresh: states[number]))
        }
        try bench.test.expect("nft add rule bridge neutrino forward counter name spoofed_mac", in: bench.host)
    }

    /// The chains and sets that there are, or that the items give in a namespace of their own, in an order of their own.
    func ruleset(_ bench: Bench, fresh items: [HostItem]? = nil) throws -> [String] {
        let list = "nft -s list ruleset"
        var text: String
        if let items {
            let path = try bench.test.write("fresh.nft", firewallScript(SecurityGroupConverter.convert(view(items), links: [:], settings)))
            text = try bench.test.run("unshare -n sh -c 'nft -f \(path) && \(list)'").text
        } else {
            text = try bench.test.run(list, in: bench.host).text
        }
        text = text.replacing("}", with: "").replacing(",", with: " ")
        return text.components(separatedBy: "\n\n").map { block in
            let lines = block.split(separator: "\n")
            // The order of a set's elements says nothing.
            guard block.contains("elements = {") else { return block.split(whereSeparator: \.isWhitespace).joined(separator: " ") }
            return lines.joined(separator: " ").split(whereSeparator: \.isWhitespace).sorted().joined(separator: " ")
        }.sorted()
    }

    @Test("The table for bridge conntrack has no error but that this kernel may lack it")
    func bridgeConntrackSyntax() throws {
        let bench = try Bench()
        defer { bench.test.remove() }
        var native = settings
        native.hasBridgeConntrack = true
        let view = view(network(), .securityGroup(defaultGroup(group)), .port(port(7, groups: [group])))
        let path = try bench.test.write("native.nft", firewallScript(HostConverter.convert(view, native).configuration.own.firewall))
        let output = try bench.test.run("nft -c -f \(path)", in: bench.host)
        let errors = output.text.split(separator: "\n").filter { $0.contains("Error") }
        #expect(errors.allSatisfy { $0.hasSuffix("Protocol error") || $0.hasSuffix("Operation not supported") }, "\(output.text)")
    }

    @Test("Members reach each other, strangers reach nobody, and replies come back")
    func groups() throws {
        let bench = try Bench()
        defer { bench.test.remove() }
        let (first, second, stranger) = (try bench.instance(7), try bench.instance(8), try bench.instance(9))
        #expect(try bench.pings(stranger, "10.0.0.7"), "the bench itself works before there are rules")
        let egress = HostSecurityGroup(id: web, rules: [.init(direction: .egress, ipVersion: 4)])
        try bench.load([
            network(), .securityGroup(defaultGroup(group)), .securityGroup(egress), .port(port(7, groups: [group])),
            .port(port(8, groups: [web, group])), .port(port(9, groups: [web])), member(group, port: 7), member(group, port: 8),
        ])
        #expect(try bench.pings(first, "10.0.0.8"))
        #expect(try bench.pings(second, "10.0.0.7"))
        #expect(try !bench.pings(stranger, "10.0.0.7"))
        #expect(try !bench.pings(stranger, "10.0.0.8"))
        // Its group allows no ingress but replies.
        #expect(try bench.pings(first, "10.0.0.9") == false)
    }

    @Test("What any one of several groups allows is allowed, each in its direction, and ICMP types are told apart")
    func severalGroups() throws {
        let bench = try Bench()
        defer { bench.test.remove() }
        let (first, second) = (try bench.instance(7), try bench.instance(8))
        let (send, receive) = (id(102), id(103))
        let groups: [HostItem] = [
            .securityGroup(
                HostSecurityGroup(
                    id: send, rules: [.init(direction: .egress, ipVersion: 4, remotePrefix: prefix("10.0.0.8/32"))])),
            .securityGroup(
                HostSecurityGroup(
                    id: receive,
                    rules: [.init(direction: .ingress, ipVersion: 4, protocolNumber: 1, portRangeMinimum: 8, portRangeMaximum: 0)])),
            .securityGroup(
                HostSecurityGroup(id: web, rules: [.init(direction: .ingress, ipVersion: 4, protocolNumber: 1, portRangeMinimum: 13)])),
        ]
        try bench.load([network(), .port(port(7, groups: [web, send])), .port(port(8, groups: [web, receive]))] + groups)
        #expect(try bench.pings(first, "10.0.0.8"))
        // No group lets 8 send to 7.
        #expect(try !bench.pings(second, "10.0.0.7"))
        try bench.load([network(), .port(port(7, groups: [web])), .port(port(8, groups: [receive]))] + groups)
        #expect(try !bench.pings(first, "10.0.0.8"), "without the group that allows it to send")
        try bench.load([network(), .port(port(7, groups: [send])), .port(port(8, groups: [web]))] + groups)
        #expect(try !bench.pings(first, "10.0.0.8"), "without the group that allows the type")
    }

    @Test("Foreign addresses and MACs are dropped, allowed pairs and ports without port security pass")
    func spoofing() throws {
        let bench = try Bench()
        defer { bench.test.remove() }
        let (first, second) = (try bench.instance(7), try bench.instance(8))
        let open = HostSecurityGroup(
            id: group, rules: [.init(direction: .egress, ipVersion: 4), .init(direction: .ingress, ipVersion: 4)])
        func load(_ sender: HostPort) throws {
            try bench.load([network(), .securityGroup(open), .port(sender), .port(port(8, groups: [group]))])
        }
        for address in ["10.0.0.66", "10.0.0.77"] { try bench.test.expect("ip addr add \(address)/24 dev eth", in: first) }
        // The receiver knows where to answer, so that only the frames themselves are on trial.
        for address in ["10.0.0.66", "10.0.0.77"] {
            try bench.test.expect("ip neigh replace \(address) lladdr \(mac(7)) dev eth", in: second)
        }
        try load(port(7, groups: [group]))
        #expect(try bench.pings(first, "10.0.0.8"))
        #expect(try !bench.pings(first, "10.0.0.8", source: "10.0.0.66"))
        // arping from an address that is not the port's: no answer, because the request is dropped.
        #expect(try bench.test.run("arping -q -c 1 -w 1 -I eth -s 10.0.0.66 10.0.0.8", in: first).status != 0)
        #expect(try bench.test.run("arping -q -c 1 -w 1 -I eth 10.0.0.8", in: first).status == 0)

        try load(
            port(
                7, groups: [group],
                pairs: [.init(prefix: prefix("10.0.0.66/32"), mac: mac(7)), .init(prefix: prefix("10.0.0.76/30"), mac: mac(7))]))
        #expect(try bench.pings(first, "10.0.0.8", source: "10.0.0.66"))
        #expect(try bench.pings(first, "10.0.0.8", source: "10.0.0.77"))
        #expect(try bench.test.run("arping -q -c 1 -w 1 -I eth -s 10.0.0.77 10.0.0.8", in: first).status == 0)

        try load(port(7, isSecure: false))
        #expect(try bench.pings(first, "10.0.0.8", source: "10.0.0.66"))

        try load(port(7, groups: [group]))
        try bench.test.expect("ip link set dev eth address 02:00:00:00:00:01", in: first)
        #expect(try !bench.pings(first, "10.0.0.8"))
    }

    @Test("A device that the agent has not heard of passes nothing, and neither does one whose port went down")
    func unknownDevice() throws {
        let bench = try Bench()
        defer { bench.test.remove() }
        let (first, second, service) = (try bench.instance(7), try bench.instance(8), try bench.instance(9))
        let open = HostSecurityGroup(
            id: group, rules: [.init(direction: .egress, ipVersion: 4), .init(direction: .ingress, ipVersion: 4)])
        let known: [HostItem] = [network(), .securityGroup(open), .port(port(8, groups: [group]))]
        try bench.load(known, trusted: [9])
        #expect(try bench.pings(service, "10.0.0.8"))
        #expect(try !bench.pings(first, "10.0.0.8"))
        #expect(try !bench.pings(first, "10.0.0.9"))
        #expect(try !bench.pings(second, "10.0.0.7"))
        #expect(try bench.test.run("arping -q -c 1 -w 1 -I eth 10.0.0.7", in: service).status != 0, "not even ARP reaches it")
        // Once known and then down: a connection that was established does not go on.
        try bench.load(known + [.port(port(7, groups: [group]))], trusted: [9])
        #expect(try bench.pings(first, "10.0.0.8"))
        try bench.load(known + [.port(port(7, isUp: false, groups: [group]))], trusted: [9])
        #expect(try !bench.pings(first, "10.0.0.8"))
        #expect(try !bench.pings(second, "10.0.0.7"))
    }

    @Test("A port without groups gets DHCP and nothing else, and an instance is no DHCP server")
    func dhcp() throws {
        let bench = try Bench()
        defer { bench.test.remove() }
        let (client, server) = (try bench.instance(7), try bench.instance(8))
        try bench.test.expect("ip addr flush dev eth", in: client)
        let script = try bench.test.write("lease.sh", "#!/bin/sh\n[ \"$1\" = bound ] && echo leased $ip\nexit 0\n")
        try bench.test.expect("chmod 755 \(script)")
        try bench.test.expect(
            """
            dnsmasq --conf-file= --no-hosts --no-resolv --port=0 --interface=eth --except-interface=lo --bind-dynamic \
            --dhcp-range=10.0.0.0,static,255.255.255.0 --dhcp-host=\(mac(7)),10.0.0.7 \
            --pid-file=\(bench.test.directory)/pid --dhcp-leasefile=\(bench.test.directory)/leases
            """, in: server)
        func lease() throws -> Bool {
            try bench.test.run("udhcpc -i eth -n -q -f -t 3 -T 1 -s \(script)", in: client).text.contains("leased 10.0.0.7")
        }
        let open = HostSecurityGroup(
            id: group, rules: [.init(direction: .egress, ipVersion: 4), .init(direction: .ingress, ipVersion: 4)])
        try bench.load([network(), .port(port(7))], trusted: [8])
        #expect(try lease())
        try bench.test.expect("ip addr add 10.0.0.7/24 dev eth", in: client)
        #expect(try !bench.pings(client, "10.0.0.8"))
        try bench.test.expect("ip addr flush dev eth", in: client)
        try bench.load([network(), .securityGroup(open), .port(port(7, groups: [group])), .port(port(8, groups: [group]))])
        #expect(try !lease(), "the server is an instance now")
    }

    @Test("Instances do not reach the host itself, nor the host them")
    func hostItself() throws {
        let bench = try Bench()
        defer { bench.test.remove() }
        let instance = try bench.instance(7)
        try bench.test.expect("ip addr add 10.0.0.200/24 dev \(bench.bridge)", in: bench.host)
        #expect(try bench.pings(instance, "10.0.0.200"), "the bench itself works before there are rules")
        let open = HostSecurityGroup(
            id: group, rules: [.init(direction: .egress, ipVersion: 4), .init(direction: .ingress, ipVersion: 4)])
        for sender in [port(7, groups: [group]), port(7, isSecure: false)] {
            try bench.load([network(), .securityGroup(open), .port(sender)])
            #expect(try !bench.pings(instance, "10.0.0.200"))
            #expect(try !bench.pings(bench.host, "10.0.0.7"))
        }
    }

    /// Whether a datagram gets from one namespace to another. It is sent until it has, or several times in vain.
    private func passes(_ bench: Bench, _ from: String, _ to: String, send: String, receive: String) throws -> Bool {
        let file = "\(bench.test.directory)/\(UInt32.random(in: 0...UInt32.max))"
        try bench.test.expect("timeout 10 socat -u \(receive) OPEN:\(file),creat >/dev/null 2>&1 & echo $! > \(file).pid", in: to)
        let script = """
            for try in $(seq 8); do
                echo hello | socat -u - \(send) >/dev/null 2>&1
                [ -s \(file) ] && break
                timeout 0.1 tail -f /dev/null
            done
            kill $(cat \(file).pid)
            [ -s \(file) ]
            """
        return try bench.test.run(script, in: from).status == 0
    }

    @Test("Protocols and port ranges are told apart, over IPv4 and IPv6")
    func protocols() throws {
        let bench = try Bench()
        defer { bench.test.remove() }
        let (first, second) = (try bench.instance(7), try bench.instance(8))
        for (name, number) in [(first, 7), (second, 8)] {
            try bench.test.expect("ip addr add 2001:db8::\(number)/64 dev eth nodad", in: name)
        }
        let open = HostSecurityGroup(id: web, rules: [.init(direction: .egress, ipVersion: 4), .init(direction: .egress, ipVersion: 6)])
        func port(_ number: Int, _ group: ResourceID) -> HostItem {
            .port(
                HostPort(
                    id: id(number), networkID: networkID, mac: mac(number), addresses: [ip("10.0.0.\(number)"), ip("2001:db8::\(number)")],
                    securityGroupIDs: [group]))
        }
        func load(_ rules: HostSecurityGroup.Rule...) throws {
            try bench.load([
                network(), .securityGroup(open), .securityGroup(HostSecurityGroup(id: group, rules: Set(rules))), port(7, web),
                port(8, group),
            ])
        }
        func udp(_ number: Int, _ version: Int = 4) throws -> Bool {
            let address = version == 4 ? "10.0.0.8" : "[2001:db8::8]"
            return try passes(
                bench, first, second, send: "UDP\(version)-SENDTO:\(address):\(number)", receive: "UDP\(version)-RECV:\(number)")
        }
        func raw(_ number: Int, _ version: Int = 4) throws -> Bool {
            let address = version == 4 ? "10.0.0.8" : "[2001:db8::8]"
            return try passes(
                bench, first, second, send: "IP\(version)-SENDTO:\(address):\(number)", receive: "IP\(version)-RECV:\(number)")
        }
        try load(
            .init(direction: .ingress, ipVersion: 4, protocolNumber: 17, portRangeMinimum: 5000, portRangeMaximum: 5002),
            .init(direction: .ingress, ipVersion: 4, protocolNumber: 47),
            .init(direction: .ingress, ipVersion: 6, protocolNumber: 17, portRangeMinimum: 6000),
            .init(direction: .ingress, ipVersion: 6, protocolNumber: 112))
        #expect(try udp(5002) && raw(47) && udp(6000, 6) && raw(112, 6))
        #expect(try !udp(5003) && !raw(50) && !udp(6001, 6) && !raw(47, 6))
        #expect(try !udp(6000) && !udp(5001, 6), "a rule of the other version")
        #expect(try bench.test.run("ping -n -6 -c 1 -W 1 2001:db8::8", in: first).status != 0)
        try load(.init(direction: .ingress, ipVersion: 6, protocolNumber: 58, portRangeMinimum: 128, portRangeMaximum: 0))
        // Its neighbour is found without a rule.
        try bench.test.expect("ip -6 neigh flush dev eth; ping -n -6 -c 1 -W 2 2001:db8::8", in: first)
        #expect(try !udp(6000, 6))
    }

    @Test("What DHCP passes without a rule is IPv4: the same ports over IPv6 need one, in each direction")
    func dhcpPortsOverIPv6() throws {
        let bench = try Bench()
        defer { bench.test.remove() }
        let names = [7: try bench.instance(7), 8: try bench.instance(8)]
        for (number, name) in names { try bench.test.expect("ip addr add 2001:db8::\(number)/64 dev eth nodad", in: name) }
        let both = HostSecurityGroup(id: web, rules: [.init(direction: .egress, ipVersion: 6), .init(direction: .ingress, ipVersion: 6)])
        func passes(_ ports: (Int, Int), _ groups: (ResourceID, ResourceID)) throws -> Bool {
            let instances = [(7, groups.0), (8, groups.1)].map { (number, group) -> HostItem in
                .port(port(number, addresses: [ip("2001:db8::\(number)")], groups: [group]))
            }
            try bench.load([network(), .securityGroup(both), .securityGroup(HostSecurityGroup(id: group, rules: []))] + instances)
            return try self.passes(
                bench, try #require(names[7]), try #require(names[8]), send: "UDP6-SENDTO:[2001:db8::8]:\(ports.1),sourceport=\(ports.0)",
                receive: "UDP6-RECV:\(ports.1)")
        }
        // (To 546 no instance sends at all.)
        for ports in [(68, 67), (67, 68)] { #expect(try passes(ports, (web, web))) }
        #expect(try !passes((68, 67), (group, web)))
        #expect(try !passes((67, 68), (web, group)))
    }

    @Test("Stateless groups let answers in by a rule only, and address groups allow the addresses that are in them")
    func statelessAndAddressGroups() throws {
        let bench = try Bench()
        defer { bench.test.remove() }
        let (first, second) = (try bench.instance(7), try bench.instance(8))
        let (quick, addresses) = (id(104), id(105))
        let open = HostSecurityGroup(
            id: web, rules: [.init(direction: .egress, ipVersion: 4), .init(direction: .ingress, ipVersion: 4)])
        func load(_ rules: [HostSecurityGroup.Rule], _ prefixes: [String] = [], isStateful: Bool) throws {
            try bench.load([
                network(), .securityGroup(open), .securityGroup(HostSecurityGroup(id: quick, rules: Set(rules), isStateful: isStateful)),
                .addressGroup(HostAddressGroup(id: addresses, addresses: prefixes.map { prefix($0) })), .port(port(7, groups: [quick])),
                .port(port(8, groups: [web])),
            ])
        }
        let send = HostSecurityGroup.Rule(direction: .egress, ipVersion: 4)
        try load([send], isStateful: true)
        #expect(try bench.pings(first, "10.0.0.8"))
        try load([send], isStateful: false)
        #expect(try !bench.pings(first, "10.0.0.8"), "the answer needs a rule")
        try load([send, .init(direction: .ingress, ipVersion: 4, protocolNumber: 1, portRangeMinimum: 0)], isStateful: false)
        #expect(try bench.pings(first, "10.0.0.8"))
        #expect(try !bench.pings(second, "10.0.0.7"))

        let named = HostSecurityGroup.Rule(direction: .ingress, ipVersion: 4, protocolNumber: 1, remoteAddressGroupID: addresses)
        for (prefixes, isAllowed) in [([], false), (["10.0.0.8/32"], true), (["10.0.0.9/32"], false), (["10.0.0.8/29"], true)] {
            try load([named], prefixes, isStateful: true)
            #expect(try bench.pings(second, "10.0.0.7") == isAllowed, "\(prefixes)")
        }
    }
}
