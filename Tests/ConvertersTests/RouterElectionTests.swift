import Addressing
import Glibc
import HostModel
import KernelInterface
import NetworkModel
import ServiceProcesses
import Testing

@testable import Converters

/// What the agents of a group rest on: members that speak to each other's own addresses, hear advertisements that an agent hands them, and
/// are silent where the master's MACs are.
@Suite("Elections of HA routers with a real keepalived", .enabled(if: isRoot, needsRoot), .serialized)
struct RouterElectionTests {
    private struct Scene {
        let host: TestHost
        let network: RealSwitch
        let members: [RealRouter]

        init(_ routers: [HostRouter]) throws {
            let host = try TestHost()
            let network = try RealSwitch(host)
            self.host = host
            self.network = network
            members = try routers.enumerated().map { try RealRouter($1, "m\($0 + 1)", on: network) }
        }

        func startAll() throws {
            for member in members { try member.startKeepalived() }
        }

        func masters(_ among: [RealRouter]? = nil) throws -> [RealRouter] {
            try (among ?? members).filter { try $0.state() == .active }
        }

        /// Starts all and answers the one that becomes master.
        func elect() throws -> RealRouter {
            try startAll()
            #expect(try eventually { try masters().count == 1 })
            return try #require(try masters().first)
        }

        func log(_ member: RealRouter) throws -> String { try host.run("cat \(member.paths.log)").text }

        /// Hands an advertisement to a member, as its agent does, on the host's end of its ha- device: in the name of another member.
        func inject(_ priority: Int, into member: RealRouter, from other: RealRouter, intervalMilliseconds: Int = 1000) throws {
            let redundancy = try #require(member.router.redundancy)
            let advertisement = VRRPAdvertisement(
                version: redundancy.vrrpVersion, source: try source(other), destination: try source(member),
                sourceMAC: try #require(other.router.redundancy).port.mac, destinationMAC: redundancy.port.mac,
                virtualRouterID: redundancy.virtualRouterID, priority: priority, intervalMilliseconds: intervalMilliseconds,
                password: redundancy.password, addresses: [IPv4Address(169, 254, 0, UInt8(redundancy.virtualRouterID))])
            let index = try #require(members.firstIndex { $0 === member }) + 1
            // ha- is the last of a router's devices.
            let count = member.pieces.hostLinks.count
            try PacketSocket.send(advertisement.bytes, on: "m\(index)-\(count)", of: network.namespace)
        }

        private func source(_ member: RealRouter) throws -> IPv4Address {
            try #require(member.router.redundancy.flatMap(RouterConverter.source(of:)))
        }
    }

    /// A router with nothing but its membership.
    private func bare(_ group: Int, member: Int, members: ClosedRange<Int>, priority: Int) -> HostRouter {
        var router = redundantRouter(member: member, priority: priority)
        router.id = id(900 + group)
        router.gateway = nil
        router.interfaces = []
        router.redundancy?.peers = members.filter { $0 != member }.map {
            .init(hostID: "host\($0)", address: ip("169.254.192.\($0)"), endpoint: nil, priority: 254)
        }
        return router
    }

    private func ping(_ scene: Scene, from namespace: String, _ options: String, file: String) throws {
        let command = "ping -i 0.02 -w 60 \(options) > \(file) 2>&1 & echo $! > \(file).pid"
        #expect(try runDetaching(["ip", "netns", "exec", namespace, "sh", "-c", command]) == 0)
        #expect(try eventually { try scene.host.run("grep -c ttl= \(file)").text != "0\n" })
    }

    private func endPing(_ scene: Scene, file: String) throws -> String {
        try scene.host.expect("kill -INT $(cat \(file).pid)")
        #expect(try eventually { try scene.host.run("cat \(file)").text.contains(" packets transmitted") })
        return try scene.host.run("tail -n 3 \(file)").text
    }

