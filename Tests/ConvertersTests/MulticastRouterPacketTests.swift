import Addressing
import HostModel
import NetworkModel
import Testing

@testable import Converters

/// What switches take for the sign of a multicast router (RFC 4541, section 2.1.1): they send all multicast there.
extension SecurityGroupPacketTests {
    @Test("An instance does not become a multicast router of a bridge that snoops by saying that it is one, and each try is counted")
    func multicastRouters() throws {
        let bench = try Bench()
        defer { bench.test.remove() }
        let sender = try bench.instance(7)
        _ = try bench.instance(8)
        try bench.test.expect("ip link set dev \(bench.bridge) type bridge mcast_snooping 1", in: bench.host)
        func routerPorts() throws -> String { try bench.test.run("bridge -d mdb show | grep '^router ports'", in: bench.host).text }
        func send(_ frame: [UInt8]) throws {
            let octets = frame.map { "\\" + String($0, radix: 8) }.joined()
            try bench.test.expect("printf '\(octets)' | socat -u - INTERFACE:eth", in: sender)
        }
        func dropped() throws -> Int {
            let text = try bench.test.run("nft list counter bridge neutrino multicast_router", in: bench.host).text
            let words = text.split(whereSeparator: \.isWhitespace)
            return words.firstIndex(of: "packets").flatMap { Int(words[$0 + 1]) } ?? -1
        }
        let open = HostSecurityGroup(
            id: group,
            rules: Set([4, 6].map { HostSecurityGroup.Rule(direction: .egress, ipVersion: $0) }))
        for isSecure in [true, false] {
            try bench.load([
                network(), .securityGroup(open), .port(port(7, isSecure: isSecure, groups: [group])), .port(port(8, groups: [group])),
            ])
            for (what, frame, isHeard) in Self.announcements {
                // The kernel forgets the port as a router when its setting changes.
                for setting in [0, 1] {
                    try bench.test.expect("ip link set dev \(tap(7)) type bridge_slave mcast_router \(setting)", in: bench.host)
                }
                let before = try dropped()
                try send(frame)
                if isSecure {
                    #expect(try eventually { try dropped() == before + 1 }, "\(what)")
                    #expect(try routerPorts() == "", "\(what)")
                } else if isHeard {
                    // Else this would prove nothing.
                    #expect(try eventually { try routerPorts().contains(tap(7)) }, "\(what) from a port without port security")
                }
            }
        }
    }

    /// What, the frame, and whether Linux' bridge heeds it.
    private static var announcements: [(String, [UInt8], Bool)] {
        let (pim, igmp, icmpv6) = (UInt8(103), UInt8(2), UInt8(58))
        let linkLocal = mac(7).eui64(in: prefix("fe80::/64")) ?? { preconditionFailure("fe80::/64 is a prefix of 64 bits") }()
        let advertisement = summed6([151, 20, 0, 0, 0, 125, 0, 2], linkLocal, ip("ff02::6a"), icmpv6)
        let hello: [UInt8] = [0x20, 0, 0, 0, 0, 1, 0, 2, 0, 105]
        return [
            ("MRD", frame4("224.0.0.106", igmp, summed([0x30, 20, 0, 0, 0, 125, 0, 2])), true),
            ("PIM", frame4("224.0.0.13", pim, summed(hello)), true),
            ("DVMRP", frame4("224.0.0.4", igmp, summed([0x13, 1, 0, 0, 0, 0, 0, 0])), false),
            // Behind a router alert (RFC 2711).
            ("MRD over IPv6", frame6(linkLocal, "ff02::6a", 0, [icmpv6, 0, 5, 2, 0, 0, 1, 0] + advertisement), true),
            ("PIM over IPv6", frame6(linkLocal, "ff02::d", pim, summed6(hello, linkLocal, ip("ff02::d"), pim)), false),
        ]
    }

    private static func frame4(_ destination: String, _ number: UInt8, _ payload: [UInt8]) -> [UInt8] {
        let group = ip(destination).octets
        var header: [UInt8] = [0x46, 0xC0, 0, UInt8(24 + payload.count), 0, 1, 0, 0, 1, number, 0, 0, 10, 0, 0, 7] + group
        // The router alert (RFC 2113).
        header += [0x94, 4, 0, 0]
        (header[10], header[11]) = sum(header)
        return [0x01, 0, 0x5E, group[1] & 0x7F, group[2], group[3]] + mac(7).octets + [8, 0] + header + payload
    }

    private static func frame6(_ source: IPAddress, _ destination: String, _ next: UInt8, _ payload: [UInt8]) -> [UInt8] {
        let group = ip(destination).octets
        let header: [UInt8] = [0x60, 0, 0, 0, 0, UInt8(payload.count), next, 1] + source.octets + group
        return [0x33, 0x33] + group[12...] + mac(7).octets + [0x86, 0xDD] + header + payload
    }

    /// With its checksum, two octets in (RFC 1071).
    private static func summed(_ message: [UInt8]) -> [UInt8] {
        var message = message
        (message[2], message[3]) = sum(message)
        return message
    }

    private static func summed6(_ message: [UInt8], _ source: IPAddress, _ destination: IPAddress, _ number: UInt8) -> [UInt8] {
        var whole = message
        let pseudo = source.octets + destination.octets + [0, 0, 0, UInt8(message.count), 0, 0, 0, number]
        (whole[2], whole[3]) = sum(pseudo + message)
        return whole
    }

    private static func sum(_ octets: [UInt8]) -> (UInt8, UInt8) {
        var sum = stride(from: 0, to: octets.count, by: 2).reduce(0) { $0 + Int(octets[$1]) << 8 + Int(octets[$1 + 1]) }
        while sum > 0xFFFF { sum = sum & 0xFFFF + sum >> 16 }
        return (UInt8(~sum >> 8 & 0xFF), UInt8(~sum & 0xFF))
    }
}
