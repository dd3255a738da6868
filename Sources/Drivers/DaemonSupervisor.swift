import Glibc
import KernelInterface

/// Makes the daemons of a host what their configurations say.
///
///                  start                     process id file names a process with the mark
///     absent -----------------> starting ------------------------------------------------> running
///       ^  ^                       |                                                        |   |
///       |  +---- grace is over ----+                            files changed: signal ------+   |
///       +------ died, stopped, or must be restarted (command, namespace, a file that asks for it)
///
/// A process of an earlier agent is adopted: the record that is kept for each daemon under `daemons/` in the state directory says what it was
/// started with and what it has read, so that it is touched only when that differs. Every start but the first waits for ``RestartBackoff``.
final class DaemonSupervisor {
    /// How long a program that detached itself may take to write its process id.
    static let startGraceMilliseconds = 3_000
    /// When to look again at a daemon that is starting.
    static let startPollMilliseconds = 100
    /// The time a program may take to detach itself.
    static let startTimeoutMilliseconds = 10_000
    static let killTimeoutMilliseconds = 1_000
    /// Processes with a daemon's mark that are stopped before it starts.
    static let maximumStrays = 16

    /// What is known about a daemon of the last configuration.
    private struct Memory {
        var configuration: DaemonConfiguration
        var backoff = RestartBackoff()
        /// Started, and its process id is not written yet.
        var isStarting = false
        /// Must be looked at in the next cycle even if nothing changed.
        var isDirty = true
        var mustRestart = false
        /// The process that ran when the daemon was last looked at.
        var process: Int32?
    }

    private let host: any ProcessHost
    private let directory: String
    private let clock: () -> Int
    private var memories: [String: Memory] = [:]
    /// Daemons that must not be started before a time of the clock.
    private var holds: [String: Int] = [:]

    init(host: any ProcessHost, stateDirectory: String, clock: @escaping () -> Int) {
        self.host = host
        directory = stateDirectory + "/daemons"
        self.clock = clock
    }

    func markDirty(_ key: String) { memories[key]?.isDirty = true }

    /// Does not start the daemon before so many milliseconds have passed or it is released.
    func hold(_ key: String, milliseconds: Int) { holds[key] = clock() + milliseconds }
    func release(_ key: String) { holds[key] = nil }

    var processes: [String: Int32] { memories.compactMapValues(\.process) }

    /// Starts, adopts, reloads, restarts and stops. `restartingIn`: namespaces that are not those that their daemons run in, or whose devices
    /// are new. `holdingIn`: namespaces that are not ready for daemons to be started in.
    func apply(
        _ wanted: [String: DaemonConfiguration], isFull: Bool, restartingIn renewed: Set<NamespaceName>,
        holdingIn unready: Set<NamespaceName>, report: inout ApplyReport
    ) {
        stopUnwanted(wanted, isFull: isFull, &report)
        for (key, configuration) in wanted.sorted(by: { $0.key < $1.key }) {
            let mustRestart = configuration.namespace.map(renewed.contains) ?? false
            guard isFull || mustRestart || memories[key].map({ $0.isDirty || $0.configuration != configuration }) ?? true else { continue }
            var memory = memories[key] ?? Memory(configuration: configuration)
            if memory.configuration != configuration { memory.backoff = RestartBackoff() }
            memory.configuration = configuration
            memory.mustRestart = memory.mustRestart || mustRestart
            memory.isDirty = true
            let isHeld = configuration.namespace.map(unready.contains) ?? false
            do throws(KernelError) {
                try ensure(&memory, isHeld: isHeld, isNew: memories[key] == nil, &report)
            } catch {
                report.add(Failure(.daemon(key), error.description))
                report.retry(afterMilliseconds: max(memory.backoff.wait(at: clock()), RestartBackoff.firstDelayMilliseconds))
            }
            memories[key] = memory
        }
    }

    // MARK: One daemon

