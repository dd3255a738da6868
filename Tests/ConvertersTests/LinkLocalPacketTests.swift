import HostModel
import NetworkModel
import Testing

@testable import Converters

/// What an instance sends to the addresses of one wire's neighbours (IEEE 802.1Q, table 8-1).
extension SecurityGroupPacketTests {
    @Test("Nothing gets to the host's own protocols in frames for link-local addresses, and nothing to other instances")
    func linkLocalAddresses() throws {
        let bench = try Bench()
        defer { bench.test.remove() }
        let (sender, other) = (try bench.instance(7), try bench.instance(8))
        try bench.test.expect("ip addr add 192.0.2.9/32 dev lo", in: bench.host)
        let open = HostSecurityGroup(
            id: group, rules: [.init(direction: .egress, ipVersion: 4), .init(direction: .ingress, ipVersion: 4)])
        let file = "\(bench.test.directory)/received"
        try bench.test.expect(
            "timeout 30 socat -u UDP4-RECV:9,reuseaddr OPEN:\(file),creat,append >/dev/null 2>&1 & echo $! > \(file).pid", in: bench.host)
        try bench.test.expect("timeout 30 socat -u UDP4-RECV:9,reuseaddr OPEN:\(file).other,creat,append >/dev/null 2>&1 & true", in: other)
        #expect(try eventually { try bench.test.run("[ -e \(file) ] && [ -e \(file).other ]").status == 0 })
        /// A datagram to the host's address in a frame for the address with the last octet.
        func send(_ last: UInt8, to destination: String = "192.0.2.9") throws {
            let frame = [0x01, 0x80, 0xC2, 0, 0, last] + mac(7).octets + [8, 0] + Self.datagram(to: destination, "octet-\(last) ")
            let octets = frame.map { "\\" + String($0, radix: 8) }.joined()
            try bench.test.expect("printf '\(octets)' | socat -u - INTERFACE:eth", in: sender)
        }
        func received() throws -> String { try bench.test.run("cat \(file)").text }
        // As the agent makes its bridges.
        try bench.test.expect("ip link set dev \(bench.bridge) type bridge group_fwd_mask 0x4000", in: bench.host)
        for isSecure in [true, false] {
            try bench.load([
                network(), .securityGroup(open), .port(port(7, isSecure: isSecure, groups: [group])), .port(port(8, groups: [group])),
            ])
            for last in UInt8(0)...15 {
                try send(last)
                try send(last, to: "10.0.0.8")
            }
            // What is sent last arrives.
            #expect(try bench.pings(sender, "10.0.0.8"))
            #expect(try received() == "")
            #expect(try bench.test.run("cat \(file).other").text == "")
        }
        #expect(try bench.test.run("nft list counter bridge neutrino link_local | grep -q 'packets [1-9]'", in: bench.host).status == 0)
        // Else this would prove nothing.
        try bench.test.expect("ip link set dev \(bench.bridge) type bridge group_fwd_mask 0", in: bench.host)
        try send(14)
        #expect(try eventually { try received() == "octet-14 " }, "a bridge as the kernel makes it")
        try bench.test.expect("kill $(cat \(file).pid)")
    }

    /// UDP to port 9, from the address of port 7.
    private static func datagram(to destination: String, _ text: String) -> [UInt8] {
        let length = UInt8(28 + text.utf8.count)
        var header: [UInt8] = [0x45, 0, 0, length, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 7] + ip(destination).octets
        var sum = stride(from: 0, to: header.count, by: 2).reduce(0) { $0 + Int(header[$1]) << 8 + Int(header[$1 + 1]) }
        while sum > 0xFFFF { sum = sum & 0xFFFF + sum >> 16 }
        (header[10], header[11]) = (UInt8(~sum >> 8 & 0xFF), UInt8(~sum & 0xFF))
        return header + [0x0F, 0xA0, 0, 9, 0, length - 20, 0, 0] + Array(text.utf8)
    }
}
