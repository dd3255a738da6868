import Addressing
import Election
import Glibc
import KernelInterface
import KernelLinux
import NetworkModel
import Testing

@testable import ElectionService

@Suite("A neighbour solicitation")
struct NeighbourProbeTests {
    private static let gateway = IPv6Address(rawValue: 0x2001_0DB8 << 96 | 0xAB_CDEF)
    private static let mac = MACAddress(rawValue: 0x02_AA_BB_CC_DD_EE)

    /// What a gateway answers.
    private static func advertisement(hasOption: Bool) -> [UInt8] {
        let body: [UInt8] = [136, 0, 0, 0, 0xE0, 0, 0, 0] + gateway.octets + (hasOption ? [2, 1, 2, 0, 0, 0, 0, 9] : [])
        let header: [UInt8] = [0x60, 0, 0, 0, 0, UInt8(body.count), 58, 255]
        return mac.octets + [2, 0, 0, 0, 0, 8] + [0x86, 0xDD] + header + gateway.octets + gateway.octets + body
    }

    @Test("It asks the gateway's group from the address of the bridge's MAC, never from no address, and its checksum is right")
    func request() throws {
        let request = try #require(NeighbourProbe.request(for: Self.gateway, from: Self.mac))
        #expect(request.count == 86)
        #expect(Array(request[0..<12]) == [0x33, 0x33, 0xFF, 0xAB, 0xCD, 0xEF] + Self.mac.octets)
        let (source, target) = (try #require(IPv6Address("fe80::aa:bbff:fecc:ddee")), try #require(IPv6Address("ff02::1:ffab:cdef")))
        #expect(Array(request[22..<38]) == source.octets && Array(request[38..<54]) == target.octets)
        #expect(Array(request[62..<78]) == Self.gateway.octets)
        #expect(Array(request[78..<86]) == [1, 1] + Self.mac.octets)
        #expect(InternetChecksum.of(Array(request[22..<54]) + [0, 0, 0, 32, 0, 0, 0, 58] + Array(request[54...])) == 0)
        #expect(NeighbourProbe.claim(ofReply: request) == nil)
    }

    @Test("An answer says whose address it is and at which MAC; what a router has passed on, and what is cut short, is none")
    func claims() {
        let named = NeighbourProbe.claim(ofReply: Self.advertisement(hasOption: true))
        #expect(named?.address == Self.gateway && named?.mac == MACAddress(rawValue: 0x02_00_00_00_00_09))
        let sender = NeighbourProbe.claim(ofReply: Self.advertisement(hasOption: false))
        #expect(sender?.address == Self.gateway && sender?.mac == MACAddress(rawValue: 0x02_00_00_00_00_08))
        for (offset, value) in [(12, 8), (14, 0x40), (20, 17), (21, 254), (54, 135), (55, 1)] as [(Int, UInt8)] {
            var other = Self.advertisement(hasOption: true)
            other[offset] = value
            #expect(NeighbourProbe.claim(ofReply: other) == nil, "octet \(offset)")
        }
        for length in 0..<78 { #expect(NeighbourProbe.claim(ofReply: Self.advertisement(hasOption: true).prefix(length)) == nil) }
    }
}

@Suite("Asking a gateway", .serialized, .enabled(if: isRoot, "needs root: it makes network namespaces"))
struct GatewayProbeTests {
    @Test("A gateway that boots takes its address, although it is asked for it all the time, and is reachable then")
    func booting() throws {
        try TestNamespaces.with(2) { kernel, names in
            let mac = MACAddress(rawValue: 0x02_00_00_00_00_09)
            let address = try #require(IPPrefix("fe80::/64").flatMap(mac.eui64))
            try kernel.perform(.addLink(Link(name: "brq1", kind: .bridge), names[0]))
            let frames = try NamespaceRunner.run(in: names[0]) { try FrameSender() }
            var probe = GatewayProbe(ElectionMember.Gateway(bridge: "brq1", address: address), now: 0)
            try kernel.perform(.addLink(Link(name: "tap1", kind: .veth(peer: "eth0", peerNamespace: names[1]), bridge: "brq1"), names[0]))
            // Makes itself its link-local address as soon as it is up, and looks whether anybody else has that.
            try kernel.perform(.changeLink(Link(name: "eth0", kind: .veth(peer: "tap1", peerNamespace: nil), mac: mac), names[1]))
            let isReachable = try NamespaceRunner.run(in: names[0]) {
                TestNamespaces.eventually {
                    _ = probe.ask(frames, now: probe.watch.nextRequest)
                    _ = poll(nil, 0, 5)
                    _ = probe.listen()
                    return probe.watch.isReachable == true
                }
            }
            #expect(isReachable)
        }
    }

    @Test(
        "A gateway is reachable while it has its address and its link",
        arguments: ["203.0.113.1/24", "2001:db8::1/64", "fe80::1/64"])
    func gateway(_ text: String) throws {
        let address = try #require(InterfaceAddress(text))
        try TestNamespaces.with(2) { kernel, names in
            try kernel.perform(.addLink(Link(name: "brq1", kind: .bridge), names[0]))
            try kernel.perform(.addLink(Link(name: "tap1", kind: .veth(peer: "eth0", peerNamespace: names[1]), bridge: "brq1"), names[0]))
            try kernel.perform(.changeLink(Link(name: "eth0", kind: .veth(peer: "tap1", peerNamespace: nil)), names[1]))
            // As on a host: the bridge has no address.
            try kernel.perform(.setSysctl(path: "net/ipv6/conf/brq1/disable_ipv6", value: "1", names[0]))
            let frames = try NamespaceRunner.run(in: names[0]) { try FrameSender() }
            var probe = GatewayProbe(ElectionMember.Gateway(bridge: "brq1", address: address.address), now: 0)
            func wait(until isReachable: Bool) throws -> Bool {
                try NamespaceRunner.run(in: names[0]) {
                    TestNamespaces.eventually {
                        _ = probe.ask(frames, now: probe.watch.nextRequest)
                        _ = poll(nil, 0, 5)
                        _ = probe.listen()
                        return probe.watch.isReachable == isReachable
                    }
                }
            }
            #expect(try wait(until: false), "nobody has it")
            try kernel.perform(.addAddress(LinkAddress(link: "eth0", address: address), names[1]))
            #expect(try wait(until: true))
            try kernel.perform(.changeLink(Link(name: "tap1", kind: .foreign, bridge: nil), names[0]))
            #expect(try wait(until: false), "its link is gone")
            try kernel.perform(.changeLink(Link(name: "tap1", kind: .foreign, bridge: "brq1"), names[0]))
            #expect(try wait(until: true))
        }
    }
}
