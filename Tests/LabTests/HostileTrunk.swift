import APISchema
import Addressing
import Lab
import Testing

/// A flat network, whose bridge leads out of the host: an instance without port security on the one side, a machine on the physical network on the
/// other.
struct HostileTrunk {
    let host: LabHost
    let inside: FramePort
    let outside: FramePort
    let insideMAC: MACAddress

    private static let outsideMAC = MACAddress(rawValue: 0x0200_0000_0043)
    private static let timeoutMilliseconds = 5000

    init(_ lab: Lab) async throws {
        host = try lab.host("h1")
        let network = try await lab.api.create(
            "networks",
            [
                "name": "trunk", "provider:network_type": "flat", "provider:physical_network": .string(Underlay.physicalNetwork),
            ]
        ).text("id")
        _ = try await lab.api.create(
            "subnets", ["network_id": .string(network), "ip_version": 4, "cidr": "10.8.0.0/24", "enable_dhcp": false])
        let instance = try await lab.createInstance(
            "tagger", host: host.name, network: network, securityGroups: [], configuration: .fixed,
            attributes: ["port_security_enabled": false])
        insideMAC = try #require(MACAddress(instance.mac))
        inside = try FramePort.open(of: instance.place)
        outside = try FramePort.open(of: lab.outside)
        try await waitUntil("the port of \(instance.name) to become ACTIVE", timeoutMilliseconds: 20_000) {
            try await lab.api.show("ports", instance.portID)["status"]?.stringValue == "ACTIVE"
        }
    }

    func close() { for port in [inside, outside] { port.close() } }

    /// Neither does the instance reach a VLAN of the physical network, nor such a VLAN the instance. A priority tag alone names no VLAN: switches may
    /// send with it what they could send without.
    func refuseTags() async throws {
        try await expectArrival("without a tag", [], 3000)
        var sent: [(marker: [UInt8], receiver: FramePort)] = []
        for (index, tags) in Self.tags.enumerated() {
            for (sender, receiver, number) in [(inside, outside, 3100), (outside, inside, 3200)] {
                let marker = HostileFrames.marker(UInt16(number + index))
                let before = try await host.dropCounters()["tagged", default: 0]
                try sender.send([frame(from: sender, tags, marker)])
                try await waitUntil(
                    "a frame from \(sender.name) with tags \(tags) to be counted", timeoutMilliseconds: Self.timeoutMilliseconds
                ) {
                    try await host.dropCounters()["tagged", default: 0] > before
                }
                sent.append((marker, receiver))
            }
        }
        try await expectArrival("sent last", [], 3001)
        for (marker, receiver) in sent { #expect(!receiver.hasReceived(marker), "a tagged frame arrived at \(receiver.name)") }
        let marker = HostileFrames.marker(3002)
        try outside.send([frame(from: outside, [(FrameBuilder.EtherType.vlan, 0)], marker)])
        try await waitUntil("a frame with a priority tag to arrive", timeoutMilliseconds: Self.timeoutMilliseconds) {
            inside.hasReceived(marker)
        }
    }

    /// The same frames arrive where nothing stops them.
    func expectTags() async throws {
        for (index, tags) in Self.tags.enumerated() { try await expectArrival("with tags \(tags)", tags, 3300 + index) }
    }

    private static var tags: [[(type: UInt16, id: UInt16)]] {
        let (inner, outer) = (FrameBuilder.EtherType.vlan, FrameBuilder.EtherType.serviceVLAN)
        return [
            [(inner, 100)], [(outer, 100)], [(FrameBuilder.EtherType.qinq, 100)], [(outer, 100), (inner, 200)], [(inner, 0), (inner, 100)],
        ]
    }

    private func expectArrival(_ what: String, _ tags: [(type: UInt16, id: UInt16)], _ number: Int) async throws {
        for (sender, receiver, number) in [(inside, outside, number), (outside, inside, number + 500)] {
            let marker = HostileFrames.marker(UInt16(number))
            try sender.send([frame(from: sender, tags, marker)])
            try await waitUntil(
                "what is \(what) to get from \(sender.name) to \(receiver.name)", timeoutMilliseconds: Self.timeoutMilliseconds
            ) {
                receiver.hasReceived(marker)
            }
        }
    }

    private func frame(from sender: FramePort, _ tags: [(type: UInt16, id: UInt16)], _ marker: [UInt8]) -> [UInt8] {
        let mac = sender === inside ? insideMAC : Self.outsideMAC
        let packet = FrameBuilder.ipv4(
            from: address("10.8.0.7"), to: address("255.255.255.255"), FrameBuilder.ProtocolNumber.udp,
            FrameBuilder.udp(4000, HostileFrames.allowedPort, marker))
        return FrameBuilder.ethernet(from: mac, tags: tags, type: FrameBuilder.EtherType.ipv4, packet)
    }
}

/// What stops hostile frames on a host, to be counted and to be taken away.
extension LabHost {
    /// Packets by reason, as an operator reads them.
    func dropCounters(_ family: String = "bridge", _ table: String = "neutrino") async throws -> [String: Int] {
        let text = try await place.output(["nft", "list", "counters", "table", family, table])
        var counters: [String: Int] = [:]
        var name = ""
        for line in text.split(separator: "\n") {
            let words = line.split(whereSeparator: \.isWhitespace)
            if words.first == "counter", words.count > 1 { name = String(words[1]) }
            if words.first == "packets", words.count > 1 { counters[name] = Int(words[1]) }
        }
        return counters
    }

    /// What was dropped for the reason of the row, by a rule or by the kernel's reassembly.
    func drops(_ row: HostileFrames.Row) async throws -> Int {
        let byRules = try await dropCounters()[row.counter, default: 0]
        guard let name = row.kernelCounter else { return byRules }
        // Without what was there at its last call, and without keeping anything for the next.
        let words = try await place.output(["nstat", "-asz", name]).split(whereSeparator: \.isWhitespace)
        let index = try #require(words.firstIndex { $0 == name })
        let byKernel = try #require(Int(words[index + 1]))
        return byRules + byKernel
    }

    /// IPv6 fragments that miss others are given up, and counted, after a second instead of a minute.
    func shortenReassembly() async throws {
        try await place.output(["sh", "-c", "echo 1 > /proc/sys/net/netfilter/nf_conntrack_frag6_timeout"])
    }

    /// Bridges do not put fragments together: no connection tracking sees the packets. (An agent would repair it.)
    func letFragmentsPass() async throws {
        let knobs = "/proc/sys/net/bridge/bridge-nf-call-iptables /proc/sys/net/bridge/bridge-nf-call-ip6tables"
        try await place.output(["sh", "-c", "for knob in \(knobs); do echo 0 > $knob; done"])
    }

    /// Takes the rules against tags away. (An agent would repair it.)
    func letTagsPass() async throws {
        try await place.output(["nft", "flush", "chain", "bridge", "neutrino", "tagged"])
    }
}
