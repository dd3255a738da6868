import APISchema
import Glibc
import Lab
import Testing

/// What somebody does to a host by hand, and what comes of it.
@Suite(.serialized, .enabled(if: isRoot, needsRoot))
struct RepairTests {
    /// Within which what somebody broke is repaired and said in the log, on a machine that has nothing else to do.
    private static let promisedMilliseconds = 2000
    /// A machine that builds and runs other tests at the same time, on two cores, takes so many times as long. The result is still far less than it
    /// takes until the agent looks at everything by itself; how long it really takes is no business of a test.
    private static let slownessFactor = 3
    private static let repairMilliseconds = promisedMilliseconds * slownessFactor

    @Test("What somebody breaks by hand is repaired at once and said in the log, while ports beside it lose nothing")
    func repair() async throws {
        try await withLab { lab in
            let scene = try await RepairScene(lab)
            let beside = try Probe.start(from: scene.beside[0].place, to: scene.beside[1].address)
            try await beside.waitUntilSteady()
            var story: [String] = []
            for damage in scene.damages {
                story.append("\(Int(beside.elapsedMilliseconds)) ms: \(damage.command)")
                try await expectRepair(of: damage, scene)
            }
            let report = try await beside.stop()
            #expect(report.lost == 0, "lost at \(report.firstLostMilliseconds) ms of \(story)")
            for damage in scene.damagesToAll { try await expectRepair(of: damage, scene) }
            try await lab.waitForReply(from: scene.beside[0].place, to: scene.beside[1].address)
            try await failClosed(scene)
        }
    }

    private func expectRepair(of damage: RepairScene.Damage, _ scene: RepairScene) async throws {
        func isWell() async throws -> Bool { try await damage.host.place.run(["sh", "-c", damage.check]).exitCode == 0 }
        // A daemon may be starting still.
        try await waitUntil("'\(damage.check)' before the damage", timeoutMilliseconds: 60_000) { try await isWell() }
        let logged = try scene.findings(damage)
        try await damage.host.place.output(["sh", "-c", damage.command])
        // One deadline for both, from the damage on.
        try await waitUntil(
            "'\(damage.command)' to be repaired, and the log to say '\(damage.finding)'", timeoutMilliseconds: Self.repairMilliseconds,
            intervalMilliseconds: 10
        ) {
            guard try scene.findings(damage) > logged else { return false }
            return try await isWell()
        }
        try await scene.lab.waitForReply(from: scene.pair[0].place, to: scene.pair[1].address)
        try await scene.lab.waitForReply(from: scene.pair[1].place, to: scene.pair[0].address)
    }

