import Glibc
import KernelInterface

/// Makes the daemons of a host what their configurations say.
///
///                  start (``DaemonStarts``)   process id file names a process with the mark
///     absent -----------------> starting ------------------------------------------------> running
///     ^ ^  ^                       |                                                       |   |  |
///     | |  +---- grace is over ----+                           files changed: signal ------+   |  |
///     | +------ died --------------------------------------------------------------------------+  |
///     |                                                                                           |
///     +---- all processes gone ---- ending <---- signal: not wanted, or must be restarted --------+
///                                                 (command, namespace, a file that asks for it)
///
/// Nothing waits for a daemon that ends: later cycles look at it (``EndingDaemon``), while others are started, and it is started again, or its
/// files are removed, when it has gone. Daemons are handled side by side, each apart from the others (``DaemonWork``).
///
/// A process of an earlier agent is adopted: the record that is kept for each daemon under `daemons/` in the state directory says what it was
/// started with and what it has read, so that it is touched only when that differs. Every start but the first waits for ``RestartBackoff``.
final class DaemonSupervisor {
    /// Holds of daemons that are not wanted (yet) are kept as well, but no more than these.
    static let maximumHolds = 4_096

    private let host: any ProcessHost
    private let files: DaemonFiles
    private let checks = ConfigurationChecks()
    private let width: Int
    private let starts: DaemonStarts?
    private let clock: () -> Int
    private var memories: [String: DaemonWork.Memory] = [:]
    /// By key: daemons that nobody wants and that are still there.
    private var leaving: [String: EndingDaemon] = [:]
    /// By key: when a daemon may be started again.
    private var holds: [String: Int] = [:]

    /// `width`: how many daemons are handled at once. Most of a start is waiting. `onStartEnd` is called, on any thread, when a start has ended and the
    /// next cycle is due; without it the cycle waits for starts itself.
    init(
        host: any ProcessHost, stateDirectory: String, width: Int, onStartEnd: (@Sendable () -> Void)? = nil,
        clock: @escaping () -> Int
    ) {
        starts = onStartEnd.map { DaemonStarts(host: host, width: width, onEnd: $0) }
        self.host = host
        self.width = width
        self.clock = clock
        files = DaemonFiles(host: host, stateDirectory: stateDirectory)
    }

    func markDirty(_ key: String) { memories[key]?.isDirty = true }

    /// All daemons of the namespace.
    func markDirty(in namespace: NamespaceName?) {
        for (key, memory) in memories where memory.configuration.namespace == namespace { memories[key]?.isDirty = true }
    }

    /// The daemon is neither started nor restarted for so long; one that runs goes on.
    func hold(_ key: String, forMilliseconds milliseconds: Int) {
        guard holds[key] != nil || holds.count < Self.maximumHolds else { return }
        holds[key] = clock() + milliseconds
    }

    /// The daemon may be started again: the next cycle does.
    func release(_ key: String) {
        if holds.removeValue(forKey: key) != nil { markDirty(key) }
    }

    var processes: [String: Int32] { memories.compactMapValues(\.process) }

    /// Whether the daemon was told to end, so that its end is no loss.
    func isEnding(_ key: String) -> Bool { leaving[key] != nil || memories[key]?.ending != nil }

    /// Namespaces that processes are still in that were told to end, or will be when their start has ended.
    var occupiedNamespaces: Set<NamespaceName> {
        let starting = memories.values.compactMap { $0.ordered == nil ? nil : $0.configuration.namespace }
        return Set(leaving.values.compactMap { $0.record.namespace.map { NamespaceName($0) } } + starting)
    }

