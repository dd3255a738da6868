import Glibc
import KernelInterface

/// Brings one daemon to what its configuration says, apart from all others: values go in and come out, so that many run side by side.
struct DaemonWork: Sendable {
    /// How long a program that detached itself may take to write its process id.
    static let startGraceMilliseconds = 3_000
    /// When to look again at a daemon that is starting.
    static let startPollMilliseconds = 100
    /// The time a program may take to detach itself.
    static let startTimeoutMilliseconds = 10_000

    /// What is known about a daemon of the last configuration.
    struct Memory: Sendable {
        var configuration: DaemonConfiguration
        var backoff = RestartBackoff()
        /// What its start, which was ordered, will have been; nil: none is under way.
        var ordered: DaemonAction.Kind?
        /// Started, and its process id is not written yet.
        var isStarting = false
        /// Must be looked at in the next cycle even if nothing changed.
        var isDirty = true
        var mustRestart = false
        /// What was ended for the sake of a new start, which is due from then on.
        var cleared: Cleared?
        /// The process that ran when the daemon was last looked at.
        var process: Int32?
        /// Whether it was told to end and is still there.
        var ending: EndingDaemon?
    }

    enum Cleared: Sendable {
        /// The daemon itself: the start is a restart.
        case daemon
        /// What an earlier one left behind.
        case strays
    }

    let host: any ProcessHost
    let files: DaemonFiles
    let checks: ConfigurationChecks
    /// Where programs are started; nil: here, while the cycle waits.
    let starts: DaemonStarts?
    /// How a start that was ordered has ended.
    var outcome: DaemonStarts.Outcome?
    let now: Int
    /// Nothing is started or ended: the namespace is not ready.
    var isHeld: Bool
    /// Nothing is started, for so long.
    var heldMilliseconds: Int?
    let isNew: Bool
    var memory: Memory
    var report = ApplyReport()

    mutating func run() {
        do throws(KernelError) {
            if let outcome, let kind = memory.ordered { try conclude(outcome, kind) }
            try ensure()
        } catch {
            memory.isDirty = true
            report.add(Failure(.daemon(memory.configuration.key), LastWords.lasting(error.description)))
            report.retry(afterMilliseconds: max(memory.backoff.wait(at: now), RestartBackoff.firstDelayMilliseconds))
        }
    }

    private mutating func ensure() throws(KernelError) {
        if try isStillEnding() { return }
        let record = try files.record(of: memory.configuration.key)
        let found = try files.running(record ?? DaemonRecord(memory.configuration))
        if let former = memory.process, former != found, memory.cleared == nil {
            report.endedDaemons[memory.configuration.key] = former
        }
        memory.process = found
        let refusal = try checks.refusal(of: memory.configuration, host: host, now: now)
        let configuration = refusal == nil ? memory.configuration : try acceptable()
        if let refusal { note(refusal, of: configuration) }
        try bring(found, to: configuration, record)
        if refusal != nil { memory.isDirty = true }
    }

    private mutating func bring(_ found: Int32?, to configuration: DaemonConfiguration, _ record: DaemonRecord?) throws(KernelError) {
        let action = try writeFiles(of: configuration, record)
        guard let found else {
            try writeInitialFiles(of: configuration)
            try startIfDue(configuration, record)
            return
        }
        if memory.mustRestart || action == .restart || record.map({ !$0.runs(configuration) }) == true {
            if isHeld { return }
            if let heldMilliseconds {
                report.retry(afterMilliseconds: heldMilliseconds)
                return
            }
            memory.cleared = .daemon
            if try end(record ?? DaemonRecord(configuration), process: found) { try startIfDue(configuration, record) }
            return
        }
        if case .signal(let signal) = action {
            try host.signal(signal, process: found)
            report.daemonActions.append(DaemonAction(configuration.key, .signalled(signal)))
        }
        if record != DaemonRecord(configuration) { try files.write(DaemonRecord(configuration)) }
        if let log = configuration.growingLog { limit(log, of: configuration) }
        if isNew { report.daemonActions.append(DaemonAction(configuration.key, .adopted)) }
        memory.isStarting = false
        memory.cleared = nil
        memory.isDirty = false
    }

    /// What it cannot be is said; the daemon runs as it shall.
    private mutating func limit(_ log: GrowingLog, of configuration: DaemonConfiguration) {
        do throws(KernelError) {
            try host.limit(log)
        } catch {
            report.add(Failure(.daemon(configuration.key), error.description))
        }
    }

    // MARK: Refusal

    /// The configuration with what is on disk in place of the file that is refused: what the daemon took before. Without one before, what it
    /// understands of the refused one is better than nothing.
    private func acceptable() throws(KernelError) -> DaemonConfiguration {
        var configuration = memory.configuration
        for index in configuration.files.indices where configuration.files[index].path == configuration.check?.path {
            guard let contents = try host.readFile(configuration.files[index].path) else { continue }
            configuration.files[index].contents = contents
        }
        return configuration
    }

    /// Said in every cycle for as long as it is so, and looked at again when the verdict may be another one.
    private mutating func note(_ refusal: String, of configuration: DaemonConfiguration) {
        let isOld = configuration != memory.configuration
        let doing =
            isOld ? "its new configuration is refused, it keeps the one before" : "its configuration is refused, it runs with a part of it"
        report.add(Failure(.daemon(configuration.key), "\(doing): \(refusal)"))
        report.retry(afterMilliseconds: ConfigurationChecks.refusedMilliseconds)
    }

    // MARK: Ending