    private func ensure(_ memory: inout Memory, isHeld: Bool, isNew: Bool, _ report: inout ApplyReport) throws(KernelError) {
        let configuration = memory.configuration
        let record = try record(of: configuration.key)
        let found = try running(record ?? DaemonRecord(configuration))
        memory.process = found
        let action = try writeFiles(configuration, record)
        guard let found else {
            try startIfDue(&memory, isHeld: isHeld, record, &report)
            return
        }
        if memory.mustRestart || action == .restart || record.map({ !$0.runs(configuration) }) == true {
            if isHeld { return }
            try stop(record ?? DaemonRecord(configuration), process: found)
            try start(&memory, report: &report)
            report.daemonActions.append(DaemonAction(configuration.key, .restarted))
            return
        }
        if case .signal(let signal) = action {
            try host.signal(signal, process: found)
            report.daemonActions.append(DaemonAction(configuration.key, .signalled(signal)))
        }
        if record != DaemonRecord(configuration) { try write(DaemonRecord(configuration)) }
        if isNew { report.daemonActions.append(DaemonAction(configuration.key, .adopted)) }
        memory.isStarting = false
        memory.isDirty = false
    }

    private func startIfDue(
        _ memory: inout Memory, isHeld: Bool, _ record: DaemonRecord?, _ report: inout ApplyReport
    ) throws(KernelError) {
        if isHeld { return }
        let now = clock()
        if let end = holds[memory.configuration.key] {
            if now < end {
                report.retry(afterMilliseconds: end - now)
                return
            }
            release(memory.configuration.key)
        }
        if memory.isStarting, let started = memory.backoff.lastStart, now - started < Self.startGraceMilliseconds,
            record?.runs(memory.configuration) == true
        {
            report.retry(afterMilliseconds: Self.startPollMilliseconds)
            return
        }
        let wait = memory.backoff.wait(at: now)
        if wait > 0 {
            report.add(Failure(.daemon(memory.configuration.key), "ended soon after its start; the next attempt waits"))
            report.retry(afterMilliseconds: wait)
            return
        }
        try start(&memory, report: &report)
        report.daemonActions.append(DaemonAction(memory.configuration.key, .started))
    }

    /// Starts a daemon whose files are written. The record is written first: whatever happens next, the process will be recognised.
    private func start(_ memory: inout Memory, report: inout ApplyReport) throws(KernelError) {
        let configuration = memory.configuration
        let record = try record(of: configuration.key)
        let leftover = try host.readFile(configuration.processIDFile)
        let mayHaveRun = record != nil || leftover != nil || memory.backoff.lastStart != nil
        memory.isStarting = false
        memory.backoff.started(at: clock())
        // Looking for strays reads all of /proc: not for a daemon that never ran.
        if mayHaveRun { try stopStrays(configuration.mark) }
        try host.removeFile(configuration.processIDFile)
        for pipe in configuration.namedPipes { try makePipe(pipe) }
        try write(DaemonRecord(configuration))
        try host.start(configuration.command, in: configuration.namespace, timeoutMilliseconds: Self.startTimeoutMilliseconds)
        memory.mustRestart = false
        memory.process = try running(DaemonRecord(configuration))
        if memory.process != nil {
            memory.isDirty = false
        } else {
            memory.isStarting = true
            report.retry(afterMilliseconds: Self.startPollMilliseconds)
        }
    }

    private func makePipe(_ path: String) throws(KernelError) {
        do throws(KernelError) {
            try host.makeNamedPipe(path)
        } catch  where error.code == EEXIST {
            return
        }
    }

    /// Writes the files that differ from what is on disk, and says what the running process must be told: of that, the record knows more than
    /// the disk, since an agent may have ended between writing a file and telling the process.
    private func writeFiles(
        _ configuration: DaemonConfiguration, _ record: DaemonRecord?
    ) throws(KernelError) -> ReloadAction {
        var action = ReloadAction.none
        for file in configuration.files {
            let differs = try host.readFile(file.path) != file.contents
            if differs { try host.writeFile(file.path, file.contents) }
            let isUnread = record.map { $0.files[file.path] != DaemonRecord.digest(file.contents) } ?? false
            if differs || isUnread { action = stronger(action, file.onChange) }
        }
        let kept = Set(configuration.files.map(\.path))
        for path in record?.files.keys.sorted() ?? [] where !kept.contains(path) { try host.removeFile(path) }
        return action
    }

    private func stronger(_ left: ReloadAction, _ right: ReloadAction) -> ReloadAction {
        switch (left, right) {
        case (.restart, _), (_, .restart): .restart
        case (.signal, _): left
        case (.none, _): right
        }
    }

    // MARK: Processes

