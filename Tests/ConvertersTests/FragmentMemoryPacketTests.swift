import Addressing
import HostModel
import KernelLinux
import NetworkModel
import Testing

@testable import Converters

/// The memory for packets in fragments, which all bridges of a host share.
extension SecurityGroupPacketTests {
    @Test(
        "Fragments of packets that one instance never completes leave room for those of others, whose packets arrive whole",
        arguments: [IPVersion.v4, .v6])
    func incompleteFragments(_ version: IPVersion) throws {
        let bench = try Bench()
        defer { bench.test.remove() }
        let names = try Dictionary(uniqueKeysWithValues: [7, 8, 9].map { ($0, try bench.instance($0)) })
        let open = HostSecurityGroup(
            id: group,
            rules: [
                .init(direction: .egress, ipVersion: version.rawValue), .init(direction: .ingress, ipVersion: version.rawValue),
            ])
        func address(_ number: Int) -> IPAddress { ip(version == .v4 ? "10.0.0.\(number)" : "2001:db8::\(number)") }
        try bench.load(
            [network(), .securityGroup(open)] + names.keys.map { .port(port($0, addresses: [address($0)], groups: [group])) })
        if version == .v6 {
            for (number, name) in names { try bench.test.expect("ip addr add \(address(number))/64 dev eth nodad", in: name) }
        }
        // From 7 to 9.
        let (path, frameOctets) = try firstFragments(version, in: bench)
        func send() throws { try bench.test.expect("socat -b \(frameOctets) -u OPEN:\(path) INTERFACE:eth", in: names[7]) }
        func passes(from source: Int = 8, to destination: Int = 9) throws -> Bool {
            try bench.test.run("ping -n -c 3 -i 0.2 -s 4000 -W 1 \(address(destination))", in: names[source]).status == 0
        }
        #expect(try passes())
        // Else this would prove nothing.
        try send()
        #expect(try !passes(), "with the settings of the kernel")
        // Nor do they get any further: a router's namespace, whose memory is its own, may keep the kernel's settings.
        let received = "grep -h ^FRAG /proc/net/sockstat /proc/net/sockstat6"
        #expect(try bench.test.run(received, in: names[9]).text == "FRAG: inuse 0 memory 0\nFRAG6: inuse 0 memory 0\n")
        let settings = FragmentReassembly.settings()
        #expect(settings.count == 4)
        for (path, value) in settings { try bench.test.expect("echo \(value) > /proc/sys/\(path)", in: bench.host) }
        try send()
        #expect(try passes())
        #expect(try passes(from: 9, to: 8))
    }

    /// A file of frames, of so many octets each: the first fragments of 3,000 packets from instance 7 to instance 9, more than 4 MiB of the kernel's memory.
    private func firstFragments(_ version: IPVersion, in bench: Bench) throws -> (path: String, frameOctets: Int) {
        let path = "\(bench.test.directory)/fragments"
        func hexadecimal(_ octets: [UInt8]) -> String { octets.map { String($0, radix: 16).leftPadded }.joined() }
        let ethernet = hexadecimal(mac(9).octets + mac(7).octets + (version == .v4 ? [8, 0] : [0x86, 0xDD]))
        let print: String
        switch version {
        case .v4:
            // Its checksum (RFC 1071) but for the identification: version and length, flags, time to live and protocol, addresses.
            let sum = [0x4500, 1420, 0x2000, 0x4011, 0x0A00, 7, 0x0A00, 9].reduce(0, +)
            print = """
                sum = \(sum) + id
                while (sum > 65535) sum = sum % 65536 + int(sum / 65536)
                printf "\(ethernet)4500058c%04x20004011%04x0a0000070a000009%s", id, 65535 - sum, payload
                """
        case .v6:
            // RFC 8200, section 4.5: UDP follows, offset 0, more fragments.
            let addresses = hexadecimal(ip("2001:db8::7").octets + ip("2001:db8::9").octets)
            print = """
                printf "\(ethernet)6000000005802c40\(addresses)110000010000%04x%s", id, payload
                """
        }
        try bench.test.expect(
            """
            busybox awk 'BEGIN {
              for (i = 1; i <= 1400; i++) payload = payload "00"
              for (id = 1; id <= 3000; id++) {
                \(print)
              }
            }' | busybox xxd -r -p > \(path)
            """)
        return (path, 14 + (version == .v4 ? 20 : 40 + 8) + 1400)
    }

    @Test("A host that carries networks gets the settings of shared memory that its kernel has")
    func memorySettings() throws {
        var informed = settings
        informed.memorySettings = ["net/ipv4/ipfrag_time": "1"]
        #expect(HostConverter.convert(view(network()), informed).configuration.own.sysctls["net/ipv4/ipfrag_time"] == "1")
        #expect(HostConverter.convert(view([]), informed).configuration.own.sysctls["net/ipv4/ipfrag_time"] == nil)
    }
}

extension String {
    /// With two hexadecimal digits.
    fileprivate var leftPadded: String { count < 2 ? "0" + self : self }
}
