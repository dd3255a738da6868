import APISchema
import CLinux
import Glibc
import Synchronization

/// What a probe saw.
public struct ProbeReport: Hashable, Sendable {
    public var sent = 0
    public var received = 0
    /// The longest time during which no reply arrived, from the first request to the last.
    public var longestGapMilliseconds = 0.0
    /// When that gap began, in ms since the first request.
    public var longestGapStartMilliseconds = 0.0
    /// When the first requests without a reply were due, in ms since the first request; known when the probe is over.
    public var firstLostMilliseconds: [Double] = []

    public var lost: Int { sent - received }

    public var json: JSONValue {
        ["sent": .integer(sent), "lost": .integer(lost), "longest_gap_ms": .number((longestGapMilliseconds * 10).rounded() / 10)]
    }
}

/// Pings an address from inside a place on a schedule that does not slip, and measures for how long no reply came.
///
/// One thread sends and receives. Its raw ICMP socket was opened in the place's network namespace.
public final class Probe: Sendable {
    /// How long replies are waited for after the last request.
    static let lingerMilliseconds = 1000
    /// How often a probe that waits for its last replies looks whether it is cancelled.
    private static let lingerStepNanoseconds: Int64 = 20_000_000
    /// So many intervals without a reply are a gap.
    private static let gapIntervals: Int64 = 3
    /// Of so many lost requests a report says when they were due.
    private static let lostLimit = 20
    /// A probe that nobody stops ends by itself.
    static let requestLimit = 10_000_000

    private struct State {
        var report = ProbeReport()
        var isStopping = false
        /// Nobody waits any more for what is on its way.
        var isCancelled = false
        var isOver = false
        var firstReply: Int64?
        var start: Int64 = 0
        var lastReply: Int64 = 0
        var lastRequest: Int64 = 0
        /// Replies since the last one that was missed or late: how steady the path is now.
        var unbrokenReplies = 0
        var answered: Set<UInt32> = []
    }

    private let state = Mutex(State())
    private let descriptor: Int32
    private let destination: String
    private let interval: Int64
    private let identifier = UInt16.random(in: 1...UInt16.max)

    private init(descriptor: Int32, destination: String, intervalMilliseconds: Int) {
        self.descriptor = descriptor
        self.destination = destination
        interval = Int64(intervalMilliseconds) * 1_000_000
    }

    deinit { close(descriptor) }

    /// Starts pinging. It goes on until ``stop()``, or until `count` requests are sent.
    public static func start(from place: Place, to destination: String, intervalMilliseconds: Int = 10, count: Int? = nil) throws -> Probe {
        guard SocketAddress.isIPv4(destination) else { throw LabError("'\(destination)' is no IPv4 address to ping.") }
        guard intervalMilliseconds > 0 else { throw LabError("The interval between pings must be at least 1 ms.") }
        let descriptor = try openSocket(inNamespaceOfProcess: place.processID) { clinux_icmp_socket() }
        let probe = Probe(descriptor: descriptor, destination: destination, intervalMilliseconds: intervalMilliseconds)
        try BackgroundThread.start { probe.work(count: min(count ?? requestLimit, requestLimit)) }
        return probe
    }

    /// What was seen so far.
    public var report: ProbeReport { state.withLock { $0.report } }

    /// When the first reply arrived (``MonotonicTime/nanoseconds``); nil while there is none.
    public var firstReplyNanoseconds: Int64? { state.withLock { $0.firstReply } }

    /// How many replies came in a row since the last gap; none when one is missing now.
    public var unbrokenReplies: Int {
        let now = MonotonicTime.nanoseconds
        return state.withLock { now - $0.lastReply > interval * Self.gapIntervals ? 0 : $0.unbrokenReplies }
    }

    /// Counts replies in a row from now on.
    public func startOverCounting() { state.withLock { $0.unbrokenReplies = 0 } }

    /// Waits until so many replies came without a gap between them.
    public func waitUntilSteady(replies: Int = 20, timeoutMilliseconds: Int = 20_000) async throws {
        try await waitUntil(
            "\(replies) replies in a row from \(destination)", timeoutMilliseconds: timeoutMilliseconds, intervalMilliseconds: 10
        ) { unbrokenReplies >= replies }
    }

    /// Sends no more, waits for what is on its way, and answers what was seen.
    @discardableResult
    public func stop() async throws -> ProbeReport {
        state.withLock { $0.isStopping = true }
        return try await finish(timeoutMilliseconds: Self.lingerMilliseconds * 10)
    }

    /// Ends it at once: what is on its way is nobody's business any more.
    public func cancel() {
        state.withLock {
            $0.isStopping = true
            $0.isCancelled = true
        }
    }

    /// Waits until all requests are sent and answered, or given up.
    public func finish(timeoutMilliseconds: Int) async throws -> ProbeReport {
        try await waitUntil("the probe to end", timeoutMilliseconds: timeoutMilliseconds, intervalMilliseconds: 10) {
            state.withLock { $0.isOver }
        }
        return report
    }

