import HostModel
import KernelLinux
import NetworkModel
import Testing

@testable import Converters

/// The memory for packets in fragments, which all bridges of a host share.
extension SecurityGroupPacketTests {
    @Test("Fragments of packets that one instance never completes leave room for those of others, whose packets arrive whole")
    func incompleteFragments() throws {
        let bench = try Bench()
        defer { bench.test.remove() }
        let (hostile, second, third) = (try bench.instance(7), try bench.instance(8), try bench.instance(9))
        let open = HostSecurityGroup(
            id: group, rules: [.init(direction: .egress, ipVersion: 4), .init(direction: .ingress, ipVersion: 4)])
        try bench.load([
            network(), .securityGroup(open), .port(port(7, groups: [group])), .port(port(8, groups: [group])),
            .port(port(9, groups: [group])),
        ])
        // First fragments of many packets from 10.0.0.7 to 10.0.0.9: more than 4 MiB of the kernel's memory.
        let path = "\(bench.test.directory)/fragments"
        let (destination, source) = (mac(9).octets, mac(7).octets)
        let ethernet = (destination + source + [8, 0]).map { String($0, radix: 16).leftPadded }.joined()
        // Its checksum (RFC 1071) but for the identification: version and length, flags, time to live and protocol, addresses.
        let header = [0x4500, 1420, 0x2000, 0x4011, 0x0A00, 7, 0x0A00, 9].reduce(0, +)
        try bench.test.expect(
            """
            busybox awk 'BEGIN {
              for (i = 1; i <= 1400; i++) payload = payload "00"
              for (id = 1; id <= 3000; id++) {
                sum = \(header) + id
                while (sum > 65535) sum = sum % 65536 + int(sum / 65536)
                printf "\(ethernet)4500058c%04x20004011%04x0a0000070a000009%s", id, 65535 - sum, payload
              }
            }' | busybox xxd -r -p > \(path)
            """)
        func send() throws { try bench.test.expect("socat -b 1434 -u OPEN:\(path) INTERFACE:eth", in: hostile) }
        func passes() throws -> Bool {
            try bench.test.run("ping -n -c 3 -i 0.2 -s 4000 -W 1 10.0.0.9", in: second).status == 0
        }
        #expect(try passes())
        // Else this would prove nothing.
        try send()
        #expect(try !passes(), "with the settings of the kernel")
        let settings = FragmentReassembly.settings()
        #expect(settings["net/ipv4/ipfrag_time"] != nil)
        for (path, value) in settings { try bench.test.expect("echo \(value) > /proc/sys/\(path)", in: bench.host) }
        try send()
        #expect(try passes())
        #expect(try bench.test.run("ping -n -c 3 -i 0.2 -s 4000 -W 1 10.0.0.8", in: third).status == 0)
    }

    @Test("A host that carries networks gets the settings for fragments that its kernel has")
    func fragmentSettings() throws {
        var informed = settings
        informed.fragmentSettings = ["net/ipv4/ipfrag_time": "1"]
        #expect(HostConverter.convert(view(network()), informed).configuration.own.sysctls["net/ipv4/ipfrag_time"] == "1")
        #expect(HostConverter.convert(view([]), informed).configuration.own.sysctls["net/ipv4/ipfrag_time"] == nil)
    }
}

extension String {
    /// With two hexadecimal digits.
    fileprivate var leftPadded: String { count < 2 ? "0" + self : self }
}
