import CLinux
import Glibc

/// One link of a host whose frames are lost, delayed or reordered. Everything for it is outside of the host, in `fabric`, so that nothing of
/// the host sees or removes it, and it outlives a loss of power.
///
/// Loss alone is the kernel's: nft rules on the outer end of the link, which cost next to nothing. Delay is a process (kernels without netem
/// are common) that carries frames between the outer end and a new port of the bridge:
///
///     h1 eth0 -- h1-under   [lab wire]   h1-under-v -- h1-under-w -- bridge underlay
struct ImpairedLink {
    let host: LabHost
    let outer: String
    let bridge: String

    init(host: LabHost, _ link: FaultOptions.Link) {
        self.host = host
        let ends = Underlay.uplinks(of: host.name)
        (outer, bridge) = link == .underlay ? (ends[0], "underlay") : (ends[1], "physical")
    }

    private static let startTimeoutMilliseconds: Int32 = 10_000

    private var fabric: Place { host.lab.fabric }
    private var table: String { "lab_" + String(outer.map { $0 == "-" ? "_" : $0 }) }
    private var role: String { "wire \(outer)" }
    /// The wire's end, and the port of the bridge behind it.
    private var ends: (wire: String, port: String) { ("\(outer)-v", "\(outer)-w") }

    func lose(percent: Double, _ direction: FaultOptions.Direction) throws {
        try heal()
        let share = Int((percent * 100).rounded())
        let verdict = share >= 10_000 ? "drop" : "numgen random mod 10000 < \(share) drop"
        // What the host sends comes in at the outer end.
        var chains: [String] = []
        if direction != .received {
            chains.append("chain sent {\ntype filter hook ingress device \"\(outer)\" priority 0;\n\(verdict)\n}\n")
        }
        if direction != .sent {
            chains.append("chain received {\ntype filter hook egress device \"\(outer)\" priority 0;\n\(verdict)\n}\n")
        }
        try apply("table netdev \(table) {\n\(chains.joined())}\n")
    }

    func delay(_ options: FaultOptions) throws {
        try heal()
        do { try insertWire(options) } catch {
            let failure = error
            try? heal()
            throw failure
        }
    }

    private func insertWire(_ options: FaultOptions) throws {
        let (wire, port) = ends
        try fabric.batch([
            "link add \(port) type veth peer name \(wire)", "link set \(port) addrgenmode none", "link set \(wire) addrgenmode none",
        ])
        // The wire's sockets see frames before these rules do; without them the kernel would answer ARP requests that it gets on both ends.
        let chains = [outer, wire].enumerated().map { index, device in
            "chain end\(index) {\ntype filter hook ingress device \"\(device)\" priority 0;\ndrop\n}\n"
        }
        try apply("table netdev \(table) {\n\(chains.joined())}\n")
        try fabric.batch(["link set \(outer) nomaster", "link set \(port) master \(bridge) up", "link set \(wire) up"])
        let words = Services.wire(host.lab.state.executable, fabric: fabric, ends: (outer, wire), options)
        guard access(words[0], X_OK) == 0 else { throw LabError("Delay needs the neutrino executable, which is not at \(words[0]).") }
        let log = "\(host.lab.directory.path)/\(outer)-wire.log"
        guard try startWire(words, log: log) else { throw LabError("The wire of \(outer) does not start.\(Files.tail(log))") }
    }

    /// Starts the process and waits for the line that it says when it carries frames; false when it says none.
    private func startWire(_ words: [String], log: String) throws(LabError) -> Bool {
        var ends: [Int32] = [-1, -1]
        guard clinux_pipe(&ends) >= 0 else { throw Files.failure("make a pipe") }
        let (reading, writing) = (ends[0], ends[1])
        let error = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        defer {
            close(reading)
            if error >= 0 { close(error) }
        }
        do throws(LabError) {
            _ = try LabProcess.start(words, lab: host.lab.name, role: role, output: writing, error: error)
            close(writing)
        } catch {
            close(writing)
            throw error
        }
        var entry = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
        var byte: UInt8 = 0
        return poll(&entry, 1, Self.startTimeoutMilliseconds) > 0 && read(reading, &byte, 1) == 1
    }

    /// Makes the link a plain one again.
    func heal() throws {
        let processes = LabProcess.all(ofLab: host.lab.name).filter { $0.environment(LabProcess.roleMark) == role }
        guard LabProcess.end(processes) else { throw LabError("The wire of \(outer) does not end.") }
        try apply("")
        try fabric.batch(["link set \(outer) master \(bridge)"])
        try fabric.batch(["link delete \(ends.port)"], force: true)
    }

    private func apply(_ rules: String) throws {
        let script = "add table netdev \(table)\ndelete table netdev \(table)\n" + rules
        let result = try fabric.runBlocking(["nft", "--file", "-"], input: script, timeoutMilliseconds: 10_000)
        guard result.exitCode == 0 else { throw LabError("nft refused the rules for \(outer): \(result.standardError)") }
    }
}