    private mutating func isStillEnding() throws(KernelError) -> Bool {
        guard var ending = memory.ending else { return false }
        let hasEnded = try ending.hasEnded(host: host, now: now)
        memory.ending = hasEnded ? nil : ending
        if !hasEnded { note(ending) }
        return !hasEnded
    }

    /// Tells the process to end (nil: strays only); true when nothing is left already.
    private mutating func end(_ record: DaemonRecord, process: Int32?) throws(KernelError) -> Bool {
        var ending = try EndingDaemon(record, process: process, host: host, now: now)
        if try ending.hasEnded(host: host, now: now) { return true }
        memory.ending = ending
        note(ending)
        return false
    }

    private mutating func note(_ ending: EndingDaemon) {
        memory.isDirty = true
        if let complaint = ending.complaint(now: now) { report.add(Failure(.daemon(ending.record.key), complaint)) }
        report.retry(memory.configuration.key, afterMilliseconds: ending.nextLookMilliseconds(now: now))
    }

    // MARK: Starting

    private mutating func startIfDue(_ configuration: DaemonConfiguration, _ record: DaemonRecord?) throws(KernelError) {
        if isHeld { return }
        if let heldMilliseconds {
            report.retry(afterMilliseconds: heldMilliseconds)
            return
        }
        if memory.isStarting, let started = memory.backoff.lastStart, now - started < Self.startGraceMilliseconds,
            record?.runs(configuration) == true
        {
            report.retry(configuration.key, afterMilliseconds: Self.startPollMilliseconds)
            return
        }
        let wait = memory.cleared == nil ? memory.backoff.wait(at: now) : 0
        if wait > 0 {
            let words = configuration.log.flatMap { try? host.readFile($0) }.flatMap(LastWords.of)
            let sentence = "ended soon after its start; the next attempt waits" + (words.map { "; it said: \($0)" } ?? "")
            report.add(Failure(.daemon(configuration.key), sentence))
            report.retry(afterMilliseconds: wait)
            return
        }
        try start(configuration, record)
    }

    /// Starts a daemon whose files are written. The record is written first: whatever happens next, the process will be recognised.
    private mutating func start(_ configuration: DaemonConfiguration, _ record: DaemonRecord?) throws(KernelError) {
        memory.isStarting = false
        if try !clear(record) { return }
        let kind: DaemonAction.Kind = memory.cleared == .daemon ? .restarted : .started
        memory.cleared = nil
        try host.removeFile(configuration.processIDFile)
        for pipe in configuration.namedPipes { try makePipe(pipe) }
        try files.write(DaemonRecord(configuration))
        let order = DaemonStarts.Order(
            key: configuration.key, command: configuration.command, namespace: configuration.namespace,
            isRepeated: memory.backoff.isRepeat(at: now))
        memory.mustRestart = false
        memory.process = nil
        memory.ordered = kind
        guard let starts else {
            try conclude(DaemonStarts.run(order, on: host), kind)
            return
        }
        starts.add(order)
        report.wait(forStartOf: configuration.key)
    }

    /// Takes note of the end of the program that starts the daemon.
    private mutating func conclude(_ outcome: DaemonStarts.Outcome, _ kind: DaemonAction.Kind) throws(KernelError) {
        memory.ordered = nil
        memory.backoff.started(at: now)
        if case .failed(let error) = outcome { throw error }
        report.daemonActions.append(DaemonAction(memory.configuration.key, kind))
        memory.process = try files.running(DaemonRecord(memory.configuration))
        if memory.process != nil {
            memory.isDirty = false
        } else {
            memory.isStarting = true
            report.retry(memory.configuration.key, afterMilliseconds: Self.startPollMilliseconds)
        }
    }

    /// Ends what an earlier run may have left; true when nothing is left. Looking for strays reads all of /proc: not for a daemon that never ran, nor
    /// for one that was seen to end.
    private mutating func clear(_ record: DaemonRecord?) throws(KernelError) -> Bool {
        if memory.cleared != nil { return true }
        let leftover = try host.readFile(memory.configuration.processIDFile)
        guard record != nil || leftover != nil || memory.backoff.lastStart != nil else { return true }
        memory.cleared = .strays
        return try end(DaemonRecord(memory.configuration), process: nil)
    }

    private func makePipe(_ path: String) throws(KernelError) {
        do throws(KernelError) {
            try host.makeNamedPipe(path)
        } catch  where error.code == EEXIST {
            return
        }
    }

    // MARK: Files

    /// Writes the files that differ from what is on disk, and says what the running process must be told: of that, the record knows more than
    /// the disk, since an agent may have ended between writing a file and telling the process.
    private func writeFiles(of configuration: DaemonConfiguration, _ record: DaemonRecord?) throws(KernelError) -> ReloadAction {
        var action = ReloadAction.none
        for file in configuration.files where !file.isInitial {
            let differs = try host.readFile(file.path) != file.contents
            if differs { try host.writeFile(file.path, file.contents) }
            let isUnread = record.map { $0.files[file.path] != DaemonRecord.digest(file.contents) } ?? false
            if differs || isUnread { action = stronger(action, file.onChange) }
        }
        let kept = Set(configuration.files.map(\.path))
        for path in record?.files.keys.sorted() ?? [] where !kept.contains(path) { try host.removeFile(path) }
        return action
    }

    private func writeInitialFiles(of configuration: DaemonConfiguration) throws(KernelError) {
        for file in configuration.files where file.isInitial {
            if try host.readFile(file.path) == nil { try host.writeFile(file.path, file.contents) }
        }
    }

    private func stronger(_ left: ReloadAction, _ right: ReloadAction) -> ReloadAction {
        switch (left, right) {
        case (.restart, _), (_, .restart): .restart
        case (.signal, _): left
        case (.none, _): right
        }
    }
}
