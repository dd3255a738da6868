import CLinux
import Glibc
import Synchronization

/// Pings many addresses from one place by one thread, in turns that are spread evenly over the interval, and measures each one's longest gap.
public final class FleetProbe: Sendable {
    public struct Report: Sendable {
        public var sent = 0
        public var received = 0
        /// For each address the longest time without a reply.
        public var longestGapsMilliseconds: [Double] = []

        public var lost: Int { sent - received }
    }

    private static let requestLimit = 50_000_000
    private static let lingerNanoseconds: Int64 = 1_000_000_000

    private struct State {
        var isStopping = false
        var isOver = false
        var sent = 0
        var received = 0
        var lastReply: [Int64] = []
        var gaps: [Int64] = []
    }

    private let state: Mutex<State>
    private let descriptor: Int32
    private let destinations: [sockaddr_in]
    private let intervalNanoseconds: Int64
    private let identifier = UInt16.random(in: 1...UInt16.max)

    private init(descriptor: Int32, destinations: [sockaddr_in], intervalNanoseconds: Int64) {
        self.descriptor = descriptor
        self.destinations = destinations
        self.intervalNanoseconds = intervalNanoseconds
        let zeroes = [Int64](repeating: 0, count: destinations.count)
        state = Mutex(State(lastReply: zeroes, gaps: zeroes))
    }

    deinit { close(descriptor) }

    /// Starts pinging each address once in every interval.
    public static func start(from place: Place, to addresses: [String], intervalMilliseconds: Int = 20) throws -> FleetProbe {
        guard !addresses.isEmpty, addresses.allSatisfy(SocketAddress.isIPv4), intervalMilliseconds > 0 else {
            throw LabError("There are no IPv4 addresses to ping.")
        }
        let descriptor = try openSocket(inNamespaceOfProcess: place.processID) { clinux_icmp_socket() }
        var bytes: Int32 = 4 * 1024 * 1024
        setsockopt(descriptor, SOL_SOCKET, Int32(SO_RCVBUFFORCE), &bytes, socklen_t(MemoryLayout<Int32>.size))
        let probe = FleetProbe(
            descriptor: descriptor, destinations: addresses.map { SocketAddress.ipv4($0, port: 0) },
            intervalNanoseconds: Int64(intervalMilliseconds) * 1_000_000)
        try BackgroundThread.start { probe.work() }
        return probe
    }

    /// How many addresses answered within the given time before now.
    public func answering(withinMilliseconds milliseconds: Int = 200) -> Int {
        answering(since: MonotonicTime.nanoseconds - Int64(milliseconds) * 1_000_000)
    }

    /// How many addresses answered since a time (``MonotonicTime/nanoseconds``).
    public func answering(since time: Int64) -> Int { state.withLock { state in state.lastReply.count { $0 >= time } } }

    /// Forgets what was seen: gaps and losses count from now on. Addresses that never answered count from now, too.
    public func reset() {
        let now = MonotonicTime.nanoseconds
        state.withLock { state in
            (state.sent, state.received) = (0, 0)
            for index in state.gaps.indices {
                state.gaps[index] = 0
                state.lastReply[index] = max(state.lastReply[index], now - intervalNanoseconds)
            }
        }
    }

    public func cancel() { state.withLock { $0.isStopping = true } }

    /// Sends no more, waits for what is on its way, and answers what was seen.
    public func stop() async throws -> Report {
        cancel()
        try await waitUntil("the probe to end", timeoutMilliseconds: 20_000, intervalMilliseconds: 10) { state.withLock { $0.isOver } }
        return state.withLock { state in
            Report(sent: state.sent, received: state.received, longestGapsMilliseconds: state.gaps.map { Double($0) / 1_000_000 })
        }
    }

    // MARK: The thread

    private func work() {
        let start = MonotonicTime.nanoseconds
        state.withLock { $0.lastReply = $0.lastReply.map { _ in start } }
        let step = max(intervalNanoseconds / Int64(destinations.count), 1)
        var buffer = [UInt8](repeating: 0, count: 2048)
        var sequence = 0
        while sequence < Self.requestLimit, !state.withLock({ $0.isStopping }) {
            let due = start + Int64(sequence) * step
            if MonotonicTime.nanoseconds >= due {
                send(sequence)
                sequence += 1
                // Where a request takes longer than its turn, the replies must still be read, and turns that are long past are left out:
                // a prober that only catches up would see a gap of its own making.
                takeReplies(&buffer)
                let turnsBehind = Int((MonotonicTime.nanoseconds - due) / step)
                if turnsBehind > destinations.count { sequence += turnsBehind }
            } else {
                receive(until: due, &buffer)
            }
        }
        let end = MonotonicTime.nanoseconds + Self.lingerNanoseconds
        while MonotonicTime.nanoseconds < end { receive(until: end, &buffer) }
        state.withLock { state in
            // What never came back counts up to the last request, about.
            for index in state.gaps.indices {
                let open = end - Self.lingerNanoseconds - state.lastReply[index]
                state.gaps[index] = max(state.gaps[index], open)
            }
            state.isOver = true
        }
    }

    private func send(_ sequence: Int) {
        var address = destinations[sequence % destinations.count]
        let message = EchoMessage(type: EchoMessage.request, identifier: identifier, sequence: UInt32(truncatingIfNeeded: sequence))
        let bytes = message.bytes
        _ = SocketAddress.with(&address) { sendto(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT), $0, $1) }
        state.withLock { $0.sent += 1 }
    }

    private func receive(until time: Int64, _ buffer: inout [UInt8]) {
        let wait = time - MonotonicTime.nanoseconds
        guard wait > 0, clinux_wait_readable(descriptor, wait) > 0 else { return }
        takeReplies(&buffer)
    }

    /// Takes what has arrived, at most one reply of each destination at a time.
    private func takeReplies(_ buffer: inout [UInt8]) {
        for _ in destinations {
            let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            guard count > 0 else { return }
            let now = MonotonicTime.nanoseconds
            guard let message = EchoMessage(packet: buffer[..<count]), message.type == EchoMessage.reply, message.identifier == identifier
            else { continue }
            let index = Int(message.sequence) % destinations.count
            state.withLock { state in
                state.received += 1
                state.gaps[index] = max(state.gaps[index], now - state.lastReply[index])
                state.lastReply[index] = now
            }
        }
    }
}