    /// Starts, adopts, reloads, restarts and stops. `restartingIn`: namespaces that are not those that their daemons run in, or whose devices
    /// are new. `holdingIn`: namespaces that are not ready for daemons to be started in.
    func apply(
        _ wanted: [String: DaemonConfiguration], isFull: Bool, restartingIn renewed: Set<NamespaceName>,
        holdingIn unready: Set<NamespaceName>, report: inout ApplyReport
    ) {
        let now = clock()
        let outcomes = starts?.takeEnded() ?? [:]
        for key in outcomes.keys where wanted[key] == nil { memories[key]?.ordered = nil }
        stopUnwanted(wanted, isFull: isFull, now, &report)
        holds = holds.filter { $0.value > now }
        var works: [DaemonWork] = []
        for (key, configuration) in wanted.sorted(by: { $0.key < $1.key }) {
            let mustRestart = configuration.namespace.map(renewed.contains) ?? false
            let outcome = outcomes[key]
            if memories[key]?.ordered != nil, outcome == nil {
                // What changed meanwhile is done when it has started.
                if mustRestart { memories[key]?.mustRestart = true }
                report.wait(forStartOf: key)
                continue
            }
            guard outcome != nil || isFull || mustRestart || memories[key].map({ $0.isDirty || $0.configuration != configuration }) ?? true
            else { continue }
            var memory = memories[key] ?? DaemonWork.Memory(configuration: configuration)
            if let ending = leaving.removeValue(forKey: key) {
                // Wanted again before it has ended.
                memory.ending = ending
                memory.cleared = .daemon
            }
            if memory.configuration != configuration { memory.backoff = RestartBackoff() }
            memory.configuration = configuration
            memory.mustRestart = memory.mustRestart || mustRestart
            memory.isDirty = true
            works.append(
                DaemonWork(
                    host: host, files: files, checks: checks, starts: starts, outcome: outcome, now: now,
                    isHeld: configuration.namespace.map(unready.contains) ?? false,
                    heldMilliseconds: holds[key].map { $0 - now }, isNew: memories[key] == nil, memory: memory))
        }
        let done = Parallel.map(works, width: width) { work in
            var work = work
            work.run()
            return work
        }
        for work in done {
            memories[work.memory.configuration.key] = work.memory
            report.merge(work.report)
        }
    }

    // MARK: Daemons that nobody wants

    private func stopUnwanted(_ wanted: [String: DaemonConfiguration], isFull: Bool, _ now: Int, _ report: inout ApplyReport) {
        for record in unwanted(wanted, isFull: isFull, &report) {
            if memories[record.key]?.ordered != nil, starts?.cancel(record.key) != true {
                // Its program would be ended in the middle of something: its end wakes the next cycle.
                report.lookAgain(afterMilliseconds: DaemonWork.startTimeoutMilliseconds)
                continue
            }
            do throws(KernelError) {
                if let ending = memories[record.key]?.ending {
                    leaving[record.key] = ending
                } else {
                    leaving[record.key] = try EndingDaemon(record, process: try files.running(record), host: host, now: now)
                }
                memories[record.key] = nil
            } catch {
                report.add(Failure(.daemon(record.key), error.description))
            }
        }
        for (key, ending) in leaving.sorted(by: { $0.key < $1.key }) where wanted[key] == nil { lookAfter(ending, now, &report) }
    }

    private func lookAfter(_ daemon: EndingDaemon, _ now: Int, _ report: inout ApplyReport) {
        var ending = daemon
        let key = ending.record.key
        do throws(KernelError) {
            if try ending.hasEnded(host: host, now: now) {
                try files.forget(ending.record)
                leaving[key] = nil
                report.daemonActions.append(DaemonAction(key, .stopped))
                return
            }
            if let complaint = ending.complaint(now: now) { report.add(Failure(.daemon(key), complaint)) }
        } catch {
            report.add(Failure(.daemon(key), error.description))
        }
        leaving[key] = ending
        report.lookAgain(afterMilliseconds: ending.nextLookMilliseconds(now: now))
    }

    private func unwanted(_ wanted: [String: DaemonConfiguration], isFull: Bool, _ report: inout ApplyReport) -> [DaemonRecord] {
        do throws(KernelError) {
            if isFull {
                return try files.records(without: wanted.keys).filter { leaving[$0.key] == nil }
            }
            var records: [DaemonRecord] = []
            for key in memories.keys.sorted() where wanted[key] == nil {
                if let record = try files.record(of: key) { records.append(record) } else { memories[key] = nil }
            }
            return records
        } catch {
            report.add(Failure(.namespace(nil), error.description))
            return []
        }
    }
}
