import APISchema
import Addressing
import Lab
import Testing

/// What a hostile instance sends, and who sees it.
@Suite(.serialized, .enabled(if: isRoot, needsRoot))
struct HostileTests {
    @Test(
        "Nothing forged arrives on its own host or another, each drop is counted by its reason, and without what stops it all of it arrives"
    )
    func catalogue() async throws {
        try await withLab { lab in
            let scene = try await Scene(lab)
            defer { scene.close() }
            var hostile = scene.frames
            try await scene.expectArrival("what is allowed", hostile.allowed(HostileFrames.marker(1000)), HostileFrames.marker(1000))
            for (index, permitted) in hostile.permitted.enumerated() {
                let marker = HostileFrames.marker(UInt16(1100 + index))
                try await scene.expectArrival(permitted.what, permitted.frames(marker), marker)
            }
            try await scene.host.shortenReassembly()
            try await refuse(hostile.rows, last: HostileFrames.marker(1001), scene)
            try await linkLocalFrames(scene)
            try await encapsulated(scene)
            let trunk = try await HostileTrunk(lab)
            defer { trunk.close() }
            try await trunk.refuseTags()

            // Else what never arrives would prove nothing.
            try await scene.liftPortSecurity()
            hostile.round = 2
            let rows = hostile.rows
            for row in rows where row.kernelCounter == nil && !row.isTagged {
                try await scene.expectArrival(row.what, row.frames, row.marker)
            }
            try await refuse(rows.filter(\.isTagged), last: HostileFrames.marker(1005), scene)
            for host in lab.hosts {
                try await host.endAgent()
                try await host.letTagsPass()
                try await host.letFragmentsPass()
            }
            for row in rows where row.kernelCounter != nil || row.isTagged {
                try await scene.expectArrival(row.what, row.frames, row.marker)
            }
            try await trunk.expectTags()
        }
    }