    @Test("A member without peers becomes master, and stays so when the first peer is named")
    func alone() throws {
        let scene = try Scene([bare(1, member: 1, members: 1...1, priority: 254), bare(1, member: 2, members: 1...2, priority: 250)])
        defer { scene.host.remove() }
        try scene.members[0].startKeepalived()
        #expect(try eventually { try scene.members[0].state() == .active })
        try scene.members[0].change { $0.redundancy?.peers = bare(1, member: 1, members: 1...2, priority: 254).redundancy?.peers ?? [] }
        try scene.members[1].startKeepalived()
        #expect(try eventually { try scene.log(scene.members[1]).contains("Entering BACKUP STATE") })
        #expect(try scene.members[0].state() == .active)
        // The peer is spoken to: it takes over at the master's farewell.
        try scene.host.expect("kill $(cat \(scene.members[0].paths.processID))")
        #expect(try eventually { try scene.members[1].state() == .active })
        #expect(try scene.log(scene.members[0]).matches(of: /Entering MASTER STATE/).count == 1)
    }

    @Test("Two groups with one number on one network elect a master each")
    func sameNumber() throws {
        let scene = try Scene(
            [bare(1, member: 1, members: 1...2, priority: 254), bare(1, member: 2, members: 1...2, priority: 250)]
                + [bare(2, member: 3, members: 3...4, priority: 254), bare(2, member: 4, members: 3...4, priority: 250)])
        defer { scene.host.remove() }
        let groups = [Array(scene.members[0...1]), Array(scene.members[2...3])]
        try scene.startAll()
        #expect(try eventually { try groups.allSatisfy { try scene.masters($0).count == 1 } })
        let master = try #require(try scene.masters(groups[0]).first)
        try scene.host.expect("kill $(cat \(master.paths.processID))")
        #expect(try eventually { try scene.masters(groups[0]).map(\.namespace).filter { $0 != master.namespace }.count == 1 })
        #expect(try scene.masters(groups[1]).count == 1)
        for member in groups[1] {
            #expect(try scene.log(member).matches(of: /Entering (MASTER|BACKUP) STATE$/.anchorsMatchLineEndings()).count <= 1)
        }
    }

    @Test("Reloads that change peers, priority and floating IPs change no mastership and lose no packet")
    func reloads() throws {
        let scene = try Scene([redundantRouter(member: 1, priority: 254), redundantRouter(member: 2, priority: 250)])
        defer { scene.host.remove() }
        let instance = try scene.network.instance("vm", network: 1, address: "10.0.0.5/24", gateway: "10.0.0.1")
        let outside = try scene.network.instance("out", network: 3, address: "203.0.113.1/24", gateway: nil)
        #expect(!outside.isEmpty)
        let master = try scene.elect()
        #expect(try eventually { try scene.host.run("ping -c 1 -W 1 203.0.113.1", in: instance).status == 0 })
        let file = scene.host.directory + "/pings"
        try ping(scene, from: instance, "203.0.113.1", file: file)
        for round in 1...40 {
            for member in scene.members {
                try member.change { router in
                    router.floatingIPs.append(floating(100 + round, "203.0.113.\(100 + round)", to: "10.0.0.\(100 + round)"))
                    router.redundancy?.priority = member === master ? 100 + round : 200 - round
                    let third = HostRouter.Peer(hostID: "host3", address: ip("169.254.192.3"), endpoint: nil, priority: 1)
                    if round.isMultiple(of: 2) { router.redundancy?.peers.removeLast() } else { router.redundancy?.peers.append(third) }
                }
            }
        }
        #expect(try eventually { try master.realAddresses().count == 43 })
        let summary = try endPing(scene, file: file)
        #expect(summary.contains(" 0% packet loss"), "\(summary)")
        #expect(try scene.log(master).matches(of: /Entering MASTER STATE/).count == 1)
        for member in scene.members where member !== master { #expect(try !scene.log(member).contains("Entering MASTER STATE")) }
    }

    @Test("A backup that is handed the master's resignation takes over; a master that is handed a better one gives way", arguments: [2, 3])
    func injection(version: Int) throws {
        let scene = try Scene(
            [254, 250].enumerated().map { index, priority in
                var router = redundantRouter(member: index + 1, priority: priority)
                router.redundancy?.vrrpVersion = version
                router.redundancy?.password = version == 2 ? "password" : nil
                return router
            })
        defer { scene.host.remove() }
        let master = try scene.elect()
        let backup = try #require(scene.members.first { $0 !== master })
        // Tried again: what the living master says within the skew revokes it.
        #expect(
            try eventually {
                try scene.inject(VRRPAdvertisement.resigningPriority, into: backup, from: master)
                return try scene.log(backup).contains("Entering MASTER STATE")
            })
        try scene.inject(VRRPAdvertisement.owningPriority, into: master, from: backup)
        #expect(try eventually { try master.realAddresses().isEmpty || backup.realAddresses().isEmpty })
        #expect(try eventually { try scene.masters().count == 1 })
    }

