import Addressing
import Converters
import Foundation
import Glibc
import HostModel
import KernelInterface
import NetworkModel
import ServiceProcesses
import Testing

/// Members of a group with conntrackd, an instance on network 1 and the outside. No keepalived: the test moves the addresses, as fast as
/// no election could.
@Suite("Connections on HA routers with a real conntrackd", .enabled(if: isRoot, needsRoot), .serialized)
struct RouterReplicationTests {
    private struct Scene {
        let host: TestHost
        let members: [RealRouter]
        let instance, outside: String

        init(members count: Int) throws {
            host = try TestHost()
            let network = try RealSwitch(host)
            members = try (1...count).map { number in
                try RealRouter(
                    redundantRouter(
                        member: number, of: count, replicatesConnections: true, floatingIPs: [floating(50, "203.0.113.50", to: "10.0.0.6")]),
                    "m\(number)", on: network)
            }
            instance = try network.instance("vm", network: 1, address: "10.0.0.5/24", gateway: "10.0.0.1")
            outside = try network.instance("out", network: 3, address: "203.0.113.1/24", gateway: nil)
            // The address behind the floating IP, so that the instance has connections of both kinds.
            try host.expect("ip -n \(instance) addr add 10.0.0.6/24 dev eth0")
        }

        private static let addresses = [
            ("169.254.0.5/24", device("ha-", 0)), ("10.0.0.1/24", device("qr-", 11)), ("10.0.2.1/24", device("qr-", 12)),
            ("203.0.113.10/24", device("qg-", 13)), ("203.0.113.50/32", device("qg-", 13)),
        ]

        /// What keepalived does: takes the addresses from all others, gives them to one, and announces them.
        func makeMaster(_ master: RealRouter) throws {
            for member in members where member !== master { try move("del", member) }
            try move("add", master)
            for (address, link) in Self.addresses where !link.hasPrefix("ha-") {
                let bare = address.split(separator: "/")[0]
                try host.run("busybox arping -q -c 1 -U -I \(link) \(bare)", in: master.namespace)
            }
        }

        private func move(_ verb: String, _ member: RealRouter) throws {
            let number = try #require(members.firstIndex { $0 === member }) + 1
            let commands = Self.addresses.map { address, link in
                "ip addr \(verb) \(address) dev \(link.hasPrefix("ha-") ? device("ha-", 20 + number) : link)"
            }
            try host.run(commands.joined(separator: "; "), in: member.namespace)
        }

        func start(_ member: RealRouter) throws {
            let daemon = try member.daemon("conntrackd")
            let status = try member.start(daemon)
            let log = try host.run("cat \(daemon.directory ?? "")/conntrackd.log").text
            #expect(status == 0, "conntrackd did not start: \(log)")
        }

        func stop(_ member: RealRouter) throws {
            try host.expect("kill $(cat \(try member.daemon("conntrackd").processIDFile))")
            #expect(try eventually { try host.run("ip netns pids \(member.namespace)").text.isEmpty })
        }

        /// Runs one of conntrackd's commands in a member's namespace.
        func tell(_ member: RealRouter, _ command: (ConntrackdPaths) -> [String]) throws {
            let words = command(RouterConverter.conntrackdPaths(of: member.router.id, settings: member.settings))
                .map { "'" + $0.replacing("'", with: "'\\''") + "'" }.joined(separator: " ")
            try host.expect(words, in: member.namespace)
        }

        /// Established TCP connections that a member's kernel knows, by what they are translated to.
        func connections(_ member: RealRouter) throws -> (source: Int, destination: Int) {
            let lines = try host.run("conntrack -L -p tcp 2>/dev/null", in: member.namespace).text.split(separator: "\n")
                .filter { $0.contains("ESTABLISHED") }
            return (
                lines.filter { $0.contains("dst=203.0.113.10 ") }.count, lines.filter { $0.contains("dst=203.0.113.50 ") }.count
            )
        }

        func know(_ source: Int, _ destination: Int, _ knowing: [RealRouter]? = nil) throws -> Bool {
            try (knowing ?? members).allSatisfy { try connections($0) == (source, destination) }
        }
    }

