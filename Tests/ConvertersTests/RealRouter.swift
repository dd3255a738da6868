import Addressing
import Converters
import Glibc
import HostModel
import KernelInterface
import KernelLinux
import NetworkModel
import ServiceProcesses
import Testing

/// A namespace with one bridge per network, which stands for the hosts' bridges and the tunnels between them.
struct RealSwitch {
    let host: TestHost
    let namespace: String

    init(_ host: TestHost) throws {
        self.host = host
        namespace = try host.namespace("switch")
    }

    /// Makes `inner` in a namespace and plugs it into the network's bridge; both ends stay down.
    func script(plugging inner: String, of target: String, into network: ResourceID, outer: String) -> String {
        let bridge = L2Names.bridge(network)
        return """
            ip -n \(namespace) link add \(bridge) type bridge 2>/dev/null && ip -n \(namespace) link set \(bridge) up
            ip -n \(namespace) link add \(outer) type veth peer name \(inner) netns \(target)
            ip -n \(namespace) link set \(outer) master \(bridge) up

            """
    }

    /// Plugs a device that was deleted from a router's namespace in again.
    static func plug(_ inner: String, of router: RealRouter, into network: ResourceID) -> String {
        router.network.script(plugging: inner, of: router.namespace, into: network, outer: "again")
    }

    /// A namespace with one address on a network, and a default route.
    func instance(_ name: String, network: Int, address: String, gateway: String?) throws -> String {
        let instance = try host.namespace(name)
        try host.expect(
            script(plugging: "eth0", of: instance, into: id(network), outer: "to-\(name)")
                + "ip -n \(instance) addr add \(address) dev eth0 && ip -n \(instance) link set eth0 up\n"
                + (gateway.map { "ip -n \(instance) route add default via \($0)\n" } ?? ""))
        return instance
    }
}

/// A router's pieces made real with ip, nft and sysctl in a namespace of the test, as the agent's drivers make them.
final class RealRouter {
    let host: TestHost
    let namespace: String
    let network: RealSwitch
    private let name: String
    private(set) var router: HostRouter
    private var madeLinks: Set<String> = []
    private var madeTables: Set<String> = []
    private var madeRules: Set<RoutingRule> = []

    init(_ router: HostRouter, _ name: String, on network: RealSwitch) throws {
        self.router = router
        self.name = name
        self.network = network
        host = network.host
        namespace = try host.namespace(name)
        try makeNamespace()
    }

    var settings: AgentSettings { AgentSettings(stateDirectory: "\(host.directory)/\(name)") }
    var pieces: RouterPieces { RouterConverter.convert(router: router, settings: settings) }
    var paths: KeepalivedPaths { RouterConverter.paths(of: router.id, settings: settings) }

    private func makeNamespace() throws {
        // A setting that the kernel does not have is a failure: the converter must not ask for it.
        func set(_ isWanted: (String) -> Bool) throws {
            let lines = pieces.configuration.sysctls.filter { isWanted($0.key) }.map { "echo \($0.value) > /proc/sys/\($0.key)" }
            try host.expect((["true"] + lines.sorted()).joined(separator: " && "), in: namespace)
        }
        try set { !$0.contains("/conf/qg-") }
        try applyFirewall()
        try makeLinks()
        try set { $0.contains("/conf/qg-") }
        let addresses = pieces.configuration.addresses.map { "ip addr add \($0.address) dev \($0.link)" }
        let routes = pieces.configuration.routes.sorted { $0.nextHops[0] < $1.nextHops[0] }.map { "ip route add \(Self.words($0))" }
        try host.expect((["true"] + addresses + routes).joined(separator: " && "), in: namespace)
        try applyRules()
    }

    private func applyRules() throws {
        let wanted = pieces.configuration.rules
        let removed = madeRules.subtracting(wanted).map { "ip \(Self.words($0, "del"))" }
        let script = removed + wanted.subtracting(madeRules).map { "ip \(Self.words($0, "add"))" }
        madeRules = wanted
        try host.expect((["true"] + script).joined(separator: " && "), in: namespace)
    }

    private static func words(_ rule: RoutingRule, _ verb: String) -> String {
        "\(rule.version == .v4 ? "-4" : "-6") rule \(verb) pref \(rule.priority)" + (rule.mark.map { " fwmark \($0)" } ?? "")
            + " lookup \(rule.table)" + (rule.ignoresDefaultRoutes ? " suppress_prefixlength 0" : "")
    }

    private func makeLinks() throws {
        let configuration = pieces.configuration
        for outer in pieces.hostLinks {
            guard case .veth(let inner, _) = outer.kind, let link = configuration.links[inner], madeLinks.insert(inner).inserted else {
                continue
            }
            let bridge = try #require(outer.bridge)
            try host.expect(
                """
                ip -n \(network.namespace) link add \(bridge) type bridge 2>/dev/null && ip -n \(network.namespace) link set \(bridge) up
                ip -n \(network.namespace) link add \(name)-\(madeLinks.count) type veth peer name \(inner) netns \(namespace)
                ip -n \(network.namespace) link set \(name)-\(madeLinks.count) master \(bridge) up
                ip -n \(namespace) link set \(inner) address \(try #require(link.mac)) \(link.isUp ? "up" : "down")
                """)
        }
    }

    /// As ip(8) has it.
    private static func words(_ route: Route) -> String {
        let start = "\(route.destination) table \(route.table)"
        if !route.isMultiPath { return start + (route.gateway.map { " via \($0)" } ?? "") + " dev \(route.link)" }
        return start
            + route.nextHops.map { " nexthop" + ($0.gateway.map { " via \($0)" } ?? "") + " dev \($0.link)" }.joined()
    }

