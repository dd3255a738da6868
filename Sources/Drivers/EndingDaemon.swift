import Glibc
import KernelInterface

/// Processes of a daemon that were told to end. Nobody waits for them: each cycle looks again.
///
///                  all gone                                        none of the daemon is left
///     told ────────────────────────────────────────────────────┐ ┌──────────▶ ended
///      │  stop timeout is over: SIGKILL                         ▼ │
///      └──────────────────────▶ killed ──── all gone ────▶ looking for children
struct EndingDaemon: Hashable, Sendable {
    /// How often a daemon that ends is looked at: soon after it was told, then less and less often.
    static let firstPollMilliseconds = 20
    static let lastPollMilliseconds = 250
    /// Processes of a daemon that are ended besides the one in its process id file.
    static let maximumStrays = 16
    /// After SIGKILL only a process that hangs in the kernel is still there.
    static let killTimeoutMilliseconds = 1_000

    var record: DaemonRecord
    var processes: Set<Int32>
    let toldAt: Int
    private(set) var killedAt: Int?
    /// Whether children may be left that are the daemon's as well: those of a process that ended by itself go with it.
    private var mayHaveChildren: Bool

    /// Tells the processes to end. `process` is the daemon's own, nil when only strays are left.
    init(_ record: DaemonRecord, process: Int32?, host: any ProcessHost, now: Int) throws(KernelError) {
        self.record = record
        toldAt = now
        mayHaveChildren = process == nil
        processes = process.map { [$0] } ?? []
        if let process { try Self.signal(record.stopSignal, process, host) } else { try look(host, SIGTERM) }
    }

    /// Looks again; true when all have ended.
    mutating func hasEnded(host: any ProcessHost, now: Int) throws(KernelError) -> Bool {
        forgetGone(host)
        if processes.isEmpty, mayHaveChildren { try look(host, killedAt == nil ? SIGTERM : SIGKILL) }
        if processes.isEmpty { return true }
        if killedAt == nil, now - toldAt >= record.stopTimeoutMilliseconds {
            killedAt = now
            mayHaveChildren = true
            for process in processes.sorted() { try Self.signal(SIGKILL, process, host) }
            forgetGone(host)
            if processes.isEmpty { try look(host, SIGKILL) }
        }
        return processes.isEmpty
    }

    /// Why it is still there; nil as long as that is no wonder.
    func complaint(now: Int) -> String? {
        guard let killedAt, now - killedAt >= Self.killTimeoutMilliseconds else { return nil }
        return "process \(processes.sorted().map(String.init).joined(separator: ", ")) does not end"
    }

    func nextLookMilliseconds(now: Int) -> Int {
        min(max((now - toldAt) / 4, Self.firstPollMilliseconds), Self.lastPollMilliseconds)
    }

    /// Signals whatever else is of the daemon. What is gone at once is not waited for.
    private mutating func look(_ host: any ProcessHost, _ signal: Int32) throws(KernelError) {
        for stray in host.processes(marked: record.mark).filter(record.isOf).prefix(Self.maximumStrays) {
            try Self.signal(signal, stray.id, host)
            processes.insert(stray.id)
        }
        forgetGone(host)
    }

    /// Ids are used again: only what a process is proves that it is the daemon's.
    private mutating func forgetGone(_ host: any ProcessHost) {
        processes = processes.filter { host.process(id: $0).map(record.isOf) ?? false }
    }

    private static func signal(_ signal: Int32, _ id: Int32, _ host: any ProcessHost) throws(KernelError) {
        do throws(KernelError) {
            try host.signal(signal, process: id)
        } catch  where error.code == ESRCH {
            return
        }
    }
}