    /// Members of which the first is master, and two conversations through it that every member's kernel knows. The caller removes the scene.
    private func converse(members count: Int) throws -> (scene: Scene, conversations: [Conversation]) {
        let scene = try Scene(members: count)
        do {
            for member in scene.members { try scene.start(member) }
            try scene.makeMaster(scene.members[0])
            let conversations = [
                try Conversation(
                    scene.host, "translated", from: scene.instance, to: scene.outside, at: "203.0.113.1", port: 9000),
                try Conversation(
                    scene.host, "floating", from: scene.outside, to: scene.instance, at: "203.0.113.50", port: 9001),
            ]
            for conversation in conversations { #expect(try conversation.say("before")) }
            #expect(try eventually { try scene.know(1, 1) })
            return (scene, conversations)
        } catch {
            scene.host.remove()
            throw error
        }
    }

    @Test("Every backup's kernel has the master's connections, and they live on at any of them", arguments: [2, 3])
    func replication(count: Int) throws {
        let (scene, conversations) = try converse(members: count)
        defer { scene.host.remove() }
        for master in scene.members.reversed() {
            try scene.makeMaster(master)
            for conversation in conversations { #expect(try conversation.say("at \(master.namespace)")) }
        }
        #expect(try scene.know(1, 1))
        for member in scene.members {
            let tracked = try scene.host.run("conntrack -L 2>/dev/null", in: member.namespace).text
            #expect(!tracked.contains("169.254.192."), "what members say to each other is tracked: \(tracked)")
        }
        // Nobody else reaches a member's address of the HA network, by which conntrackd is told connections.
        let master = scene.members[0]
        let address = try #require(master.router.redundancy?.port.addresses.first?.address)
        for (name, gateway) in [(scene.instance, "10.0.0.1"), (scene.outside, "203.0.113.10")] {
            try scene.host.expect("ip route add \(address)/32 via \(gateway) && ping -n -c 1 -W 2 \(gateway)", in: name)
            #expect(try scene.host.run("ping -n -c 1 -W 1 \(address)", in: name).status != 0)
        }
        let counter = try scene.host.run("nft list counter ip neutrino_replication strangers", in: master.namespace).text
        #expect(counter.contains("packets 2 "), "\(counter)")
    }

    @Test("A member that returns without connections gets those of a master that adopted them", arguments: [2, 3])
    func resynchronisation(count: Int) throws {
        let (scene, conversations) = try converse(members: count)
        defer { scene.host.remove() }
        // The first one's host dies; another takes over and adopts what it was told.
        try scene.stop(scene.members[0])
        try scene.host.expect("conntrack -F", in: scene.members[0].namespace)
        try scene.makeMaster(scene.members[1])
        try scene.tell(scene.members[1], ConntrackdDaemon.adoptCommand)
        for conversation in conversations { #expect(try conversation.say("meanwhile")) }
        try scene.start(scene.members[0])
        #expect(try eventually { try scene.know(1, 1) })
        try scene.makeMaster(scene.members[0])
        for conversation in conversations { #expect(try conversation.say("after")) }
    }

    @Test("Connections that are deleted on every member stay deleted, also when another member starts again", arguments: [2, 3])
    func deletion(count: Int) throws {
        let (scene, conversations) = try converse(members: count)
        defer { scene.host.remove() }
        // One that started when there were connections already must not bring them back, nor one that was master.
        try scene.stop(scene.members[1])
        try scene.start(scene.members[1])
        try scene.makeMaster(scene.members[1])
        try scene.tell(scene.members[0], ConntrackdDaemon.disownCommand)
        try scene.tell(scene.members[1], ConntrackdDaemon.adoptCommand)
        for member in scene.members { try scene.host.run("conntrack -D -d 203.0.113.50", in: member.namespace) }
        let last = try #require(scene.members.last { $0 !== scene.members[1] })
        try scene.stop(last)
        try scene.host.expect("conntrack -F", in: last.namespace)
        try scene.start(last)
        #expect(try eventually { try scene.know(1, 0) })
        for member in scene.members { try scene.tell(member, ConntrackdDaemon.requestCommand) }
        #expect(try conversations[0].say("after"))
        #expect(try scene.know(1, 0))
    }

    @Test("What a helper expects is known to every member", arguments: [2, 3])
    func expectation(count: Int) throws {
        let scene = try Scene(members: count)
        defer { scene.host.remove() }
        for member in scene.members {
            try member.note { $0.connectionHelpers = [.init(id: id(90), helper: "ftp", protocolNumber: 6, port: 2121)] }
            try scene.start(member)
        }
        try scene.makeMaster(scene.members[0])
        let control = try Conversation(scene.host, "control", from: scene.instance, to: scene.outside, at: "203.0.113.1", port: 2121)
        // The helper looks at what follows the first line.
        #expect(try control.say("USER anonymous\r"))
        // On its way the address in it is translated, so what comes back is another line.
        control.tell("PORT 10,0,0,5,19,137\r")
        for member in scene.members {
            let isKnown = try eventually {
                let expected = try scene.host.run("conntrack -L expect 2>/dev/null", in: member.namespace).text
                return expected.contains("dst=203.0.113.10 ") && expected.contains("dport=5001 ") && expected.contains("helper=ftp")
            }
            #expect(isKnown, "\(member.namespace)")
        }
    }

    @Test("conntrackd is one small process that ends when told, and a killed one starts again")
    func process() throws {
        let scene = try Scene(members: 2)
        defer { scene.host.remove() }
        let member = scene.members[0]
        try scene.start(member)
        let daemon = try member.daemon("conntrackd")
        let process = try #require(
            Int32(try scene.host.run("cat \(daemon.processIDFile)").text.trimmingCharacters(in: .whitespacesAndNewlines)))
        #expect(try scene.host.run("ip netns pids \(member.namespace)").text == "\(process)\n")
        #expect(try scene.host.run("tr '\\0' ' ' < /proc/\(process)/cmdline").text.contains(daemon.mark))
        // It waits for events, rather than ask again and again.
        #expect(try eventually { try scene.host.run("grep '^State' /proc/\(process)/status").text.contains("sleeping") })
        #expect(kill(process, SIGKILL) == 0)
        #expect(try eventually { try scene.host.run("ip netns pids \(member.namespace)").text.isEmpty })
        try scene.start(member)
        try scene.stop(member)
    }

    @Test("conntrackd that cannot start says why")
    func refusal() throws {
        let scene = try Scene(members: 2)
        defer { scene.host.remove() }
        let member = scene.members[0]
        var daemon = try member.daemon("conntrackd")
        daemon.files[0].contents = "nonsense"
        for file in daemon.files { _ = try scene.host.write(file.path, file.contents) }
        let words = daemon.command.map { "'" + $0.replacing("'", with: "'\\''") + "'" }.joined(separator: " ")
        let output = try scene.host.run(words, in: member.namespace)
        #expect(output.status == 1)
        #expect(output.text.contains("syntax error"))
    }
}
