import AccessPolicy
import Foundation
import Logging
import Operations
import ServiceLifecycle

/// Puts a policy file's rules in force, and its changes within a second. A file that cannot be used changes nothing: the rules stay, and the log
/// says what is wrong with which line. A changed file is read when it has stayed as it is from one look to the next: an editor may be in the
/// middle of writing it, and half of a file can be rules as well.
struct PolicyFileWatcher: Service {
    /// How often the file is looked at.
    static let intervalMilliseconds = 250

    let path: String
    let book: PolicyBook
    let logger: Logger

    /// What tells one content of the file from the next: editors write a new file or change the old one, and where the path is a symbolic link, as of
    /// a mounted ConfigMap, the link is made to lead to another file.
    private struct Version: Equatable {
        var seconds: Int
        var nanoseconds: Int
        var size: Int
        var file: UInt
        var device: UInt
    }

    /// Reads the file before anything is asked of it: a server does not start with rules that nobody meant.
    init(path: String, book: PolicyBook, logger: Logger) throws(PolicyFileError) {
        self.path = path
        self.book = book
        self.logger = logger
        read = Self.version(of: path)
        let rules = try PolicyFile.read(path)
        take(rules, "Rules of a policy file are in force")
    }

    /// Nil: there was no file.
    private let read: Version?

    func run() async throws {
        await cancelWhenGracefulShutdown { await follow() }
    }

    private func follow() async {
        var looks = SettledChange(known: read)
        while !Task.isCancelled {
            do { try await Task.sleep(for: .milliseconds(Self.intervalMilliseconds)) } catch { return }
            guard looks.isSettled(at: Self.version(of: path)) else { continue }
            do throws(PolicyFileError) {
                take(try PolicyFile.read(path), "The policy file changed; its rules are in force")
            } catch {
                logger.error("The policy file changed and cannot be used; the rules stay as they were", metadata: ["reason": "\(error)"])
            }
        }
    }

    private func take(_ rules: PolicyRules, _ message: Logger.Message) {
        book.replace(with: rules)
        let count = rules.names.count { rules[$0]?.isOverridden == true }
        logger.notice(message, metadata: ["path": "\(path)", "rules": "\(count)"])
        for warning in rules.warnings { logger.warning("A rule may not mean what it says", metadata: ["reason": "\(warning)"]) }
    }

    /// stat(2) of what the path leads to; nil when that is nothing.
    private static func version(of path: String) -> Version? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return Version(
            seconds: Int(status.st_mtim.tv_sec), nanoseconds: Int(status.st_mtim.tv_nsec), size: Int(status.st_size),
            file: UInt(status.st_ino), device: UInt(status.st_dev))
    }
}

/// Finds changes of what is looked at again and again, once they stay from one look to the next.
struct SettledChange<Version: Equatable> {
    private var known: Version
    private var previous: Version

    init(known: Version) {
        self.known = known
        previous = known
    }

    /// Whether what is seen differs from what was known, and is what the look before saw. It is known from then on.
    mutating func isSettled(at current: Version) -> Bool {
        defer { previous = current }
        guard current != known, current == previous else { return false }
        known = current
        return true
    }
}
