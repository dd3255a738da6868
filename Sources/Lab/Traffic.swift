/// What users of a router see of an event: pings every 10 ms in both directions, and TCP connections in both directions of transfer through
/// SNAT and through a floating IP.
public struct Traffic: Sendable {
    /// What was seen from the start to the end.
    public struct Report: Hashable, Sendable {
        public var outbound: ProbeReport
        public var inbound: ProbeReport
        /// How many connections there were, and which of them ended or stalled, with the reason.
        public var connections: Int
        public var broken: [String]

        public var lost: Int { outbound.lost + inbound.lost }
        public var longestGapMilliseconds: Double { max(outbound.longestGapMilliseconds, inbound.longestGapMilliseconds) }
    }

    public static let intervalMilliseconds = 10
    private static let steadyReplies = 50

    let outbound: Probe
    let inbound: Probe
    public let connections: [Transfer]

    /// Starts everything and waits until it is steady.
    ///
    /// - Parameters:
    ///   - floating: the floating IP of the instance, which lets pings in, and connections if there shall be any.
    ///   - hasConnections: whether to open the four connections, too.
    public static func start(
        _ lab: Lab, instance: Instance, floating: String, hasConnections: Bool, timeoutMilliseconds: Int = 60_000
    ) async throws -> Traffic {
        let outbound = try Probe.start(from: instance.place, to: Underlay.outsideAddress, intervalMilliseconds: intervalMilliseconds)
        let inbound: Probe
        var connections: [Transfer] = []
        do {
            inbound = try Probe.start(from: lab.outside, to: floating, intervalMilliseconds: intervalMilliseconds)
        } catch {
            outbound.cancel()
            throw error
        }
        do {
            for probe in [outbound, inbound] {
                try await probe.waitUntilSteady(replies: steadyReplies, timeoutMilliseconds: timeoutMilliseconds)
            }
            for direction in hasConnections ? Transfer.Direction.allCases : [] {
                connections.append(try await .start(direction, from: instance.place, to: lab.outside, at: Underlay.outsideAddress))
                connections.append(try await .start(direction, from: lab.outside, to: instance.place, at: floating))
            }
            for connection in connections {
                guard try await connection.goesOn() else {
                    throw LabError("\(connection.name) does not start: \(connection.failure ?? "")")
                }
            }
        } catch {
            outbound.cancel()
            inbound.cancel()
            for connection in connections { connection.stop() }
            throw error
        }
        return Traffic(outbound: outbound, inbound: inbound, connections: connections)
    }

    /// Waits until both directions were answered so often from now on, and the last replies came without a gap.
    public func waitUntilSteady(replies: Int = 100, timeoutMilliseconds: Int = 60_000) async throws {
        let before = [outbound, inbound].map(\.report.received)
        for probe in [outbound, inbound] { probe.startOverCounting() }
        // Not all of them without a gap: on a busy machine a ping is late now and then.
        try await waitUntil("\(replies) replies in each direction", timeoutMilliseconds: timeoutMilliseconds) {
            zip([outbound, inbound], before).allSatisfy { $0.report.received >= $1 + replies }
        }
        for probe in [outbound, inbound] { try await probe.waitUntilSteady(timeoutMilliseconds: timeoutMilliseconds) }
    }

    /// Ends it at once.
    public func cancel() {
        outbound.cancel()
        inbound.cancel()
        for connection in connections { connection.stop() }
    }

    /// Waits for each connection to go on, ends everything, and answers what was seen.
    public func finish() async throws -> Report {
        var broken: [String] = []
        for connection in connections where try await !connection.goesOn() {
            broken.append("\(connection.name): \(connection.failure ?? "stalled")")
        }
        for connection in connections { connection.stop() }
        async let first = outbound.stop()
        async let second = inbound.stop()
        return Report(outbound: try await first, inbound: try await second, connections: connections.count, broken: broken)
    }
}