    /// The id in the process id file, if that process is alive and ours. Ids are reused: only the mark proves it.
    private func running(_ record: DaemonRecord) throws(KernelError) -> Int32? {
        guard let text = try host.readFile(record.processIDFile), let id = Int32(text.filter { !$0.isWhitespace }), id > 1,
            let process = host.process(id: id), process.command.joined(separator: " ").contains(record.mark)
        else { return nil }
        return id
    }

    private func stop(_ record: DaemonRecord, process id: Int32) throws(KernelError) {
        try signal(record.stopSignal, id)
        try awaitEnd(record, id)
    }

    private func awaitEnd(_ record: DaemonRecord, _ id: Int32) throws(KernelError) {
        if host.waitForExit(process: id, timeoutMilliseconds: record.stopTimeoutMilliseconds) { return }
        try signal(SIGKILL, id)
        if !host.waitForExit(process: id, timeoutMilliseconds: Self.killTimeoutMilliseconds) {
            throw KernelError(code: ETIMEDOUT, "process \(id) of \(record.key) does not end")
        }
        // Children of a process that was killed may live on.
        try stopStrays(record.mark)
    }

    /// Ends processes that hold the mark although the process id file does not lead to them. Only called when the main process is gone: its
    /// children hold the mark too.
    private func stopStrays(_ mark: String) throws(KernelError) {
        for stray in host.processes(marked: mark).prefix(Self.maximumStrays) {
            try signal(SIGTERM, stray.id)
            if host.waitForExit(process: stray.id, timeoutMilliseconds: Self.killTimeoutMilliseconds) { continue }
            try signal(SIGKILL, stray.id)
            _ = host.waitForExit(process: stray.id, timeoutMilliseconds: Self.killTimeoutMilliseconds)
        }
    }

    private func signal(_ signal: Int32, _ id: Int32) throws(KernelError) {
        do throws(KernelError) {
            try host.signal(signal, process: id)
        } catch  where error.code == ESRCH {
            return
        }
    }

    // MARK: Daemons that nobody wants

    /// Signals all of them before it waits for any: fifty that take a second each take one second.
    private func stopUnwanted(_ wanted: [String: DaemonConfiguration], isFull: Bool, _ report: inout ApplyReport) {
        var records: [(record: DaemonRecord, process: Int32?)] = []
        for record in unwanted(wanted, isFull: isFull, &report) {
            do throws(KernelError) {
                let process = try running(record)
                if let process { try signal(record.stopSignal, process) }
                records.append((record, process))
            } catch {
                report.add(Failure(.daemon(record.key), error.description))
            }
        }
        for (record, process) in records {
            do throws(KernelError) {
                if let process { try awaitEnd(record, process) } else { try stopStrays(record.mark) }
                try forget(record)
                report.daemonActions.append(DaemonAction(record.key, .stopped))
            } catch {
                report.add(Failure(.daemon(record.key), error.description))
            }
        }
    }

    private func unwanted(_ wanted: [String: DaemonConfiguration], isFull: Bool, _ report: inout ApplyReport) -> [DaemonRecord] {
        do throws(KernelError) {
            guard isFull else {
                var records: [DaemonRecord] = []
                for key in memories.keys.sorted() where wanted[key] == nil {
                    if let record = try record(of: key) { records.append(record) } else { memories[key] = nil }
                }
                return records
            }
            let kept = Set(wanted.keys.map(DaemonRecord.fileName))
            var records: [DaemonRecord] = []
            for name in try host.listDirectory(directory).sorted() where !kept.contains(name) {
                if let record = try host.readFile(directory + "/" + name).flatMap(DaemonRecord.init) { records.append(record) }
            }
            return records
        } catch {
            report.add(Failure(.namespace(nil), error.description))
            return []
        }
    }

    private func forget(_ record: DaemonRecord) throws(KernelError) {
        for path in record.files.keys.sorted() + record.namedPipes + [record.processIDFile] { try host.removeFile(path) }
        // What it wrote itself: leases, logs.
        if let directory = record.directory { try host.removeFile(directory) }
        try host.removeFile(path(of: record.key))
        memories[record.key] = nil
    }

    // MARK: Records

    private func path(of key: String) -> String { directory + "/" + DaemonRecord.fileName(for: key) }

    private func record(of key: String) throws(KernelError) -> DaemonRecord? {
        try host.readFile(path(of: key)).flatMap(DaemonRecord.init)
    }

    private func write(_ record: DaemonRecord) throws(KernelError) {
        try host.writeFile(path(of: record.key), record.text)
    }
}
