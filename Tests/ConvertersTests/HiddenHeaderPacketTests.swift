import Addressing
import HostModel
import NetworkModel
import Testing

@testable import Converters

/// Forgeries behind headers that a filter may stop reading at, and in frames that look harmless. (Behind an authentication header nftables looks at nothing, and
/// receivers neither, unless they share a key with the sender.)
extension SecurityGroupPacketTests {
    private struct Row {
        var what: String
        var counter: DropReason
        var frame: [UInt8]
    }

    @Test("No chain of headers hides a forgery: each is dropped, and counted for what it is")
    func hiddenHeaders() throws {
        let bench = try Bench()
        defer { bench.test.remove() }
        let sender = try bench.instance(7)
        _ = try bench.instance(8)
        let open = HostSecurityGroup(
            id: group, rules: Set([4, 6].map { HostSecurityGroup.Rule(direction: .egress, ipVersion: $0) }))
        try bench.load([network(), .securityGroup(open), .port(port(7, groups: [group])), .port(port(8, groups: [group]))])
        func dropped(_ reason: DropReason) throws -> Int {
            let words = try bench.test.run("nft list counter bridge neutrino \(reason.rawValue)", in: bench.host).text.split(
                whereSeparator: \.isWhitespace)
            return words.firstIndex(of: "packets").flatMap { Int(words[$0 + 1]) } ?? -1
        }
        for row in Self.rows {
            let before = try dropped(row.counter)
            let octets = row.frame.map { "\\" + String($0, radix: 8) }.joined()
            try bench.test.expect("printf '\(octets)' | socat -u - INTERFACE:eth", in: sender)
            #expect(try eventually { try dropped(row.counter) == before + 1 }, "\(row.what)")
        }
    }

    private static var rows: [Row] {
        let (hopByHop, routing, fragment, options) = (UInt8(0), UInt8(43), UInt8(44), UInt8(60))
        let (icmpv6, udp) = (UInt8(58), UInt8(17))
        let advertisement: [UInt8] = [134, 0, 0, 0, 64, 0, 7, 8] + [UInt8](repeating: 0, count: 8)
        let neighbour: [UInt8] = [136, 0, 0, 0, 0x60, 0, 0, 0] + ip("2001:db8::8").octets + [2, 1] + mac(7).octets
        let server: [UInt8] = [0x02, 0x23, 0x02, 0x22, 0, 12, 0, 0, 2, 0, 0, 1]
        /// A header of 8 octets that says nothing.
        func header(_ next: UInt8) -> [UInt8] { [next, 0, 1, 4, 0, 0, 0, 0] }
        let spent: (UInt8) -> [UInt8] = { [$0, 0, 0, 0, 0, 0, 0, 0] }
        let atomic: (UInt8) -> [UInt8] = { [$0, 0, 0, 0, 0, 0, 0, 9] }
        let own = "fe80::f816:3eff:fe00:7"
        return [
            Row(
                what: "a router advertisement in a fragment that is whole", counter: .routerAdvertisement,
                frame: frame6(own, fragment, atomic(icmpv6) + advertisement)),
            Row(
                what: "a router advertisement behind four headers", counter: .routerAdvertisement,
                frame: frame6(own, hopByHop, header(routing) + spent(options) + header(fragment) + atomic(icmpv6) + advertisement)),
            Row(
                what: "a neighbour advertisement behind two headers", counter: .spoofedNeighbourDiscovery,
                frame: frame6(own, hopByHop, header(options) + header(icmpv6) + neighbour)),
            Row(
                what: "a DHCPv6 advertisement in a fragment that is whole", counter: .dhcpServer,
                frame: frame6(own, fragment, atomic(udp) + server)),
            Row(
                what: "IPv6 from an IPv4 address", counter: .spoofedIPv6,
                frame: frame6("::ffff:10.0.0.8", 59, [])),
            Row(what: "IPv6 from a group", counter: .spoofedIPv6, frame: frame6("ff02::1", 59, [])),
            Row(what: "IPv4 from a group", counter: .spoofedIPv4, frame: frame4("224.0.0.1", udp, [])),
            Row(
                what: "a DHCP offer behind options of IPv4", counter: .dhcpServer,
                frame: frame4("10.0.0.7", udp, [0, 67, 0, 68, 0, 8, 0, 0], options: [1, 1, 1, 1])),
            Row(
                what: "a source route from another's address", counter: .spoofedIPv4,
                frame: frame4("10.0.0.8", udp, [], options: [0x83, 7, 4, 10, 0, 0, 1, 0])),
            Row(
                what: "an ARP answer that gives its address to everybody's MAC", counter: .spoofedARP,
                frame: ethernet(
                    0x0806,
                    [0, 1, 8, 0, 6, 4, 0, 2] + MACAddress.broadcast.octets + ip("10.0.0.7").octets + mac(8).octets
                        + ip("10.0.0.8").octets)),
            Row(what: "802.1X to everybody", counter: .otherProtocol, frame: ethernet(0x888E, [1, 1, 0, 0])),
            Row(what: "a PPPoE session", counter: .otherProtocol, frame: ethernet(0x8864, [0x11, 0, 0, 1, 0, 0])),
            Row(what: "IPv4 behind an MPLS label", counter: .otherProtocol, frame: ethernet(0x8848, [0, 0, 1, 64, 0x45])),
        ]
    }

    private static func ethernet(_ type: UInt16, _ payload: [UInt8]) -> [UInt8] {
        MACAddress.broadcast.octets + mac(7).octets + [UInt8(type >> 8), UInt8(type & 0xFF)] + payload
            + [UInt8](repeating: 0, count: max(46 - payload.count, 0))
    }

    /// To all nodes.
    private static func frame6(_ source: String, _ next: UInt8, _ payload: [UInt8]) -> [UInt8] {
        let header: [UInt8] = [0x60, 0, 0, 0, 0, UInt8(payload.count), next, 255] + ip(source).octets + ip("ff02::1").octets
        return ethernet(0x86DD, header + payload)
    }

    private static func frame4(_ source: String, _ number: UInt8, _ payload: [UInt8], options: [UInt8] = []) -> [UInt8] {
        let length = 20 + options.count
        var header: [UInt8] = [0x40 | UInt8(length / 4), 0, 0, UInt8(length + payload.count), 0, 1, 0, 0, 64, number, 0, 0]
        header += ip(source).octets + ip("10.0.0.8").octets + options
        var sum = stride(from: 0, to: header.count, by: 2).reduce(0) { $0 + Int(header[$1]) << 8 + Int(header[$1 + 1]) }
        while sum > 0xFFFF { sum = sum & 0xFFFF + sum >> 16 }
        (header[10], header[11]) = (UInt8(~sum >> 8 & 0xFF), UInt8(~sum & 0xFF))
        return ethernet(0x0800, header + payload)
    }
}
