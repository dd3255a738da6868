import HostModel
import KernelInterface
import NetworkModel
import Testing

@testable import Converters

@Suite("QoS rules of ports")
struct PortQualityTests {
    private func port(_ number: Int, _ quality: HostQuality?) -> HostItem {
        var port = ConvertersTests.port(number)
        port.quality = quality
        return .port(port)
    }

    private func limited(_ kilobits: Int, burst: Int = 0) -> HostQuality {
        HostQuality(egress: .init(bandwidth: .init(kilobitsPerSecond: kilobits, burstKilobits: burst)))
    }

    private func table(_ items: HostItem...) -> FirewallTable? {
        HostConverter.convert(view([network()] + items), settings).configuration.own.firewall.first { $0.name == "neutrino_qos" }
    }

    @Test("A host without QoS rules has no table for them")
    func none() {
        #expect(table(port(7, nil)) == nil)
        #expect(table(port(7, HostQuality(dscpMark: 0))) != nil, "zero is a mark")
    }

    @Test("A port is only elements, each with its own bucket, and no change of a policy changes a rule")
    func elements() throws {
        let whole = HostQuality(
            ingress: .init(bandwidth: .init(kilobitsPerSecond: 1000, burstKilobits: 0)),
            egress: .init(
                bandwidth: .init(kilobitsPerSecond: 8000, burstKilobits: 20_000),
                packetRate: .init(kilopacketsPerSecond: 5, burstKilopackets: 0)), dscpMark: 46)
        let one = try #require(table(port(7, whole)))
        // A second's traffic is in the kernel's bucket already; bursts below that cannot be said.
        #expect(one.sets["ingress_bytes"]?.elements == ["\"\(tap(7))\" limit rate over 125000 bytes/second burst 1 bytes"])
        #expect(one.sets["egress_bytes"]?.elements == ["\"\(tap(7))\" limit rate over 1000000 bytes/second burst 1500000 bytes"])
        #expect(one.sets["egress_packets"]?.elements == ["\"\(tap(7))\" limit rate over 5000/second burst 4000 packets"])
        #expect(one.sets["ingress_packets"]?.elements.isEmpty == true)
        #expect(one.sets["egress_marks"]?.elements == ["\"\(tap(7))\" : goto mark_46"])
        let two = try #require(table(port(7, limited(8000)), port(8, HostQuality(dscpMark: 10))))
        #expect(two.chains == one.chains)
        #expect(two.sets.mapValues(\.type) == one.sets.mapValues(\.type))
        #expect(two.chains["mark_10"]?.rules == ["ether type ip ip dscp set 10", "ether type ip6 ip6 dscp set 10"])
    }

    @Test("A slow port's bucket holds the largest packet")
    func smallBuckets() {
        let slow = table(port(7, limited(64, burst: 1)))
        #expect(slow?.sets["egress_bytes"]?.elements == ["\"\(tap(7))\" limit rate over 8000 bytes/second burst 57536 bytes"])
        let few = table(port(7, HostQuality(ingress: .init(packetRate: .init(kilopacketsPerSecond: 1, burstKilopackets: 2)))))
        #expect(few?.sets["ingress_packets"]?.elements == ["\"\(tap(7))\" limit rate over 1000/second burst 2000 packets"])
    }

    @Test("The largest numbers of the API are within what nftables takes, or are not enforced")
    func largestNumbers() {
        let largest = Int(Int32.max)
        let huge = HostQuality(
            egress: .init(
                bandwidth: .init(kilobitsPerSecond: largest, burstKilobits: largest),
                packetRate: .init(kilopacketsPerSecond: largest, burstKilopackets: largest)))
        #expect(table(port(7, huge))?.sets.values.allSatisfy(\.elements.isEmpty) == true)
        let fast = table(port(7, limited(100_000_000, burst: largest)))
        #expect(
            fast?.sets["egress_bytes"]?.elements
                == ["\"\(tap(7))\" limit rate over 12500000000 bytes/second burst \(UInt32.max) bytes"])
    }

    @Test("Ports of routers and DHCP servers are limited at the bridge's end of their devices")
    func services() {
        let dhcp = HostDHCP(
            networkID: networkID, portID: id(20), portMAC: mac(20), portAddresses: [interfaceAddress("10.0.0.2/24")], portRevision: 1,
            mtu: 1450, subnets: [.init(id: id(21), prefix: prefix("10.0.0.0/24"), gateway: nil)], portQuality: limited(1000))
        let interface = HostRouter.RouterPort(
            id: id(22), networkID: networkID, mac: mac(22), addresses: [interfaceAddress("10.0.0.1/24")], mtu: 1450,
            quality: limited(1000))
        let table = table(.dhcp(dhcp), .router(HostRouter(id: id(23), interfaces: [interface])))
        let text = "limit rate over 125000 bytes/second burst 1 bytes"
        #expect(table?.sets["egress_bytes"]?.elements == ["\"\(tap(20))\" \(text)", "\"\(tap(22))\" \(text)"])
    }
}