    @Test("Members that both are masters: the lower one gives way without a word, the higher one stays")
    func meeting() throws {
        let scene = try Scene([bare(1, member: 1, members: 1...2, priority: 254), bare(1, member: 2, members: 1...2, priority: 250)])
        defer { scene.host.remove() }
        try scene.host.expect("ip link set m2-1 down", in: scene.network.namespace)
        try scene.host.expect("ip link set m2-1 nomaster && ip link set m2-1 up", in: scene.network.namespace)
        try scene.startAll()
        #expect(try eventually { try scene.masters().count == 2 })
        try scene.host.expect("ip link set m2-1 master \(L2Names.bridge(id(4)))", in: scene.network.namespace)
        #expect(try eventually { try scene.masters().count == 1 })
        #expect(try scene.masters().first === scene.members[0])
        #expect(try scene.log(scene.members[0]).matches(of: /Entering BACKUP STATE$/.anchorsMatchLineEndings()).isEmpty)
    }

    // MARK: IPv6

    private func withIPv6(_ router: HostRouter) -> HostRouter {
        var router = router
        router.interfaces[0].addresses.append(interfaceAddress("2001:db8:1::1/64"))
        router.gateway?.addresses.append(interfaceAddress("2001:db8:3::10/64"))
        router.gateway?.gateways.append(ip("2001:db8:3::1"))
        return router
    }

    /// Packets that a member sent on the devices whose MACs it shares.
    private func spoken(_ scene: Scene, _ member: RealRouter) throws -> [String] {
        try [device("qr-", 11), device("qr-", 12), device("qg-", 13)].map {
            try scene.host.run("cat /sys/class/net/\($0)/statistics/tx_packets", in: member.namespace).text
        }
    }

