import APISchema
import Addressing
import Glibc
import Lab
import Testing

/// The table of tracked connections, which all instances of a host share.
@Suite(.serialized, .enabled(if: isRoot, needsRoot))
struct ConnectionShareTests {
    /// What the host is told that it can track: three quarters of it are taken by one instance within a second.
    private static let capacity = 400
    private static let sharePercent = 25

    @Test("An instance that opens connections without end begins no more when the host's table fills, while its neighbours begin theirs")
    func shares() async throws {
        try await withLab { lab in
            let host = try lab.host("h1")
            // What nobody answers is forgotten sooner than in the kernel's 30 s.
            _ = try await host.place.output(["sysctl", "--quiet", "--write", "net.netfilter.nf_conntrack_udp_timeout=5"])
            try await host.endAgent()
            try await host.startAgent(
                arguments: ["--connection-capacity", "\(Self.capacity)", "--connection-share", "\(Self.sharePercent)"])
            let group = try await lab.api.create("security-groups", ["name": "open"]).text("id")
            _ = try await lab.api.create(
                "security-group-rules", ["security_group_id": .string(group), "direction": "ingress", "ethertype": "IPv4"])
            let network = try await lab.createNetwork("private", prefix: "10.0.0.0/24", hasDHCP: false).network.text("id")
            func instance(_ name: String, _ host: String) async throws -> Instance {
                try await lab.createInstance(name, host: host, network: network, securityGroups: [group], configuration: .fixed)
            }
            let (greedy, neighbour) = (try await instance("greedy", "h1"), try await instance("neighbour", "h1"))
            let remote = try await instance("remote", "h2")
            for instance in [greedy, neighbour] { try await lab.waitForReply(from: instance.place, to: remote.address) }

            let flood = try FramePort.open(of: greedy.place)
            defer { flood.close() }
            let frames = try Self.connections(from: greedy, to: remote, ports: 20_000..<(20_000 + UInt16(Self.capacity)))
            try flood.send(frames)
            try await waitUntil("the greedy instance to begin no more", timeoutMilliseconds: 10_000, intervalMilliseconds: 50) {
                try await Self.refused(by: host).contains(greedy.tapName)
            }
            #expect(try await lab.probe(from: greedy.place, to: remote.address, seconds: 0.3).received == 0)
            try await lab.waitForReply(from: neighbour.place, to: remote.address)
            try await lab.waitForReply(from: remote.place, to: neighbour.address)
            #expect(try await !Self.refused(by: host).contains(neighbour.tapName))
            // There is room again.
            try await lab.waitForReply(from: greedy.place, to: remote.address, timeoutMilliseconds: 60_000)
        }
    }

    /// UDP from many ports, a packet each.
    private static func connections(from source: Instance, to target: Instance, ports: Range<UInt16>) throws -> [[UInt8]] {
        let (mac, next) = (try #require(MACAddress(source.mac)), try #require(MACAddress(target.mac)))
        return ports.map { port in
            let packet = FrameBuilder.ipv4(
                from: address(source.address), to: address(target.address), FrameBuilder.ProtocolNumber.udp,
                FrameBuilder.udp(port, 9, [0, 0, 0, 0]))
            return FrameBuilder.ethernet(from: mac, to: next, type: FrameBuilder.EtherType.ipv4, packet)
        }
    }

    /// The devices that begin no connections; none while there is no such table.
    private static func refused(by host: LabHost) async throws -> String {
        try await host.place.run(["nft", "list", "set", "bridge", "connection_shares", "holders"]).standardOutput
    }
}