    /// Sends the rows, and waits for the counter of each.
    private func refuse(_ rows: [HostileFrames.Row], last: [UInt8], _ scene: Scene) async throws {
        for row in rows {
            let before = try await scene.host.drops(row)
            try scene.sender.send(row.frames)
            try await waitUntil("the counter \(row.counter) to count \(row.what)", timeoutMilliseconds: 10_000, intervalMilliseconds: 10) {
                try await scene.host.drops(row) > before
            }
        }
        // What was sent before has arrived, if it ever does.
        try await scene.expectArrival("what is sent last", scene.frames.allowed(last), last)
        for row in rows {
            for receiver in scene.receivers { #expect(!receiver.hasReceived(row.marker), "\(row.what) arrived at \(receiver.name)") }
        }
    }

    /// By itself the kernel's bridge takes these frames without showing them to any rule: it learns from them, and gives the host what is in them.
    private func linkLocalFrames(_ scene: Scene) async throws {
        let lldp = MACAddress(rawValue: 0x0180_C200_000E)
        // An instance's own tunnel packet, as if another host had sent it to this one.
        let hidden = HostileFrames.marker(1009)
        let packet = FrameBuilder.ipv4(
            from: address(Underlay.hostAddress(2)), to: address(Underlay.hostAddress(1)), FrameBuilder.ProtocolNumber.udp,
            FrameBuilder.udp(4789, 4789, try await scene.encapsulated(hidden)))
        let tunnelled = FrameBuilder.ethernet(from: scene.frames.own.mac, to: lldp, type: FrameBuilder.EtherType.ipv4, packet)
        let before = try await scene.host.dropCounters()["link_local", default: 0]
        let frame = FrameBuilder.ethernet(from: scene.frames.victim.mac, to: lldp, type: 0x88CC, [2, 7, 4])
        func isStolen() async throws -> Bool {
            let table = try await scene.host.place.output(["bridge", "fdb", "show", "br", scene.bridge])
            return table.split(separator: "\n").contains { $0.hasPrefix("\(scene.frames.victim.mac) dev \(scene.attacker.tapName) ") }
        }
        try scene.sender.send([frame, tunnelled])
        let marker = HostileFrames.marker(1002)
        try await scene.expectArrival("what is sent last", scene.frames.allowed(marker), marker)
        #expect(try await !isStolen(), "an LLDP frame drew the victim's frames to the attacker")
        for receiver in scene.receivers {
            #expect(!receiver.hasReceived(hidden), "a tunnel's packet in a frame for LLDP arrived at \(receiver.name)")
        }
        #expect(try await scene.host.dropCounters()["link_local", default: 0] >= before + 2)
        // An agent would repair it.
        try await scene.host.endAgent()
        let options = ["ip", "link", "set", scene.bridge, "type", "bridge"]
        try await scene.host.place.output(options + ["no_linklocal_learn", "0", "group_fwd_mask", "0"])
        try scene.sender.send([frame])
        try await waitUntil("a bridge without protection to learn", timeoutMilliseconds: 5000, intervalMilliseconds: 10) {
            try await isStolen()
        }
        try await scene.host.startAgent()
        try await waitUntil("the agent to make the bridge as it was", timeoutMilliseconds: 20_000, intervalMilliseconds: 50) {
            let shown = try await scene.host.place.output(["ip", "-details", "link", "show", "dev", scene.bridge])
            return shown.contains("group_fwd_mask 0x4000 ") && shown.contains("no_linklocal_learn 1 ")
        }
    }

    /// Packets that look like the hosts' own tunnels.
    private func encapsulated(_ scene: Scene) async throws {
        let marker = HostileFrames.marker(1003)
        let payload = try await scene.encapsulated(marker)
        let bridgeText = try await scene.host.place.output(["cat", "/sys/class/net/\(scene.bridge)/address"])
        let bridgeMAC = try #require(MACAddress(bridgeText.trimmingSuffix { $0.isNewline }))
        let before = try await scene.host.dropCounters()
        for number in [1, 2] {
            let packet = FrameBuilder.ipv4(
                from: scene.frames.own.ipv4, to: address(Underlay.hostAddress(number)), FrameBuilder.ProtocolNumber.udp,
                FrameBuilder.udp(4789, 4789, payload))
            try scene.sender.send([
                FrameBuilder.ethernet(from: scene.frames.own.mac, to: bridgeMAC, type: FrameBuilder.EtherType.ipv4, packet)
            ])
        }
        try await waitUntil("the counter to_host to count both", timeoutMilliseconds: 5000, intervalMilliseconds: 10) {
            try await scene.host.dropCounters()["to_host", default: 0] >= before["to_host", default: 0] + 2
        }
        let last = HostileFrames.marker(1004)
        try await scene.expectArrival("what is sent last", scene.frames.allowed(last), last)
        for receiver in scene.receivers { #expect(!receiver.hasReceived(marker), "an encapsulated frame arrived at \(receiver.name)") }
        // The same packet from the host itself is taken.
        let text = payload.map { "\\x" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        // The shell's own printf would send it line by line.
        try await scene.host.place.output([
            "sh", "-c", "env printf '\(text)' | socat -u - UDP4-SENDTO:\(Underlay.hostAddress(2)):4789",
        ])
        try await waitUntil("the packet to arrive when a host sends it", timeoutMilliseconds: 5000, intervalMilliseconds: 10) {
            scene.receivers[1].hasReceived(marker)
        }
    }

    @Test("Nobody but the cloud's hosts sends into a tunnel: neither from outside nor from an instance behind a router")
    func tunnelsOfStrangers() async throws {
        try await withLab { lab in
            let scene = try await Scene(lab)
            defer { scene.close() }
            // The attacker's group lets nothing out that would lead there.
            try await scene.liftPortSecurity()
            try await foreignTunnels(scene)
        }
    }

    /// The same from who is no host of the cloud: a machine on the physical network, and an instance behind the translation of a router.
    private func foreignTunnels(_ scene: Scene) async throws {
        let lab = scene.lab
        let external = try await lab.createExternalNetwork()
        let router = try await lab.createRouter("r1", isHighlyAvailable: false, externalNetwork: external, subnets: [scene.subnetID])
        // The other host has an address on the physical network, as hosts may; the router's own has given its interface to a bridge.
        let holder = try await waitFor("the router to have its gateway address", timeoutMilliseconds: 60_000) {
            try await lab.hosts(withAddress: router.gatewayAddress, router: router.id).first
        }
        let target = try #require(lab.hosts.first { $0.name != holder })
        let witness = scene.receivers[target.number - 1]
        let targetAddress = "203.0.113.\(10 + target.number)"
        try await target.place.output(["ip", "address", "add", "\(targetAddress)/24", "dev", "eth1"])
        try await lab.waitForReply(from: lab.outside, to: targetAddress)
        func foreign() async throws -> Int {
            try await target.dropCounters("inet", "neutrino_underlay")["foreign_vxlan", default: 0]
        }

        let outside = HostileFrames.marker(1006)
        let text = try await scene.encapsulated(outside).map { "\\x" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        let first = try await foreign()
        let send = ["sh", "-c", "env printf '\(text)' | socat -u - UDP4-SENDTO:\(targetAddress):4789"]
        try await lab.outside.output(send)
        try await waitUntil("the counter foreign_vxlan to count the outside host's", timeoutMilliseconds: 5000, intervalMilliseconds: 10) {
            try await foreign() > first
        }

        let translated = HostileFrames.marker(1007)
        let ports = try await lab.api.list("ports", "device_id=\(router.id)&device_owner=network:router_interface")
        let port = try #require(ports.first)
        let routerMAC = try #require(MACAddress(try port.text("mac_address")))
        let packet = FrameBuilder.ipv4(
            from: scene.frames.own.ipv4, to: address(targetAddress), FrameBuilder.ProtocolNumber.udp,
            FrameBuilder.udp(4789, 4789, try await scene.encapsulated(translated)))
        let second = try await foreign()
        try await waitUntil("the counter foreign_vxlan to count the instance's", timeoutMilliseconds: 10_000, intervalMilliseconds: 100) {
            try scene.sender.send([
                FrameBuilder.ethernet(from: scene.frames.own.mac, to: routerMAC, type: FrameBuilder.EtherType.ipv4, packet)
            ])
            return try await foreign() > second
        }
        let last = HostileFrames.marker(1008)
        try await scene.expectArrival("what is sent last", scene.frames.allowed(last), last)
        for marker in [outside, translated] { #expect(!witness.hasReceived(marker), "a foreign tunnel's frame arrived at \(witness.name)") }
    }

    @Test("Two projects with the same addresses on the same hosts never see each other's packets, and each has connections of its own")
    func sameAddresses() async throws {
        try await withLab { lab in
            var instances: [[Instance]] = []
            for project in ["red", "blue"] {
                let network = try await lab.createNetwork(project, prefix: "10.5.0.0/24", hasDHCP: false).network
                var pair: [Instance] = []
                for (host, last) in [("h1", 11), ("h2", 12)] {
                    let instance = try await lab.createInstance(
                        "\(project)-\(host)", host: host, network: try network.text("id"), configuration: .fixed,
                        attributes: ["fixed_ips": [["ip_address": .string("10.5.0.\(last)")]]])
                    pair.append(instance)
                }
                instances.append(pair)
            }
            for pair in instances { try await lab.waitForReply(from: pair[0].place, to: pair[1].address) }
            let ports = try instances.map { try $0.map { try FramePort.open(of: $0.place) } }
            defer { for port in ports.joined() { port.close() } }
            // The same addresses and ports in both, at the same time.
            for (index, pair) in instances.enumerated() {
                let marker = HostileFrames.marker(UInt16(2000 + index))
                let macs = try pair.map { try #require(MACAddress($0.mac)) }
                let packet = FrameBuilder.ipv4(
                    from: address(pair[0].address), to: address(pair[1].address), FrameBuilder.ProtocolNumber.udp,
                    FrameBuilder.udp(5000, 6000, marker))
                let whispered = FrameBuilder.ethernet(from: macs[0], to: macs[1], type: FrameBuilder.EtherType.ipv4, packet)
                let shouted = FrameBuilder.ethernet(from: macs[0], type: FrameBuilder.EtherType.ipv4, packet)
                try ports[index][0].send([whispered, shouted])
                try await waitUntil("the packet to arrive in its own network", timeoutMilliseconds: 5000, intervalMilliseconds: 10) {
                    ports[index][1].hasReceived(marker)
                }
                for port in ports[1 - index] { #expect(!port.hasReceived(marker), "\(port.name) saw a packet of the other project") }
            }
            let list = try await lab.host("h1").place.output(["conntrack", "-L", "-p", "udp"])
            let zones = Set(
                list.split(separator: "\n").filter { $0.contains("src=10.5.0.11 dst=10.5.0.12 sport=5000 dport=6000") }.compactMap { line in
                    line.split(separator: " ").first { $0.hasPrefix("zone=") }
                })
            #expect(zones.count == 2, "\(list)")
        }
    }
}

/// A hostile instance on one host, and two that take everything: one beside it, one on another host.
private struct Scene {
    let lab: Lab
    let attacker: Instance
    let sender: FramePort
    let receivers: [FramePort]
    let host: LabHost
    let frames: HostileFrames
    let networkID: String
    let subnetID: String

    init(_ lab: Lab) async throws {
        self.lab = lab
        let created = try await lab.createNetwork("private", prefix: "10.0.0.0/24", hasDHCP: false)
        networkID = try created.network.text("id")
        subnetID = created.subnetID
        _ = try await lab.api.create(
            "subnets", ["network_id": .string(networkID), "ip_version": 6, "cidr": "fd00:1::/64", "enable_dhcp": false])
        let group = try await Self.narrowGroup(lab)
        attacker = try await lab.createInstance(
            "attacker", host: "h1", network: networkID, securityGroups: [group], configuration: .fixed)
        var others: [Instance] = []
        for name in ["h1", "h2"] {
            others.append(
                try await lab.createInstance(
                    "witness-\(name)", host: name, network: networkID, securityGroups: [], configuration: .fixed,
                    attributes: ["port_security_enabled": false]))
        }
        host = try lab.host("h1")
        sender = try FramePort.open(of: attacker.place)
        receivers = try others.map { try FramePort.open(of: $0.place) }
        frames = HostileFrames(own: try await Self.peer(attacker, lab), victim: try await Self.peer(others[0], lab))
        for instance in [attacker] + others {
            try await waitUntil("the port of \(instance.name) to become ACTIVE", timeoutMilliseconds: 20_000) {
                try await lab.api.show("ports", instance.portID)["status"]?.stringValue == "ACTIVE"
            }
        }
    }

    /// One that lets UDP to one port out, and nothing else.
    private static func narrowGroup(_ lab: Lab) async throws -> String {
        let group = try await lab.api.create("security-groups", ["name": "narrow"])
        let id = try group.text("id")
        for rule in group["security_group_rules"]?.arrayValue ?? [] { try await lab.api.delete("security-group-rules", rule.text("id")) }
        let port = JSONValue.integer(Int(HostileFrames.allowedPort))
        for version in ["IPv4", "IPv6"] {
            _ = try await lab.api.create(
                "security-group-rules",
                [
                    "security_group_id": .string(id), "direction": "egress", "ethertype": .string(version), "protocol": "udp",
                    "port_range_min": port, "port_range_max": port,
                ])
        }
        return id
    }

    private static func peer(_ instance: Instance, _ lab: Lab) async throws -> HostileFrames.Peer {
        let fixed = try await lab.api.show("ports", instance.portID)["fixed_ips"]?.arrayValue ?? []
        let addresses = fixed.compactMap { $0["ip_address"]?.stringValue }.compactMap { IPAddress($0) }
        return HostileFrames.Peer(
            mac: try #require(MACAddress(instance.mac)), ipv4: try #require(addresses.first { $0.version == .v4 }),
            ipv6: try #require(addresses.first { $0.version == .v6 }))
    }

    func close() { for port in receivers + [sender] { port.close() } }

    var bridge: String { "brq" + networkID.prefix(11) }

    func vni() async throws -> Int {
        try #require(try await lab.api.show("networks", networkID)["provider:segmentation_id"]?.integerValue)
    }

    /// The payload of a tunnel's packet with a frame of the victim to everybody.
    func encapsulated(_ marker: [UInt8]) async throws -> [UInt8] {
        let inner = FrameBuilder.ethernet(
            from: frames.victim.mac, type: FrameBuilder.EtherType.ipv4,
            FrameBuilder.ipv4(
                from: frames.victim.ipv4, to: frames.own.ipv4, FrameBuilder.ProtocolNumber.udp, FrameBuilder.udp(1, 9, marker)))
        let vni = try await self.vni()
        return [8, 0, 0, 0, UInt8(vni >> 16), UInt8(vni >> 8 & 0xFF), UInt8(vni & 0xFF), 0] + inner
    }

    /// Sends frames, and waits until all receivers have them.
    func expectArrival(_ what: String, _ frames: [[UInt8]], _ marker: [UInt8]) async throws {
        try sender.send(frames)
        for receiver in receivers {
            try await waitUntil("\(what) to arrive at \(receiver.name)", timeoutMilliseconds: 5000, intervalMilliseconds: 5) {
                receiver.hasReceived(marker)
            }
        }
    }

    func liftPortSecurity() async throws {
        _ = try await lab.api.update("ports", attacker.portID, ["port_security_enabled": false, "security_groups": []])
        try await waitUntil("\(attacker.tapName) to be trusted", timeoutMilliseconds: 10_000, intervalMilliseconds: 10) {
            let trusted = try await host.place.output(["nft", "list", "set", "bridge", "neutrino", "trusted"])
            return trusted.contains(attacker.tapName)
        }
        for receiver in receivers { receiver.clear() }
    }
}
