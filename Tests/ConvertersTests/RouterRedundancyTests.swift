import Addressing
import Converters
import Foundation
import Glibc
import HostModel
import KernelInterface
import KernelLinux
import NetworkModel
import ServiceProcesses
import Testing

/// Two members of a group, an instance on network 1 and the outside, joined by bridges.
@Suite("HA routers with a real keepalived", .enabled(if: isRoot, needsRoot), .serialized)
struct RouterRedundancyTests {
    private static let one = floating(50, "203.0.113.50", to: "10.0.0.5")
    private static let two = floating(51, "203.0.113.51", to: "10.0.0.6")

    private struct Scene {
        let host: TestHost
        let members: [RealRouter]
        let instance, outside: String

        init(floatingIPs: [HostRouter.Floating] = [one], change: (inout HostRouter) -> Void = { _ in }) throws {
            host = try TestHost()
            let network = try RealSwitch(host)
            members = try [1, 2].map { number in
                var router = redundantRouter(member: number, floatingIPs: floatingIPs)
                change(&router)
                return try RealRouter(router, "m\(number)", on: network)
            }
            instance = try network.instance("vm", network: 1, address: "10.0.0.5/24", gateway: "10.0.0.1")
            outside = try network.instance("out", network: 3, address: "203.0.113.1/24", gateway: nil)
        }

        /// Starts both and waits until one of them is master.
        func elect() throws -> (master: RealRouter, backup: RealRouter) {
            for member in members { try member.startKeepalived() }
            #expect(try eventually { try masters().count == 1 })
            let master = try #require(try masters().first)
            return (master, try #require(members.first { $0 !== master }))
        }

        func masters() throws -> [RealRouter] { try members.filter { try $0.state() == .active } }

        /// Logs of both, for a test that failed.
        func logs() throws -> String { try members.map { try host.run("cat \($0.paths.log)").text }.joined(separator: "\n--\n") }

        func ping(_ target: String, from namespace: String) throws -> Bool {
            try host.run("ping -c 1 -W 1 \(target)", in: namespace).status == 0
        }
    }

    private static let all: Set<String> = ["10.0.0.1/24", "10.0.2.1/24", "203.0.113.10/24", "203.0.113.50/32"]

