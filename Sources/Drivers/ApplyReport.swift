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
    /// When to run a cycle again although nothing changed: a daemon is starting, or waits for its next attempt.
    public var retryAfterMilliseconds: Int?

    public static let maximumFailures = 200

    public init() {}

    public var isComplete: Bool { failureCount == 0 && retryAfterMilliseconds == nil }

    mutating func add(_ failure: Failure) {
        failureCount += 1
        if failures.count < Self.maximumFailures { failures.append(failure) }
    }

    mutating func retry(afterMilliseconds milliseconds: Int) {
        retryAfterMilliseconds = min(retryAfterMilliseconds ?? milliseconds, milliseconds)
    }
}
