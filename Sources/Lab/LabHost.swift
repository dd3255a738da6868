import Glibc

/// A host of a lab: a place with two uplinks and an agent.
public struct LabHost: Sendable {
    public let lab: Lab
    public let name: String
    /// 1 for h1.
    public let number: Int

    public var place: Place { lab.place(ofRole: name) }

    /// The directory of the host's agent, on the host's own disk: only processes of the host see what is in it.
    public var stateDirectory: String { Services.hostState(name, state: lab.directory.path) }

    // MARK: The agent

    public var isAgentRunning: Bool { !isPoweredOff && LabProcess.all(besides: place.process).contains(where: Services.isAgent) }

    /// The agent's process id in the numbering of the machine, for measurements.
    public var agentProcessID: Int32? { LabProcess.all(besides: place.process).first(where: Services.isAgent)?.id }

    /// Starts the agent; it writes to the host's `agent.log`.
    ///
    /// - Parameter clockStepSeconds: how far its monotonic and boot clocks are from the machine's.
    public func startAgent(arguments: [String] = [], clockStepSeconds: Int = 0) async throws {
        let state = lab.state
        let words =
            Services.agent(
                state.executable, host: name, number: number, state: lab.directory.path, authenticates: state.authenticates) + arguments
        // A process enters a new time namespace with its next child (time_namespaces(7)).
        let clock =
            clockStepSeconds == 0
            ? [] : ["unshare", "--time", "--monotonic=\(clockStepSeconds)", "--boottime=\(clockStepSeconds)", "--fork", "--kill-child"]
        try await place.start(clock + words, log: lab.logPath(name))
    }

    /// Asks the agent to end (SIGTERM), or kills it (SIGKILL), and waits until it is gone.
    public func endAgent(signal: Int32 = SIGTERM, timeoutMilliseconds: Int = 20_000) async throws {
        guard let agent = agentProcessID, Glibc.kill(agent, signal) == 0 else { throw LabError("The agent of \(name) is not running.") }
        try await waitUntil("the agent of \(name) to end", timeoutMilliseconds: timeoutMilliseconds, intervalMilliseconds: 20) {
            !isAgentRunning
        }
    }

    /// Whether both uplinks are up.
    public var isConnected: Bool {
        let result = try? lab.fabric.runBlocking(["ip", "-oneline", "link", "show", "up"], timeoutMilliseconds: 10_000)
        let links = result?.standardOutput ?? ""
        return Underlay.uplinks(of: name).allSatisfy { links.contains(" \($0)@") }
    }
}
