import Glibc
import Logging
import Synchronization

/// The file that a SQLite store has open. Somebody may put another one in its place meanwhile: what is written then goes into a file without a name, and is
/// lost when it is closed. So nothing is written any more, and nothing read, until the file is back or the server starts again.
final class SQLiteFile: Sendable {
    private struct Identity: Equatable {
        var device: dev_t
        var number: ino_t

        init?(path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            (device, number) = (status.st_dev, status.st_ino)
        }
    }

    let path: String
    private let identity: Identity?
    private let logger: Logger
    private let isReplaced = Atomic(false)

    /// - Parameter path: of a file that is open.
    init(path: String, logger: Logger) {
        self.path = path
        self.logger = logger
        identity = Identity(path: path)
    }

    /// Throws when the path leads to another file, or to none.
    func check() throws(StoreError) {
        let isOther = Identity(path: path) != identity
        let wasOther = isReplaced.exchange(isOther, ordering: .relaxed)
        if isOther, !wasOther { logger.critical("The database is another file now", metadata: ["reason": "\(StoreError.replaced(path))"]) }
        if isOther { throw .replaced(path) }
    }

    /// What the last look told: readers look at nothing themselves, and hosts report every few seconds, which writes.
    func checkLast() throws(StoreError) {
        if isReplaced.load(ordering: .relaxed) { throw .replaced(path) }
    }
}
