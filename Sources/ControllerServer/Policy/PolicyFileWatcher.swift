import AccessPolicy
import Foundation
import Logging
import Operations
import ServiceLifecycle

/// Puts a policy file's rules in force, and its changes within a second. A file that cannot be used changes nothing: the rules stay, and the log
/// says what is wrong with which line.
struct PolicyFileWatcher: Service {
    /// How often the file is looked at.
    static let intervalMilliseconds = 500

    let path: String
    let book: PolicyBook
    let logger: Logger

    /// What tells one content of the file from the next: editors write a new file or change the old one.
    private struct Version: Equatable {
        var modified: Date?
        var size: UInt64?
        var file: UInt64?
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

    private let read: Version

    func run() async throws {
        await cancelWhenGracefulShutdown { await follow() }
    }

    private func follow() async {
        var known = read
        while !Task.isCancelled {
            do { try await Task.sleep(for: .milliseconds(Self.intervalMilliseconds)) } catch { return }
            let current = Self.version(of: path)
            guard current != known else { continue }
            known = current
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

    private static func version(of path: String) -> Version {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        return Version(
            modified: attributes?[.modificationDate] as? Date, size: (attributes?[.size] as? NSNumber)?.uint64Value,
            file: (attributes?[.systemFileNumber] as? NSNumber)?.uint64Value)
    }
}