@Suite("QoS rules of ports with real frames", .enabled(if: isRoot, needsRoot), .serialized)
struct PortQualityPacketTests {
    /// Two instances on a bridge. The security groups are not loaded: nothing but QoS rules keeps their packets.
    private struct Scene {
        let bench: SecurityGroupPacketTests.Bench
        let sender: String
        let receiver: String

        init() throws {
            bench = try SecurityGroupPacketTests.Bench()
            sender = try bench.instance(7)
            receiver = try bench.instance(8)
        }

        func load(_ quality: HostQuality, on number: Int) throws {
            var port = ConvertersTests.port(number)
            port.quality = quality
            let table = try #require(PortQuality.table(for: view(network(), .port(port))))
            try bench.test.expect("nft -f \(try bench.test.write("qos.nft", firewallScript([table])))", in: bench.host)
        }

        /// The next packet that the filter lets through.
        func capture(_ filter: String, in place: String) throws -> String {
            try bench.test.run("timeout 15 tcpdump -c 1 -nv -i eth '\(filter)'", in: place).text
        }

        /// Octets that arrive of 40 MB in packets of 1000, sent as fast as it goes.
        func flood() throws -> Int {
            let file = "\(bench.test.directory)/received"
            try bench.test.expect(
                "rm -f \(file); socat -u UDP4-RECV:9999,rcvbuf=8000000 CREATE:\(file) >/dev/null 2>&1 </dev/null &", in: receiver)
            defer { _ = try? bench.test.run("kill $(ss -Hlunp sport = 9999 | sed 's/.*pid=//; s/,.*//')", in: receiver) }
            #expect(try eventually { try bench.test.run("ss -Hlun sport = 9999", in: receiver).text.contains("9999") })
            try bench.test.expect("head -c 40000000 /dev/zero | socat -b 1000 -u - UDP4-SENDTO:10.0.0.8:9999", in: sender)
            var last = -1
            #expect(
                try eventually {
                    let size = Int(try bench.test.run("sleep 0.2; stat -c %s \(file)").text.split(separator: "\n").first ?? "") ?? 0
                    defer { last = size }
                    return size == last && size > 0
                })
            return last
        }
    }

    @Test("What is over a port's limit of bytes or packets does not pass, in the direction of the rule only")
    func limits() throws {
        let scene = try Scene()
        defer { scene.bench.test.remove() }
        let bandwidth = HostQuality.Limits(bandwidth: .init(kilobitsPerSecond: 2000, burstKilobits: 0))
        let packets = HostQuality.Limits(packetRate: .init(kilopacketsPerSecond: 1, burstKilopackets: 1))
        // The buckets hold 250 kB, and 1000 packets of 1000. The flood takes a second or two, here generously taken for ten.
        let mostBytes = 250_000 * 11
        let mostPackets = 1000 * 1000 * 11
        #expect(try scene.flood() > mostPackets, "without rules nearly all arrive")
        try scene.load(HostQuality(egress: bandwidth), on: 7)
        #expect(try scene.flood() < mostBytes)
        try scene.load(HostQuality(ingress: bandwidth), on: 8)
        #expect(try scene.flood() < mostBytes)
        try scene.load(HostQuality(egress: packets), on: 7)
        #expect(try scene.flood() < mostPackets)
        try scene.load(HostQuality(ingress: packets), on: 8)
        #expect(try scene.flood() < mostPackets)
        try scene.load(HostQuality(ingress: bandwidth, dscpMark: 10), on: 7)
        #expect(try scene.flood() > mostPackets, "the other direction is not limited")
    }

    @Test("Packets of both families leave an instance with its mark, and arrive whole")
    func marks() throws {
        let scene = try Scene()
        defer { scene.bench.test.remove() }
        try scene.bench.test.expect("ip -n \(scene.sender) addr add fd00::7/64 dev eth nodad")
        try scene.bench.test.expect("ip -n \(scene.receiver) addr add fd00::8/64 dev eth nodad")
        try scene.load(HostQuality(dscpMark: 46), on: 7)
        // 46 above the two bits of congestion notification (RFC 3168).
        for (source, target, filter, text) in [
            ("10.0.0.7", "10.0.0.8", "icmp[icmptype] == icmp-echo", "tos 0xb8"),
            ("fd00::7", "fd00::8", "icmp6 and ip6[40] == 128", "class 0xb8"),
        ] {
            try scene.bench.test.expect("ping -n -i 0.1 -c 100 \(target) >/dev/null 2>&1 </dev/null &", in: scene.sender)
            let seen = try scene.capture("dst \(target) and (\(filter))", in: scene.receiver)
            #expect(seen.contains(text), "\(seen)")
            #expect(try scene.bench.pings(scene.sender, target))
            // A reply has the mark of its request; what the other instance asks has none.
            try scene.bench.test.expect("ping -n -i 0.1 -c 100 \(source) >/dev/null 2>&1 </dev/null &", in: scene.receiver)
            let asked = try scene.capture("dst \(source) and (\(filter))", in: scene.sender)
            #expect(asked.contains("echo request") && !asked.contains(text), "\(asked)")
        }
    }
}
