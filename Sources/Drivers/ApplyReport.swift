import KernelInterface

/// Something that could not be realised. The next cycle tries again.
public struct Failure: Hashable, Sendable, CustomStringConvertible {
    public var subject: Subject
    /// What was tried and what the kernel or the program said.
    public var sentence: String

    public init(_ subject: Subject, _ sentence: String) {
        self.subject = subject
        self.sentence = sentence
    }

    public var description: String { "\(subject): \(sentence)" }
}

/// What was done with a daemon.
public struct DaemonAction: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// A process of an earlier agent was found and kept.
        case adopted
        case started, restarted
        case signalled(Int32)
        case stopped
    }
    public var key: String
    public var kind: Kind

    public init(_ key: String, _ kind: Kind) {
        self.key = key
        self.kind = kind
    }
}

/// What one cycle did.
public struct ApplyReport: Hashable, Sendable {
    /// Kernel operations that were done. 0 when all was as it shall be.
    public var performed = 0
    /// At most ``maximumFailures``; ``failureCount`` counts all.
    public var failures: [Failure] = []
    public var failureCount = 0
    /// Foreign links that are wanted and do not exist (yet): a port without its device.
    public var missingLinks: Set<String> = []
    public var daemonActions: [DaemonAction] = []
    /// Processes of daemons, by key, that were found to have ended although nobody told them to.
    public var endedDaemons: [String: Int32] = [:]
    /// When to run a cycle again although nothing changed: a daemon is starting, ends, or waits for its next attempt.
    public var retryAfterMilliseconds: Int?
    /// Whether something that is wanted is not there yet although it did not fail: a daemon that is starting.
    public private(set) var isWaiting = false
    /// Daemons whose start is under way.
    public private(set) var startingDaemons: Set<String> = []
    /// Daemons that do not run as they shall and will soon: those that are ended to be started again, and those that were started and have not said
    /// that they run.
    public private(set) var unreadyDaemons: Set<String> = []
    /// Whether a resync (``Reconciler/requestResync()``) has more to look at: another cycle shall follow at once.
    public var isResyncing = false

    /// What somebody else did to the host, which this cycle repairs: sentences, at most ``maximumFindings`` of each namespace.
    public private(set) var findings: [String] = []

    public static let maximumFailures = 200
    /// A namespace whose devices are gone has lost everything: the first sentences say it.
    public static let maximumFindings = 20

    public init() {}

    /// Whether everything that is wanted is there. What nobody wants any more may still be ending: then there is a time to look again.
    public var isComplete: Bool { failureCount == 0 && !isWaiting }

    mutating func add(_ failure: Failure) {
        failureCount += 1
        if failures.count < Self.maximumFailures { failures.append(failure) }
    }

    mutating func add(findings sentences: [String], in place: NamespaceName?) {
        let ending = place.map { " in namespace \($0)" } ?? ""
        findings += sentences.prefix(Self.maximumFindings).map { $0 + ending }
        let rest = sentences.count - Self.maximumFindings
        if rest > 0 { findings.append("\(rest) other things are not as they were left" + ending) }
    }

    /// Takes over what another part of the cycle did.
    mutating func merge(_ part: ApplyReport) {
        performed += part.performed
        failureCount += part.failureCount
        failures += part.failures.prefix(max(Self.maximumFailures - failures.count, 0))
        missingLinks.formUnion(part.missingLinks)
        daemonActions += part.daemonActions
        endedDaemons.merge(part.endedDaemons) { $1 }
        if let milliseconds = part.retryAfterMilliseconds { lookAgain(afterMilliseconds: milliseconds) }
        isWaiting = isWaiting || part.isWaiting
        startingDaemons.formUnion(part.startingDaemons)
        unreadyDaemons.formUnion(part.unreadyDaemons)
    }

    /// Something that is wanted has to wait.
    mutating func retry(afterMilliseconds milliseconds: Int) {
        isWaiting = true
        lookAgain(afterMilliseconds: milliseconds)
    }

    /// A daemon that is wanted has to wait.
    mutating func retry(_ key: String, afterMilliseconds milliseconds: Int) {
        unreadyDaemons.insert(key)
        retry(afterMilliseconds: milliseconds)
    }

    /// A daemon is being started, whose end wakes the next cycle.
    mutating func wait(forStartOf key: String) {
        isWaiting = true
        startingDaemons.insert(key)
    }

    mutating func lookAgain(afterMilliseconds milliseconds: Int) {
        retryAfterMilliseconds = min(retryAfterMilliseconds ?? milliseconds, milliseconds)
    }
}