    /// What the agent does with a change of a standalone router, in its order: new things first, then what is no longer wanted.
    func realise(_ change: (inout HostRouter) -> Void) throws {
        let before = pieces.configuration
        try note(change)
        let after = pieces.configuration
        var script = ["true"]
        script += after.addresses.subtracting(before.addresses).map { "ip addr add \($0.address) dev \($0.link)" }
        script += after.routes.subtracting(before.routes).sorted { $0.nextHops[0] < $1.nextHops[0] }.map {
            "ip route replace \(Self.words($0))"
        }
        let kept = Set(after.routes.map { "\($0.table) \($0.destination)" })
        script += before.routes.subtracting(after.routes).filter { !kept.contains("\($0.table) \($0.destination)") }.map {
            "ip route del \(Self.words($0))"
        }
        script += before.addresses.subtracting(after.addresses).map { "ip addr del \($0.address) dev \($0.link)" }
        try host.expect(script.joined(separator: " && "), in: namespace)
    }

    private func applyFirewall() throws {
        let gone = madeTables.subtracting(pieces.configuration.firewall.map { "\($0.family.rawValue) \($0.name)" })
        for table in gone { try host.expect("nft delete table \(table)", in: namespace) }
        madeTables = Set(pieces.configuration.firewall.map { "\($0.family.rawValue) \($0.name)" })
        let path = try host.write("\(name).nft", firewallScript(pieces.configuration.firewall))
        try host.expect("nft -f \(path)", in: namespace)
    }

    /// What the agent does with a change while keepalived does not run: it does not wait for it.
    func note(_ change: (inout HostRouter) -> Void) throws {
        let before = pieces.configuration.sysctls
        change(&router)
        try makeLinks()
        let place = NamespaceName(namespace)
        for (path, value) in pieces.configuration.sysctls.sorted(by: { $0.key < $1.key }) where before[path] != value {
            try LinuxKernel().perform(.setSysctl(path: path, value: value, place))
        }
        try applyFirewall()
        try applyRules()
    }

    /// What the agent does with a change: links and rules, then the daemon's file and its signal.
    func change(_ change: (inout HostRouter) -> Void) throws {
        try note(change)
        for file in try daemon().files where try host.run("cat \(file.path)").text != file.contents {
            _ = try host.write(file.path, file.contents)
            guard case .signal(let signal) = file.onChange else { continue }
            try host.expect("kill -\(signal) $(cat \(paths.processID))")
        }
    }

    // MARK: keepalived

    func daemon(_ program: String = "keepalived") throws -> DaemonConfiguration {
        try #require(pieces.daemons.first { $0.key.hasPrefix(program + "/") })
    }

    func startKeepalived() throws {
        let status = try start(daemon())
        let log = try host.run("cat \(paths.log)").text
        #expect(status == 0, "keepalived did not start: \(log)")
    }

    /// Answers the exit status of the daemon's start.
    func start(_ daemon: DaemonConfiguration) throws -> Int32 {
        for file in daemon.files { _ = try host.write(file.path, file.contents) }
        for pipe in daemon.namedPipes { try host.expect("[ -p \(pipe) ] || mkfifo \(pipe)") }
        return try runDetaching(["ip", "netns", "exec", namespace] + daemon.command)
    }

    /// Ends keepalived without giving it a chance to remove anything.
    func killKeepalived() throws {
        // Neither may see the other one die: the child would take its addresses away, the parent start another child.
        try host.expect("kill -STOP $(cat \(paths.processID)); kill -9 $(cat \(paths.vrrpProcessID)) $(cat \(paths.processID))")
    }

    // MARK: What is there

    func addresses() throws -> Set<LinkAddress> {
        let lines = try host.run("ip -4 -o address show", in: namespace).text.split(separator: "\n")
        return Set(
            try lines.map { line in
                let words = line.split(separator: " ")
                return LinkAddress(link: String(words[1]), address: try #require(InterfaceAddress(words[3])))
            })
    }

    func state() throws -> HAState? { RouterOwnership.state(of: router, addresses: try addresses()) }

    /// Addresses of qr- and qg-, as text.
    func realAddresses() throws -> Set<String> {
        Set(try addresses().filter { $0.link.hasPrefix("q") }.map(\.address.description))
    }
}

/// Waits until the condition holds; false after ten seconds.
func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = ContinuousClock.now + .seconds(10)
    while ContinuousClock.now < deadline {
        if try condition() { return true }
        // What is waited for is seen only by looking.
        poll(nil, 0, 10)
    }
    return try condition()
}

/// Runs a program that leaves a daemon behind, and answers its exit status. `Process` would wait for the daemon too: it waits until nobody
/// holds the socket that its children inherit.
func runDetaching(_ words: [String]) throws -> Int32 {
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    var environment: [UnsafeMutablePointer<CChar>?] = [strdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin"), nil]
    defer { for text in arguments + environment { free(text) } }
    var process: pid_t = 0
    try #require(posix_spawnp(&process, words[0], nil, nil, &arguments, &environment) == 0, "\(words[0]) cannot be started")
    var status: Int32 = 0
    while waitpid(process, &status, 0) == -1 { try #require(errno == EINTR) }
    return status & 0x7F == 0 ? status >> 8 & 0xFF : -1
}

extension TestHost {
    /// Runs a script that leaves something running in the background, which `run` would wait for.
    func launch(_ script: String, in namespace: String) throws {
        let status = try runDetaching(["ip", "netns", "exec", namespace, "sh", "-c", script])
        #expect(status == 0, "\(script)")
    }
}