    @Test("keepalived accepts the configuration without a remark")
    func accepted() throws {
        let scene = try Scene()
        defer { scene.host.remove() }
        let member = scene.members[0]
        // With a route on the link, too.
        try member.note { $0.gateway?.gateways = [ip("198.51.100.1")] }
        let path = try scene.host.write("test.conf", try #require(try member.daemon().files.first).contents)
        let check = try #require(try member.daemon().check)
        let output = try scene.host.run((check.command + [path]).joined(separator: " "), in: member.namespace)
        #expect(output.text == "")
        #expect(output.status == 0)
    }

    @Test(
        "keepalived says what it would leave out of a configuration",
        arguments: [
            ("garp_master_delay", "garp_master_dely", "Unknown keyword 'garp_master_dely'"),
            ("10.0.0.1/24", "10.0.0.1000/24", "invalid IP 10.0.0.1000/24"),
            ("virtual_router_id 5", "virtual_router_id 500", "VRID '500' not valid"),
        ])
    func refused(text: String, wrong: String, words: String) throws {
        let scene = try Scene()
        defer { scene.host.remove() }
        let daemon = try scene.members[0].daemon()
        let contents = try #require(daemon.files.first).contents.replacing(text, with: wrong)
        let path = try scene.host.write("test.conf", contents)
        let command = try #require(daemon.check).command
        var refusal: KernelError?
        do throws(KernelError) {
            try LinuxProcessHost().start(
                command + [path], in: NamespaceName(scene.members[0].namespace), timeoutMilliseconds: 10_000)
        } catch {
            refusal = error
        }
        // That is what a refusal is known by: see ``ConfigurationChecks``.
        #expect(refusal?.code == 0)
        #expect(refusal?.description.contains(words) == true, "\(refusal?.description ?? "accepted")")
    }

    @Test("One member gets all addresses and routes and forwards; the other has none and is silent")
    func election() throws {
        let scene = try Scene()
        defer { scene.host.remove() }
        let (master, backup) = try scene.elect()
        #expect(try eventually { try master.realAddresses() == Self.all })
        #expect(try backup.realAddresses().isEmpty)
        #expect(try eventually { try scene.ping("203.0.113.1", from: scene.instance) })
        #expect(try scene.ping("203.0.113.50", from: scene.outside))
        #expect(try scene.host.run("ip route show default", in: backup.namespace).text.isEmpty)
        // Packets that the backup ever sent on the devices whose MACs it shares.
        for link in [device("qr-", 11), device("qr-", 12), device("qg-", 13)] {
            #expect(try scene.host.run("cat /sys/class/net/\(link)/statistics/tx_packets", in: backup.namespace).text == "0\n")
        }
    }

    @Test("Routes with several next hops are the master's, of either family, and a reload changes them")
    func multiPath() throws {
        func change(_ hops: [String], _ six: [String]) -> (inout HostRouter) -> Void {
            { router in
                router.interfaces[0] = routerPort(11, network: 1, "10.0.0.1/24", "fd00:1::1/64")
                router.routes =
                    hops.map { StaticRoute(destination: prefix("172.16.0.0/12"), nextHop: ip($0)) }
                    + six.map { StaticRoute(destination: prefix("fd00:9::/64"), nextHop: ip($0)) }
            }
        }
        let scene = try Scene(change: change(["10.0.0.8", "10.0.2.9"], ["fd00:1::8", "fd00:1::9"]))
        defer { scene.host.remove() }
        let (master, backup) = try scene.elect()
        func hops(_ destination: String, _ member: RealRouter) throws -> [Substring] {
            let text = try scene.host.run("ip -o route show \(destination); ip -o -6 route show \(destination)", in: member.namespace).text
            return text.matches(of: /via ([0-9a-f:.]+) dev/).map(\.output.1).sorted()
        }
        let appeared = try eventually {
            try hops("172.16.0.0/12", master) == ["10.0.0.8", "10.0.2.9"] && hops("fd00:9::/64", master) == ["fd00:1::8", "fd00:1::9"]
        }
        let logs = try scene.logs()
        #expect(appeared, "\(logs)")
        #expect(try hops("172.16.0.0/12", backup).isEmpty && hops("fd00:9::/64", backup).isEmpty)
        for member in scene.members { try member.change(change(["10.0.0.8", "10.0.2.10"], ["fd00:1::8", "fd00:1::10"])) }
        let changed = try eventually {
            try hops("172.16.0.0/12", master) == ["10.0.0.8", "10.0.2.10"] && hops("fd00:9::/64", master) == ["fd00:1::10", "fd00:1::8"]
        }
        let later = try scene.logs()
        #expect(changed, "\(later)")
        #expect(try master.state() == .active)
    }

    @Test("Every change of state comes out of the notify pipe, also what was written before anybody read")
    func notifications() throws {
        let scene = try Scene()
        defer { scene.host.remove() }
        let (master, _) = try scene.elect()
        let pipe = open(master.paths.notifyPipe, O_RDWR | O_NONBLOCK | O_CLOEXEC)
        try #require(pipe >= 0)
        defer { close(pipe) }
        var reader = KeepalivedNotificationReader()
        var seen: [KeepalivedNotification] = []
        func poll() -> [KeepalivedNotification.State] {
            var buffer = [UInt8](repeating: 0, count: 512)
            let count = Glibc.read(pipe, &buffer, buffer.count)
            if count > 0 { seen += reader.read(buffer.prefix(count)) }
            return seen.map(\.state)
        }
        #expect(eventually { poll() == [.backup, .master] })
        try scene.host.expect("ip link set \(device("ha-", 21)) down || ip link set \(device("ha-", 22)) down", in: master.namespace)
        #expect(eventually { poll() == [.backup, .master, .fault] })
        try scene.host.expect("ip link set \(device("ha-", 21)) up || ip link set \(device("ha-", 22)) up", in: master.namespace)
        #expect(eventually { poll() == [.backup, .master, .fault, .backup] })
        try scene.host.expect("kill $(cat \(master.paths.processID))")
        #expect(eventually { poll() == [.backup, .master, .fault, .backup, .stop] })
        #expect(seen.allSatisfy { $0.instance == "VR_5" && $0.priority == 200 })
    }

    @Test("When the master ends, the other takes over; when it returns, it stays backup")
    func failover() throws {
        let scene = try Scene()
        defer { scene.host.remove() }
        let (master, backup) = try scene.elect()
        try scene.host.expect("kill $(cat \(master.paths.processID))")
        #expect(try eventually { try backup.realAddresses() == Self.all && backup.state() == .active })
        #expect(try master.realAddresses().isEmpty)
        #expect(try eventually { try scene.ping("203.0.113.1", from: scene.instance) })
        #expect(try eventually { try scene.host.run("[ -e \(master.paths.processID) ]").status != 0 })
        try master.startKeepalived()
        #expect(try eventually { try scene.host.run("cat \(master.paths.log)").text.contains("Entering BACKUP STATE") })
        #expect(try scene.masters().map(\.namespace) == [backup.namespace])
    }

    @Test("A connection that an instance sends through source translation lives on at the new master, which never saw its start")
    func connections() throws {
        let scene = try Scene()
        defer { scene.host.remove() }
        let (master, backup) = try scene.elect()
        #expect(try eventually { try scene.ping("203.0.113.1", from: scene.instance) })
        // The instance without a floating IP: its source is translated to the gateway's address.
        for member in [master, backup] { try member.change { $0.floatingIPs = [] } }
        let received = scene.host.directory + "/received"
        // Both ends read a pipe that never ends, since nc ends with its input.
        let (lines, silence) = (scene.host.directory + "/lines", scene.host.directory + "/silence")
        try scene.host.expect("mkfifo \(lines) \(silence)")
        let pipes = [open(lines, O_RDWR | O_CLOEXEC), open(silence, O_RDWR | O_CLOEXEC)]
        defer { for pipe in pipes where pipe >= 0 { close(pipe) } }
        try #require(pipes.allSatisfy { $0 >= 0 })
        let listening = "busybox timeout 30 busybox nc -l -p 9000 < \(silence) > \(received) 2>&1 &"
        #expect(try runDetaching(["ip", "netns", "exec", scene.outside, "sh", "-c", listening]) == 0)
        #expect(try eventually { try scene.host.run("ss -ltn | grep -q :9000", in: scene.outside).status == 0 })
        let sending = "busybox timeout 30 busybox nc 203.0.113.1 9000 < \(lines) > /dev/null 2>&1 &"
        #expect(try runDetaching(["ip", "netns", "exec", scene.instance, "sh", "-c", sending]) == 0)
        func send(_ line: String) throws -> Bool {
            let line = Array("\(line)\n".utf8)
            #expect(write(pipes[0], line, line.count) == line.count)
            return try eventually { try scene.host.run("cat \(received)").text.hasSuffix(String(decoding: line, as: UTF8.self)) }
        }
        #expect(try send("before"))
        try scene.host.expect("kill $(cat \(master.paths.processID))")
        #expect(try eventually { try backup.state() == .active })
        #expect(try send("after"))
        #expect(try send("and on"))
    }

    @Test("A reload adds and removes floating IPs and interfaces; the master stays master and no ping is lost")
    func reload() throws {
        let scene = try Scene()
        defer { scene.host.remove() }
        let (master, backup) = try scene.elect()
        #expect(try eventually { try scene.ping("203.0.113.1", from: scene.instance) })
        let pings = scene.host.directory + "/pings"
        let pinging = "ping -i 0.01 -w 30 203.0.113.1 > \(pings) 2>&1 & echo $! > \(pings).pid"
        #expect(try runDetaching(["ip", "netns", "exec", scene.instance, "sh", "-c", pinging]) == 0)
        for member in [master, backup] { try member.change { $0.floatingIPs.append(Self.two) } }
        #expect(try eventually { try master.realAddresses() == Self.all.union(["203.0.113.51/32"]) })
        for member in [master, backup] { try member.change { $0.floatingIPs.removeFirst() } }
        let moved = Self.all.subtracting(["203.0.113.50/32"]).union(["203.0.113.51/32"])
        #expect(try eventually { try master.realAddresses() == moved })
        for member in [master, backup] { try member.change { $0.interfaces.append(routerPort(14, network: 6, "10.0.6.1/24")) } }
        #expect(try eventually { try master.realAddresses() == moved.union(["10.0.6.1/24"]) })
        #expect(try backup.realAddresses().isEmpty)
        try scene.host.expect("kill -INT $(cat \(pings).pid)")
        #expect(try eventually { try scene.host.run("cat \(pings)").text.contains(" packets transmitted") })
        let summary = try scene.host.run("tail -n 3 \(pings)").text
        #expect(summary.contains(" 0% packet loss"), "\(summary)")
        let log = try scene.host.run("cat \(master.paths.log)").text
        #expect(log.matches(of: /Entering MASTER STATE/).count == 1 && log.matches(of: /Entering BACKUP STATE/).count == 1)
    }

    @Test("A killed master's addresses stay until keepalived starts again, which leaves nothing of them, old ones neither")
    func killed() throws {
        let scene = try Scene(floatingIPs: [Self.one, Self.two])
        defer { scene.host.remove() }
        let (master, backup) = try scene.elect()
        #expect(try eventually { try master.realAddresses().count == 5 })
        try master.killKeepalived()
        #expect(try eventually { try backup.state() == .active && backup.realAddresses().count == 5 })
        #expect(try master.realAddresses().count == 5)
        // Meanwhile a floating IP was removed: the new configuration does not name it.
        try backup.change { $0.floatingIPs.removeLast() }
        try master.note { $0.floatingIPs.removeLast() }
        try master.startKeepalived()
        #expect(try eventually { try master.realAddresses().isEmpty && master.state() == .standby })
        #expect(try scene.host.run("ip route show default", in: master.namespace).text.isEmpty)
        #expect(try eventually { try backup.realAddresses() == Self.all })
        #expect(try backup.state() == .active)
        #expect(try eventually { try scene.ping("203.0.113.1", from: scene.instance) })
    }

    @Test("A floating IP that somebody deletes is back at once: the master resigns, and the next one has everything")
    func tracking() throws {
        let scene = try Scene()
        defer { scene.host.remove() }
        let (master, _) = try scene.elect()
        #expect(try eventually { try master.realAddresses() == Self.all })
        try scene.host.expect("ip addr del 203.0.113.50/32 dev \(device("qg-", 13))", in: master.namespace)
        // The next one may be the same: who resigned waits as long as the others, the skew.
        #expect(try eventually { try scene.host.run("cat \(master.paths.log)").text.contains("Entering BACKUP STATE\n") })
        #expect(try eventually { try scene.masters().count == 1 && scene.masters()[0].realAddresses() == Self.all })
    }

    @Test("A reload that names a device before it is there ends in a fault that heals, not in the end of keepalived")
    func missingDevice() throws {
        let scene = try Scene()
        defer { scene.host.remove() }
        let (master, backup) = try scene.elect()
        let file = try #require(try master.daemon().files.first)
        let line = "10.0.0.1/24 dev \(device("qr-", 11))"
        _ = try scene.host.write(file.path, file.contents.replacing(line, with: line + "\n10.0.7.1/24 dev qr-late"))
        try scene.host.expect("kill -HUP $(cat \(master.paths.processID))")
        #expect(try eventually { try master.realAddresses().isEmpty && backup.state() == .active })
        try scene.host.expect(
            "ip link add qr-late type veth peer name peer && ip link set peer up && ip link set qr-late up", in: master.namespace)
        #expect(try eventually { try scene.host.run("tail -n 1 \(master.paths.log)").text.contains("BACKUP STATE") })
        try scene.host.expect("kill -0 $(cat \(master.paths.processID))")
    }

    @Test("A member whose ha- device was made anew takes over again after the reload that its notifications ask for")
    func newDevice() throws {
        let scene = try Scene()
        defer { scene.host.remove() }
        let (master, backup) = try scene.elect()
        let index = master === scene.members[0] ? 1 : 2
        let ha = device("ha-", 20 + index)
        try scene.host.expect("ip link del \(ha)", in: master.namespace)
        #expect(try eventually { try backup.state() == .active })
        try scene.host.expect(
            RealSwitch.plug(ha, of: master, into: id(4)) + "ip -n \(master.namespace) addr add 169.254.192.\(index)/18 dev \(ha)\n"
                + "ip -n \(master.namespace) link set \(ha) up")
        #expect(try eventually { try scene.host.run("tail -n 1 \(master.paths.log)").text.contains("Entering BACKUP STATE") })
        try scene.host.expect("kill -HUP $(cat \(master.paths.processID))")
        #expect(try eventually { try scene.host.run("tail -n 1 \(master.paths.log)").text.contains("Reload complete") })
        try scene.host.expect("kill $(cat \(backup.paths.processID))")
        let isBack = try eventually { try master.realAddresses() == Self.all }
        let logs = try scene.logs()
        #expect(isBack, "\(logs)")
    }

    @Test("Both members master after a partition: one of them stays when it heals")
    func partition() throws {
        let scene = try Scene()
        defer { scene.host.remove() }
        _ = try scene.elect()
        let bridge = L2Names.bridge(id(4))
        let network = scene.host.prefix + "switch"
        let port = try scene.host.run("ls /sys/class/net/\(bridge)/brif | head -n 1", in: network).text.trimmingCharacters(
            in: .whitespacesAndNewlines)
        try scene.host.expect("ip link set \(port) nomaster", in: network)
        #expect(try eventually { try scene.masters().count == 2 })
        try scene.host.expect("ip link set \(port) master \(bridge)", in: network)
        #expect(try eventually { try scene.masters().count == 1 })
        let master = try #require(try scene.masters().first)
        #expect(
            try eventually {
                try scene.members.allSatisfy { try $0 === master ? $0.realAddresses() == Self.all : $0.realAddresses().isEmpty }
            })
        #expect(try eventually { try scene.ping("203.0.113.1", from: scene.instance) })
    }

    @Test("keepalived that cannot start says why")
    func refusal() throws {
        let scene = try Scene()
        defer { scene.host.remove() }
        let member = scene.members[0]
        var daemon = try member.daemon()
        daemon.command[daemon.command.count - 1] = "/nowhere/keepalived.conf"
        _ = try scene.host.write(member.paths.configuration, "")
        let words = daemon.command.map { "'" + $0.replacing("'", with: "'\\''") + "'" }.joined(separator: " ")
        let output = try scene.host.run(words, in: member.namespace)
        #expect(output.status == 1)
        #expect(output.text.contains("/nowhere/keepalived.conf"))
    }
}