    /// How long ago the first request was, in ms.
    public var elapsedMilliseconds: Double { Double(MonotonicTime.nanoseconds - state.withLock { $0.start }) / 1_000_000 }

    // MARK: The thread

    private func work(count: Int) {
        let start = MonotonicTime.nanoseconds
        state.withLock {
            $0.start = start
            $0.lastReply = start
        }
        var sequence = 0
        while sequence < count, !state.withLock({ $0.isStopping }) {
            let due = start + Int64(sequence) * interval
            let now = MonotonicTime.nanoseconds
            if now >= due {
                send(UInt32(sequence))
                sequence += 1
            } else {
                receive(until: due)
            }
        }
        let end = MonotonicTime.nanoseconds + Int64(Self.lingerMilliseconds) * 1_000_000
        while state.withLock({ !$0.isCancelled && $0.report.received < $0.report.sent }) {
            let now = MonotonicTime.nanoseconds
            if now >= end { break }
            receive(until: min(end, now + Self.lingerStepNanoseconds))
        }
        state.withLock { state in
            // What never came back counts up to the last request.
            noteGap(&state, from: state.lastReply, to: state.lastRequest)
            let answered = state.answered
            state.report.firstLostMilliseconds = (0..<state.report.sent).lazy
                .filter { !answered.contains(UInt32($0)) }
                .prefix(Self.lostLimit).map { Double($0) * Double(interval) / 1_000_000 }
            state.isOver = true
        }
    }

    private func send(_ sequence: UInt32) {
        let bytes = EchoMessage(type: EchoMessage.request, identifier: identifier, sequence: sequence).bytes
        var address = SocketAddress.ipv4(destination, port: 0)
        // A request that the kernel refuses (no route, no neighbour, queue full) is a lost one.
        _ = SocketAddress.with(&address) { sendto(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL), $0, $1) }
        state.withLock { state in
            state.report.sent += 1
            state.lastRequest = MonotonicTime.nanoseconds
        }
    }

    /// Takes replies until the time has come.
    private func receive(until time: Int64) {
        let wait = time - MonotonicTime.nanoseconds
        guard wait > 0 else { return }
        guard clinux_wait_readable(descriptor, wait) > 0 else { return }
        var packet = [UInt8](repeating: 0, count: 2048)
        while true {
            let count = recv(descriptor, &packet, packet.count, 0)
            guard count > 0 else { return }
            let now = MonotonicTime.nanoseconds
            guard let message = EchoMessage(packet: packet[..<count]), message.type == EchoMessage.reply, message.identifier == identifier
            else { continue }
            note(message.sequence, at: now)
        }
    }

    private func note(_ sequence: UInt32, at now: Int64) {
        state.withLock { state in
            // A duplicate says nothing new.
            guard state.answered.insert(sequence).inserted else { return }
            state.report.received += 1
            state.firstReply = state.firstReply ?? now
            noteGap(&state, from: state.lastReply, to: now)
            state.unbrokenReplies = now - state.lastReply > interval * Self.gapIntervals ? 1 : state.unbrokenReplies + 1
            state.lastReply = now
        }
    }

    private func noteGap(_ state: inout State, from: Int64, to: Int64) {
        let gap = Double(to - from) / 1_000_000
        guard gap > state.report.longestGapMilliseconds else { return }
        state.report.longestGapMilliseconds = gap
        state.report.longestGapStartMilliseconds = Double(from - state.start) / 1_000_000
    }
}

extension Lab {
    /// Pings for some seconds and answers what was seen.
    public func probe(
        from place: Place, to destination: String, intervalMilliseconds: Int = 10, seconds: Double
    ) async throws -> ProbeReport {
        let count = max(Int(seconds * 1000) / max(intervalMilliseconds, 1), 1)
        let probe = try Probe.start(from: place, to: destination, intervalMilliseconds: intervalMilliseconds, count: count)
        return try await probe.finish(timeoutMilliseconds: count * intervalMilliseconds + 10 * Probe.lingerMilliseconds)
    }

    /// Pings until the first reply.
    ///
    /// - Returns: when that reply arrived (``MonotonicTime/nanoseconds``).
    @discardableResult
    public func waitForReply(
        from place: Place, to destination: String, intervalMilliseconds: Int = 10, timeoutMilliseconds: Int = 20_000
    ) async throws -> Int64 {
        let probe = try Probe.start(from: place, to: destination, intervalMilliseconds: intervalMilliseconds)
        defer { probe.cancel() }
        return try await waitFor(
            "\(destination) to answer pings from \(place.name)", timeoutMilliseconds: timeoutMilliseconds, intervalMilliseconds: 5
        ) { probe.firstReplyNanoseconds }
    }
}