    /// Until its rules are in, nothing passes: whoever put the device into the bridge, and whatever became of the table.
    private func failClosed(_ scene: RepairScene) async throws {
        let (lab, host) = (scene.lab, scene.host)
        try await host.endAgent(signal: SIGKILL)
        let early = try await lab.createInstance(
            "early", host: host.name, network: scene.networkID, securityGroups: ["open"], configuration: .fixed)
        // Until somebody wires it, the host does not listen to it either.
        #expect(try await !host.place.output(["ip", "-brief", "link", "show", "up"]).contains(early.tapName))
        // As Nova does it.
        try await host.place.output(["ip", "link", "set", early.tapName, "master", scene.bridge, "up"])
        #expect(try await lab.probe(from: early.place, to: scene.pair[1].address, seconds: 0.3).received == 0)
        #expect(try await lab.probe(from: scene.pair[1].place, to: early.address, seconds: 0.3).received == 0)
        try await lab.waitForReply(from: scene.pair[0].place, to: scene.pair[1].address)
        try await host.place.output(["nft", "flush", "table", "bridge", "neutrino"])
        #expect(try await lab.probe(from: scene.pair[0].place, to: scene.pair[1].address, seconds: 0.3).received == 0)
        #expect(try await lab.probe(from: early.place, to: scene.pair[0].address, seconds: 0.3).received == 0)

        // Rules that cannot be loaded: the table is another process's (NFT_TABLE_F_OWNER).
        let owner = "\(host.stateDirectory)/owner"
        try await host.place.output(["sh", "-c", "nft delete table bridge neutrino && mkfifo \(owner)"])
        try await host.place.output(["ip", "link", "set", early.tapName, "nomaster"])
        try await host.place.start(["sh", "-c", "nft -i < \(owner)"], log: lab.logPath("owner"))
        let holder = try await host.place.output([
            "sh", "-c", "{ echo 'add table bridge neutrino { flags owner; }'; exec sleep 600; } > \(owner) & echo $!",
        ])
        try await waitUntil("the table to be taken", timeoutMilliseconds: 10_000) {
            try await host.place.output(["nft", "list", "tables"]).contains("bridge neutrino")
        }
        try await host.startAgent()
        try await waitUntil("the agent to say that the firewall could not be loaded", timeoutMilliseconds: 30_000) {
            try scene.log(of: host).contains("the firewall that protects it could not be loaded")
        }
        #expect(
            try await host.place.run(["ip", "-brief", "link", "show", "master", scene.bridge]).standardOutput.contains(early.tapName)
                == false)
        #expect(try await lab.api.show("ports", early.portID)["status"]?.stringValue != "ACTIVE")
        #expect(try await lab.probe(from: early.place, to: scene.pair[1].address, seconds: 0.3).received == 0)
        try await host.place.output(["kill", String(holder.prefix { $0.isNumber })])
        try await lab.waitForReply(from: early.place, to: scene.pair[1].address, timeoutMilliseconds: 40_000)
    }

    @Test("A rule, a member or an address that is taken away ends the connections that only it allowed, and no others")
    func connections() async throws {
        try await withLab { lab in
            let network = try await lab.createNetwork("private", prefix: "10.0.0.0/24", hasDHCP: false).network.text("id")
            func group(_ name: String) async throws -> String {
                try await lab.api.create("security-groups", ["name": .string(name)]).text("id")
            }
            let (serving, members) = (try await group("serving"), try await group("members"))
            func instance(_ name: String, _ host: String, _ groups: [String]) async throws -> Instance {
                try await lab.createInstance(name, host: host, network: network, securityGroups: groups, configuration: .fixed)
            }
            let server = try await instance("server", "h1", [serving])
            let addresses = try await lab.api.create("address-groups", ["name": "offices", "addresses": []]).text("id")
            // Each client is allowed by something of its own.
            let names = ["beside", "remote", "member", "office", "stays"]
            var clients: [String: Instance] = [:]
            for name in names {
                let isMember = name == "member"
                clients[name] = try await instance(name, name == "beside" ? "h1" : "h2", [isMember ? members : "default"])
            }
            func client(_ name: String) throws -> Instance { try #require(clients[name]) }
            func allow(_ attributes: [String: JSONValue]) async throws -> String {
                var rule = attributes
                rule["security_group_id"] = .string(serving)
                rule["direction"] = "ingress"
                rule["ethertype"] = "IPv4"
                rule["protocol"] = "tcp"
                return try await lab.api.create("security-group-rules", .object(rule)).text("id")
            }
            func prefix(_ name: String) throws -> JSONValue { .string("\(try client(name).address)/32") }
            let besideRule = try await allow(["remote_ip_prefix": try prefix("beside")])
            let remoteRule = try await allow(["remote_ip_prefix": try prefix("remote")])
            _ = try await allow(["remote_ip_prefix": try prefix("stays")])
            _ = try await allow(["remote_group_id": .string(members)])
            _ = try await allow(["remote_address_group_id": .string(addresses)])
            try await lab.api.call(
                "PUT", "/v2.0/address-groups/\(addresses)/add_addresses", ["addresses": [try prefix("office")]])

            var transfers: [String: Transfer] = [:]
            for name in names {
                transfers[name] = try await Transfer.start(.upload, from: client(name).place, to: server.place, at: server.address)
            }
            defer { for transfer in transfers.values { transfer.stop() } }
            func transfer(_ name: String) throws -> Transfer { try #require(transfers[name]) }
            for name in names { #expect(try await transfer(name).goesOn()) }

            let changes: [(String, () async throws -> Void)] = [
                ("beside", { try await lab.api.delete("security-group-rules", besideRule) }),
                ("remote", { try await lab.api.delete("security-group-rules", remoteRule) }),
                (
                    "member",
                    {
                        _ = try await lab.api.update(
                            "ports", try client("member").portID,
                            ["security_groups": [.string(try await lab.find("security-groups", "default"))]])
                    }
                ),
                (
                    "office",
                    {
                        try await lab.api.call(
                            "PUT", "/v2.0/address-groups/\(addresses)/remove_addresses",
                            ["addresses": [try prefix("office")]])
                    }
                ),
            ]
            var ended: Set<String> = []
            for (name, change) in changes {
                try await change()
                ended.insert(name)
                try await waitUntil("the connection of '\(name)' to end", timeoutMilliseconds: 10_000, intervalMilliseconds: 50) {
                    let list = try await lab.host("h1").place.output(["conntrack", "-L", "-p", "tcp", "-s", client(name).address])
                    return !list.contains("ESTABLISHED")
                }
                #expect(try await !transfer(name).goesOn(bytes: 64 * 1024, timeoutMilliseconds: 1000), "\(name) goes on")
                for other in names where !ended.contains(other) {
                    #expect(try await transfer(other).goesOn(), "\(other) does not go on without \(name)")
                }
            }
        }
    }
}

/// A network that is damaged, and one beside it, on two hosts.
private struct RepairScene {
    struct Damage {
        var host: LabHost
        var command: String
        /// What the log must say: the sentence, and what it is about.
        var message = "Repairing what somebody else changed"
        var finding: String
        /// Succeeds when it is repaired.
        var check: String
    }

    let lab: Lab
    let host: LabHost
    let pair: [Instance]
    let beside: [Instance]
    let networkID: String
    let damages: [Damage]
    /// No port is beside these: without its rules the whole host passes nothing (fail closed), and while the kernel takes a table away, its chains
    /// still see packets with empty verdict maps (measured: of 5,000 packets a second every fifteenth deletion loses one).
    let damagesToAll: [Damage]

    var bridge: String { "brq" + networkID.prefix(11) }

    init(_ lab: Lab) async throws {
        self.lab = lab
        host = try lab.host("h1")
        let group = try await lab.api.create("security-groups", ["name": "open"]).text("id")
        for version in ["IPv4", "IPv6"] {
            _ = try await lab.api.create(
                "security-group-rules", ["security_group_id": .string(group), "direction": "ingress", "ethertype": .string(version)])
        }
        var networks: [String] = []
        var instances: [[Instance]] = []
        for (name, prefix) in [("damaged", "10.1.0.0/24"), ("beside", "10.2.0.0/24")] {
            let network = try await lab.createNetwork(name, prefix: prefix).network.text("id")
            var pair: [Instance] = []
            for hostName in ["h1", "h2"] {
                pair.append(
                    try await lab.createInstance(
                        "\(name)-\(hostName)", host: hostName, network: network, securityGroups: ["open"], configuration: .fixed))
            }
            networks.append(network)
            instances.append(pair)
        }
        networkID = networks[0]
        (pair, beside) = (instances[0], instances[1])
        for pair in instances { try await lab.waitForReply(from: pair[0].place, to: pair[1].address) }
        let vni = try #require(try await lab.api.show("networks", networkID)["provider:segmentation_id"]?.integerValue)
        let server = try #require(try await lab.api.list("ports", "network_id=\(networkID)&device_owner=network:dhcp").first)
        let serving = try lab.host(server.text("binding:host_id"))
        let serverPort = try server.text("id")
        damages =
            Self.damages(host: host, tap: pair[0].tapName, remote: pair[1], network: networkID, vni: vni) + [
                Self.end(of: "dnsmasq", network: networkID, on: serving), Self.end(of: "haproxy", network: networkID, on: serving),
                Self.unplugging(port: serverPort, network: networkID, on: serving),
            ]
        let isFiltered = "nft list chain bridge neutrino forward | grep -q from_port"
        damagesToAll = [
            Damage(
                host: host, command: "nft delete table bridge neutrino", finding: "table bridge neutrino is gone", check: isFiltered),
            Damage(host: host, command: "nft flush table bridge neutrino", finding: "the ruleset was changed", check: isFiltered),
        ]
    }

    /// A daemon of the network's DHCP namespace that is killed.
    private static func end(of program: String, network: String, on host: LabHost) -> Damage {
        let processes = "for process in $(ip netns pids qdhcp-\(network)); do grep -qx \(program) /proc/$process/comm"
        return Damage(
            host: host, command: "\(processes) && kill -KILL $process; done; true", message: "A daemon ended by itself",
            finding: "\(program)/\(network)", check: "\(processes) && found=yes; done; [ \"$found\" ]")
    }

    /// The host's end of the DHCP namespace's veth goes, and the other end with it: the server answers again when it has both.
    private static func unplugging(port: String, network: String, on host: LabHost) -> Damage {
        let tap = "tap" + port.prefix(11)
        let isServed = "ip netns exec qdhcp-\(network) ss -lun | grep -q ':67 '"
        return Damage(
            host: host, command: "ip link del \(tap)", finding: "device \(tap) is gone",
            check: "ip -oneline link show \(tap) | grep -q 'master brq\(network.prefix(11)) ' && \(isServed)")
    }

    private static func damages(host: LabHost, tap: String, remote: Instance, network: String, vni: Int) -> [Damage] {
        let (bridge, tunnel) = ("brq" + network.prefix(11), "vxlan-\(vni)")
        let isPort: (String) -> String = { "ip -oneline link show \($0) | grep -q 'master \(bridge) '" }
        // The suppression of neighbours is told apart: a tunnel has it, a tap has not.
        let isPlain: (String) -> String = { port in
            let suppression = port == tunnel ? "on" : "off"
            let flags = ["isolated off", "hairpin off", "flood on", "mcast_flood on", "learning on", "neigh_suppress \(suppression)"]
            return "shown=$(bridge -d link show dev \(port)); " + "echo \"$shown\" | grep -q 'state forwarding'"
                + flags.map { " && echo \"$shown\" | grep -q ' \($0)'" }.joined()
        }
        let entries = "bridge fdb show | grep '^\(remote.mac) dev \(tunnel) ' | grep"
        func damage(_ command: String, finding: String, check: String) -> Damage {
            Damage(host: host, command: command, finding: finding, check: check)
        }
        return [
            damage("ip link del \(tunnel)", finding: "device \(tunnel) is gone", check: isPort(tunnel)),
            damage(
                "ip link set \(tap) mtu 1300", finding: "device \(tap) has other properties",
                check: "ip link show \(tap) | grep -q 'mtu 1450'"),
            damage("ip link set \(tap) down", finding: "device \(tap) is down", check: "ip link show up | grep -q \(tap)"),
            damage(
                "ip link set \(bridge) type bridge ageing_time 100 mcast_snooping 1",
                finding: "bridge \(bridge) has ageing_time 100, mcast_snooping 1",
                check: "shown=$(ip -detail link show \(bridge)); echo \"$shown\" | grep -q 'ageing_time 30000 '"
                    + " && echo \"$shown\" | grep -q 'mcast_snooping 0 '"),
            damage("bridge link set dev \(tap) isolated on", finding: "bridge port \(tap) has isolated on", check: isPlain(tap)),
            damage("bridge link set dev \(tap) hairpin on", finding: "bridge port \(tap) has hairpin on", check: isPlain(tap)),
            damage("bridge link set dev \(tap) state 0", finding: "bridge port \(tap) has state not forwarding", check: isPlain(tap)),
            damage(
                "bridge link set dev \(tunnel) flood off mcast_flood off learning off neigh_suppress off",
                finding: "bridge port \(tunnel) has flood off, mcast_flood off, learning off, neigh_suppress off", check: isPlain(tunnel)),
            damage(
                "bridge fdb append 00:00:00:00:00:00 dev \(tunnel) dst 203.0.113.99",
                finding: "forwarding entry 00:00:00:00:00:00 to 203.0.113.99 of \(tunnel) was added",
                check: "! bridge fdb show dev \(tunnel) | grep -q 203.0.113.99"),
            damage(
                "bridge fdb add 02:00:00:00:00:99 dev \(tunnel) dst 203.0.113.99",
                finding: "forwarding entry 02:00:00:00:00:99 to 203.0.113.99 of \(tunnel) was added",
                check: "! bridge fdb show dev \(tunnel) | grep -q 203.0.113.99"),
            damage(
                "ip link set \(tunnel) type vxlan id \(vni) ttl 1", finding: "device \(tunnel) is another one",
                check: "ip -detail link show \(tunnel) | grep -q 'ttl auto' && \(isPort(tunnel))"),
            damage("ip link set \(tap) nomaster", finding: "device \(tap) is not in bridge \(bridge)", check: isPort(tap)),
            damage(
                "ip link set \(tunnel) down", finding: "device \(tunnel) is down", check: "ip link show up | grep -q \(tunnel)"),
            damage(
                "bridge fdb del \(remote.mac) dev \(tunnel) dst \(Underlay.hostAddress(2)) self",
                finding: "forwarding entry \(remote.mac) to \(Underlay.hostAddress(2)) of \(tunnel) is gone", check: "\(entries) -q ' self'"
            ),
            damage(
                "bridge fdb del \(remote.mac) dev \(tunnel) master static",
                finding: "forwarding entry \(remote.mac) to port \(tunnel) is gone", check: "\(entries) -q 'master .* static'"),
            damage(
                "bridge fdb del 00:00:00:00:00:00 dev \(tunnel) dst \(Underlay.hostAddress(2)) self",
                finding: "forwarding entry 00:00:00:00:00:00 to \(Underlay.hostAddress(2)) of \(tunnel) is gone",
                check: "bridge fdb show dev \(tunnel) | grep -q '^00:00:00:00:00:00 dst \(Underlay.hostAddress(2)) self'"),
            damage(
                "ip neigh del \(remote.address) dev \(bridge)",
                finding: "neighbour \(remote.address) at \(remote.mac) on \(bridge) is gone",
                check: "ip neigh show dev \(bridge) nud permanent | grep -q '^\(remote.address) '"),
            damage(
                "nft flush set bridge neutrino port_ipv6", finding: "the ruleset was changed",
                check: "nft list set bridge neutrino port_ipv6 | grep -q \(tap)"),
            damage("ip link del \(bridge)", finding: "device \(bridge) is gone", check: isPort(tap)),
        ]
    }

    func log(of host: LabHost) throws -> String {
        guard let file = fopen(lab.logPath(host.name), "r") else { throw LabError("The agent has no log.") }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return String(decoding: bytes, as: UTF8.self)
    }

    func findings(_ damage: Damage) throws -> Int {
        try log(of: damage.host).split(separator: "\n").filter { $0.contains(damage.message) && $0.contains(damage.finding) }.count
    }
}
