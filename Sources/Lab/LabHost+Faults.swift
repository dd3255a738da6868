import Glibc

/// Causing faults and undoing them. What has to be remembered for healing is a file or an object that heal finds: it may be another process.
extension LabHost {
    public func fault(_ fault: Fault, _ options: FaultOptions = FaultOptions()) async throws {
        try options.check()
        guard fault != .clock else { return try await stepClock(options.clockStepSeconds) }
        try await BackgroundThread.run { try cause(fault, options) }
    }

    private func cause(_ fault: Fault, _ options: FaultOptions) throws {
        switch fault {
        case .power:
            // The marker tells heal that the host has to boot. Until then its processes, the agent too, stand still, which costs the other hosts of the
            // lab nothing: a host that lost its power does not use their processors to end hundreds of processes, or to give its routers away because
            // its links went. They stop before the links go, the agent last: its pulses and its packets end within a millisecond of each other.
            let powered = LabProcess.all(besides: place.process)
            let agents = powered.filter(Services.isAgent)
            try Files.write(powerMarker, "off\n")
            for process in powered.filter({ !agents.contains($0) }) + agents { Glibc.kill(process.id, SIGSTOP) }
            try setUplinks(up: false)
        case .uplink: try setUplinks(up: false)
        case .ha: try HostFirewall.partitionHA(place)
        case .control: try HostFirewall.partitionControl(place)
        case .loss: try ImpairedLink(host: self, options.link).lose(percent: options.lossPercent ?? 100, options.direction)
        case .delay: try ImpairedLink(host: self, options.link).delay(options)
        case .agent: try kill("the agent", Services.isAgent)
        case .keepalived: try kill("keepalived", Services.isKeepalived)
        case .agentHang: try hang("the agent", Services.isAgent)
        case .keepalivedHang: try hang("keepalived", Services.isKeepalived)
        case .clock: break
        case .disk: try fillDisk()
        }
    }

    /// Undoes every fault: the host that lost its power boots, links come up and are as they were, processes go on, the agent runs again.
    ///
    /// - Parameter startsAgent: false leaves an agent that does not run as it is.
    public func heal(startsAgent: Bool = true) async throws {
        try await BackgroundThread.run {
            if isPoweredOff { try boot() }
            for process in LabProcess.all(besides: place.process) where process.isStopped { Glibc.kill(process.id, SIGCONT) }
            try HostFirewall.reset(place)
            for link in FaultOptions.Link.allCases { try ImpairedLink(host: self, link).heal() }
            _ = try place.runBlocking(["rm", "-f", filler], timeoutMilliseconds: 10_000)
            try setUplinks(up: true)
            if access(clockMarker, F_OK) == 0 {
                try kill("the agent", Services.isAgent)
                Files.remove(clockMarker)
            }
        }
        if startsAgent, lab.state.hasServices, !isAgentRunning { try await startAgent() }
    }

    /// Whether the host lost its power and has not booted since.
    var isPoweredOff: Bool { access(powerMarker, F_OK) == 0 }

    private var powerMarker: String { "\(lab.directory.path)/\(name)/power-off" }
    private var clockMarker: String { "\(lab.directory.path)/\(name)/clock-step" }
    private var filler: String { "\(stateDirectory)/lab-filler" }

    private func setUplinks(up: Bool) throws { try lab.fabric.setLinks(Underlay.uplinks(of: name), up: up) }

    // MARK: Processes

    private func processes(_ what: String, _ isMeant: (LabProcess) -> Bool) -> [LabProcess] {
        LabProcess.all(besides: place.process).filter(isMeant)
    }

    /// Each raw socket that closes waits for all processors to forget it, and a host with hundreds of routers has thousands.
    private static let endTimeoutMilliseconds = 60_000

    private func kill(_ what: String, _ isMeant: (LabProcess) -> Bool) throws {
        guard LabProcess.end(processes(what, isMeant), timeoutMilliseconds: Self.endTimeoutMilliseconds) else {
            throw LabError("Of \(what) on \(name), something does not end.")
        }
    }

    private func hang(_ what: String, _ isMeant: (LabProcess) -> Bool) throws {
        let meant = processes(what, isMeant)
        guard !meant.isEmpty else { throw LabError("There is nothing of \(what) on \(name) that could hang.") }
        for process in meant { Glibc.kill(process.id, SIGSTOP) }
        guard blockUntil(timeoutMilliseconds: 10_000, { meant.allSatisfy { $0.isStopped || !$0.isRunning } }) else {
            throw LabError("Of \(what) on \(name), something does not stop.")
        }
    }

    private func stepClock(_ seconds: Int) async throws {
        try await BackgroundThread.run {
            try Files.write(clockMarker, "\(seconds)\n")
            try kill("the agent", Services.isAgent)
        }
        guard lab.state.hasServices else { throw LabError("\(name) has no agent whose clock could step.") }
        try await startAgent(clockStepSeconds: seconds)
        try await waitUntil("the agent of \(name) to run", timeoutMilliseconds: 10_000) { isAgentRunning }
    }

    // MARK: Disk and power

    private func fillDisk() throws {
        // The first writes as much as fits; that it fails is meant.
        let script = #"cat /dev/zero > "$1" 2> /dev/null; ! echo full > "$1-proof" 2> /dev/null; code=$?; rm -f "$1-proof"; exit $code"#
        let result = try place.runBlocking(["sh", "-c", script, "sh", filler], timeoutMilliseconds: 30_000)
        guard result.exitCode == 0 else { throw LabError("The disk of \(name) could not be filled: \(result.standardError)") }
    }

    /// Brings the host into the state after a reboot: its namespaces, devices and rules are gone, its disk is as it was. Instances that it
    /// carries keep running and stay plugged, as if they had been started again.
    private func boot() throws {
        try kill("any process") { _ in true }
        let taps = lab.instances.filter { $0.host == name }.map(\.tapName)
        let result = try place.runBlocking(["sh", "-c", Self.bootScript, "sh"] + taps, timeoutMilliseconds: 120_000)
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

/// Partitions: rules of the host's own packet filter.
private enum HostFirewall {
    /// Not one of the agent's names (`neutrino…`): it would remove the table as its own.
    static let table = "lab_fault"

    static func partitionHA(_ place: Place) throws {
        try apply(
            place,
            """
            add table bridge \(table)
            delete table bridge \(table)
            table bridge \(table) {
                chain forward {
                    type filter hook forward priority -500; policy accept;
                    ip protocol vrrp drop
                    ip saddr 169.254.192.0/18 drop
                    arp saddr ip 169.254.192.0/18 drop
                }
            }
            """)
    }

    static func partitionControl(_ place: Place) throws {
        try apply(
            place,
            """
            add table inet \(table)
            delete table inet \(table)
            table inet \(table) {
                chain received {
                    type filter hook input priority -500; policy accept;
                    ip saddr \(Underlay.controlAddress) drop
                }
                chain sent {
                    type filter hook output priority -500; policy accept;
                    ip daddr \(Underlay.controlAddress) drop
                }
            }
            """)
    }

    static func reset(_ place: Place) throws {
        try apply(place, ["bridge", "inet"].map { "add table \($0) \(table)\ndelete table \($0) \(table)\n" }.joined())
    }

    private static func apply(_ place: Place, _ script: String) throws {
        let result = try place.runBlocking(["nft", "--file", "-"], input: script, timeoutMilliseconds: 10_000)
        guard result.exitCode == 0 else { throw LabError("nft on \(place.name) refused the fault's rules: \(result.standardError)") }
    }
}
