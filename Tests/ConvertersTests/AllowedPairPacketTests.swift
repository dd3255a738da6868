import HostModel
import NetworkModel
import Testing

@testable import Converters

/// Allowed address pairs, with what an instance sends and what is sent to it.
extension SecurityGroupPacketTests {
    /// Everything in both directions.
    private var openGroup: HostSecurityGroup {
        HostSecurityGroup(
            id: group,
            rules: Set(
                [RuleDirection.egress, .ingress].flatMap { direction in
                    [4, 6].map { HostSecurityGroup.Rule(direction: direction, ipVersion: $0) }
                }))
    }

    @Test("An allowed pair with a MAC of its own lets that MAC use the pair's addresses, in IPv4 and ARP, and no others")
    func pairWithAnotherMAC() throws {
        let bench = try Bench()
        defer { bench.test.remove() }
        let (first, second) = (try bench.instance(7), try bench.instance(8))
        let other = mac(200)
        // The whole instance speaks from the pair's MAC, as a VRRP master does.
        try bench.test.expect("ip link set dev eth address \(other) && ip addr add 10.0.0.66/24 dev eth", in: first)
        try bench.test.expect("ip addr add 10.0.0.77/24 dev eth", in: first)
        func reached(_ pairs: HostPort.Pair...) throws -> [String] {
            try bench.load([
                network(), .securityGroup(openGroup), .port(port(7, groups: [group], pairs: pairs)), .port(port(8, groups: [group])),
            ])
            // It asks for each anew: the answer is ARP of the pair.
            try bench.test.expect("ip neigh flush dev eth", in: second)
            return try ["10.0.0.7", "10.0.0.66", "10.0.0.77"].filter { try bench.pings(second, $0) }
        }
        #expect(try reached() == [])
        #expect(try reached(.init(prefix: prefix("10.0.0.66/32"), mac: mac(7))) == [], "the pair of another MAC")
        #expect(try reached(.init(prefix: prefix("10.0.0.66/32"), mac: other)) == ["10.0.0.66"])
        #expect(try reached(.init(prefix: prefix("10.0.0.64/28"), mac: other)) == ["10.0.0.66", "10.0.0.77"])
        #expect(try bench.pings(first, "10.0.0.8", source: "10.0.0.77"))
        #expect(try !bench.pings(first, "10.0.0.8", source: "10.0.0.7"))
    }

    @Test(
        "An allowed pair over IPv6 is asked for and advertised by neighbour discovery, a single address and a prefix, from the pair's MAC only"
    )
    func pairOverIPv6() throws {
        let bench = try Bench()
        defer { bench.test.remove() }
        let (first, second) = (try bench.instance(7), try bench.instance(8))
        let (single, inside) = ("2001:db8::66", "2001:db8::1:5")
        for address in [single, inside, "2001:db8::7"] { try bench.test.expect("ip addr add \(address)/64 dev eth nodad", in: first) }
        try bench.test.expect("ip addr add 2001:db8::8/64 dev eth nodad", in: second)
        func reached(_ pairs: HostPort.Pair...) throws -> [String] {
            let addresses = [7, 8].map { ip("2001:db8::\($0)") }
            try bench.load([
                network(), .securityGroup(openGroup), .port(port(7, addresses: [addresses[0]], groups: [group], pairs: pairs)),
                .port(port(8, addresses: [addresses[1]], groups: [group])),
            ])
            return try ["2001:db8::7", single, inside].filter { address in
                // The one asks who has the address, the other who asked: solicitations and advertisements of both.
                for name in [first, second] { try bench.test.expect("ip -6 neigh flush dev eth", in: name) }
                let answered = try bench.pings(second, address)
                // What fails takes seconds: once is enough.
                guard answered || pairs.isEmpty else { return false }
                try bench.test.expect("ip -6 neigh flush dev eth", in: first)
                let answering = try bench.pings(first, "2001:db8::8", source: address)
                #expect(answered == answering, "\(address)")
                return answered
            }
        }
        #expect(try reached() == ["2001:db8::7"])
        #expect(try reached(.init(prefix: prefix("\(single)/128"), mac: mac(7))) == ["2001:db8::7", single])
        #expect(try reached(.init(prefix: prefix("2001:db8::1:0/112"), mac: mac(7))) == ["2001:db8::7", inside])
        #expect(try reached(.init(prefix: prefix("\(single)/128"), mac: mac(200))) == ["2001:db8::7"])
        try bench.test.expect("ip link set dev eth address \(mac(200))", in: first)
        #expect(try reached(.init(prefix: prefix("\(single)/128"), mac: mac(200))) == [single])
    }
}
