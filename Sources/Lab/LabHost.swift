import Glibc
import KernelLinux

/// What can happen to a host.
public enum Fault: String, CaseIterable, Sendable {
    /// Both uplinks lose their carrier and every process of the host is killed.
    case power
    /// Both uplinks lose their carrier; everything on the host goes on.
    case uplink
    /// The host drops what HA routers tell each other (VRRP and all of 169.254.192.0/18); everything else goes on.
    case ha
    /// The agent is killed.
    case agent
    /// Every keepalived of the host is killed.
    case keepalived
}

/// A host of a lab: a place with two uplinks and an agent.
public struct LabHost: Sendable {
    public let lab: Lab
    public let name: String
    /// 1 for h1.
    public let number: Int

    public var place: Place { lab.place(ofRole: name) }

    /// Not one of the agent's names (`neutrino…`): it would remove the table as its own.
    private static let firewallTable = "lab_fault"
    private static let haScript = """
        table bridge \(firewallTable) {
            chain forward {
                type filter hook forward priority -500; policy accept;
                ip protocol vrrp drop
                ip saddr 169.254.192.0/18 drop
                arp saddr ip 169.254.192.0/18 drop
            }
        }
        """

    // MARK: The agent

    public var isAgentRunning: Bool { LabProcess.all(besides: place.process).contains(where: Services.isAgent) }

    /// The agent's process id in the numbering of the machine, for measurements.
    public var agentProcessID: Int32? { LabProcess.all(besides: place.process).first(where: Services.isAgent)?.id }

    /// Starts the agent; it writes to the host's `agent.log`.
    public func startAgent(arguments: [String] = []) async throws {
        let words = Services.agent(lab.state.executable, host: name, number: number, state: lab.directory.path) + arguments
        try await place.start(words, log: lab.logPath(name))
    }

    // MARK: Faults

    public func fault(_ fault: Fault) async throws { try await BackgroundThread.run { try cause(fault) } }

    private func cause(_ fault: Fault) throws {
        switch fault {
        case .power:
            // The marker tells heal, which may be another process, that the host has to boot.
            try Files.write(powerMarker, "off\n")
            try setUplinks(up: false)
            try kill("any process") { _ in true }
        case .uplink: try setUplinks(up: false)
        case .ha: try firewall("add table bridge \(Self.firewallTable)\ndelete table bridge \(Self.firewallTable)\n" + Self.haScript)
        case .agent: try kill("the agent", Services.isAgent)
        case .keepalived: try kill("keepalived", Services.isKeepalived)
        }
    }

    /// Undoes every fault: the host that lost its power boots, links come up, the agent runs again.
    public func heal() async throws {
        try await BackgroundThread.run {
            if access(powerMarker, F_OK) == 0 { try boot() }
            try firewall("add table bridge \(Self.firewallTable)\ndelete table bridge \(Self.firewallTable)\n")
            try setUplinks(up: true)
        }
        if lab.state.hasServices, !isAgentRunning { try await startAgent() }
    }

    private var powerMarker: String { "\(lab.directory.path)/\(name)/power-off" }

    private func setUplinks(up: Bool) throws { try lab.fabric.setLinks(Underlay.uplinks(of: name), up: up) }

    /// Whether both uplinks are up.
    public var isConnected: Bool {
        let result = try? lab.fabric.runBlocking(["ip", "-oneline", "link", "show", "up"], timeoutMilliseconds: 10_000)
        let links = result?.standardOutput ?? ""
        return Underlay.uplinks(of: name).allSatisfy { links.contains(" \($0)@") }
    }

    private func kill(_ what: String, _ isMeant: (LabProcess) -> Bool) throws {
        let processes = LabProcess.all(besides: place.process).filter(isMeant)
        guard LabProcess.end(processes) else { throw LabError("Of \(what) on \(name), something does not end.") }
    }

    private func firewall(_ script: String) throws {
        let result = try place.runBlocking(["nft", "--file", "-"], input: script, timeoutMilliseconds: 10_000)
        guard result.exitCode == 0 else { throw LabError("nft on \(name) refused the fault's rules: \(result.standardError)") }
    }

    /// Brings the host into the state after a reboot: its namespaces, devices and rules are gone, its disk is as it was. Instances that it
    /// carries keep running and stay plugged, as if they had been started again.
    private func boot() throws {
        try kill("any process") { _ in true }
        let taps = lab.instances.filter { $0.host == name }.map(\.tapName)
        let result = try place.runBlocking(["sh", "-c", Self.bootScript, "sh"] + taps, timeoutMilliseconds: 60_000)
        guard result.exitCode == 0 else { throw LabError("\(name) could not boot: \(result.standardError)") }
        Files.remove(powerMarker)
    }

    private static let bootScript = """
        nft flush ruleset
        for name in $(ls /run/netns); do ip netns delete "$name" || exit 1; done
        for link in $(ip -oneline link show | sed 's/^[0-9]*: //; s/[@:].*//'); do
            case " lo eth0 eth1 $* " in
            *" $link "*) ip link set "$link" nomaster 2> /dev/null ;;
            *) ip link delete "$link" 2> /dev/null ;;
            esac
        done
        exit 0
        """
}
