/// The command lines of the product's processes in a lab: the one place that knows their options.
enum Services {
    static func server(_ executable: String, port: Int, state: String, authenticates: Bool) -> [String] {
        [
            executable, "server", "--listen", "127.0.0.1", "--port", "\(port)", "--database", "\(state)/server/neutrino.db", "--auth",
            authenticates ? "built-in" : "none",
        ]
    }

    /// What a server that authenticates makes beside its database.
    static func passwordFile(state: String) -> String { "\(state)/server/admin-password" }
    static func agentSecretFile(state: String) -> String { "\(state)/server/agent-secret" }

    static func relay(_ executable: String, fabric: Place, port: Int) -> [String] {
        [
            executable, "lab", "relay", "--network-of", "\(fabric.processID)", "--listen",
            "\(Underlay.controlAddress):\(Underlay.controlPort)",
            "--to", "127.0.0.1:\(port)",
        ]
    }

    /// Where a host's agent keeps its state: a disk that only the host itself sees.
    static func hostState(_ host: String, state: String) -> String { "\(state)/\(host)/state" }

    static func wire(_ executable: String, fabric: Place, ends: (host: String, fabric: String), _ options: FaultOptions) -> [String] {
        [
            executable, "lab", "wire", "--network-of", "\(fabric.processID)", "--host-device", ends.host, "--fabric-device", ends.fabric,
            "--direction", options.direction.rawValue, "--loss", "\(options.lossPercent ?? 0)", "--delay", "\(options.delayMilliseconds)",
            "--jitter", "\(options.jitterMilliseconds)", "--reorder", "\(options.reorderPercent)", "--seed", "\(options.seed)",
        ]
    }

    static func agent(_ executable: String, host: String, number: Int, state: String, authenticates: Bool) -> [String] {
        let secret = authenticates ? ["--agent-secret-file", agentSecretFile(state: state)] : []
        return [
            executable, "agent", "--host", host, "--server", "http://\(Underlay.controlAddress):\(Underlay.controlPort)",
            "--state-directory",
            hostState(host, state: state), "--tunnel-address", Underlay.hostAddress(number), "--physical-network", "physnet1:eth1",
            "--log-dhcp",
        ] + secret
    }

    /// Whether a command line is an agent's, or keepalived's.
    static func isAgent(_ process: LabProcess) -> Bool { process.command.dropFirst().first == "agent" && process.programName == "neutrino" }
    static func isKeepalived(_ process: LabProcess) -> Bool { process.programName == "keepalived" }
}
