import Addressing
import HostModel
import NetworkModel
import Testing

@testable import Converters

/// Fragments of two networks with the same addresses: connection tracking puts them together before any rule sees the packet.
extension SecurityGroupPacketTests {
    @Test("Fragments of two networks with the same addresses never become one packet, over IPv4 and IPv6")
    func fragmentsOfTwoNetworks() throws {
        let bench = try Bench()
        defer { bench.test.remove() }
        let (red, receiver) = (try bench.instance(7), try bench.instance(8))
        let (other, otherBridge) = (id(2), L2Names.bridge(id(2)))
        let blue = try bench.test.namespace("blue")
        try bench.test.expect(
            """
            ip -n \(bench.host) link add name \(otherBridge) type bridge stp_state 0 forward_delay 0 mcast_snooping 0
            ip -n \(bench.host) link set dev \(otherBridge) up
            ip netns exec \(bench.host) sh -c 'echo 1 > /proc/sys/net/ipv6/conf/\(otherBridge)/disable_ipv6'
            ip -n \(bench.host) link add \(tap(17)) type veth peer name eth address \(mac(17)) netns \(blue)
            ip -n \(bench.host) link set dev \(tap(17)) master \(otherBridge) up
            ip -n \(blue) link set dev eth up
            ip -n \(receiver) addr add 2001:db8::8/64 dev eth nodad
            """)
        let open = HostSecurityGroup(
            id: group,
            rules: [
                .init(direction: .egress, ipVersion: 4), .init(direction: .egress, ipVersion: 6),
                .init(direction: .ingress, ipVersion: 4), .init(direction: .ingress, ipVersion: 6),
            ])
        func port(_ number: Int, as last: Int, _ network: ResourceID) -> HostItem {
            .port(
                HostPort(
                    id: id(number), networkID: network, mac: mac(number), addresses: [ip("10.0.0.\(last)"), ip("2001:db8::\(last)")],
                    securityGroupIDs: [group]))
        }
        try bench.load([
            network(), network(.vxlan(vni: 78), id: other), .securityGroup(open), port(7, as: 7, networkID), port(8, as: 8, networkID),
            port(17, as: 7, other),
        ])
        for version in [4, 6] {
            let file = "\(bench.test.directory)/received\(version)"
            let (receive, protocolNumber) = ("IP\(version)-RECV:253", UInt8(253))
            try bench.test.expect("timeout 15 socat -u \(receive) OPEN:\(file),creat >/dev/null 2>&1 & echo $! > \(file).pid", in: receiver)
            #expect(try eventually { try bench.test.run("[ -e \(file) ]").status == 0 })
            func send(_ name: String, _ source: Int, _ text: String, isFirst: Bool) throws {
                let frame =
                    mac(8).octets + mac(source).octets
                    + (version == 4
                        ? Self.fragment4(protocolNumber, text, isFirst: isFirst) : Self.fragment6(protocolNumber, text, isFirst: isFirst))
                let octets = frame.map { "\\" + String($0, radix: 8) }.joined()
                try bench.test.expect("printf '\(octets)' | socat -u - INTERFACE:eth", in: name)
            }
            try send(red, 7, "red-head", isFirst: true)
            try send(blue, 17, "bluetail", isFirst: false)
            try send(red, 7, "red-tail", isFirst: false)
            #expect(try eventually { try bench.test.run("[ -s \(file) ]").status == 0 }, "IPv\(version)")
            #expect(try bench.test.run("cat \(file); kill $(cat \(file).pid)").text == "red-headred-tail", "IPv\(version)")
        }
    }

    /// From 10.0.0.7 to 10.0.0.8, with an identification that both networks have.
    private static func fragment4(_ number: UInt8, _ text: String, isFirst: Bool) -> [UInt8] {
        let offset: [UInt8] = isFirst ? [0x20, 0] : [0, 1]
        var header: [UInt8] = [0x45, 0, 0, UInt8(20 + text.utf8.count), 0x12, 0x34] + offset
        header += [64, number, 0, 0, 10, 0, 0, 7, 10, 0, 0, 8]
        var sum = stride(from: 0, to: header.count, by: 2).reduce(0) { $0 + Int(header[$1]) << 8 + Int(header[$1 + 1]) }
        while sum > 0xFFFF { sum = sum & 0xFFFF + sum >> 16 }
        (header[10], header[11]) = (UInt8(~sum >> 8 & 0xFF), UInt8(~sum & 0xFF))
        return [8, 0] + header + Array(text.utf8)
    }

    /// From 2001:db8::7 to 2001:db8::8.
    private static func fragment6(_ number: UInt8, _ text: String, isFirst: Bool) -> [UInt8] {
        let header: [UInt8] = [0x60, 0, 0, 0, 0, UInt8(8 + text.utf8.count), 44, 64]
        let extensionHeader: [UInt8] = [number, 0, 0, isFirst ? 1 : 8, 0, 0, 0x12, 0x34]
        return [0x86, 0xDD] + header + ip("2001:db8::7").octets + ip("2001:db8::8").octets + extensionHeader + Array(text.utf8)
    }
}