    @Test("IPv6 moves with the master, and a backup never says anything with the master's MACs")
    func ipv6() throws {
        let scene = try Scene([254, 250].enumerated().map { withIPv6(redundantRouter(member: $0 + 1, priority: $1)) })
        defer { scene.host.remove() }
        let instance = try scene.network.instance("vm", network: 1, address: "10.0.0.5/24", gateway: "10.0.0.1")
        let outside = try scene.network.instance("out", network: 3, address: "203.0.113.1/24", gateway: nil)
        try scene.host.expect(
            """
            ip -n \(instance) addr add 2001:db8:1::5/64 dev eth0 nodad
            ip -n \(instance) route add default via fe80::f816:3eff:fe00:b dev eth0
            ip -n \(outside) addr add 2001:db8:3::1/64 dev eth0 nodad
            ip -n \(outside) route add 2001:db8:1::/64 via 2001:db8:3::10
            """)
        let master = try scene.elect()
        let backup = try #require(scene.members.first { $0 !== master })
        #expect(try eventually { try scene.host.run("ping -6 -c 1 -W 1 2001:db8:3::1", in: instance).status == 0 })
        #expect(try scene.host.run("ip -6 -o addr show scope link", in: backup.namespace).text.isEmpty)
        for member in scene.members { try member.change { $0.floatingIPs.append(floating(60, "203.0.113.60", to: "10.0.0.60")) } }
        #expect(try eventually { try master.realAddresses().contains("203.0.113.60/32") })
        #expect(try spoken(scene, backup) == ["0\n", "0\n", "0\n"])
        let file = scene.host.directory + "/pings"
        try ping(scene, from: instance, "-6 2001:db8:3::1", file: file)
        try scene.host.expect("kill $(cat \(master.paths.processID))")
        #expect(try eventually { try backup.state() == .active })
        #expect(try eventually { try scene.host.run("ip -6 -o addr show", in: master.namespace).text.split(separator: "\n").count <= 1 })
        let before = try spoken(scene, master)
        let answered = try scene.host.run("grep -c ttl= \(file)").text
        // Long enough for the reports that the kernel makes of the groups it left.
        #expect(
            try eventually {
                try (Int(scene.host.run("grep -c ttl= \(file)").text.dropLast()) ?? 0) > (Int(answered.dropLast()) ?? 0) + 100
            })
        #expect(try spoken(scene, master) == before)
        _ = try endPing(scene, file: file)
        #expect(try scene.host.run("ip -6 route show default", in: master.namespace).text.isEmpty)
    }

    @Test("A killed master's IPv6 addresses and routes are gone when keepalived starts again")
    func killed() throws {
        let scene = try Scene([withIPv6(redundantRouter(member: 1, priority: 254))])
        defer { scene.host.remove() }
        let master = try scene.elect()
        func lines() throws -> String {
            try scene.host.run("ip -6 -o addr show scope global; ip -6 route show default", in: master.namespace).text
        }
        #expect(try eventually { try lines().contains("2001:db8:3::10") && lines().contains("default via 2001:db8:3::1") })
        try master.killKeepalived()
        #expect(try lines().contains("2001:db8:3::10"))
        // The new configuration names nothing of it.
        try master.note { router in
            router.interfaces[0].addresses.removeLast()
            router.gateway?.addresses.removeLast()
        }
        try master.startKeepalived()
        #expect(try eventually { try lines().isEmpty })
    }
}

/// A packet socket (packet(7)) on a device of a namespace.
private enum PacketSocket {
    struct Failure: Error {
        var step: String
        var code: Int32
    }

    static func send(_ frame: [UInt8], on device: String, of namespace: String) throws {
        typealias SetNamespace = @convention(c) (Int32, Int32) -> Int32
        // Glibc's module does not declare setns(2).
        guard let symbol = dlsym(nil, "setns") else { throw Failure(step: "setns is missing", code: 0) }
        let setNamespace = unsafeBitCast(symbol, to: SetNamespace.self)
        let own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
        let target = open("/var/run/netns/\(namespace)", O_RDONLY | O_CLOEXEC)
        defer { for descriptor in [own, target] where descriptor >= 0 { close(descriptor) } }
        guard own >= 0, target >= 0, setNamespace(target, 0) == 0 else { throw Failure(step: "setns", code: errno) }
        defer { precondition(setNamespace(own, 0) == 0, "a thread that cannot come back from a test's namespace must not go on") }
        let packets = socket(AF_PACKET, Int32(SOCK_RAW.rawValue), 0)
        defer { if packets >= 0 { close(packets) } }
        // sockaddr_ll, which Glibc's module does not declare: family, protocol, the device's index, and what only a receiver needs.
        let index = if_nametoindex(device)
        var address = [UInt8](repeating: 0, count: 20)
        address.withUnsafeMutableBytes { octets in
            octets.storeBytes(of: UInt16(AF_PACKET), as: UInt16.self)
            octets.storeBytes(of: index, toByteOffset: 4, as: UInt32.self)
        }
        let sent = address.withUnsafeBytes { octets in
            sendto(packets, frame, frame.count, 0, octets.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(octets.count))
        }
        guard sent == frame.count else { throw Failure(step: "sendto \(device)", code: errno) }
    }
}
